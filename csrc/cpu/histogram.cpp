#include "milan/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "cpu/kernels.h"
#include "cpu/sorted_tail.h"

namespace milan {
namespace {

/// Bytes of blocks that are mapped at a time.
constexpr size_t kMapped = size_t{2} << 20;

constexpr int kExactBits = 23;

/// Values that prefetching runs ahead.
constexpr size_t kSoon = 16;

/// Recordings between two walks: enough of them to be worth one, few enough to keep them bounded.
uint64_t patience(uint64_t rank, int bits) {
  const int least = bits == kExactBits ? 12 : bits;
  return std::max<uint64_t>(rank / 4, uint64_t{1} << least);
}

}  // namespace

uint32_t bin_of_rank(const std::vector<Cell>& falling, uint64_t rank, uint64_t zeros,
                     uint32_t zero_bin) {
  uint64_t above = 0;
  bool passed_zero = false;
  for (const Cell& cell : falling) {
    if (!passed_zero && cell.bin < zero_bin) {
      passed_zero = true;
      above += zeros;
      if (above >= rank) return zero_bin;
    }
    above += cell.count;
    if (above >= rank) return cell.bin;
  }
  return !passed_zero && above + zeros >= rank ? zero_bin : 0;
}

Histograms::Histograms(int64_t units, int bits, uint64_t rank)
    : bits_(bits),
      rank_(rank),
      patience_(patience(rank, bits)),
      units_(static_cast<size_t>(units)),
      exact_(bits == kExactBits ? std::make_unique<SortedTail>(units) : nullptr),
      blocks_(exact_ ? 0 : static_cast<size_t>(units) * kOctaves, nullptr) {}

Histograms::~Histograms() = default;

float Histograms::floor(int64_t unit) const {
  const uint32_t base = units_[unit].base;
  // Bins below that of -infinity hold NaN only.
  if (base <= kNegativeInfinityOrdered >> shift()) return -INFINITY;
  // Zeros are counted apart: from zero on, only what is larger must be recorded.
  if (base == zero_bin()) return bits_float(1);
  return from_ordered(base << shift());
}

uint64_t Histograms::record(int64_t unit, const uint32_t* bins, size_t n) {
  if (exact_) return record_exactly(unit, bins, n);
  make_room(unit, n);
  uint32_t* const* block_of = blocks(unit);
  const uint32_t base = units_[unit].base, mask = (1u << bits_) - 1;
  const uint32_t range = (static_cast<uint32_t>(kOctaves) << bits_) - base;
  const int bits = bits_;
  uint64_t nans = 0, skipped = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t bin = bins[i], later = bins[std::min(i + kSoon, n - 1)];
    // Since the unit's last turn, the activations have pushed its counts out of the caches.
    if (later - base < range) __builtin_prefetch(block_of[later >> bits] + (later & mask), 1);
    if (__builtin_expect(bin - base < range, 1)) {
      uint32_t* counts = block_of[bin >> bits];
      if (__builtin_expect(counts == nullptr, 0)) counts = block(unit, bin >> bits);
      ++counts[bin & mask];
    } else {  // NaN, or passed by a floor that rose after the value was buffered
      nans += bin == kNanBin;
      ++skipped;
    }
  }
  units_[unit].narrow += n - skipped;
  units_[unit].recent += n - skipped;
  return nans;
}

uint64_t Histograms::record_exactly(int64_t unit, const uint32_t* codes, size_t n) {
  uint64_t nans = 0, kept = 0;
  for (size_t i = 0; i < n; ++i) {
    const bool value = codes[i] <= kPositiveInfinityOrdered && codes[i] >= units_[unit].base;
    nans += codes[i] == kNanBin;
    kept += value;
    if (value) exact_->record(unit, codes[i]);
  }
  units_[unit].recent += kept;
  return nans;
}

void Histograms::raise(int64_t unit, uint64_t zeros) {
  Unit& state = units_[unit];
  state.recent = 0;
  if (exact_) {
    state.base = exact_->raise(unit, state.base, rank_, zeros);
    return;
  }
  uint64_t above = 0;
  const auto reached = [&](uint32_t bin, uint64_t count) {
    above += count;
    if (above < rank_) return false;
    state.base = std::max(state.base, bin);
    release_below(unit);
    return true;
  };
  if (!state.wide.empty()) {  // rare: no need for speed
    state.base = std::max(state.base, bin_of_rank(cells(unit), rank_, zeros, zero_bin()));
    release_below(unit);
    return;
  }
  const uint32_t size = 1u << bits_;
  const int zero_octave = kOctaves / 2, lowest = static_cast<int>(state.base >> bits_);
  for (int octave = std::max(state.top, zero_octave); octave >= lowest; --octave) {
    if (const uint32_t* counts = blocks(unit)[octave]) {
      const uint32_t first = static_cast<uint32_t>(octave) << bits_;
      const uint32_t from = octave == lowest ? state.base - first : 0;
      const uint64_t sum = std::accumulate(counts + from, counts + size, uint32_t{0});
      if (above + sum >= rank_) {
        for (uint32_t slot = size; slot-- > from;) {
          if (reached(first + slot, counts[slot])) return;
        }
      }
      above += sum;
    }
    if (octave == zero_octave && reached(zero_bin(), zeros)) return;
  }
}

void Histograms::add(int64_t unit, const std::vector<Cell>& cells) {
  const uint32_t mask = (1u << bits_) - 1;
  for (const Cell& cell : cells) {
    if (cell.bin < units_[unit].base) continue;
    if (exact_) {
      exact_->add(unit, cell);
      continue;
    }
    make_room(unit, cell.count);
    if (cell.count > UINT32_MAX) {
      units_[unit].wide[cell.bin] += cell.count;
      continue;
    }
    block(unit, cell.bin >> bits_)[cell.bin & mask] += static_cast<uint32_t>(cell.count);
    units_[unit].narrow += cell.count;
  }
}

std::vector<Cell> Histograms::cells(int64_t unit) const {
  if (exact_) return exact_->cells(unit);
  const Unit& state = units_[unit];
  std::vector<Cell> filled;
  auto wide = state.wide.rbegin();
  const auto add_wide_above = [&](int64_t bin) {
    for (; wide != state.wide.rend() && wide->first > bin; ++wide) {
      if (wide->first >= state.base) filled.push_back({wide->first, wide->second});
    }
  };
  for (int octave = state.top; octave >= static_cast<int>(state.base >> bits_); --octave) {
    const uint32_t* counts = blocks(unit)[octave];
    if (counts == nullptr) continue;
    for (uint32_t slot = 1u << bits_; slot-- > 0;) {
      const uint32_t bin = static_cast<uint32_t>(octave) << bits_ | slot;
      if (counts[slot] == 0 || bin < state.base) continue;
      add_wide_above(bin);
      uint64_t count = counts[slot];
      if (wide != state.wide.rend() && wide->first == bin) count += (wide++)->second;
      filled.push_back({bin, count});
    }
  }
  add_wide_above(-1);
  return filled;
}

uint32_t* Histograms::block(int64_t unit, uint32_t octave) {
  uint32_t*& slot = blocks(unit)[octave];
  if (slot != nullptr) return slot;
  const std::lock_guard<std::mutex> guard(lock_);
  if (free_.empty()) {
    const size_t block_bytes = sizeof(uint32_t) << bits_;
    // The first mapping is small: most states have few units.
    const size_t bytes = std::max(block_bytes, pages_.empty() ? kMapped / 8 : kMapped);
    pages_.push_back(std::make_unique<PageArray>(bytes));
    for (size_t at = bytes / block_bytes; at-- > 0;) {
      free_.push_back(pages_.back()->as<uint32_t>() + (at << bits_));
    }
  }
  slot = free_.back();
  free_.pop_back();
  units_[unit].top = std::max(units_[unit].top, static_cast<int>(octave));
  return slot;
}

void Histograms::release_below(int64_t unit) {
  const Unit& state = units_[unit];
  for (int octave = static_cast<int>(state.base >> bits_) - 1; octave >= 0; --octave) {
    uint32_t*& slot = blocks(unit)[octave];
    if (slot == nullptr) continue;
    std::memset(slot, 0, sizeof(uint32_t) << bits_);
    const std::lock_guard<std::mutex> guard(lock_);
    free_.push_back(slot);
    slot = nullptr;
  }
}

void Histograms::make_room(int64_t unit, uint64_t count) {
  Unit& state = units_[unit];
  if (__builtin_expect(state.narrow + count <= UINT32_MAX, 1)) return;
  for (int octave = 0; octave <= state.top; ++octave) {
    uint32_t* counts = blocks(unit)[octave];
    if (counts == nullptr) continue;
    for (uint32_t slot = 0; slot < 1u << bits_; ++slot) {
      if (counts[slot] > 0)
        state.wide[static_cast<uint32_t>(octave) << bits_ | slot] += counts[slot];
    }
    std::memset(counts, 0, sizeof(uint32_t) << bits_);
  }
  state.narrow = 0;
}

}  // namespace milan
