// K1 for maps whose units lie side by side (NHWC, tokens, vectors): a thread keeps a few units and
// walks over pixels.
#pragma once

#include "cuda/scan_planes.cuh"

namespace milan::cuda {

/// Pixels that a block of eight warps takes from an image at a time, at most 128 a thread: its
/// counts are kept in 8 bits.
constexpr int kPixelChunk = 1024;

/// Pixels that a thread loads before it looks at the first: what fits the registers.
template <class T>
constexpr int kPixelsAhead = sizeof(T) == 4 ? 4 : 2;

/// Units of one thread: what 16 bytes hold, or one where the rows are not aligned.
template <class T, bool kWide>
struct Column {
  static constexpr int kUnits = kWide ? Packet<T>::kValues : 1;
  Packet<T> packet;

  __device__ __forceinline__ static Column load(const T* p) {
    if constexpr (kWide) {
      return {Packet<T>::load(p)};
    } else if constexpr (sizeof(T) == 4) {
      return {{{float_bits(*p)}}};
    } else {
      return {{{p->bits}}};
    }
  }
  __device__ __forceinline__ float value(int i) const { return packet.value(i); }
};

/// Running maxima and counts of a thread's units. Two units share a word of counts, each with its
/// zeros and negatives: registers are what limits this kernel.
template <int kUnits>
struct ColumnSeen {
  float best[kUnits], floor[kUnits];
  uint32_t counts[(kUnits + 1) / 2];

  __device__ __forceinline__ ColumnSeen(const float* floors, bool inside) {
#pragma unroll
    for (int i = 0; i < kUnits; ++i) {
      best[i] = bits_float(0x7FC00000u);  // NaN: nothing yet
      floor[i] = inside ? floors[i] : INFINITY;
      counts[i / 2] = 0;
    }
  }

  /// Take one pixel in; true when a value is not below its floor.
  template <class AnyColumn>
  __device__ __forceinline__ bool visit(const AnyColumn& column, const Change& change) {
    bool survives = false;
#pragma unroll
    for (int i = 0; i < kUnits; ++i) {
      const float x = change(column.value(i));
      best[i] = fmaxf(best[i], x);
      counts[i / 2] += x == 0.0f ? 1u << (i % 2 * 16) : 0u;
      counts[i / 2] += x < 0.0f ? 0x100u << (i % 2 * 16) : 0u;
      survives |= !(x < floor[i]);
    }
    return survives;
  }

  /// Zeros, and negatives << 16, of one unit.
  __device__ __forceinline__ uint32_t both(int i) const {
    const uint32_t word = counts[i / 2] >> (i % 2 * 16);
    return (word & 0xFFu) | (word & 0xFF00u) << 8;
  }
};

/// Record one pixel's survivors. Reads the values and floors again, which are in the cache: kept in
/// registers for this, they would take the place of the loads under way.
template <class T, int kUnits>
__device__ __forceinline__ void record_pixel(const T* values, const Change& change,
                                             const Sketch& sketch, int unit, PlaneStats* plane,
                                             int64_t images) {
#pragma unroll 1
  for (int i = 0; i < kUnits; ++i) {
    const float x = change(widen(values[i]));
    if (x < sketch.floors[unit + i]) continue;
    if (x != x) {
      atomicAdd(&plane[i * images].nan, 1u);
    } else if (x != 0.0f) {
      Recorder(sketch, unit + i)(x);
    }
  }
}

/// Item = (image, chunk of pixels, group of units). Shared memory: two words for each warp and unit
/// of a group.
template <class T, bool kWide>
__global__ void __launch_bounds__(256, 4)
    scan_pixels(Batch<T> batch, Sketch sketch, int64_t chunks, int64_t groups) {
  constexpr int kUnits = Column<T, kWide>::kUnits, kGroup = kLanes * kUnits;
  auto* best = shared_memory<uint32_t>();  // [warps, kGroup]
  const int warps = static_cast<int>(blockDim.x) / kLanes, lane = lane_index();
  uint32_t* counts = best + warps * kGroup;  // [warps, kGroup]
  for (int64_t item = blockIdx.x; item < batch.images * chunks * groups; item += gridDim.x) {
    const auto group = static_cast<int>(item % groups);
    const auto chunk = static_cast<int>(item / groups % chunks);
    const int64_t image = item / groups / chunks;
    const int unit = group * kGroup + lane * kUnits;
    const auto end = static_cast<int>(min(batch.pixels, int64_t{chunk + 1} * kPixelChunk));
    const bool inside = unit < batch.units;
    ColumnSeen<kUnits> seen(sketch.floors + unit, inside);
    const T* values = batch.values + image * batch.image_stride + unit;
    const int step = warps * kPixelsAhead<T>;
    for (int pixel = inside ? chunk * kPixelChunk + warp_in_block() * kPixelsAhead<T> : end;
         pixel < end; pixel += step) {
      Column<T, kWide> column[kPixelsAhead<T>];
#pragma unroll
      for (int j = 0; j < kPixelsAhead<T>; ++j) {
        // Beyond the end the last pixel is loaded again, and not looked at.
        column[j] = Column<T, kWide>::load(values + min(pixel + j, end - 1) * batch.column_stride);
      }
      unsigned survivors = 0;
#pragma unroll
      for (int j = 0; j < kPixelsAhead<T>; ++j) {
        if (pixel + j < end && seen.visit(column[j], batch.change)) survivors |= 1u << j;
      }
      for (; survivors != 0; survivors &= survivors - 1) {
        const int at = pixel + __ffs(static_cast<int>(survivors)) - 1;
        record_pixel<T, kUnits>(values + at * batch.column_stride, batch.change, sketch, unit,
                                batch.plane(unit, image), batch.images);
      }
    }
    const int mine = warp_in_block() * kGroup + lane * kUnits;
#pragma unroll
    for (int i = 0; i < kUnits; ++i) {
      best[mine + i] = seen.best[i] != seen.best[i] ? 0u : ordered(seen.best[i]);
      counts[mine + i] = seen.both(i);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < kGroup && group * kGroup + i < batch.units; i += blockDim.x) {
      uint32_t top = 0, both = 0;
      for (int warp = 0; warp < warps; ++warp) {
        top = max(top, best[warp * kGroup + i]);
        both += counts[warp * kGroup + i];
      }
      PlaneStats* plane = batch.plane(group * kGroup + i, image);
      atomicMax(&plane->best, top);
      atomicAdd(&plane->zeros, both & 0xFFFFu);
      atomicAdd(&plane->negatives, both >> 16);
    }
    __syncthreads();  // the next item writes the same words
  }
}

}  // namespace milan::cuda
