// Masks: a map is up-sampled, compared with its level, and packed to bits.
//
// Bilinear on the NetDissect grid, in float32, rows first, without fused multiply-adds; exactly the
// arithmetic of `milan_core.ops.reference.masks`. With zero borders samples outside the map count
// as 0, so edge pixels fade; clamped borders repeat the edge. A pixel is on when its value is
// strictly above the level; NaN is off. Output rows are ceil(width / 8) bytes, lowest bit leftmost,
// unused bits 0.
#pragma once

#include <cstdint>

namespace milan {

enum class Border { kZeros, kClamp };

void masks(const float* maps,    // [count, h, w]
           const float* levels,  // [count]
           int64_t count, int h, int w, int height, int width, Border border, int threads,
           uint8_t* packed);  // [count, height, ceil(width / 8)]

}  // namespace milan
