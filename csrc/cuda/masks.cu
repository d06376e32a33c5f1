#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/launch.h"
#include "cuda/masks.h"
#include "cuda/paint.cuh"
#include "milan/axis.h"

namespace milan::cuda {
namespace {

constexpr size_t kMostStaged = 48 << 10;  // of shared memory, without asking for more
constexpr size_t kMostTables = 16;

/// Axis tables of one size on one device.
struct Tables {
  int h, w, height, width, device;
  Border border;
  bool captured;  // a graph holds pointers to them
  DeviceArray<int32_t> first;
  DeviceArray<float> before, after;

  bool same(const Tables& o) const {
    return h == o.h && w == o.w && height == o.height && width == o.width && device == o.device &&
           border == o.border;
  }
  AxisView rows() const { return {first.get(), before.get(), after.get()}; }
  AxisView columns() const {
    return {first.get() + height, before.get() + height, after.get() + height};
  }
};

/// Both axes in one array each. The copies are done before the tables are used by any stream.
std::shared_ptr<Tables> make_tables(Tables wanted, cudaStream_t stream) {
  Axis axis = make_axis(wanted.h, wanted.height, wanted.border, 1);
  const Axis columns = make_axis(wanted.w, wanted.width, wanted.border, 1);
  axis.first.insert(axis.first.end(), columns.first.begin(), columns.first.end());
  axis.before.insert(axis.before.end(), columns.before.begin(), columns.before.end());
  axis.after.insert(axis.after.end(), columns.after.begin(), columns.after.end());
  wanted.first = DeviceArray<int32_t>(axis.first.size());
  wanted.before = DeviceArray<float>(axis.before.size());
  wanted.after = DeviceArray<float>(axis.after.size());
  wanted.first.upload(axis.first.data(), axis.first.size(), stream);
  wanted.before.upload(axis.before.data(), axis.before.size(), stream);
  wanted.after.upload(axis.after.data(), axis.after.size(), stream);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  return std::make_shared<Tables>(std::move(wanted));
}

/// Drop the oldest tables beyond the limit, but for those that a graph holds.
void drop_oldest(std::vector<std::shared_ptr<Tables>>* kept) {
  if (kept->size() < kMostTables) return;
  const auto oldest = std::find_if(kept->begin(), kept->end(),
                                   [](const auto& tables) { return !tables->captured; });
  if (oldest != kept->end()) kept->erase(oldest);
}

std::shared_ptr<Tables> tables_of(Tables wanted, cudaStream_t stream) {
  static std::mutex lock;
  // Never freed: at exit the driver may be gone before it.
  static auto* kept = new std::vector<std::shared_ptr<Tables>>;
  const bool capturing = is_capturing(stream);
  const std::lock_guard<std::mutex> guard(lock);
  for (const auto& tables : *kept) {
    if (!tables->same(wanted)) continue;
    tables->captured = tables->captured || capturing;
    return tables;
  }
  if (capturing) {
    throw UserError("masks: make masks of this size once before capturing it in a CUDA graph");
  }
  load("paint_masks", paint_masks<true>);
  load("paint_masks", paint_masks<false>);
  drop_oldest(kept);
  return kept->emplace_back(make_tables(std::move(wanted), stream));
}

}  // namespace

void masks(const float* maps, const float* levels, int64_t count, int h, int w, int height,
           int width, Border border, int device, cudaStream_t stream, uint8_t* packed) {
  if (count == 0) return;
  const DeviceGuard guard(device);
  const auto tables = tables_of({h, w, height, width, device, border, false, {}, {}, {}}, stream);
  const PaintJob job{maps,  levels, count, h, w, height, width, tables->rows(), tables->columns(),
                     packed};
  const size_t frame = static_cast<size_t>(h + 3) * static_cast<size_t>(w + 3) * sizeof(float);
  const bool staged = frame <= kMostStaged;
  launch("paint_masks", staged ? paint_masks<true> : paint_masks<false>, busy_blocks(count, 32),
         256, staged ? frame : 0, stream, job);
}

}  // namespace milan::cuda
