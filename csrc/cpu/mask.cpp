#include "milan/mask.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "cpu/float_environment.h"
#include "cpu/kernels.h"
#include "cpu/threads.h"
#include "milan/axis.h"
#include "milan/isa.h"

namespace milan {
namespace {

constexpr int kPad = 16;  // rows hold a multiple of the widest vector

/// Do the indices of each vector lie within `lanes` of its first?
bool within_lanes(const std::vector<int32_t>& index, int lanes) {
  for (size_t i = 0; i < index.size(); ++i) {
    const int32_t past_first = index[i] - index[i - i % static_cast<size_t>(lanes)];
    if (past_first < 0 || past_first >= lanes) return false;
  }
  return true;
}

/// Makes the masks of one worker, with its scratch rows.
class Painter {
 public:
  Painter(const Kernels& isa, int h, int w, int height, int width, Border border)
      : isa_(isa),
        h_(h),
        w_(w),
        height_(height),
        width_(width),
        y_(make_axis(h, height, border, kPad)),
        x_(make_axis(w, width, border, kPad)),
        stride_(static_cast<int>(x_.first.size())),
        near_(within_lanes(x_.first, isa.lanes)),
        framed_(static_cast<size_t>(w) + 3 + kSlack, 0.0f),
        wide_(static_cast<size_t>(h + 3) * stride_, 0.0f),
        ready_(static_cast<size_t>(h) + 3) {}

  void paint(const float* map, float level, uint8_t* out) {
    const int row_bytes = (width_ + 7) / 8;
    // Rows whose largest value is safely below the level cannot have a pixel on: a blend exceeds
    // its terms by rounding only. At level 0 that is certain too, without a margin.
    const float safe = level >= 1e-30f ? level * 0.999f : level == 0.0f ? 0.0f : -1.0f;
    std::fill(ready_.begin(), ready_.end(), char{0});
    ready_[0] = ready_[h_ + 1] = ready_[h_ + 2] = 1;  // rows of zeros around the map
    peaks_.assign(static_cast<size_t>(h_) + 3, 0.0f);
    for (int y = 0; y < h_; ++y) {  // rows with NaN or infinities go the full way
      peaks_[y + 1] = isa_.row_peak(map + static_cast<int64_t>(y) * w_, w_);
    }
    for (int y = 0; y < height_; ++y, out += row_bytes) {
      const int row = y_.first[y];
      if (peaks_[row] <= safe && peaks_[row + 1] <= safe) {
        std::memset(out, 0, static_cast<size_t>(row_bytes));
        continue;
      }
      prepare(map, row);
      prepare(map, row + 1);
      const float* upper = &wide_[static_cast<size_t>(row) * stride_];
      isa_.threshold_row(upper, upper + stride_, y_.before[y], y_.after[y], level, width_, out);
    }
  }

 private:
  /// Stretch one source row, once, when the first output row needs it.
  void prepare(const float* map, int row) {
    if (ready_[row]) return;
    ready_[row] = 1;
    std::copy_n(map + static_cast<int64_t>(row - 1) * w_, w_, framed_.begin() + 1);
    isa_.stretch_row(framed_.data(), x_.first.data(), x_.before.data(), x_.after.data(), stride_,
                     near_, &wide_[static_cast<size_t>(row) * stride_]);
  }

  const Kernels& isa_;
  int h_, w_, height_, width_;
  Axis y_, x_;
  int stride_;
  bool near_;                  // a vector of output pixels reads source pixels within one vector
  std::vector<float> framed_;  // [w + 3 + kSlack] one source row between zeros
  std::vector<float> wide_;    // [h + 3, stride] source rows at the output's width
  std::vector<char> ready_;    // [h + 3]
  std::vector<float> peaks_;   // [h + 3] largest value of each source row, at least 0
};

}  // namespace

void masks(const float* maps, const float* levels, int64_t count, int h, int w, int height,
           int width, Border border, int threads, uint8_t* packed) {
  const int64_t map_size = static_cast<int64_t>(h) * w;
  const int64_t mask_bytes = static_cast<int64_t>(height) * ((width + 7) / 8);
  const Kernels& isa = kernels();
  split(count, 1, threads, [&](int64_t first, int64_t last) {
    const FloatEnvironment environment;
    Painter painter(isa, h, w, height, width, border);
    for (int64_t i = first; i < last; ++i) {
      painter.paint(maps + i * map_size, levels[i], packed + i * mask_bytes);
    }
  });
}

}  // namespace milan
