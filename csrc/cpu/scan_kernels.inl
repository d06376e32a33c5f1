// The two inner loops of the scan; included once for each instruction set after its `Simd`.
//
// Both read every value once: maximum, counts of zeros and negatives, and the values that are not
// below the unit's floor (which includes NaN), compacted into the unit's buffer.
#include <cmath>

#include "cpu/kernels.h"

namespace {

constexpr int kGroup = 4;  // vectors looked at before one branch on "any survivor"

/// Bytes that reading runs ahead; the hardware alone stops at page bounds.
constexpr int64_t kAhead = 2048;

/// What one plane leaves behind.
struct PlaneSums {
  Simd::Float best;
  uint64_t zeros, negatives;
};

template <class T>
struct PlaneReader {
  Simd::Int keep, flip;

  Simd::Float at(const T* p) const { return Simd::change(Simd::load(p), keep, flip); }
  Simd::Float tail(const T* p, int n) const {
    return Simd::change(Simd::load_first(p, n), keep, flip);
  }
};

/// Planes of at most kGroup vectors: everything unrolled, no branch on the data.
template <int kVectors, class T>
PlaneSums scan_small(const PlaneReader<T>& read, const T* p, int last, Simd::Float floor,
                     float* out, uint32_t& fill) {
  Simd::Float v[kVectors];
  typename Simd::Mask live[kVectors];
  uint64_t zeros = 0, negatives = 0;
  const typename Simd::Mask valid = Simd::first(last);
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) {
    const bool full = j + 1 < kVectors;
    __builtin_prefetch(p + j * Simd::kLanes + kAhead / sizeof(T));
    v[j] = full ? read.at(p + j * Simd::kLanes) : read.tail(p + j * Simd::kLanes, last);
    typename Simd::Mask zero = Simd::zero(v[j]), negative = Simd::negative(v[j]);
    live[j] = Simd::not_less(v[j], floor);
    if (!full) zero &= valid, negative &= valid, live[j] &= valid;
    zeros = zeros << (Simd::kLanes & 31) | zero;
    negatives = negatives << (Simd::kLanes & 31) | negative;
  }
  uint32_t at = fill;
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) {
    Simd::compress(out + at, live[j], v[j]);
    at += static_cast<uint32_t>(Simd::count(live[j]));
  }
  fill = at;
  // Lanes beyond the plane hold zeros, which must not win over negative values.
  Simd::Float best = Simd::set(-INFINITY);
#pragma GCC unroll 4
  for (int j = 0; j + 1 < kVectors; ++j) best = Simd::max(v[j], best);
  best = Simd::max(Simd::only(valid, v[kVectors - 1], Simd::set(-INFINITY)), best);
  return {best, static_cast<uint64_t>(__builtin_popcountll(zeros)),
          static_cast<uint64_t>(__builtin_popcountll(negatives))};
}

/// Any plane: groups of vectors, compacted only when one of them has a survivor.
template <class T>
PlaneSums scan_large(const PlaneReader<T>& read, const T* p, int64_t n, Simd::Float floor,
                     float* out, uint32_t& fill) {
  constexpr int kLanes = Simd::kLanes;
  Simd::Float best[kGroup];
  Simd::Int zeros[2] = {Simd::set_int(0), Simd::set_int(0)};
  Simd::Int negatives[2] = {Simd::set_int(0), Simd::set_int(0)};
  for (auto& b : best) b = Simd::set(-INFINITY);
  uint32_t at = fill;
  int64_t i = 0;
  for (; i + kGroup * kLanes <= n; i += kGroup * kLanes) {
    Simd::Float v[kGroup];
    typename Simd::Mask live[kGroup];
    uint32_t any = 0;
#pragma GCC unroll 4
    for (int j = 0; j < kGroup; ++j) {
      __builtin_prefetch(p + i + j * kLanes + kAhead / sizeof(T));
      v[j] = read.at(p + i + j * kLanes);
      best[j] = Simd::max(v[j], best[j]);
      live[j] = Simd::not_less(v[j], floor);
      any |= live[j];
      zeros[j & 1] = Simd::add(zeros[j & 1], Simd::zero(v[j]));
      negatives[j & 1] = Simd::add(negatives[j & 1], Simd::negative(v[j]));
    }
    if (any) {
#pragma GCC unroll 4
      for (int j = 0; j < kGroup; ++j) {
        Simd::compress(out + at, live[j], v[j]);
        at += static_cast<uint32_t>(Simd::count(live[j]));
      }
    }
  }
  for (; i < n; i += kLanes) {
    const int left = n - i < kLanes ? static_cast<int>(n - i) : kLanes;
    const typename Simd::Mask valid = Simd::first(left);
    const Simd::Float v = read.tail(p + i, left);
    const typename Simd::Mask live = Simd::not_less(v, floor) & valid;
    best[0] = Simd::max(Simd::only(valid, v, Simd::set(-INFINITY)), best[0]);
    zeros[0] = Simd::add(zeros[0], Simd::zero(v) & valid);
    negatives[0] = Simd::add(negatives[0], Simd::negative(v) & valid);
    Simd::compress(out + at, live, v);
    at += static_cast<uint32_t>(Simd::count(live));
  }
  fill = at;
  // Both operands are free of NaN here, so the order of the maxima does not matter.
  const Simd::Float all = Simd::max(Simd::max(best[0], best[1]), Simd::max(best[2], best[3]));
  return {all, uint64_t{Simd::sum(zeros[0])} + Simd::sum(zeros[1]),
          uint64_t{Simd::sum(negatives[0])} + Simd::sum(negatives[1])};
}

template <class T>
void scan_planes(const milan::ScanBlock& block) {
  const PlaneReader<T> read{Simd::set_int(block.keep_bits), Simd::set_int(block.flip_bits)};
  const T* p = static_cast<const T*>(block.values);
  const int64_t n = block.pixels;
  const int64_t vectors = (n + Simd::kLanes - 1) / Simd::kLanes;
  const int last = static_cast<int>(n - (vectors - 1) * Simd::kLanes);
  for (int64_t u = 0; u < block.units; ++u, p += block.unit_stride) {
    const Simd::Float floor = Simd::set(block.floors[u]);
    float* out = block.buffers + static_cast<size_t>(u) * block.capacity;
    uint32_t& fill = block.fill[u];
    PlaneSums sums;
    switch (vectors) {
      case 1:
        sums = scan_small<1>(read, p, last, floor, out, fill);
        break;
      case 2:
        sums = scan_small<2>(read, p, last, floor, out, fill);
        break;
      case 3:
        sums = scan_small<3>(read, p, last, floor, out, fill);
        break;
      case 4:
        sums = scan_small<4>(read, p, last, floor, out, fill);
        break;
      default:
        sums = scan_large(read, p, n, floor, out, fill);
    }
    block.maxima[u] = Simd::largest(sums.best);
    block.zeros[u] += sums.zeros;
    block.negatives[u] += sums.negatives;
  }
}

/// Values of some pixels of kLanes units, [pixel][lane], dealt out to the ends of the units'
/// buffers. Bit pixel * kLanes + lane of `survivors` says which of them.
template <int kPixels>
void deal(const float* tile, uint64_t survivors, float** ends) {
  constexpr int kLanes = Simd::kLanes, kBits = kPixels * kLanes;
  if (survivors == ~uint64_t{0} >> (64 - kBits)) {  // no floor yet, or all values are wanted
    for (int lane = 0; lane < kLanes; ++lane) {
      float* out = ends[lane];
      for (int pixel = 0; pixel < kPixels; ++pixel) out[pixel] = tile[pixel * kLanes + lane];
      ends[lane] = out + kPixels;
    }
    return;
  }
  for (; survivors != 0; survivors &= survivors - 1) {
    const int bit = __builtin_ctzll(survivors);
    *ends[bit % kLanes]++ = tile[bit];
  }
}

/// Units side by side: lanes are units, several tiles of pixels for each visit of a unit's
/// accumulators.
template <class T>
void scan_pixels(const milan::ScanBlock& block) {
  constexpr int kLanes = Simd::kLanes, kChunk = 512, kTiles = 2;
  constexpr int kTile = kLanes < 4 ? 8 : 64 / kLanes;  // pixels whose survivors fit in a word
  constexpr int kRows = kTiles * kTile;
  const PlaneReader<T> read{Simd::set_int(block.keep_bits), Simd::set_int(block.flip_bits)};
  float best[kChunk], floors[kChunk];
  uint32_t zeros[kChunk], negatives[kChunk];
  float* ends[kChunk];  // of the units' buffers
  alignas(64) float tile[kTile * kLanes];
  const int64_t row_bytes = block.pixel_stride * static_cast<int64_t>(sizeof(T));
  const int64_t ahead = (kAhead / (kRows * row_bytes) + 1) * kRows * block.pixel_stride;
  for (int64_t chunk = 0; chunk < block.units; chunk += kChunk) {
    const int units = block.units - chunk < kChunk ? static_cast<int>(block.units - chunk) : kChunk;
    for (int u = 0; u < kChunk; ++u) {
      best[u] = -INFINITY, zeros[u] = negatives[u] = 0;
      floors[u] = u < units ? block.floors[chunk + u] : INFINITY;
    }
    float* buffers = block.buffers + static_cast<size_t>(chunk) * block.capacity;
    uint32_t* fill = block.fill + chunk;
    for (int u = 0; u < units; ++u) {
      ends[u] = buffers + static_cast<size_t>(u) * block.capacity + fill[u];
    }
    const T* origin = static_cast<const T*>(block.values) + chunk;
    for (int64_t pixel = 0; pixel < block.pixels; pixel += kRows) {
      const int64_t end = block.pixels - pixel < kRows ? block.pixels - pixel : kRows;
      for (int u = 0; u < units; u += kLanes) {
        const int left = units - u < kLanes ? units - u : kLanes;
        const typename Simd::Mask valid = Simd::first(left);
        Simd::Float top = Simd::load(best + u);
        const Simd::Float floor = Simd::load(floors + u);
        Simd::Int zero = Simd::load_int(zeros + u), negative = Simd::load_int(negatives + u);
        const T* p = origin + pixel * block.pixel_stride + u;
        for (int64_t first = 0; first < end; first += kTile) {
          const int rows = end - first < kTile ? static_cast<int>(end - first) : kTile;
          uint64_t survivors = 0;
          for (int row = 0; row < rows; ++row, p += block.pixel_stride) {
            __builtin_prefetch(p + ahead);
            const Simd::Float v = left == kLanes ? read.at(p) : read.tail(p, left);
            Simd::store(tile + row * kLanes, v);
            top = Simd::max(v, top);
            zero = Simd::add(zero, Simd::zero(v));
            negative = Simd::add(negative, Simd::negative(v));
            const typename Simd::Mask live = Simd::not_less(v, floor) & valid;
            survivors |= uint64_t{live} << (row * kLanes);
          }
          if (survivors != 0) deal<kTile>(tile, survivors, ends + u);
        }
        Simd::store(best + u, top);
        Simd::store(zeros + u, zero);
        Simd::store(negatives + u, negative);
      }
    }
    for (int u = 0; u < units; ++u) {
      fill[u] = static_cast<uint32_t>(ends[u] - buffers - u * block.capacity);
      block.maxima[chunk + u] = best[u];
      block.zeros[chunk + u] += zeros[u];
      block.negatives[chunk + u] += negatives[u];
    }
  }
}

size_t bin_values(float* values, size_t n, int shift) {
  // The buffer has slack: the last vector may run over its end.
  size_t kept = 0;
  for (size_t i = 0; i < n; i += Simd::kLanes) {
    const int left = n - i < Simd::kLanes ? static_cast<int>(n - i) : Simd::kLanes;
    const Simd::Float v = Simd::load(values + i);
    const typename Simd::Mask live = Simd::first(left) & ~Simd::zero(v);
    Simd::compress(values + kept, live, Simd::bin(v, shift));
    kept += static_cast<size_t>(Simd::count(live));
  }
  return kept;
}

/// From this size on, copies go past the caches: nobody reads them soon.
constexpr int64_t kStreamed = 16 << 10;

template <class T>
void copy_values(const void* from, int64_t n, uint32_t keep_bits, uint32_t flip_bits, float* out) {
  constexpr int kLanes = Simd::kLanes;
  const PlaneReader<T> read{Simd::set_int(keep_bits), Simd::set_int(flip_bits)};
  const T* p = static_cast<const T*>(from);
  const bool aligned = reinterpret_cast<uintptr_t>(out) % sizeof(Simd::Float) == 0;
  const int64_t whole = n / kLanes * kLanes;
  if (aligned && n * static_cast<int64_t>(sizeof(float)) >= kStreamed) {
    for (int64_t i = 0; i < whole; i += kLanes) Simd::stream(out + i, read.at(p + i));
    Simd::fence();
  } else {
    for (int64_t i = 0; i < whole; i += kLanes) Simd::store(out + i, read.at(p + i));
  }
  if (whole == n) return;
  float rest[kLanes];
  Simd::store(rest, read.tail(p + whole, static_cast<int>(n - whole)));
  for (int64_t i = whole; i < n; ++i) out[i] = rest[i - whole];
}

void widen_halves(const uint16_t* halves, int64_t n, float* out) {
  const auto* p = reinterpret_cast<const milan::Float16*>(halves);
  for (int64_t i = 0; i < n; i += Simd::kLanes) {
    const int left = n - i < Simd::kLanes ? static_cast<int>(n - i) : Simd::kLanes;
    Simd::store(out + i, left == Simd::kLanes ? Simd::load(p + i) : Simd::load_first(p + i, left));
  }
}

}  // namespace
