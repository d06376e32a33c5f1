// K3: raise the floor of each unit to the bin of its rank-th largest value so far; a warp a unit.
#pragma once

#include "cuda/histogram.cuh"

namespace milan::cuda {

struct RaiseRule {
  Counter rank;
  Counter most_images;  // between two raises: no 32-bit count may overflow
};

/// A count with what has been carried over from it; folds it when it has grown large.
__device__ __forceinline__ Counter settled_count(uint32_t* count, const Sketch& sketch) {
  note_read(count);
  uint32_t low = *count;
  if (sketch.carry_shift == 0) return low;
  uint32_t* carry = count + (size_t{1} << sketch.bits);
  const uint32_t moved = low >> sketch.carry_shift;
  if (moved != 0) {
    low -= moved << sketch.carry_shift;
    note_write(count);
    *count = low;
    *carry += moved;
  }
  return low + (Counter{*carry} << sketch.carry_shift);
}

/// Sum over the warp, in every lane.
__device__ __forceinline__ Counter total_of_warp(Counter x) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) {
    x += __shfl_sync(kAllLanes, x, lane_index() ^ step);
  }
  return x;
}

/// Counts of a block from slot `last` up.
__device__ __forceinline__ Counter block_sum(uint32_t* counts, int last, const Sketch& sketch) {
  Counter sum = 0;
  for (int slot = last + lane_index(); slot < 1 << sketch.bits; slot += kLanes) {
    sum += settled_count(&counts[slot], sketch);
  }
  __syncwarp();  // slot_of_rank reads counts and carries that other lanes have written
  return total_of_warp(sum);
}

/// The slot, from the top down, at which `above` and the counts reach the rank. They do.
__device__ __forceinline__ int slot_of_rank(uint32_t* counts, const Sketch& sketch, Counter rank,
                                            Counter above) {
  const int lane = lane_index();
  for (int high = (1 << sketch.bits) - 1;; high -= kLanes) {
    const int mine = high - lane;
    Counter sum = mine >= 0 ? settled_count(&counts[mine], sketch) : 0;
#pragma unroll
    for (int step = 1; step < kLanes; step *= 2) {
      const Counter other = __shfl_up_sync(kAllLanes, sum, step);
      if (lane >= step) sum += other;
    }
    const unsigned reached = __ballot_sync(kAllLanes, above + sum >= rank);
    if (reached != 0) return high - (__ffs(static_cast<int>(reached)) - 1);
    above += __shfl_sync(kAllLanes, sum, kLanes - 1);
  }
}

/// Give the blocks below the floor's octave back, cleared.
__device__ __forceinline__ void release_below(const Sketch& sketch, Counter* row, int octave) {
  const int words = (sketch.carry_shift != 0 ? 2 : 1) << sketch.bits;
  for (int i = 0; i < octave; ++i) {
    const Counter block = row[i];
    if (block == 0) continue;
    auto* counts = reinterpret_cast<uint32_t*>(block);
    for (int j = lane_index(); j < words; j += kLanes) counts[j] = 0;
    __syncwarp();  // all lanes have read row[i] and cleared their words
    if (lane_index() == 0) {
      row[i] = 0;
      sketch.pool->stack[atomicAdd(&sketch.pool->report.free, 1)] = block;
    }
  }
}

__device__ __forceinline__ float floor_of(const Sketch& sketch, uint32_t base) {
  if (base <= kNegativeInfinityOrdered >> sketch.shift()) return -INFINITY;
  if (base == sketch.zero_bin()) return bits_float(1);
  return from_ordered(base << sketch.shift());
}

__global__ void __launch_bounds__(128) raise_floors(Sketch sketch, int64_t units, RaiseRule rule) {
  const int64_t unit = warp_index();
  if (unit >= units) return;
  if (sketch.pool->images < sketch.pool->next_raise) return;
  Counter* row = sketch.blocks + unit * kOctaves;
  const uint32_t base = sketch.bases[unit];
  const int lowest = static_cast<int>(base >> sketch.bits), zero_octave = kOctaves / 2;
  Counter above = 0;
  uint32_t reached = 0;
  bool found = false;
  for (int octave = kOctaves - 1; octave >= lowest && !found; --octave) {
    const uint32_t first = static_cast<uint32_t>(octave) << sketch.bits;
    const Counter block = row[octave];
    if (block != 0) {
      auto* counts = reinterpret_cast<uint32_t*>(block);
      const int last = octave == lowest ? static_cast<int>(base - first) : 0;
      const Counter sum = block_sum(counts, last, sketch);
      found = above + sum >= rule.rank;
      if (found) {
        reached = first + static_cast<uint32_t>(slot_of_rank(counts, sketch, rule.rank, above));
      }
      above += sum;
    }
    if (!found && octave == zero_octave) {
      above += sketch.zeros[unit];
      found = above >= rule.rank;
      reached = sketch.zero_bin();
    }
  }
  if (!found || reached <= base) return;
  release_below(sketch, row, static_cast<int>(reached >> sketch.bits));
  if (lane_index() != 0) return;
  sketch.bases[unit] = reached;
  sketch.floors[unit] = floor_of(sketch, reached);
}

/// When to raise again: a quarter more images later. The floors then let through at most a quarter
/// more values than they could.
__host__ __device__ inline Counter raise_after(Counter images, const RaiseRule& rule) {
  const Counter wait = images / 4 < rule.most_images ? images / 4 : rule.most_images;
  return images + (wait > 1 ? wait : 1);
}

/// After `raise_floors`, which all units must have left before the plan changes.
__global__ void plan_raise(Pool* pool, RaiseRule rule) {
  if (pool->images >= pool->next_raise) pool->next_raise = raise_after(pool->images, rule);
}

}  // namespace milan::cuda
