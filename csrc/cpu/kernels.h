// The table of inner loops that exist once for every instruction set.
//
// Plain structs and pointers only: the files compiled for one instruction set must not instantiate
// shared inline code, or the linker could keep their copy of it for older processors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace milan {

/// One image, a run of units. Values are (bits & keep) ^ flip of what is in memory.
struct ScanBlock {
  const void* values;    // first value of the first unit
  int64_t unit_stride;   // elements between units
  int64_t pixel_stride;  // elements between pixels of a unit
  int64_t pixels;
  int64_t units;
  uint32_t keep_bits, flip_bits;
  const float* floors;  // [units] values below are only counted
  float* buffers;       // [units, capacity] survivors; kSlack floats beyond a plane must be free
  size_t capacity;
  // in/out
  uint32_t* fill;       // [units] survivors in each buffer; NaN survives always
  uint64_t* zeros;      // [units]
  uint64_t* negatives;  // [units]
  // out
  float* maxima;  // [units] NaN left out; -infinity when nothing else
};

/// Floats that a kernel may write beyond the last survivor of a unit.
constexpr int kSlack = 64;

/// Code that `bin_values` gives for NaN instead of a bin; above every bin.
constexpr uint32_t kNanBin = 0xFFFFFFFFu;

/// The right edge of a grid cell in a row of pixels: whole pixels before it, and what it takes of
/// the next one, in 1 / cells of a pixel.
struct CellEdge {
  int64_t pixel, part;
};

/// Channels pooled side by side: their sums are independent, so they fill the processor's lanes.
constexpr int kPooledChannels = 8;

/// log sum exp of logits is `largest` + log(`total`).
struct LogSumExp {
  float largest;
  double total;
};

/// What a word costs: start + ((logit - largest) - log_sum); below `threshold` it is hopeless.
struct WordCosts {
  float start, largest, log_sum, threshold;
};

struct Kernels {
  const char* name;
  int lanes;  // floats in a vector
  /// Units whose pixels are adjacent (NCHW); by Dtype.
  void (*scan_planes[3])(const ScanBlock&);
  /// Pixels whose units are adjacent (NHWC); by Dtype.
  void (*scan_pixels[3])(const ScanBlock&);
  /// Puts the bins (or kNanBin) of those of n floats that are not zero in their place, one after
  /// another; returns their number. `values` has room for kSlack more.
  size_t (*bin_values)(float* values, size_t n, int shift);
  /// out[i] = (bits of from[i], as float32, & keep) ^ flip, for n adjacent values; by Dtype.
  void (*copy_values[3])(const void* from, int64_t n, uint32_t keep_bits, uint32_t flip_bits,
                         float* out);
  /// The largest of 0 and n values, NaN left out; infinity when a value is NaN or nearly infinite.
  float (*row_peak)(const float* row, int n);
  /// out[i] = row[index[i]] * before[i] + row[index[i] + 1] * after[i]; n is a multiple of 16. With
  /// `near` the indices of each vector lie within `lanes` of its first, and the row has kSlack
  /// more.
  void (*stretch_row)(const float* row, const int32_t* index, const float* before,
                      const float* after, int n, bool near, float* out);
  /// One packed row of (upper * before + lower * after > level); the rows hold a multiple of 16
  /// floats, `out` gets ceil(width / 8) bytes.
  void (*threshold_row)(const float* upper, const float* lower, float before, float after,
                        float level, int width, uint8_t* out);
  /// n float16 numbers as float32; `out` has room for kSlack more.
  void (*widen_halves)(const uint16_t* halves, int64_t n, float* out);
  /// Pixels on in each cell of a row, in 1 / cells of a pixel. `before` has `count` numbers, the
  /// first of them 0; the others are scratch.
  void (*count_cells)(const uint64_t* words, int64_t count, const CellEdge* edges, int64_t cells,
                      int64_t* before, int64_t* row);
  /// sums += share * row.
  void (*add_scaled)(const int64_t* row, int64_t share, int64_t cells, int64_t* sums);
  /// sums[c] = sum_i weights[i] * features[cells[i], c] for kPooledChannels channels, in rising i.
  void (*weigh_cells)(const int32_t* cells, const double* weights, int64_t count,
                      const float* features, double* sums);
  /// out = a + b.
  void (*add_rows)(const float* a, const float* b, int64_t count, float* out);
  LogSumExp (*log_sum_exp)(const float* logits, int64_t count);
  /// Start of the next block of 64 words, from `at` on, with a word that is not hopeless, or of the
  /// last block when it is shorter; `words` when there is none. `values` gets its costs.
  int64_t (*next_hopeful)(const float* costs, int64_t words, int64_t at, const WordCosts& how,
                          float* values);
  /// out[j] = energy . tanh(keys[j] + query).
  void (*attention_energies)(const float* query, const float* keys, const float* energy,
                             int64_t exemplars, int64_t width, float* out);
  /// out = logistic(gate + bias) * sum_j weights[j] features[j].
  void (*gated_context)(const float* weights, const float* features, const float* gate,
                        const float* bias, int64_t exemplars, int64_t size, float* out);
  /// One row of `lstm_cell` (milan/recurrent.h).
  void (*lstm_row)(const float* left, const float* right, const float* c, int64_t hidden,
                   float* new_h, float* new_c);
};

extern const Kernels kScalarKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kNeonKernels;

}  // namespace milan
