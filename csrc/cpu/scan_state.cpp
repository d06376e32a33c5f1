// What happens to a scan state between passes: settling, merging, reading.
#include <algorithm>
#include <cmath>

#include "cpu/float_environment.h"
#include "cpu/kernels.h"
#include "milan/scan.h"

namespace milan {
namespace {

/// Survivors gathered before they are binned in one go, beside one whole plane: the more, the
/// rarer a unit's histogram has to come back into the caches.
constexpr size_t kLeastBuffered = 2048, kMostBuffered = 8192;
constexpr size_t kBuffers = (size_t{16} << 20) / sizeof(float);  // of all units, while above least

size_t buffer_capacity(const ScanRules& rules) {
  const size_t share = kBuffers / static_cast<size_t>(rules.units);
  const size_t buffered = std::min(std::max(share, kLeastBuffered), kMostBuffered);
  return (static_cast<size_t>(rules.pixels) + buffered + kSlack + 15) / 16 * 16;
}

}  // namespace

ScanState::ScanState(const ScanRules& rules)
    : rules_(rules),
      kernels_(kernels()),
      keep_bits_(rules.mode == Mode::kMagnitude ? 0x7FFFFFFFu : 0xFFFFFFFFu),
      flip_bits_(rules.mode == Mode::kBottom ? 0x80000000u : 0u),
      histograms_(rules.units, rules.bits, rules.rank),
      topk_(rules.units, rules.k, rules.keep_maps ? rules.pixels : 0),
      capacity_(buffer_capacity(rules)),
      fill_(static_cast<size_t>(rules.units), 0),
      floors_(static_cast<size_t>(rules.units), -INFINITY) {
  const auto units = static_cast<size_t>(rules.units);
  counters_.nan.assign(units, 0);
  counters_.zeros.assign(units, 0);
  counters_.negatives.assign(units, 0);
}

void ScanState::settle() {
  const FloatEnvironment environment;
  for (int64_t unit = 0; unit < rules_.units; ++unit) {
    flush(unit);
    histograms_.raise(unit, counters_.zeros[unit]);
    floors_[unit] = histograms_.floor(unit);
  }
}

const Counters& ScanState::counters() {
  settle();
  return counters_;
}

const Histograms& ScanState::histograms() {
  settle();
  return histograms_;
}

void ScanState::merge(ScanState& other) {
  settle();
  other.settle();
  images_ += other.images_;
  mantissa_bits_ = std::max(mantissa_bits_, other.mantissa_bits_);
  for (int64_t unit = 0; unit < rules_.units; ++unit) {
    counters_.nan[unit] += other.counters_.nan[unit];
    counters_.zeros[unit] += other.counters_.zeros[unit];
    counters_.negatives[unit] += other.counters_.negatives[unit];
    histograms_.add(unit, other.histograms_.cells(unit));
    for (int64_t place = 0; place < rules_.k; ++place) {
      float* map = topk_.offer(unit, other.topk_.key(unit, place));
      if (map != nullptr) std::copy_n(other.topk_.map(unit, place), topk_.map_size(), map);
    }
  }
  settle();
}

void ScanState::restore(uint64_t images, int mantissa_bits, Counters counters) {
  images_ = images;
  mantissa_bits_ = mantissa_bits;
  counters_ = std::move(counters);
  settle();
}

void ScanState::levels(double quantile, float* level) {
  settle();
  const FloatEnvironment environment;
  for (int64_t unit = 0; unit < rules_.units; ++unit) {
    level[unit] = level_of(unit, quantile);
  }
}

float ScanState::level_of(int64_t unit, double quantile) const {
  const uint64_t nan = counters_.nan[unit], zeros = counters_.zeros[unit];
  const uint64_t seen = images_ * static_cast<uint64_t>(rules_.pixels) - nan;
  if (seen == 0) return NAN;
  const double least = std::max(1.0, std::ceil(quantile * static_cast<double>(seen)));
  const uint64_t rank = seen - static_cast<uint64_t>(least) + 1;
  uint64_t best = 0;
  for (int64_t place = 0; place < rules_.k; ++place) best = std::max(best, topk_.key(unit, place));
  const float largest = key_value(best);
  if (rank == 1) return largest;
  const uint64_t positives = seen - zeros - counters_.negatives[unit];
  if (rank > positives && rank <= positives + zeros) return 0.0f;

  const int shift = histograms_.shift();
  const bool negative = rank > positives;
  uint64_t above = negative ? positives + zeros : 0;
  for (const Cell& cell : histograms_.cells(unit)) {
    if (negative != (cell.bin < histograms_.zero_bin())) continue;
    if (above + cell.count < rank) {
      above += cell.count;
      continue;
    }
    if (cell.bin == kPositiveInfinityOrdered >> shift) return INFINITY;
    if (cell.bin == kNegativeInfinityOrdered >> shift) return -INFINITY;
    const float low = from_ordered(cell.bin << shift);
    const float high = from_ordered(cell.bin << shift | ((1u << shift) - 1));
    // At most one value of the input type lies in the bin: the one with the fewest mantissa bits.
    if (mantissa_bits_ <= rules_.bits) return negative ? high : low;
    const double top = std::min(high, largest);
    const double inside =
        (static_cast<double>(rank - above) - 0.5) / static_cast<double>(cell.count);
    return static_cast<float>(top - (top - static_cast<double>(low)) * inside);
  }
  return NAN;  // only a damaged state comes here
}

}  // namespace milan
