// exp, tanh and the logistic function for loops that the compiler vectorises. Plain arithmetic
// without contraction: a value's result is the same on every instruction set. Builtins, for the
// reason that cpu/kernels.h gives.
#pragma once

#include <cstdint>

namespace {

inline int32_t signed_bits(float x) {
  int32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}

/// `a` where `sign` is negative, else `b`: without a branch, so that loops can become vectors.
inline float pick(int32_t sign, float a, float b) {
  const int32_t mask = sign >> 31;
  const int32_t bits = (signed_bits(a) & mask) | (signed_bits(b) & ~mask);
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

/// exp(x) for x <= 0 to two units in the last place; what is below exp(-87) stays there.
inline float exp_negative(float x) {
  x = pick(signed_bits(x + 87.0f), -87.0f, x);
  const float shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to a whole number
  const float whole = shifted - 12582912.0f;
  const float r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = (signed_bits(shifted) - 0x4B400000 + 127) * (1 << 23);
  float scale;
  __builtin_memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

/// 1 / (1 + exp(-x)) to four units in the last place.
inline float logistic(float x) {
  const float tail = exp_negative(-__builtin_fabsf(x)), above = 1.0f / (1.0f + tail);
  return above * pick(signed_bits(x), tail, 1.0f);
}

/// tanh(x) to four units in the last place: a polynomial fitted to (tanh x / x - 1) / x^2 for small
/// x, the exponential function for others.
inline float hyperbolic_tangent(float x) {
  const float size = __builtin_fabsf(x), square = x * x;
  float p = -5.704935174e-3f;
  p = p * square + 2.0639035851e-2f;
  p = p * square - 5.3739696741e-2f;
  p = p * square + 1.3331441581e-1f;
  p = p * square - 3.3333280683e-1f;
  const float near = x + x * square * p;
  const float tail = exp_negative(-2.0f * size);
  const float far = __builtin_copysignf((1.0f - tail) / (1.0f + tail), x);
  return pick(signed_bits(size) - signed_bits(0.625f), near, far);
}

}  // namespace
