// K1 for maps whose pixels lie side by side (NCHW), or in any strides: a warp takes one run of one
// plane at a time.
#pragma once

#include "cuda/run.cuh"

namespace milan::cuda {

/// A batch of activations on the device and where its statistics go.
template <class T>
struct Batch {
  const T* values;  // [images, units, height, width] in the strides below, in elements
  int64_t images, units, pixels, width;
  int64_t image_stride, unit_stride, row_stride, column_stride;
  int64_t runs;  // of each plane
  Change change;
  PlaneStats* stats;  // [units, images]; zeroed where a plane has several parts

  __device__ __forceinline__ PlaneStats* plane(int64_t unit, int64_t image) const {
    return stats + unit * images + image;
  }
};

template <class T>
__device__ __forceinline__ int run_length(const Batch<T>& batch, int64_t run) {
  const int64_t left = batch.pixels - run * kRun;
  return static_cast<int>(left < kRun ? left : kRun);
}

template <class T>
__global__ void __launch_bounds__(256, 4) scan_planes(Batch<T> batch, Sketch sketch) {
  const int64_t items = batch.images * batch.units * batch.runs;
  for (int64_t item = warp_index(); item < items; item += warp_count()) {
    const int64_t plane = item / batch.runs, run = item - plane * batch.runs;
    const int64_t image = plane / batch.units, unit = plane - image * batch.units;
    const T* values =
        batch.values + image * batch.image_stride + unit * batch.unit_stride + run * kRun;
    Seen seen;
    scan_run<sizeof(T) == 4 ? 4 : 2>(values, run_length(batch, run), batch.change,
                                     sketch.floors[unit], Recorder(sketch, unit), seen);
    seen.finish(batch.plane(unit, image), batch.runs == 1);
  }
}

/// Strides that no other kernel reads: one value at a time, found by its row and column.
template <class T>
__global__ void __launch_bounds__(256, 4) scan_strided(Batch<T> batch, Sketch sketch) {
  const int64_t items = batch.images * batch.units * batch.runs;
  for (int64_t item = warp_index(); item < items; item += warp_count()) {
    const int64_t plane = item / batch.runs, run = item - plane * batch.runs;
    const int64_t image = plane / batch.units, unit = plane - image * batch.units;
    const T* values = batch.values + image * batch.image_stride + unit * batch.unit_stride;
    const float floor = sketch.floors[unit];
    const Recorder record(sketch, unit);
    Seen seen;
    const int n = run_length(batch, run);
    for (int i = lane_index(); i < n; i += kLanes) {
      const int64_t at = run * kRun + i, row = at / batch.width;
      const T raw = values[row * batch.row_stride + (at - row * batch.width) * batch.column_stride];
      seen.visit(batch.change(widen(raw)), floor, record);
    }
    seen.finish(batch.plane(unit, image), batch.runs == 1);
  }
}

}  // namespace milan::cuda
