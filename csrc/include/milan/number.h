// Numbers of the scan: the order of floats as integers, histogram bins, top-k keys.
//
// `ordered(x)` is an unsigned integer with the order of the float32 x; -0 and +0 are one number.
// NaN has no place in the order and must be kept out. A bin is the leading bits of `ordered`: one
// fixed grid for all units, layers, shards and machines, with bins of relative width 2^-bits.
// A top-k key is (ordered(value) << 32) | ~image: the larger key wins, so ties go to the lower
// image, and 0 (which no value can give) means "empty".
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define MILAN_HOST_DEVICE __host__ __device__
#else
#define MILAN_HOST_DEVICE
#endif

namespace milan {

constexpr uint32_t kZeroOrdered = 0x80000000u;
constexpr uint32_t kPositiveInfinityOrdered = 0xFF800000u;
constexpr uint32_t kNegativeInfinityOrdered = 0x007FFFFFu;

MILAN_HOST_DEVICE inline uint32_t float_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

MILAN_HOST_DEVICE inline float bits_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/// float32 of a half-precision number; NaN is made quiet, as the hardware does.
MILAN_HOST_DEVICE inline float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16, exponent = (half >> 10) & 31u;
  const uint32_t mantissa = half & 0x3FFu;
  if (exponent == 31) {
    return bits_float(sign | 0x7F800000u | (mantissa ? 0x400000u : 0u) | (mantissa << 13));
  }
  if (exponent == 0) {  // zero or subnormal: exact in float32
    const float x = static_cast<float>(mantissa) * 5.9604644775390625e-08f;  // 2^-24
    return bits_float(float_bits(x) | sign);
  }
  return bits_float(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

/// `ordered` of a float given by its bits.
MILAN_HOST_DEVICE inline uint32_t ordered_bits(uint32_t bits) {
  if (bits == 0x80000000u) return kZeroOrdered;
  return bits ^ (static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 0x80000000u);
}

MILAN_HOST_DEVICE inline uint32_t ordered(float x) { return ordered_bits(float_bits(x)); }

MILAN_HOST_DEVICE inline float from_ordered(uint32_t code) {
  return bits_float((code & 0x80000000u) ? (code & 0x7FFFFFFFu) : ~code);
}

MILAN_HOST_DEVICE inline uint64_t topk_key(float value, uint32_t image) {
  return (static_cast<uint64_t>(ordered(value)) << 32) | static_cast<uint32_t>(~image);
}

MILAN_HOST_DEVICE inline float key_value(uint64_t key) {
  return from_ordered(static_cast<uint32_t>(key >> 32));
}

}  // namespace milan
