// Tail histograms of many units, with a certain and rising floor.
//
// A unit's histogram counts the values of each bin (number.h) from `base` up; zeros and NaN are
// never in it. `base` is the bin of the rank-th largest value seen so far: the wanted level can
// only be higher, so nothing below it can matter, and it only rises. After `raise` the histogram is
// a function of the set of values seen, whatever the order, the batches and the shards: merging is
// associative and commutative, byte for byte.
//
// With 23 bits every float32 is a bin of its own, so levels are exact; the values from the base up
// are then kept in sorted lists (cpu/sorted_tail.h), whose length is bounded by the rank.
//
// Otherwise the grid covers all floats. Its counts live in blocks of one octave, made when an
// octave is first met and used again once the floor has passed it, so that a unit holds a handful
// of them. Counts are 32-bit there; before one could overflow, a unit's counts move to a 64-bit
// list of its own.
//
// Different units may be used by different threads at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "milan/number.h"
#include "milan/pages.h"

namespace milan {

/// One filled bin.
struct Cell {
  uint32_t bin;
  uint64_t count;
};

/// The bin of the rank-th largest of all values, 0 when there are fewer. `falling` lacks the zeros,
/// which stand between the signs.
uint32_t bin_of_rank(const std::vector<Cell>& falling, uint64_t rank, uint64_t zeros,
                     uint32_t zero_bin);

class SortedTail;

class Histograms {
 public:
  Histograms(int64_t units, int bits, uint64_t rank);
  ~Histograms();

  int shift() const { return 23 - bits_; }
  uint32_t zero_bin() const { return kZeroOrdered >> shift(); }

  /// Smallest value that must still be recorded; -infinity while everything must.
  float floor(int64_t unit) const;

  /// Count n bins of `bin_values`; returns how many were kNanBin.
  uint64_t record(int64_t unit, const uint32_t* bins, size_t n);

  /// Has enough been recorded since the last time to make `raise` worth its walk?
  bool due(int64_t unit) const { return units_[unit].recent > patience_; }

  /// Bring `base` to what is certain, given the exact number of zeros seen so far.
  void raise(int64_t unit, uint64_t zeros);

  /// Add cells in any order; call `raise` afterwards.
  void add(int64_t unit, const std::vector<Cell>& cells);

  /// The filled bins from the top down.
  std::vector<Cell> cells(int64_t unit) const;

 private:
  static constexpr int kOctaves = 512;  // sign and exponent of a float

  struct Unit {
    uint32_t base = 0;
    int top = -1;                       // highest octave with a block
    uint64_t recent = 0;                // recorded since the last raise
    uint64_t narrow = 0;                // at least the sum of the 32-bit counts, at most 2^32 - 1
    std::map<uint32_t, uint64_t> wide;  // empty until needed
  };

  uint32_t** blocks(int64_t unit) { return &blocks_[unit * kOctaves]; }
  uint32_t* const* blocks(int64_t unit) const { return &blocks_[unit * kOctaves]; }
  uint64_t record_exactly(int64_t unit, const uint32_t* codes, size_t n);
  uint32_t* block(int64_t unit, uint32_t octave);
  void release_below(int64_t unit);
  void make_room(int64_t unit, uint64_t count);

  int bits_;
  uint64_t rank_, patience_;
  std::vector<Unit> units_;
  std::unique_ptr<SortedTail> exact_;  // instead of the blocks, with 23 bits
  std::vector<uint32_t*> blocks_;      // [units, kOctaves]
  std::mutex lock_;                    // of the blocks that are not in use
  std::vector<uint32_t*> free_;        // zeroed
  std::vector<std::unique_ptr<PageArray>> pages_;
};

}  // namespace milan
