// K1 while most values survive: a block stays with one unit and counts in shared memory first.
//
// Before the floor has risen nearly every value is recorded, and all blocks would add to the same
// few words of global memory. Here a block takes some images of one unit, counts the octaves around
// the largest values in shared memory, and adds the sums to the global histogram once.
#pragma once

#include "cuda/scan_planes.cuh"

namespace milan::cuda {

constexpr int kPrivateBins = 8192;  // 32 KiB: eight octaves of 2^10 bins

/// Counts in shared memory where it can.
struct PrivateRecorder {
  const Recorder& global;
  uint32_t* counts;  // [kPrivateBins]
  uint32_t first;    // bin of counts[0]

  __device__ __forceinline__ void operator()(float x) const {
    const uint32_t bin = global.sketch.bin(x);
    if (bin - first < kPrivateBins) {
      atomicAdd(&counts[bin - first], 1u);
    } else {
      global.add(bin, 1);
    }
  }
};

/// First bin of the window, from a glance at 32 values: room for values twice as large and more.
template <class T>
__device__ __forceinline__ uint32_t window_start(const Batch<T>& batch, const Sketch& sketch,
                                                 const T* values) {
  Seen glance;
  if (lane_index() < batch.pixels) {
    glance.best = fmaxf(glance.best, batch.change(widen(values[lane_index()])));
  }
  const uint32_t top = __reduce_max_sync(kAllLanes, glance.code()) >> sketch.shift();
  const uint32_t end = min(top + kPrivateBins / 4, static_cast<uint32_t>(kOctaves) << sketch.bits);
  return end > kPrivateBins ? end - kPrivateBins : 0;
}

/// Item = (unit, slice of the images). Shared memory: kPrivateBins + 1 words.
template <class T>
__global__ void __launch_bounds__(256, 4)
    scan_private(Batch<T> batch, Sketch sketch, int64_t slices) {
  auto* counts = shared_memory<uint32_t>();
  const int warps = static_cast<int>(blockDim.x) / kLanes;
  for (int64_t item = blockIdx.x; item < batch.units * slices; item += gridDim.x) {
    const int64_t unit = item / slices, slice = item - unit * slices;
    const int64_t from = batch.images * slice / slices, to = batch.images * (slice + 1) / slices;
    const T* planes = batch.values + unit * batch.unit_stride;
    for (int i = threadIdx.x; i < kPrivateBins; i += blockDim.x) counts[i] = 0;
    if (warp_in_block() == 0) {
      const uint32_t start = window_start(batch, sketch, planes + from * batch.image_stride);
      if (lane_index() == 0) counts[kPrivateBins] = start;
    }
    __syncthreads();
    const Recorder global(sketch, unit);
    const PrivateRecorder record{global, counts, counts[kPrivateBins]};
    const float floor = sketch.floors[unit];
    for (int64_t i = from * batch.runs + warp_in_block(); i < to * batch.runs; i += warps) {
      const int64_t image = i / batch.runs, run = i - image * batch.runs;
      Seen seen;
      scan_run<1>(planes + image * batch.image_stride + run * kRun, run_length(batch, run),
                  batch.change, floor, record, seen);
      seen.finish(batch.plane(unit, image), batch.runs == 1);
    }
    __syncthreads();
    // Each thread clears the words that it reads here, so the next item needs no barrier before.
    for (int i = threadIdx.x; i < kPrivateBins; i += blockDim.x) {
      if (counts[i] != 0) global.add(record.first + static_cast<uint32_t>(i), counts[i]);
    }
  }
}

}  // namespace milan::cuda
