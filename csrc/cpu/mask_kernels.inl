// Row loops of the mask operation; included once for each instruction set after its `Simd`.
#include <cmath>

#include "cpu/kernels.h"

namespace {

/// A blend of values below this cannot overflow.
constexpr float kSafeValue = 3.0e38f;

float row_peak(const float* row, int n) {
  const auto without_sign = Simd::set_int(0x7FFFFFFFu), same = Simd::set_int(0);
  const auto limit = Simd::set(kSafeValue);
  auto best = Simd::set(0.0f);
  uint32_t unsafe = 0;
  for (int i = 0; i < n; i += Simd::kLanes) {
    const int left = n - i;
    const auto v = left < Simd::kLanes ? Simd::load_first(row + i, left) : Simd::load(row + i);
    best = Simd::max(v, best);
    unsafe |= Simd::not_less(Simd::change(v, without_sign, same), limit);
  }
  return unsafe != 0 ? INFINITY : Simd::largest(best);
}

void stretch_row(const float* row, const int32_t* index, const float* before, const float* after,
                 int n, bool near, float* out) {
  for (int i = 0; i < n; i += Simd::kLanes) {
    const auto here = near ? Simd::gather_near(row, index + i) : Simd::gather(row, index + i);
    const auto next =
        near ? Simd::gather_near(row + 1, index + i) : Simd::gather(row + 1, index + i);
    Simd::store(out + i, Simd::mul_add(here, Simd::load(before + i), next, Simd::load(after + i)));
  }
}

void threshold_row(const float* upper, const float* lower, float before, float after, float level,
                   int width, uint8_t* out) {
  const auto x = Simd::set(before), y = Simd::set(after), limit = Simd::set(level);
  constexpr int kStep = Simd::kLanes < 8 ? 8 : Simd::kLanes;
  for (int i = 0; i < width; i += kStep) {
    uint32_t bits = 0;
    for (int part = 0; part < kStep; part += Simd::kLanes) {
      const auto v =
          Simd::mul_add(Simd::load(upper + i + part), x, Simd::load(lower + i + part), y);
      bits |= static_cast<uint32_t>(Simd::greater(v, limit)) << part;
    }
    const int left = width - i;
    if (left < kStep) bits &= (1u << left) - 1;
    out[i / 8] = static_cast<uint8_t>(bits);
    if (kStep > 8 && left > 8) out[i / 8 + 1] = static_cast<uint8_t>(bits >> 8);
  }
}

}  // namespace
