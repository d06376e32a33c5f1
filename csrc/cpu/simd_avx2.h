// Eight lanes. Compaction by a table of lane orders.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "milan/array.h"

namespace {

struct LaneOrders {
  uint64_t order[256];
  constexpr LaneOrders() : order() {
    for (int mask = 0; mask < 256; ++mask) {
      int at = 0;
      for (uint64_t lane = 0; lane < 8; ++lane) {
        if (mask >> lane & 1) order[mask] |= lane << (8 * at++);
      }
    }
  }
};
constexpr LaneOrders kLaneOrders;

struct Simd {
  static constexpr int kLanes = 8;
  using Float = __m256;
  using Int = __m256i;
  using Mask = uint32_t;

  static Float load(const float* p) { return _mm256_loadu_ps(p); }
  static Float widen(const milan::Bfloat16*, __m128i half) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  }
  static Float widen(const milan::Float16*, __m128i half) { return _mm256_cvtph_ps(half); }
  template <class T>
  static Float load(const T* p) {
    return widen(p, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Float load_first(const float* p, int n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane));
  }
  template <class T>
  static Float load_first(const T* p, int n) {
    alignas(16) uint16_t part[8] = {};
    __builtin_memcpy(part, p, 2 * static_cast<size_t>(n));
    return widen(p, _mm_load_si128(reinterpret_cast<const __m128i*>(part)));
  }
  static Mask first(int n) { return (1u << n) - 1; }
  static Float only(Mask m, Float v, Float otherwise) {
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(m)), lane);
    return _mm256_blendv_ps(otherwise, v, _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, lane)));
  }
  static Float set(float x) { return _mm256_set1_ps(x); }
  static Int set_int(uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static Float change(Float v, Int keep, Int flip) {
    return _mm256_xor_ps(_mm256_and_ps(v, _mm256_castsi256_ps(keep)), _mm256_castsi256_ps(flip));
  }
  static Float max(Float v, Float best) { return _mm256_max_ps(v, best); }
  static Mask bits(Float v) { return static_cast<uint32_t>(_mm256_movemask_ps(v)); }
  static Mask not_less(Float v, Float floor) { return bits(_mm256_cmp_ps(v, floor, _CMP_NLT_UQ)); }
  static Mask zero(Float v) { return bits(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_EQ_OQ)); }
  static Mask negative(Float v) { return bits(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_LT_OQ)); }
  static int count(Mask m) { return _mm_popcnt_u32(m); }
  static Int add(Int sum, Mask m) {
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(m)), lane);
    return _mm256_sub_epi32(sum, _mm256_cmpeq_epi32(set, lane));
  }
  static uint32_t sum(Int v) {
    __m128i x = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4E));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32(x, 0xB1))));
  }
  static float largest(Float v) {
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_shuffle_ps(x, x, 1)));
  }
  static void store(float* p, Float v) { _mm256_storeu_ps(p, v); }
  static void store(uint32_t* p, Int v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  static Int load_int(const uint32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Int order(Mask m) {
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(kLaneOrders.order[m])));
  }
  static void compress(float* out, Mask m, Float v) {
    _mm256_storeu_ps(out, _mm256_permutevar8x32_ps(v, order(m)));
  }
  static void stream(float* p, Float v) { _mm256_stream_ps(p, v); }
  static void fence() { _mm_sfence(); }

  static Float bin(Float v, int shift) {
    const __m256i sign = set_int(0x80000000u), bits = _mm256_castps_si256(v);
    __m256i code = _mm256_xor_si256(bits, _mm256_or_si256(_mm256_srai_epi32(bits, 31), sign));
    code = _mm256_srl_epi32(code, _mm_cvtsi32_si128(shift));
    return _mm256_or_ps(_mm256_castsi256_ps(code), _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  }
  static Float gather(const float* row, const int32_t* index) {
    return _mm256_i32gather_ps(row, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), 4);
  }
  /// The same for indices within kLanes of the first: one load and a permutation.
  static Float gather_near(const float* row, const int32_t* index) {
    const __m256i all = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index));
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(row + *index),
                                    _mm256_sub_epi32(all, _mm256_set1_epi32(*index)));
  }
  static Float mul_add(Float a, Float x, Float b, Float y) {
    return _mm256_add_ps(_mm256_mul_ps(a, x), _mm256_mul_ps(b, y));
  }
  static Mask greater(Float v, Float level) { return bits(_mm256_cmp_ps(v, level, _CMP_GT_OQ)); }
};

}  // namespace
