// K1 for small maps side by side without gaps: planes of 7x7 are too short and unaligned for wide
// loads, so runs of whole planes are staged in shared memory as flat 16-byte words, one tile ahead.
#pragma once

#include "cuda/scan_planes.cuh"

namespace milan::cuda {

constexpr int kTileBytes = 8192;

/// Planes of a tile: a multiple of 8, so that every tile starts at a multiple of 16 bytes.
template <class T>
__host__ __device__ inline int64_t tile_planes(int64_t pixels) {
  return kTileBytes / (pixels * static_cast<int64_t>(sizeof(T))) / 8 * 8;
}

/// Start copying a tile; its last odd values are copied at once.
template <class T>
__device__ __forceinline__ void fetch_tile(const T* from, int64_t values, T* to) {
  const auto packets = static_cast<int>(values / Packet<T>::kValues);
  for (int i = threadIdx.x; i < packets; i += blockDim.x) {
    copy_async(to + i * Packet<T>::kValues, from + i * Packet<T>::kValues);
  }
  for (int64_t i = packets * Packet<T>::kValues + threadIdx.x; i < values; i += blockDim.x) {
    to[i] = from[i];
  }
}

/// Shared memory: two tiles. `batch.values` must be aligned to 16 bytes and dense.
template <class T>
__global__ void __launch_bounds__(256, 4) scan_tiles(Batch<T> batch, Sketch sketch) {
  auto* tiles = shared_memory<T>();
  constexpr int kTileValues = kTileBytes / static_cast<int>(sizeof(T));
  const int64_t planes = batch.images * batch.units, step = tile_planes<T>(batch.pixels);
  const int64_t count = (planes + step - 1) / step;
  const int warps = static_cast<int>(blockDim.x) / kLanes;
  const auto held = [&](int64_t tile) { return min(step, planes - tile * step); };
  const auto fetch = [&](int64_t tile, int buffer) {
    if (tile < count) {
      fetch_tile(batch.values + tile * step * batch.pixels, held(tile) * batch.pixels,
                 tiles + buffer * kTileValues);
    }
    commit_copies();
  };
  int buffer = 0;
  fetch(blockIdx.x, buffer);
  for (int64_t tile = blockIdx.x; tile < count; tile += gridDim.x, buffer ^= 1) {
    fetch(tile + gridDim.x, buffer ^ 1);
    wait_for_copies<1>();
    __syncthreads();
    const auto number = static_cast<int>(held(tile)), n = static_cast<int>(batch.pixels);
    for (int i = warp_in_block(); i < number; i += warps) {
      const int64_t plane = tile * step + i;
      const int64_t image = plane / batch.units, unit = plane - image * batch.units;
      const T* values = tiles + buffer * kTileValues + i * n;
      const float floor = sketch.floors[unit];
      const Recorder record(sketch, unit);
      Seen seen;
      for (int j = lane_index(); j < n; j += kLanes) {
        seen.visit(batch.change(widen(values[j])), floor, record);
      }
      seen.finish(batch.plane(unit, image), true);
    }
    __syncthreads();  // the next round overwrites this tile
  }
}

}  // namespace milan::cuda
