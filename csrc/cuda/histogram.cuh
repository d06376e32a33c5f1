// Tail histograms on the device: the same grid, octave blocks and floor as milan/histogram.h.
//
// A unit's row of `blocks` points to the counts of each octave, or is empty. A block is taken from
// the pool by the first thread that needs it. When the pool is empty the value goes to a list that
// is added at the end, and when that is full too it is counted as lost, which makes reading the
// state an error: nothing is ever dropped in silence. Blocks go back to the pool in `raise_floors`
// only, never while a scan runs, so a pointer read by a scan stays good.
#pragma once

#include "cuda/device.h"

namespace milan::cuda {

constexpr int kOctaves = 512;  // sign and exponent of a float

/// A block being made; no address is this.
constexpr Counter kClaimed = 1;

struct Spilled {
  uint32_t unit, bin, count;
};

/// What the host learns without waiting: copied to it behind every batch, so it may come late.
struct Report {
  int free, total;     // blocks on the stack, and in all
  unsigned nan, lost;  // not 0: NaN was seen; a value found no place
};

/// Where blocks come from; changes while kernels run.
struct Pool {
  Report report;
  unsigned spilled;    // entries asked of the list, also beyond its end
  Counter lost;        // values that found no place
  Counter images;      // seen
  Counter next_raise;  // images after which the floors are worth raising
  Counter* stack;      // addresses of zeroed blocks
  Spilled* list;       // [list_capacity]
  unsigned list_capacity;
  uint32_t slot_mask;  // of a bin: which count of its block
};

/// Device pointers, one row a unit; passed by value.
struct Sketch {
  Counter* blocks;                   // [units, kOctaves] addresses of counts, 0 or kClaimed
  float* floors;                     // [units] values below are only counted
  uint32_t* bases;                   // [units] bin of the floor
  Counter *nan, *zeros, *negatives;  // [units]
  Pool* pool;
  int bits;
  int carry_shift;  // 0, or counts are folded at this bit into words behind the block

  __device__ __forceinline__ int shift() const { return 23 - bits; }
  __device__ __forceinline__ uint32_t zero_bin() const { return kZeroOrdered >> shift(); }
  /// Bin of a value that is neither zero nor NaN.
  __device__ __forceinline__ uint32_t bin(float x) const {
    const uint32_t word = float_bits(x);
    return (word ^ (static_cast<uint32_t>(static_cast<int32_t>(word) >> 31) | 0x80000000u)) >>
           shift();
  }
};

/// The block of an octave, made when it is missing; null when the pool is empty.
__device__ inline uint32_t* claim_block(Counter* entry, Pool* pool) {
  for (;;) {
    const Counter held = atomicCAS(entry, Counter{0}, kClaimed);
    if (held > kClaimed) return reinterpret_cast<uint32_t*>(held);
    if (held == kClaimed) {
      __nanosleep(20);
      continue;
    }
    const int left = atomicSub(&pool->report.free, 1) - 1;
    if (left >= 0) {
      const Counter block = pool->stack[left];
      atomicExch(entry, block);
      return reinterpret_cast<uint32_t*>(block);
    }
    atomicAdd(&pool->report.free, 1);
    atomicExch(entry, Counter{0});
    return nullptr;
  }
}

/// Rare: the octave has no block yet, or there is none left. Not inlined: it would push the values
/// under way out of the registers.
__device__ MILAN_OUT_OF_LINE inline void add_slowly(Counter* entry, Pool* pool, Spilled value) {
  if (uint32_t* counts = claim_block(entry, pool)) {
    atomicAdd(&counts[value.bin & pool->slot_mask], value.count);
    return;
  }
  const unsigned at = atomicAdd(&pool->spilled, 1u);
  if (at < pool->list_capacity) {
    pool->list[at] = value;
  } else {
    atomicAdd(&pool->lost, Counter{value.count});
    pool->report.lost = 1;
  }
}

/// Counts values of one unit.
struct Recorder {
  const Sketch& sketch;
  uint32_t unit;

  __device__ __forceinline__ Recorder(const Sketch& s, int64_t u)
      : sketch(s), unit(static_cast<uint32_t>(u)) {}

  __device__ __forceinline__ void add(uint32_t bin, uint32_t count) const {
    Counter* entry = sketch.blocks + (int64_t{unit} * kOctaves + (bin >> sketch.bits));
    const Counter block = *entry;
    if (block > kClaimed) {
      const uint32_t slot = bin & ((1u << sketch.bits) - 1);
      add_to_global(reinterpret_cast<uint32_t*>(block) + slot, count);
    } else {
      add_slowly(entry, sketch.pool, {unit, bin, count});
    }
  }

  __device__ __forceinline__ void operator()(float x) const { add(sketch.bin(x), 1); }
};

}  // namespace milan::cuda
