// Where each output pixel of a mask lies on one axis of its map: the NetDissect grid of mask.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "milan/mask.h"

namespace milan {

struct Axis {
  std::vector<int32_t> first;  // plus 1: index into a row with one leading zero
  std::vector<float> before, after;
};

/// The tables are `target` long, filled up to a multiple of `pad` with the last index and weights
/// of zero. Compile without contraction into fused multiply-adds.
inline Axis make_axis(int source, int target, Border border, int pad) {
  Axis axis;
  const auto padded = static_cast<size_t>((target + pad - 1) / pad * pad);
  axis.first.assign(padded, 0);
  axis.before.assign(padded, 0.0f);
  axis.after.assign(padded, 0.0f);
  const double scale = static_cast<double>(target) / source;
  const auto offset = static_cast<float>(0.5 * scale - 0.5);
  const auto step = static_cast<float>(2.0 / (scale * std::max(1, source - 1)));
  const auto last = static_cast<float>(source - 1);
  for (int t = 0; t < target; ++t) {
    const float grid = (static_cast<float>(t) - offset) * step - 1.0f;
    float where = ((grid + 1.0f) / 2.0f) * last;
    if (border == Border::kClamp) where = std::min(std::max(where, 0.0f), last);
    const float floor = std::floor(where);
    const int first = static_cast<int>(floor);
    axis.first[t] = first + 1;
    axis.after[t] = first + 1 < source ? where - floor : 0.0f;
    axis.before[t] = first >= 0 && first < source ? 1.0f - (where - floor) : 0.0f;
  }
  std::fill(axis.first.begin() + target, axis.first.end(), axis.first[target - 1]);
  return axis;
}

}  // namespace milan
