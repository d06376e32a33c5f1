// K4: up-sample, compare, pack; the arithmetic of milan/mask.h. A block a mask, a warp a row.
#pragma once

#include "cuda/device.h"

namespace milan::cuda {

/// Device pointers to where each output pixel lies on one axis, as `milan::Axis`.
struct AxisView {
  const int32_t* first;  // [target] index into a row with one leading zero
  const float *before, *after;
};

struct PaintJob {
  const float* maps;    // [count, h, w]
  const float* levels;  // [count]
  int64_t count;
  int h, w, height, width;
  AxisView y, x;
  uint8_t* packed;  // [count, height, ceil(width / 8)]
};

/// a * b + c * d, each step rounded.
__device__ __forceinline__ float blend(float a, float b, float c, float d) {
  return __fadd_rn(__fmul_rn(a, b), __fmul_rn(c, d));
}

/// A map between zeros: one before, two behind, on both axes.
template <bool kStaged>
struct Framed {
  const float* values;  // kStaged: [h + 3, w + 3] in shared memory; else the map itself
  int h, w;

  __device__ __forceinline__ float at(int row, int column) const {
    if constexpr (kStaged) {
      return values[row * (w + 3) + column];
    } else {
      const bool inside = row >= 1 && row <= h && column >= 1 && column <= w;
      return inside ? values[int64_t{row - 1} * w + column - 1] : 0.0f;
    }
  }
};

/// Shared memory when kStaged: (h + 3) * (w + 3) floats.
template <bool kStaged>
__global__ void __launch_bounds__(256) paint_masks(PaintJob job) {
  auto* frame = shared_memory<float>();
  const int lane = lane_index(), warps = static_cast<int>(blockDim.x) / kLanes;
  const int row_bytes = (job.width + 7) / 8;
  for (int64_t mask = blockIdx.x; mask < job.count; mask += gridDim.x) {
    const float* map = job.maps + mask * job.h * job.w;
    if constexpr (kStaged) {
      const Framed<false> source{map, job.h, job.w};
      for (int i = threadIdx.x; i < (job.h + 3) * (job.w + 3); i += blockDim.x) {
        frame[i] = source.at(i / (job.w + 3), i % (job.w + 3));
      }
      __syncthreads();
    }
    const Framed<kStaged> framed{kStaged ? frame : map, job.h, job.w};
    const float level = job.levels[mask];
    for (int y = warp_in_block(); y < job.height; y += warps) {
      const int row = job.y.first[y];
      const float upper = job.y.before[y], lower = job.y.after[y];
      uint8_t* out = job.packed + (mask * job.height + y) * row_bytes;
      for (int x = lane; x - lane < job.width; x += kLanes) {
        bool on = false;
        if (x < job.width) {
          const int column = job.x.first[x];
          const float left = job.x.before[x], right = job.x.after[x];
          const float top = blend(framed.at(row, column), left, framed.at(row, column + 1), right);
          const float bottom =
              blend(framed.at(row + 1, column), left, framed.at(row + 1, column + 1), right);
          on = blend(top, upper, bottom, lower) > level;
        }
        const unsigned bits = __ballot_sync(kAllLanes, on);
        const int byte = (x - lane) / 8 + lane;
        if (lane < 4 && byte < row_bytes) out[byte] = static_cast<uint8_t>(bits >> (8 * lane));
      }
    }
    if constexpr (kStaged) __syncthreads();  // the next map overwrites this one
  }
}

}  // namespace milan::cuda
