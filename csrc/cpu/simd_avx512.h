// Sixteen lanes, with the processor's own masks and compaction.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "milan/array.h"

namespace {

struct Simd {
  static constexpr int kLanes = 16;
  using Float = __m512;
  using Int = __m512i;
  using Mask = __mmask16;

  static Float load(const float* p) { return _mm512_loadu_ps(p); }
  static Float widen(const milan::Bfloat16*, __m256i half) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
  static Float widen(const milan::Float16*, __m256i half) { return _mm512_cvtph_ps(half); }
  template <class T>
  static Float load(const T* p) {
    return widen(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Float load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
  template <class T>
  static Float load_first(const T* p, int n) {
    return widen(p, _mm256_maskz_loadu_epi16(first(n), p));
  }
  static Mask first(int n) { return static_cast<__mmask16>((1u << n) - 1); }
  static Float only(Mask m, Float v, Float otherwise) {
    return _mm512_mask_mov_ps(otherwise, m, v);
  }
  static Float set(float x) { return _mm512_set1_ps(x); }
  static Int set_int(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static Float change(Float v, Int keep, Int flip) {
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(_mm512_castps_si512(v), keep, flip, 0x6A));  // (v & keep) ^ flip
  }
  static Float max(Float v, Float best) { return _mm512_max_ps(v, best); }
  static Mask not_less(Float v, Float floor) { return _mm512_cmp_ps_mask(v, floor, _CMP_NLT_UQ); }
  static Mask zero(Float v) { return _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_EQ_OQ); }
  static Mask negative(Float v) { return _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ); }
  static int count(Mask m) { return _mm_popcnt_u32(m); }
  static Int add(Int sum, Mask m) {
    return _mm512_mask_sub_epi32(sum, m, sum, _mm512_set1_epi32(-1));
  }
  static uint32_t sum(Int v) { return static_cast<uint32_t>(_mm512_reduce_add_epi32(v)); }
  static float largest(Float v) { return _mm512_reduce_max_ps(v); }
  static void store(float* p, Float v) { _mm512_storeu_ps(p, v); }
  static void store(uint32_t* p, Int v) { _mm512_storeu_si512(p, v); }
  static Int load_int(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static void compress(float* out, Mask m, Float v) {
    // Into a register first: the compressing store itself is slow on several processors.
    _mm512_storeu_ps(out, _mm512_maskz_compress_ps(m, v));
  }
  static void stream(float* p, Float v) { _mm512_stream_ps(p, v); }
  static void fence() { _mm_sfence(); }

  static Float bin(Float v, int shift) {
    const __m512i bits = _mm512_castps_si512(v);
    __m512i code =
        _mm512_xor_si512(bits, _mm512_or_si512(_mm512_srai_epi32(bits, 31), set_int(0x80000000u)));
    code = _mm512_srl_epi32(code, _mm_cvtsi32_si128(shift));
    const Mask nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(code, nan, set_int(0xFFFFFFFFu)));
  }
  static Float gather(const float* row, const int32_t* index) {
    return _mm512_i32gather_ps(_mm512_loadu_si512(index), row, 4);
  }
  /// The same for indices within kLanes of the first: one load and a permutation.
  static Float gather_near(const float* row, const int32_t* index) {
    const __m512i all = _mm512_loadu_si512(index);
    return _mm512_permutexvar_ps(_mm512_sub_epi32(all, _mm512_set1_epi32(*index)),
                                 _mm512_loadu_ps(row + *index));
  }
  static Float mul_add(Float a, Float x, Float b, Float y) {
    return _mm512_add_ps(_mm512_mul_ps(a, x), _mm512_mul_ps(b, y));
  }
  static Mask greater(Float v, Float level) { return _mm512_cmp_ps_mask(v, level, _CMP_GT_OQ); }
};

}  // namespace
