// Non-owning view of a batch of activations, in any strides.
#pragma once

#include <cstdint>

namespace milan {

enum class Dtype : int { kFloat32 = 0, kBfloat16 = 1, kFloat16 = 2 };

struct Bfloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};

inline int dtype_size(Dtype dtype) { return dtype == Dtype::kFloat32 ? 4 : 2; }

/// Explicit mantissa bits: a histogram with at least as many holds one value a bin.
inline int dtype_mantissa_bits(Dtype dtype) {
  return dtype == Dtype::kFloat32 ? 23 : dtype == Dtype::kFloat16 ? 10 : 7;
}

/// [images, units, height, width] with strides in elements; the memory is the caller's, on the CPU,
/// and need not be aligned.
struct Activations {
  const void* data;
  Dtype dtype;
  int64_t images, units, height, width;
  int64_t image_stride, unit_stride, row_stride, column_stride;

  int64_t pixels() const { return height * width; }

  /// Distance between pixels when rows follow each other without a gap, else 0.
  int64_t pixel_stride() const {
    if (width == 1) return height == 1 ? 1 : row_stride;
    if (height == 1 || row_stride == width * column_stride) return column_stride;
    return 0;
  }
};

}  // namespace milan
