// Inner loops of masks on coarser grids; included once for each instruction set.
#include "cpu/kernels.h"

namespace {

void count_cells(const uint64_t* words, int64_t count, const milan::CellEdge* edges, int64_t cells,
                 int64_t* before, int64_t* row) {
  for (int64_t i = 1; i < count; ++i) {
    before[i] = before[i - 1] + __builtin_popcountll(words[i - 1]);
  }
  int64_t last = 0;
  for (int64_t cell = 0; cell < cells; ++cell) {
    const milan::CellEdge edge = edges[cell];
    const uint64_t word = words[edge.pixel / 64], bit = uint64_t{1} << (edge.pixel % 64);
    const int64_t whole = before[edge.pixel / 64] + __builtin_popcountll(word & (bit - 1));
    const int64_t until = whole * cells + (word & bit ? edge.part : 0);
    row[cell] = until - last;
    last = until;
  }
}

void add_scaled(const int64_t* row, int64_t share, int64_t cells, int64_t* sums) {
  for (int64_t i = 0; i < cells; ++i) sums[i] += share * row[i];
}

void weigh_cells(const int32_t* cells, const double* weights, int64_t count, const float* features,
                 double* sums) {
  constexpr int kChannels = milan::kPooledChannels;
  double total[kChannels] = {};
  for (int64_t i = 0; i < count; ++i) {
    const float* values = features + int64_t{cells[i]} * kChannels;
    for (int c = 0; c < kChannels; ++c) total[c] += weights[i] * static_cast<double>(values[c]);
  }
  for (int c = 0; c < kChannels; ++c) sums[c] = total[c];
}

}  // namespace
