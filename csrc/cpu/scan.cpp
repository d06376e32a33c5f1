// The pass over the activations; scan_state.cpp has what happens between passes.
#include "milan/scan.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/float_environment.h"
#include "cpu/kernels.h"
#include "cpu/threads.h"

namespace milan {
namespace {

/// Bytes of planes handled before their maxima are looked at: they are still in the L2 cache when
/// a map has to be copied.
constexpr int64_t kBlockBytes = 256 << 10;

/// Pieces of the units for each thread.
constexpr int64_t kPieces = 4;

/// One image as tightly packed planes, for strides that no kernel reads.
void pack(const Activations& batch, int64_t image, int64_t first, int64_t last, char* out) {
  const int64_t size = dtype_size(batch.dtype);
  const char* origin = static_cast<const char*>(batch.data) + image * batch.image_stride * size;
  for (int64_t unit = first; unit < last; ++unit) {
    for (int64_t y = 0; y < batch.height; ++y) {
      for (int64_t x = 0; x < batch.width; ++x, out += size) {
        const int64_t at =
            unit * batch.unit_stride + y * batch.row_stride + x * batch.column_stride;
        std::memcpy(out, origin + at * size, static_cast<size_t>(size));
      }
    }
  }
}

float widen(float x) { return x; }
float widen(Bfloat16 x) { return bits_float(static_cast<uint32_t>(x.bits) << 16); }
float widen(Float16 x) { return half_to_float(x.bits); }

/// One value, changed by the mode; the memory may be unaligned.
template <class T>
float value_at(const Activations& image, int64_t at, uint32_t keep, uint32_t flip) {
  T raw;
  std::memcpy(&raw, static_cast<const T*>(image.data) + at, sizeof raw);
  return bits_float((float_bits(widen(raw)) & keep) ^ flip);
}

/// Copy the maps of some units of one image where pixels are apart: a few pixels of all the units
/// at a time, so that a cache line is fetched once for all of them.
template <class T>
void copy_apart(const Activations& image, const std::vector<MapCopy>& copies, uint32_t keep,
                uint32_t flip) {
  constexpr int64_t kStrip = 16;
  const int64_t ahead = 4 * kStrip * image.column_stride;
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t start = 0; start < image.width; start += kStrip) {
      const int64_t end = std::min(image.width, start + kStrip);
      for (const MapCopy& copy : copies) {
        const int64_t row = copy.unit * image.unit_stride + y * image.row_stride;
        float* to = copy.map + y * image.width;
        for (int64_t x = start; x < end; ++x) {
          const int64_t at = row + x * image.column_stride;
          __builtin_prefetch(static_cast<const T*>(image.data) + at + ahead);
          to[x] = value_at<T>(image, at, keep, flip);
        }
      }
    }
  }
}

/// Copy the maps of some units of one image where the pixels of a row are adjacent.
template <class T>
void copy_rows(const Activations& image, const std::vector<MapCopy>& copies, uint32_t keep,
               uint32_t flip, const Kernels& kernels) {
  const bool whole = image.height == 1 || image.row_stride == image.width;
  const int64_t rows = whole ? 1 : image.height;
  const int64_t length = whole ? image.pixels() : image.width;
  for (const MapCopy& copy : copies) {
    const T* from = static_cast<const T*>(image.data) + copy.unit * image.unit_stride;
    for (int64_t y = 0; y < rows; ++y) {
      kernels.copy_values[int(image.dtype)](from + y * image.row_stride, length, keep, flip,
                                            copy.map + y * image.width);
    }
  }
}

template <class T>
bool all_nan(const Activations& image, int64_t unit) {
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      const int64_t at = unit * image.unit_stride + y * image.row_stride + x * image.column_stride;
      if (!std::isnan(value_at<T>(image, at, ~0u, 0))) return false;
    }
  }
  return true;
}

/// Calls work with a value of the C++ type of `dtype`.
template <class Work>
auto with_type(Dtype dtype, Work work) {
  switch (dtype) {
    case Dtype::kFloat32:
      return work(float{});
    case Dtype::kBfloat16:
      return work(Bfloat16{});
    default:
      return work(Float16{});
  }
}

}  // namespace

void ScanState::update(const Activations& batch, const int64_t* ids, int threads, float* maxima) {
  if (buffers_ == nullptr) {
    const size_t floats = static_cast<size_t>(rules_.units) * capacity_;
    buffers_ = std::make_unique<PageArray>(floats * sizeof(float));
  }
  // Units side by side share cache lines and pages, which many pieces would read again and again.
  const int64_t pieces = batch.unit_stride == 1 ? 1 : kPieces;
  const auto work = [&](int64_t first, int64_t last) {
    const FloatEnvironment environment;
    update_units(batch, ids, first, last, maxima);
  };
  split(rules_.units, 16, threads, work, pieces);
  images_ += static_cast<uint64_t>(batch.images);
  mantissa_bits_ = std::max(mantissa_bits_, dtype_mantissa_bits(batch.dtype));
}

void ScanState::update_units(const Activations& batch, const int64_t* ids, int64_t first,
                             int64_t last, float* maxima) {
  const int64_t size = dtype_size(batch.dtype), stride = batch.pixel_stride();
  const bool one_pixel = rules_.pixels == 1;
  const bool pixel_major = stride != 0 && batch.unit_stride == 1 && (one_pixel || stride != 1);
  const bool planes = !pixel_major && (one_pixel || stride == 1);
  const bool packed = !pixel_major && !planes;
  const auto scan = (pixel_major ? kernels_.scan_pixels : kernels_.scan_planes)[int(batch.dtype)];
  const int64_t plane_bytes = rules_.pixels * size;
  const int64_t step = pixel_major ? last - first : std::max<int64_t>(1, kBlockBytes / plane_bytes);
  std::vector<char> scratch(packed ? static_cast<size_t>(std::min(step, last - first) * plane_bytes)
                                   : 0);
  std::vector<float> unasked(maxima == nullptr ? static_cast<size_t>(std::min(step, last - first))
                                               : 0);
  std::vector<MapCopy> copies;
  for (int64_t image = 0; image < batch.images; ++image) {
    Activations one = batch;
    one.data = static_cast<const char*>(batch.data) + image * batch.image_stride * size;
    one.images = 1;
    for (int64_t unit = first; unit < last; unit += step) {
      const int64_t end = std::min(last, unit + step);
      ScanBlock block{};
      block.values = static_cast<const char*>(one.data) + unit * batch.unit_stride * size;
      block.unit_stride = batch.unit_stride;
      block.pixel_stride = stride;
      if (packed) {
        pack(batch, image, unit, end, scratch.data());
        block.values = scratch.data();
        block.unit_stride = rules_.pixels;
      }
      block.pixels = rules_.pixels;
      block.units = end - unit;
      block.keep_bits = keep_bits_;
      block.flip_bits = flip_bits_;
      block.floors = &floors_[unit];
      block.buffers = buffers_->as<float>() + static_cast<size_t>(unit) * capacity_;
      block.capacity = capacity_;
      block.fill = &fill_[unit];
      block.zeros = &counters_.zeros[unit];
      block.negatives = &counters_.negatives[unit];
      block.maxima = maxima == nullptr ? unasked.data() : maxima + image * rules_.units + unit;
      scan(block);
      after_image(one, ids[image], unit, end, block.maxima, &copies);
    }
  }
}

void ScanState::after_image(const Activations& image, int64_t id, int64_t first, int64_t last,
                            const float* maxima, std::vector<MapCopy>* copies) {
  const size_t room = capacity_ - static_cast<size_t>(rules_.pixels) - kSlack;
  const float* thresholds = topk_.thresholds();
  copies->clear();
  for (int64_t unit = first; unit < last; ++unit) {
    const float maximum = maxima[unit - first];
    if (__builtin_expect((fill_[unit] > room) | (maximum >= thresholds[unit]), 0)) {
      if (fill_[unit] > room) flush(unit);
      if (maximum < thresholds[unit]) continue;
      // Minus infinity is either a value of the plane or what is left when all of it is NaN.
      if (maximum == -INFINITY &&
          with_type(image.dtype, [&](auto type) { return all_nan<decltype(type)>(image, unit); })) {
        continue;
      }
      float* map = topk_.offer(unit, topk_key(maximum, static_cast<uint32_t>(id)));
      if (map != nullptr) copies->push_back({unit, map});
    }
  }
  if (copies->empty()) return;
  with_type(image.dtype, [&](auto type) {
    using T = decltype(type);
    if (image.column_stride == 1 || image.width == 1) {
      copy_rows<T>(image, *copies, keep_bits_, flip_bits_, kernels_);
    } else {
      copy_apart<T>(image, *copies, keep_bits_, flip_bits_);
    }
  });
}

void ScanState::flush(int64_t unit) {
  const uint32_t n = fill_[unit];
  if (n == 0) return;
  fill_[unit] = 0;
  float* buffer = buffers_->as<float>() + static_cast<size_t>(unit) * capacity_;
  const size_t kept = kernels_.bin_values(buffer, n, histograms_.shift());
  counters_.nan[unit] += histograms_.record(unit, reinterpret_cast<const uint32_t*>(buffer), kept);
  if (histograms_.due(unit)) histograms_.raise(unit, counters_.zeros[unit]);
  floors_[unit] = histograms_.floor(unit);
}

}  // namespace milan
