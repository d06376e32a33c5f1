// Weights of the cells of a grid under one packed mask; shared by the weights and the pooling.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cpu/kernels.h"

namespace milan {

/// Area of each cell that masks of one size cover, as integers.
class AreaCounter {
 public:
  AreaCounter(const Kernels& isa, int height, int width, int grid_h, int grid_w)
      : isa_(isa),
        height_(height),
        grid_h_(grid_h),
        row_bytes_((width + 7) / 8),
        words_(static_cast<size_t>(width) / 64 + 1, 0),
        before_(words_.size(), 0),
        row_(static_cast<size_t>(grid_w)),
        sums_(static_cast<size_t>(grid_h) * static_cast<size_t>(grid_w)) {
    for (int64_t cell = 1; cell <= grid_w; ++cell) {
      const int64_t fine = cell * width;  // in 1 / grid_w of a pixel
      edges_.push_back({fine / grid_w, fine % grid_w});
    }
  }

  /// Covered area of each cell, in 1 / (grid_h * grid_w) of a pixel; valid until the next call.
  const std::vector<int64_t>& count(const uint8_t* packed) {
    std::fill(sums_.begin(), sums_.end(), 0);
    for (int64_t y = 0; y < height_; ++y, packed += row_bytes_) {
      std::memcpy(words_.data(), packed, static_cast<size_t>(row_bytes_));
      uint64_t any = 0;
      for (const uint64_t word : words_) any |= word;
      if (any != 0) add_row(y);
    }
    return sums_;
  }

 private:
  void add_row(int64_t y) {
    const auto cells = static_cast<int64_t>(row_.size());
    isa_.count_cells(words_.data(), static_cast<int64_t>(words_.size()), edges_.data(), cells,
                     before_.data(), row_.data());
    // The pixel row covers fine rows [y * grid_h, (y + 1) * grid_h), a cell `height` of them.
    const int64_t top = y * grid_h_, bottom = top + grid_h_;
    for (int64_t cell = top / height_; cell * height_ < bottom; ++cell) {
      const int64_t share = std::min(bottom, (cell + 1) * height_) - std::max(top, cell * height_);
      isa_.add_scaled(row_.data(), share, cells, &sums_[static_cast<size_t>(cell * cells)]);
    }
  }

  const Kernels& isa_;
  int64_t height_, grid_h_, row_bytes_;
  std::vector<CellEdge> edges_;  // [grid_w]
  std::vector<uint64_t> words_;  // one row of the mask, pixel x at bit x % 64
  std::vector<int64_t> before_;  // pixels on before each word
  std::vector<int64_t> row_, sums_;
};

/// A mask sampled at the centres of the cells: the two pixels on either side of each, and the
/// weight of the second.
class PointSampler {
 public:
  PointSampler(int height, int width, int grid_h, int grid_w)
      : row_bytes_((width + 7) / 8), rows_(height, grid_h), columns_(width, grid_w) {}

  void sample(const uint8_t* packed, float* weights) const {
    for (size_t i = 0; i < rows_.first.size(); ++i) {
      const uint8_t* upper = packed + rows_.first[i] * row_bytes_;
      const uint8_t* lower = packed + rows_.second[i] * row_bytes_;
      for (size_t j = 0; j < columns_.first.size(); ++j) {
        *weights++ = blend(rows_.weight[i], across(upper, j), across(lower, j));
      }
    }
  }

 private:
  struct Axis {
    std::vector<int64_t> first, second;
    std::vector<float> weight;

    Axis(int pixels, int cells) {
      const float scale = static_cast<float>(pixels) / static_cast<float>(cells);
      for (int cell = 0; cell < cells; ++cell) {
        const float centre = (static_cast<float>(cell) + 0.5f) * scale - 0.5f;
        const float at = std::max(0.0f, centre);
        const auto pixel = std::min<int64_t>(static_cast<int64_t>(at), pixels - 1);
        first.push_back(pixel);
        second.push_back(std::min<int64_t>(pixel + 1, pixels - 1));
        weight.push_back(at - static_cast<float>(pixel));
      }
    }
  };

  static float blend(float weight, float a, float b) { return (1.0f - weight) * a + weight * b; }

  float across(const uint8_t* row, size_t j) const {
    const auto on = [row](int64_t x) { return static_cast<float>(row[x / 8] >> (x % 8) & 1); };
    return blend(columns_.weight[j], on(columns_.first[j]), on(columns_.second[j]));
  }

  int64_t row_bytes_;
  Axis rows_, columns_;
};

}  // namespace milan
