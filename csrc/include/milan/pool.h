// Share of every cell of a grid that a packed mask covers.
//
// A pixel that lies partly in a cell counts by the exact share. All sums are integers, in units of
// 1 / grid_w by 1 / grid_h of a pixel, and are divided and rounded once.
#pragma once

#include <cstdint>

namespace milan {

void area_weights(const uint8_t* packed,  // [count, height, ceil(width / 8)]
                  int64_t count, int height, int width, int grid_h, int grid_w,
                  float* weights);  // [count, grid_h, grid_w]

}  // namespace milan
