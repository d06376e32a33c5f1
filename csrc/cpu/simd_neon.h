// Four lanes of 64-bit ARM. Compaction by a table of byte orders.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "milan/array.h"

namespace {

/// For each set of lanes the bytes of its members, moved to the front.
struct LaneOrders {
  uint8_t order[16][16];
  constexpr LaneOrders() : order() {
    for (int mask = 0; mask < 16; ++mask) {
      int at = 0;
      for (int lane = 0; lane < 4; ++lane) {
        if ((mask >> lane & 1) == 0) continue;
        for (int byte = 0; byte < 4; ++byte) {
          order[mask][at++] = static_cast<uint8_t>(4 * lane + byte);
        }
      }
    }
  }
};
constexpr LaneOrders kLaneOrders;
constexpr uint32_t kLane[4] = {0, 1, 2, 3};

struct Simd {
  static constexpr int kLanes = 4;
  using Float = float32x4_t;
  using Int = uint32x4_t;
  using Mask = uint32_t;

  static Float load(const float* p) {
    return vreinterpretq_f32_u8(vld1q_u8(reinterpret_cast<const uint8_t*>(p)));
  }
  static Float widen(const milan::Bfloat16*, uint16x4_t half) {
    return vreinterpretq_f32_u32(vshll_n_u16(half, 16));
  }
  static Float widen(const milan::Float16*, uint16x4_t half) {
    return vcvt_f32_f16(vreinterpret_f16_u16(half));
  }
  template <class T>
  static Float load(const T* p) {
    return widen(p, vreinterpret_u16_u8(vld1_u8(reinterpret_cast<const uint8_t*>(p))));
  }
  static Float load_first(const float* p, int n) {
    float part[4] = {};
    memcpy(part, p, sizeof(float) * static_cast<size_t>(n));
    return vld1q_f32(part);
  }
  template <class T>
  static Float load_first(const T* p, int n) {
    uint16_t part[4] = {};
    memcpy(part, p, sizeof(T) * static_cast<size_t>(n));
    return widen(p, vld1_u16(part));
  }
  static Mask first(int n) { return (1u << n) - 1; }
  static Int lanes(Mask m) {
    const Int lane = vshlq_u32(vdupq_n_u32(1), vreinterpretq_s32_u32(vld1q_u32(kLane)));
    return vtstq_u32(vdupq_n_u32(m), lane);
  }
  static Float only(Mask m, Float v, Float otherwise) { return vbslq_f32(lanes(m), v, otherwise); }
  static Float set(float x) { return vdupq_n_f32(x); }
  static Int set_int(uint32_t x) { return vdupq_n_u32(x); }
  static Float change(Float v, Int keep, Int flip) {
    return vreinterpretq_f32_u32(veorq_u32(vandq_u32(vreinterpretq_u32_f32(v), keep), flip));
  }
  /// `best` where v is NaN, which ARM's own maximum would keep.
  static Float max(Float v, Float best) { return vbslq_f32(vcgtq_f32(v, best), v, best); }
  static Mask bits(Int set) {
    const Int lane = vshlq_u32(vdupq_n_u32(1), vreinterpretq_s32_u32(vld1q_u32(kLane)));
    return vaddvq_u32(vandq_u32(set, lane));
  }
  static Mask not_less(Float v, Float floor) { return bits(vmvnq_u32(vcltq_f32(v, floor))); }
  static Mask zero(Float v) { return bits(vceqzq_f32(v)); }
  static Mask negative(Float v) { return bits(vcltzq_f32(v)); }
  static int count(Mask m) { return __builtin_popcount(m); }
  static Int add(Int sum, Mask m) { return vsubq_u32(sum, lanes(m)); }
  static uint32_t sum(Int v) { return vaddvq_u32(v); }
  static float largest(Float v) { return vmaxvq_f32(v); }
  static void store(float* p, Float v) { vst1q_f32(p, v); }
  static void store(uint32_t* p, Int v) { vst1q_u32(p, v); }
  static Int load_int(const uint32_t* p) { return vld1q_u32(p); }
  static void compress(float* out, Mask m, Float v) {
    const uint8x16_t order = vld1q_u8(kLaneOrders.order[m]);
    vst1q_f32(out, vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(v), order)));
  }
  static void stream(float* p, Float v) { vst1q_f32(p, v); }
  static void fence() {}

  static Float bin(Float v, int shift) {
    const Int bits = vreinterpretq_u32_f32(v);
    const Int sign = vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(bits), 31));
    Int code = veorq_u32(bits, vorrq_u32(sign, vdupq_n_u32(0x80000000u)));
    code = vshlq_u32(code, vdupq_n_s32(-shift));
    return vreinterpretq_f32_u32(vorrq_u32(code, vmvnq_u32(vceqq_f32(v, v))));
  }
  static Float gather(const float* row, const int32_t* index) {
    const float part[4] = {row[index[0]], row[index[1]], row[index[2]], row[index[3]]};
    return vld1q_f32(part);
  }
  /// The same for indices within kLanes of the first: one load and a permutation of bytes.
  static Float gather_near(const float* row, const int32_t* index) {
    const Int lane = vreinterpretq_u32_s32(vsubq_s32(vld1q_s32(index), vdupq_n_s32(*index)));
    const Int byte = vmlaq_n_u32(vdupq_n_u32(0x03020100u), lane, 0x04040404u);
    const uint8x16_t from = vld1q_u8(reinterpret_cast<const uint8_t*>(row + *index));
    return vreinterpretq_f32_u8(vqtbl1q_u8(from, vreinterpretq_u8_u32(byte)));
  }
  static Float mul_add(Float a, Float x, Float b, Float y) {
    return vaddq_f32(vmulq_f32(a, x), vmulq_f32(b, y));
  }
  static Mask greater(Float v, Float level) { return bits(vcgtq_f32(v, level)); }
};

}  // namespace
