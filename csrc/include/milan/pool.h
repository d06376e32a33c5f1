// How packed masks weight the cells of a coarser grid, and feature maps pooled under them.
//
// Area weights: a pixel that lies partly in a cell counts by the exact share. All sums are
// integers, in units of 1 / grid_w by 1 / grid_h of a pixel, and are divided and rounded once.
// Point weights: the mask, 0 or 1, sampled bilinearly at the centre of each cell (half-pixel
// centres, clamped border, float32), as the published method did: most pixels of a fine mask are
// never looked at.
#pragma once

#include <cstdint>

#include "milan/array.h"

namespace milan {

enum class CellWeights { kArea, kPoints };

void area_weights(const uint8_t* packed,  // [count, height, ceil(width / 8)]
                  int64_t count, int height, int width, int grid_h, int grid_w,
                  float* weights);  // [count, grid_h, grid_w]

void point_weights(const uint8_t* packed,  // [count, height, ceil(width / 8)]
                   int64_t count, int height, int width, int grid_h, int grid_w,
                   float* weights);  // [count, grid_h, grid_w]

/// Feature maps in memory, float32 or float16, without gaps.
struct FeatureMaps {
  const void* data;  // [images, channels, grid_h, grid_w]
  Dtype dtype;
  int64_t images, channels;
  int grid_h, grid_w;
};

/// Weighted mean of a map under each mask: products and sums in double, cells in rising order and
/// those of weight 0 left out, divided and rounded once. A mask without any weight, or with row -1,
/// gives zeros. All masks of an image are done together, so its map is read once. Threads split the
/// images; the result does not depend on them.
void pool_masks(const FeatureMaps& maps,
                const int64_t* rows,    // [count] image of each mask, below maps.images
                const uint8_t* packed,  // [count, height, ceil(width / 8)]
                int64_t count, int height, int width, CellWeights kind, int threads,
                float* pooled);  // [count, channels]

}  // namespace milan
