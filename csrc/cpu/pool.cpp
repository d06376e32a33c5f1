#include "milan/pool.h"

#include <algorithm>
#include <vector>

namespace milan {
namespace {

/// Integral of a 0/1 row up to fine position `at`, in 1 / cells of a pixel; prefix[i] counts the
/// pixels on before i.
int64_t covered(const std::vector<int32_t>& prefix, const std::vector<uint8_t>& on, int64_t at,
                int64_t cells) {
  const int64_t pixel = at / cells, part = at % cells;
  return prefix[pixel] * cells + (part ? part * on[pixel] : 0);
}

}  // namespace

void area_weights(const uint8_t* packed, int64_t count, int height, int width, int grid_h,
                  int grid_w, float* weights) {
  const int64_t row_bytes = (width + 7) / 8;
  std::vector<uint8_t> on(static_cast<size_t>(width));
  std::vector<int32_t> prefix(static_cast<size_t>(width) + 1, 0);
  std::vector<int64_t> row(static_cast<size_t>(grid_w));
  std::vector<int64_t> sums(static_cast<size_t>(grid_h) * grid_w);
  const double area = static_cast<double>(static_cast<int64_t>(height) * width);
  for (int64_t mask = 0; mask < count; ++mask) {
    std::fill(sums.begin(), sums.end(), 0);
    for (int64_t y = 0; y < height; ++y, packed += row_bytes) {
      for (int x = 0; x < width; ++x) {
        on[x] = packed[x / 8] >> (x % 8) & 1;
        prefix[x + 1] = prefix[x] + on[x];
      }
      if (prefix[width] == 0) continue;
      int64_t before = 0;
      for (int64_t cell = 0; cell < grid_w; ++cell) {
        const int64_t until = covered(prefix, on, (cell + 1) * width, grid_w);
        row[cell] = until - before;
        before = until;
      }
      // The pixel row covers fine rows [y * grid_h, (y + 1) * grid_h), a cell `height` of them.
      const int64_t top = y * grid_h, bottom = top + grid_h;
      for (int64_t cell = top / height; cell * height < bottom; ++cell) {
        const int64_t share = std::min(bottom, (cell + 1) * height) - std::max(top, cell * height);
        int64_t* sum = &sums[cell * grid_w];
        for (int64_t i = 0; i < grid_w; ++i) sum[i] += share * row[i];
      }
    }
    for (const int64_t sum : sums) *weights++ = static_cast<float>(static_cast<double>(sum) / area);
  }
}

}  // namespace milan
