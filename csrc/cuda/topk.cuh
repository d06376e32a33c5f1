// K2: the running top-k of each unit takes in a batch; a warp a unit, keys sorted in registers.
//
// The statistics of the planes are added to the unit's counters on the way. `slots` says in which
// of its k maps a key's map lies, so that maps never move: a new image takes the map of the image
// that it pushes out.
#pragma once

#include <type_traits>

#include "cuda/scan_planes.cuh"
#include "cuda/store.h"

namespace milan::cuda {

/// k keys over the lanes of a warp: key i is in register i / 32 of lane i % 32. `from` is the image
/// of the batch that a key came from, or -1.
template <int kRegisters>
struct SortedKeys {
  Counter key[kRegisters];
  int slot[kRegisters], from[kRegisters];

  /// Lane `lane`'s value of `values[which]`, for a `which` known at run time.
  template <class V>
  __device__ __forceinline__ static V pick(const V (&values)[kRegisters], int which, int lane) {
    V found{};
#pragma unroll
    for (int r = 0; r < kRegisters; ++r) {
      const V value = __shfl_sync(kAllLanes, values[r], lane);
      if (r == which) found = value;
    }
    return found;
  }

  __device__ __forceinline__ Counter weakest(int k) const {
    return pick(key, (k - 1) / kLanes, (k - 1) % kLanes);
  }

  /// Put a key in its place; the last one falls out and leaves its map to it.
  __device__ __forceinline__ void insert(Counter fresh, int image, int k) {
    const int freed = pick(slot, (k - 1) / kLanes, (k - 1) % kLanes), lane = lane_index();
    int place = 0;
#pragma unroll
    for (int r = 0; r < kRegisters; ++r) place += __popc(__ballot_sync(kAllLanes, key[r] > fresh));
    Counter carried_key = 0;
    int carried_slot = 0, carried_from = 0;
#pragma unroll
    for (int r = 0; r < kRegisters; ++r) {
      const int before = (lane + kLanes - 1) % kLanes;
      Counter above_key = __shfl_sync(kAllLanes, key[r], before);
      int above_slot = __shfl_sync(kAllLanes, slot[r], before);
      int above_from = __shfl_sync(kAllLanes, from[r], before);
      if (lane == 0) {  // got the last of this register, which belongs to the next one
        const Counter last_key = above_key;
        const int last_slot = above_slot, last_from = above_from;
        above_key = carried_key, above_slot = carried_slot, above_from = carried_from;
        carried_key = last_key, carried_slot = last_slot, carried_from = last_from;
      }
      const int i = r * kLanes + lane;
      if (i > place && i < k) {
        key[r] = above_key, slot[r] = above_slot, from[r] = above_from;
      } else if (i == place) {
        key[r] = fresh, slot[r] = freed, from[r] = image;
      }
    }
  }
};

/// Sum over the warp, in lane 0.
__device__ __forceinline__ Counter warp_sum(Counter x) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) x += __shfl_down_sync(kAllLanes, x, step);
  return x;
}

/// Copy the map of one image of one unit, as float32 changed by the mode.
template <class T>
__device__ __forceinline__ void copy_map(const Batch<T>& batch, int64_t unit, int64_t image,
                                         float* to) {
  const T* from = batch.values + image * batch.image_stride + unit * batch.unit_stride;
  for (int64_t i = lane_index(); i < batch.pixels; i += kLanes) {
    const int64_t row = i / batch.width, column = i - row * batch.width;
    const T raw = from[row * batch.row_stride + column * batch.column_stride];
    float x;
    if constexpr (sizeof(T) == 4) {
      x = raw;
    } else if constexpr (std::is_same_v<T, Float16>) {
      x = half_to_float(raw.bits);  // NaN to the bit as on the CPU
    } else {
      x = widen(raw);
    }
    to[i] = batch.change(x);
  }
}

/// One warp a unit. `ids` are the images of the batch.
template <class T, int kRegisters>
__global__ void __launch_bounds__(128, 8)
    merge_topk(Batch<T> batch, const uint32_t* __restrict__ ids, Sketch sketch, Top top) {
  const int64_t unit = warp_index();
  if (unit >= batch.units) return;
  const int lane = lane_index(), k = top.k;
  SortedKeys<kRegisters> keys;
#pragma unroll
  for (int r = 0; r < kRegisters; ++r) {
    const int i = r * kLanes + lane;
    keys.key[r] = i < k ? top.keys[unit * k + i] : 0;
    keys.slot[r] = i < k ? top.slots[unit * k + i] : 0;
    keys.from[r] = -1;
  }
  Counter zeros = 0, negatives = 0, nan = 0, weakest = keys.weakest(k);
  for (int64_t first = 0; first < batch.images; first += kLanes) {
    const int64_t image = first + lane;
    Counter candidate = 0;
    if (image < batch.images) {
      const PlaneStats plane = *batch.plane(unit, image);
      zeros += plane.zeros, negatives += plane.negatives, nan += plane.nan;
      if (plane.best != 0) {
        candidate = Counter{plane.best} << 32 | static_cast<uint32_t>(~ids[image]);
      }
    }
    unsigned waiting = __ballot_sync(kAllLanes, candidate > weakest);
    while (waiting != 0) {
      const int source = __ffs(static_cast<int>(waiting)) - 1;
      waiting &= waiting - 1;
      const Counter fresh = __shfl_sync(kAllLanes, candidate, source);
      if (fresh > weakest) {
        keys.insert(fresh, static_cast<int>(first) + source, k);
        weakest = keys.weakest(k);
      }
    }
  }
  zeros = warp_sum(zeros), negatives = warp_sum(negatives), nan = warp_sum(nan);
  if (lane == 0) {
    sketch.zeros[unit] += zeros;
    sketch.negatives[unit] += negatives;
    sketch.nan[unit] += nan;
    if (nan != 0) sketch.pool->report.nan = 1;
    if (unit == 0) sketch.pool->images += static_cast<Counter>(batch.images);
  }
#pragma unroll
  for (int r = 0; r < kRegisters; ++r) {
    const int i = r * kLanes + lane;
    if (i < k) {
      top.keys[unit * k + i] = keys.key[r];
      top.slots[unit * k + i] = keys.slot[r];
    }
  }
  if (top.maps == nullptr) return;
#pragma unroll 1
  for (int i = 0; i < k; ++i) {  // only images that are still among the best are copied
    const int image = SortedKeys<kRegisters>::pick(keys.from, i / kLanes, i % kLanes);
    const int slot = SortedKeys<kRegisters>::pick(keys.slot, i / kLanes, i % kLanes);
    if (image >= 0) copy_map(batch, unit, image, top.maps + (unit * k + slot) * batch.pixels);
  }
}

/// Put the maxima of a batch behind those held already; a thread a plane. Comes before
/// `merge_topk`, which counts the images.
__global__ void __launch_bounds__(256)
    hold_maxima(const PlaneStats* __restrict__ stats, const uint32_t* __restrict__ ids,
                int64_t images, int64_t units, const Pool* pool, Held held) {
  const int64_t plane = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (plane >= units * images) return;
  const int64_t unit = plane / images, image = plane - unit * images;
  const int64_t at = static_cast<int64_t>(pool->images) + image;
  held.best[unit * held.capacity + at] = stats[plane].best;
  if (unit == 0) held.ids[at] = ids[image];
}

/// Image numbers by value: they need no memory that would have to outlive the call.
struct IdList {
  static constexpr int kMost = 256;
  uint32_t id[kMost];
};

__global__ void __launch_bounds__(IdList::kMost) write_ids(IdList list, int count, uint32_t* out) {
  if (static_cast<int>(threadIdx.x) < count) out[threadIdx.x] = list.id[threadIdx.x];
}

/// Image numbers that are on the device already.
__global__ void __launch_bounds__(256)
    narrow_ids(const int64_t* __restrict__ ids, int64_t count, uint32_t* __restrict__ out) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < count) out[i] = static_cast<uint32_t>(ids[i]);
}

}  // namespace milan::cuda
