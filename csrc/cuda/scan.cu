#include <algorithm>
#include <stdexcept>
#include <utility>

#include "cuda/raise.cuh"
#include "cuda/scan.h"
#include "cuda/scan_pixels.cuh"
#include "cuda/scan_private.cuh"
#include "cuda/scan_tiles.cuh"
#include "cuda/store.h"
#include "cuda/topk.cuh"

namespace milan::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kLanes;
constexpr int64_t kMostValues = int64_t{1} << 30;  // of a unit in one launch: counts are 32-bit
constexpr int kLeastMajor = 8;                     // compute capability
constexpr int kMostBits = 16;                      // a block is 2^bits counts
constexpr int64_t kMostHeld = int64_t{1} << 16;    // images whose maxima are held
/// Planes below this are staged as tiles: a warp would have less than one round of wide loads.
constexpr int64_t kSmallPlane = 1024;
/// While fewer than this many times `rank` values have been seen, above 15 % of them survive.
constexpr uint64_t kColdRanks = 7;
/// Values of one unit that make a histogram in shared memory worth its clearing and flushing.
constexpr int64_t kPrivateValues = 8192;

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

}  // namespace

const char* unsupported(const DeviceRules& rules) {
  if (rules.holds() && rules.keep_maps) return "k is above 64, and maps are kept";
  if (rules.k > kMostHeld) return "k is above 65536";
  if (rules.pixels > kMostValues) return "maps have more than 2^30 pixels";
  if (rules.bits > kMostBits) return "bins have more than 16 bits";
  return nullptr;
}

std::string device_problem(int device) {
  int count = 0, major = 0, minor = 0;
  cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && device >= count) {
    return "there is no CUDA device " + std::to_string(device);
  }
  if (status == cudaSuccess) {
    status = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  }
  if (status == cudaSuccess) {
    status = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
  }
  if (status == cudaSuccess && major < kLeastMajor) {
    return "CUDA device " + std::to_string(device) + " has compute capability " +
           std::to_string(major) + "." + std::to_string(minor) + ", the kernels need " +
           std::to_string(kLeastMajor) + ".0";
  }
  if (status == cudaSuccess) {  // is there code for this device?
    const DeviceGuard guard(device);
    cudaFuncAttributes attributes{};
    status = cudaFuncGetAttributes(&attributes, plan_raise);
  }
  if (status == cudaSuccess) return "";
  (void)cudaGetLastError();
  return cudaGetErrorString(status);
}

struct DeviceScan::Implementation {
  DeviceRules rules;
  int device;
  Change change;
  RaiseRule raise;
  Store store;
  DeviceArray<PlaneStats> stats;
  DeviceArray<uint32_t> ids;
  bool captured = false;                               // a graph holds pointers to what is here
  std::vector<DeviceArray<PlaneStats>> retired_stats;  // replaced, and perhaps in a graph
  std::vector<DeviceArray<uint32_t>> retired_ids;
  bool loaded[3] = {};                  // kernels, by Dtype
  uint64_t images = 0, next_raise = 0;  // without replays of graphs

  Implementation(const DeviceRules& given, int on)
      : rules(given),
        device(on),
        change{given.mode == 2 ? 0x7FFFFFFFu : 0xFFFFFFFFu, given.mode == 1 ? 0x80000000u : 0u},
        raise{given.rank, static_cast<Counter>(std::max<int64_t>(1, kMostValues / given.pixels))},
        store(given, nullptr) {}

  template <class T>
  Batch<T> view(const Activations& a) const {
    const int64_t stride = a.pixel_stride();
    return {static_cast<const T*>(a.data),
            a.images,
            a.units,
            rules.pixels,
            a.width,
            a.image_stride,
            a.unit_stride,
            a.row_stride,
            stride != 0 ? stride : a.column_stride,
            (rules.pixels + kRun - 1) / kRun,
            change,
            stats.get()};
  }

  void reserve(int64_t images_now, bool capturing) {
    const auto planes = static_cast<size_t>(images_now * rules.units);
    if (stats.size() >= planes && ids.size() >= static_cast<size_t>(images_now)) return;
    if (capturing) {
      throw UserError(
          "ScanState.update: run one ordinary update of this size before capturing it "
          "in a CUDA graph");
    }
    DeviceArray<PlaneStats> more_stats(planes);
    DeviceArray<uint32_t> more_ids(static_cast<size_t>(images_now));
    std::swap(stats, more_stats);
    std::swap(ids, more_ids);
    if (!captured) return;
    retired_stats.push_back(std::move(more_stats));
    retired_ids.push_back(std::move(more_ids));
  }

  /// Load every kernel that a later update of this type may need: it may be captured, and then
  /// nothing can be loaded.
  template <class T>
  void load_kernels() {
    load("scan_private", scan_private<T>);
    load("scan_tiles", scan_tiles<T>);
    load("scan_planes", scan_planes<T>);
    load("scan_strided", scan_strided<T>);
    load("scan_pixels", scan_pixels<T, true>);
    load("scan_pixels", scan_pixels<T, false>);
    load("merge_topk", store.top().k <= kLanes ? merge_topk<T, 1> : merge_topk<T, 2>);
    load("narrow_ids", narrow_ids);
    load("raise_floors", raise_floors);
    load("plan_raise", plan_raise);
  }

  template <class T>
  void prepare(const Activations& a, bool capturing) {
    if (capturing || std::exchange(loaded[static_cast<int>(a.dtype)], true)) return;
    load_kernels<T>();
  }

  void check_held(int64_t images_now, bool capturing) const {
    if (!rules.holds()) return;
    if (capturing) {
      throw UserError(
          "ScanState.update: a scan with k above 64 cannot be captured in a CUDA graph");
    }
    if (static_cast<int64_t>(images) + images_now > rules.k) {
      throw std::logic_error("more maxima than the device holds");  // the caller collects before
    }
  }

  void send_ids(const ImageIds& given, int64_t first, int64_t count, cudaStream_t stream) {
    if (given.device != nullptr) {
      launch("narrow_ids", narrow_ids, (count + 255) / 256, 256, 0, stream, given.device + first,
             count, ids.get());
      return;
    }
    for (int64_t at = 0; at < count; at += IdList::kMost) {
      IdList list{};
      const auto n = static_cast<int>(std::min<int64_t>(IdList::kMost, count - at));
      for (int i = 0; i < n; ++i) list.id[i] = static_cast<uint32_t>(given.host[first + at + i]);
      launch("write_ids", write_ids, 1, IdList::kMost, 0, stream, list, n, ids.get() + at);
    }
  }

  template <class T>
  void scan_side_by_side(const Batch<T>& batch, bool dense, bool cold, cudaStream_t stream) {
    const Sketch sketch = store.sketch();
    const int64_t planes = batch.images * batch.units, values = batch.images * batch.pixels;
    if (cold && values >= kPrivateValues && rules.bits <= 12) {
      const int64_t slices = std::max<int64_t>(
          1, std::min(batch.images,
                      std::min(values / kPrivateValues, busy_blocks(1 << 20, 8) / batch.units)));
      launch("scan_private", scan_private<T>, busy_blocks(batch.units * slices, 4), kThreads,
             (kPrivateBins + 1) * sizeof(uint32_t), stream, batch, sketch, slices);
    } else if (dense && aligned(batch.values) &&
               batch.pixels * static_cast<int64_t>(sizeof(T)) < kSmallPlane) {
      const int64_t tiles = (planes - 1) / tile_planes<T>(batch.pixels) + 1;
      launch("scan_tiles", scan_tiles<T>, busy_blocks(tiles, 8), kThreads, 2 * kTileBytes, stream,
             batch, sketch);
    } else {
      launch("scan_planes", scan_planes<T>, busy_blocks(planes * batch.runs / kWarps + 1, 8),
             kThreads, 0, stream, batch, sketch);
    }
  }

  template <class T, bool kWide>
  void scan_columns(const Batch<T>& batch, cudaStream_t stream) {
    constexpr int kGroup = kLanes * Column<T, kWide>::kUnits;
    const int64_t chunks = (batch.pixels + kPixelChunk - 1) / kPixelChunk;
    const int64_t groups = (batch.units + kGroup - 1) / kGroup;
    const int64_t needed = (batch.pixels + kPixelsAhead<T> - 1) / kPixelsAhead<T>;
    const int warps = static_cast<int>(std::min<int64_t>(kWarps, needed));
    launch("scan_pixels", scan_pixels<T, kWide>, busy_blocks(batch.images * chunks * groups, 8),
           warps * kLanes, static_cast<size_t>(2 * warps * kGroup) * sizeof(uint32_t), stream,
           batch, store.sketch(), chunks, groups);
  }

  template <class T>
  void scan(const Activations& a, bool cold, cudaStream_t stream) {
    prepare<T>(a, is_capturing(stream));
    Batch<T> batch = view<T>(a);
    const int64_t stride = a.pixel_stride();
    const bool one_pixel = rules.pixels == 1;
    const bool columns = stride != 0 && a.unit_stride == 1 && (one_pixel || stride != 1);
    if (columns || batch.runs > 1) stats.clear(stream);
    if (columns) {
      constexpr int kUnits = Packet<T>::kValues;
      const bool wide = aligned(a.data) && a.units % kUnits == 0 && a.image_stride % kUnits == 0 &&
                        (one_pixel || stride % kUnits == 0);
      wide ? scan_columns<T, true>(batch, stream) : scan_columns<T, false>(batch, stream);
    } else if (one_pixel || stride == 1) {
      const bool dense = a.unit_stride == rules.pixels &&
                         (a.images == 1 || a.image_stride == rules.pixels * a.units);
      scan_side_by_side(batch, dense, cold, stream);
    } else {
      launch("scan_strided", scan_strided<T>,
             busy_blocks(batch.images * batch.units * batch.runs / kWarps + 1, 8), kThreads, 0,
             stream, batch, store.sketch());
    }
    batch.row_stride = a.row_stride;
    batch.column_stride = a.column_stride;
    merge(batch, stream);
  }

  template <class T>
  void merge(const Batch<T>& batch, cudaStream_t stream) {
    if (rules.holds()) {
      launch("hold_maxima", hold_maxima, (batch.images * batch.units + 255) / 256, 256, 0, stream,
             stats.get(), ids.get(), batch.images, batch.units, store.sketch().pool, store.held());
    }
    const auto kernel = store.top().k <= kLanes ? merge_topk<T, 1> : merge_topk<T, 2>;
    launch("merge_topk", kernel, (batch.units + 3) / 4, 128, 0, stream, batch, ids.get(),
           store.sketch(), store.top());
  }

  void raise_if_due(bool capturing, cudaStream_t stream) {
    if (!capturing && images < next_raise) return;
    if (!capturing) next_raise = raise_after(images, raise);
    launch("raise_floors", raise_floors, (rules.units + 3) / 4, 128, 0, stream, store.sketch(),
           rules.units, raise);
    launch("plan_raise", plan_raise, 1, 1, 0, stream, store.sketch().pool, raise);
  }

  void update(const Activations& a, const ImageIds& given, int64_t first, cudaStream_t stream) {
    const bool capturing = is_capturing(stream);
    check_held(a.images, capturing);
    if (capturing && given.device == nullptr) {
      throw UserError(
          "ScanState.update: inside a CUDA graph the image ids must be an int64 tensor "
          "on the device");
    }
    reserve(a.images, capturing);
    captured = captured || capturing;
    if (!capturing) {
      store.check_room();
      store.grow_if_needed(stream);
    }
    send_ids(given, first, a.images, stream);
    const bool cold =
        !capturing && images * static_cast<uint64_t>(rules.pixels) < kColdRanks * rules.rank;
    switch (a.dtype) {
      case Dtype::kFloat32:
        scan<float>(a, cold, stream);
        break;
      case Dtype::kBfloat16:
        scan<Bfloat16>(a, cold, stream);
        break;
      case Dtype::kFloat16:
        scan<Float16>(a, cold, stream);
        break;
    }
    if (!capturing) images += static_cast<uint64_t>(a.images);
    raise_if_due(capturing, stream);
    store.ask_report(stream);
  }
};

DeviceScan::DeviceScan(const DeviceRules& rules, int device) {
  if (const char* reason = unsupported(rules)) {
    throw UserError(std::string("the CUDA scan cannot do this: ") + reason + "; use device: cpu");
  }
  DeviceRules chosen = rules;
  // Only a scan that can overflow a 32-bit count pays for the words that carries go to.
  if (chosen.carry_shift == 0 && rules.total_values > UINT32_MAX) chosen.carry_shift = 31;
  const DeviceGuard guard(device);
  self_ = std::make_unique<Implementation>(chosen, device);
}

DeviceScan::~DeviceScan() = default;

bool DeviceScan::update(const Activations& batch, const ImageIds& ids, cudaStream_t stream) {
  const DeviceGuard guard(self_->device);
  const int64_t step = std::max<int64_t>(1, kMostValues / self_->rules.pixels);
  for (int64_t first = 0; first < batch.images; first += step) {
    Activations part = batch;
    part.data =
        static_cast<const char*>(batch.data) + first * batch.image_stride * dtype_size(batch.dtype);
    part.images = std::min(step, batch.images - first);
    self_->update(part, ids, first, stream);
  }
  return is_capturing(stream);
}

Collected DeviceScan::collect(cudaStream_t stream) {
  const DeviceGuard guard(self_->device);
  return self_->store.collect(stream);
}

bool DeviceScan::seen_nan() const { return self_->store.report().nan != 0; }

int64_t DeviceScan::blocks() const { return self_->store.blocks(); }

}  // namespace milan::cuda
