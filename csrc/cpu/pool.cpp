#include "milan/pool.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "cpu/cell_weights.h"
#include "cpu/float_environment.h"
#include "cpu/kernels.h"
#include "cpu/threads.h"
#include "milan/isa.h"

namespace milan {
namespace {

constexpr int kChannels = kPooledChannels;

/// The cells that one mask covers.
struct Cover {
  std::vector<int32_t> cell;
  std::vector<double> weight;
  double total = 0;

  void add(size_t at, double value) {
    if (value == 0) return;
    cell.push_back(static_cast<int32_t>(at));
    weight.push_back(value);
    total += value;
  }
};

Cover cover_of(const uint8_t* mask, CellWeights kind, AreaCounter& areas,
               const PointSampler& points, std::vector<float>& sampled) {
  Cover cover;
  if (kind == CellWeights::kArea) {
    const std::vector<int64_t>& sums = areas.count(mask);
    for (size_t i = 0; i < sums.size(); ++i) cover.add(i, static_cast<double>(sums[i]));
  } else {
    points.sample(mask, sampled.data());
    for (size_t i = 0; i < sampled.size(); ++i) cover.add(i, sampled[i]);
  }
  return cover;
}

/// Some channels of a map as float32, cell by cell: [cells, kChannels].
void interleave(const FeatureMaps& maps, const Kernels& isa, int64_t image, int64_t first,
                int64_t channels, std::vector<float>& row, float* out) {
  const int64_t cells = int64_t{maps.grid_h} * maps.grid_w;
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t at = (image * maps.channels + first + c) * cells;
    const float* values = static_cast<const float*>(maps.data) + at;
    if (maps.dtype == Dtype::kFloat16) {
      isa.widen_halves(static_cast<const uint16_t*>(maps.data) + at, cells, row.data());
      values = row.data();
    }
    for (int64_t i = 0; i < cells; ++i) out[i * kChannels + c] = values[i];
  }
}

void pool_one(const Kernels& isa, const Cover& cover, const float* features, int64_t channels,
              float* pooled) {
  double sums[kChannels];
  isa.weigh_cells(cover.cell.data(), cover.weight.data(), static_cast<int64_t>(cover.cell.size()),
                  features, sums);
  for (int64_t c = 0; c < channels; ++c) {
    pooled[c] = cover.cell.empty() ? 0.0f : static_cast<float>(sums[c] / cover.total);
  }
}

/// The masks that have a map, those of one image side by side.
std::vector<int64_t> by_image(const int64_t* rows, int64_t count) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < count; ++i) {
    if (rows[i] >= 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [rows](int64_t a, int64_t b) { return rows[a] < rows[b]; });
  return order;
}

}  // namespace

void area_weights(const uint8_t* packed, int64_t count, int height, int width, int grid_h,
                  int grid_w, float* weights) {
  AreaCounter areas(kernels(), height, width, grid_h, grid_w);
  const int64_t mask_bytes = int64_t{height} * ((width + 7) / 8);
  const double area = static_cast<double>(static_cast<int64_t>(height) * width);
  for (int64_t mask = 0; mask < count; ++mask) {
    for (const int64_t sum : areas.count(packed + mask * mask_bytes)) {
      *weights++ = static_cast<float>(static_cast<double>(sum) / area);
    }
  }
}

void point_weights(const uint8_t* packed, int64_t count, int height, int width, int grid_h,
                   int grid_w, float* weights) {
  const PointSampler points(height, width, grid_h, grid_w);
  const int64_t mask_bytes = int64_t{height} * ((width + 7) / 8);
  for (int64_t mask = 0; mask < count; ++mask) {
    points.sample(packed + mask * mask_bytes, weights + mask * grid_h * grid_w);
  }
}

void pool_masks(const FeatureMaps& maps, const int64_t* rows, const uint8_t* packed, int64_t count,
                int height, int width, CellWeights kind, int threads, float* pooled) {
  const int64_t cells = int64_t{maps.grid_h} * maps.grid_w;
  const int64_t mask_bytes = int64_t{height} * ((width + 7) / 8);
  const std::vector<int64_t> order = by_image(rows, count);
  std::vector<int64_t> starts;  // of each image in `order`, and the end
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || rows[order[i]] != rows[order[i - 1]]) starts.push_back(static_cast<int64_t>(i));
  }
  const auto images = static_cast<int64_t>(starts.size());
  starts.push_back(static_cast<int64_t>(order.size()));
  std::fill_n(pooled, count * maps.channels, 0.0f);
  const Kernels& isa = kernels();
  split(images, 1, threads, [&](int64_t first, int64_t last) {
    const FloatEnvironment environment;
    AreaCounter areas(isa, height, width, maps.grid_h, maps.grid_w);
    const PointSampler points(height, width, maps.grid_h, maps.grid_w);
    std::vector<float> sampled(static_cast<size_t>(cells));
    std::vector<float> row(static_cast<size_t>(cells) + kSlack);
    std::vector<float> features(static_cast<size_t>(cells) * kChannels, 0.0f);
    std::vector<Cover> covers;
    for (int64_t image = first; image < last; ++image) {
      covers.clear();
      for (int64_t i = starts[image]; i < starts[image + 1]; ++i) {
        covers.push_back(cover_of(packed + order[i] * mask_bytes, kind, areas, points, sampled));
      }
      for (int64_t c = 0; c < maps.channels; c += kChannels) {
        const int64_t channels = std::min<int64_t>(kChannels, maps.channels - c);
        interleave(maps, isa, rows[order[starts[image]]], c, channels, row, features.data());
        for (int64_t i = starts[image]; i < starts[image + 1]; ++i) {
          pool_one(isa, covers[i - starts[image]], features.data(), channels,
                   pooled + order[i] * maps.channels + c);
        }
      }
    }
  });
}

}  // namespace milan
