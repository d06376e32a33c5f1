// One lane, plain C++: the meaning of the other instruction sets, and the fallback.
#pragma once

#include <cstdint>
#include <cstring>

#include "milan/array.h"
#include "milan/number.h"

namespace {

struct Simd {
  static constexpr int kLanes = 1;
  using Float = float;
  using Int = uint32_t;
  using Mask = uint32_t;

  static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
  }
  static uint32_t to_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
  }

  static Float load(const float* p) {
    float x;
    memcpy(&x, p, 4);
    return x;
  }
  static Float load(const milan::Bfloat16* p) {
    uint16_t half;
    memcpy(&half, p, 2);
    return from_bits(static_cast<uint32_t>(half) << 16);
  }
  static Float load(const milan::Float16* p) {
    uint16_t half;
    memcpy(&half, p, 2);
    return milan::half_to_float(half);
  }
  template <class T>
  static Float load_first(const T* p, int) {
    return load(p);
  }
  static Mask first(int) { return 1; }
  static Float only(Mask, Float v, Float) { return v; }
  static Float set(float x) { return x; }
  static Int set_int(uint32_t x) { return x; }
  static Float change(Float v, Int keep, Int flip) { return from_bits((to_bits(v) & keep) ^ flip); }
  static Float max(Float v, Float best) { return v > best ? v : best; }
  static Mask not_less(Float v, Float floor) { return !(v < floor); }
  static Mask zero(Float v) { return v == 0.0f; }
  static Mask negative(Float v) { return v < 0.0f; }
  static int count(Mask m) { return static_cast<int>(m); }
  static Int add(Int sum, Mask m) { return sum + m; }
  static uint32_t sum(Int v) { return v; }
  static float largest(Float v) { return v; }
  static void store(float* p, Float v) { *p = v; }
  static void store(uint32_t* p, Int v) { *p = v; }
  static Int load_int(const uint32_t* p) { return *p; }
  static void compress(float* out, Mask, Float v) { *out = v; }
  static void stream(float* p, Float v) { *p = v; }
  static void fence() {}

  static Float bin(Float v, int shift) {
    const uint32_t bits = to_bits(v);
    const bool nan = (bits << 1) > 0xFF000000u;
    return from_bits(nan ? 0xFFFFFFFFu : milan::ordered_bits(bits) >> shift);
  }
  static Float gather(const float* row, const int32_t* index) { return row[*index]; }
  static Float gather_near(const float* row, const int32_t* index) { return row[*index]; }
  static Float mul_add(Float a, Float x, Float b, Float y) { return a * x + b * y; }
  static Mask greater(Float v, Float level) { return v > level; }
};

}  // namespace
