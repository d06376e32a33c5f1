#include "milan/beam.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "cpu/float_environment.h"
#include "cpu/threads.h"
#include "milan/number.h"

namespace milan {
namespace {

/// The largest `width` keys offered; kept as a bag that is cut down when it is twice too full.
class Best {
 public:
  explicit Best(size_t width) : width_(width) { bag_.reserve(2 * width); }

  float threshold() const { return threshold_; }

  void offer(float value, uint32_t index) {
    const uint64_t code = std::isnan(value) ? 0 : ordered(value);
    bag_.push_back(code << 32 | static_cast<uint32_t>(~index));
    if (bag_.size() == 2 * width_) cut();
  }

  const std::vector<uint64_t>& sorted() {
    std::sort(bag_.begin(), bag_.end(), std::greater<>());
    return bag_;
  }

 private:
  void cut() {
    std::nth_element(bag_.begin(), bag_.begin() + width_ - 1, bag_.end(), std::greater<>());
    bag_.resize(width_);
    const uint64_t last = *std::min_element(bag_.begin(), bag_.end());
    if (last >> 32) threshold_ = key_value(last);
  }

  size_t width_;
  std::vector<uint64_t> bag_;
  float threshold_ = -INFINITY;
};

}  // namespace

void beam_topk(const float* scores, const float* step, const bool* finished, int64_t rows,
               int64_t beams, int64_t words, int64_t stop, int64_t width, int threads,
               int64_t* beam, int64_t* token, float* score) {
  split(rows, 1, threads, [&](int64_t first, int64_t last) {
    const FloatEnvironment environment;
    for (int64_t row = first; row < last; ++row) {
      Best best(static_cast<size_t>(width));
      for (int64_t b = 0; b < beams; ++b) {
        const int64_t at = row * beams + b;
        const float start = scores[at];
        if (finished[at]) {
          best.offer(start, static_cast<uint32_t>(b * words + stop));
          continue;
        }
        const float* costs = step + at * words;
        for (int64_t w = 0; w < words; ++w) {
          const float value = start + costs[w];
          // Not "value >= threshold": NaN must get in while there is room.
          if (!(value < best.threshold())) best.offer(value, static_cast<uint32_t>(b * words + w));
        }
      }
      const std::vector<uint64_t>& keys = best.sorted();
      for (int64_t i = 0; i < width; ++i) {
        const int64_t index = static_cast<uint32_t>(~keys[i]), at = row * beams + index / words;
        beam[row * width + i] = index / words;
        token[row * width + i] = index % words;
        score[row * width + i] =
            finished[at] ? scores[at] : scores[at] + step[at * words + index % words];
      }
    }
  });
}

}  // namespace milan
