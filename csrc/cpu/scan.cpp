// The pass over the activations; scan_state.cpp has what happens between passes.
#include "milan/scan.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/float_environment.h"
#include "cpu/kernels.h"
#include "cpu/threads.h"
#include "milan/isa.h"

namespace milan {
namespace {

/// Bytes of planes handled before their maxima are looked at: they are still in the L2 cache when
/// a map has to be copied.
constexpr int64_t kBlockBytes = 256 << 10;

float element(const Activations& batch, int64_t at) {
  const char* p = static_cast<const char*>(batch.data) + at * dtype_size(batch.dtype);
  // The scalar kernels' conversions, through one-value loads.
  if (batch.dtype == Dtype::kFloat32) {
    float x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  uint16_t half;
  std::memcpy(&half, p, sizeof half);
  return batch.dtype == Dtype::kBfloat16 ? bits_float(static_cast<uint32_t>(half) << 16)
                                         : half_to_float(half);
}

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

/// Distance between pixels when rows follow each other without a gap, else 0.
int64_t pixel_stride(const Activations& batch) {
  if (batch.width == 1) return batch.height == 1 ? 1 : batch.row_stride;
  if (batch.height == 1 || batch.row_stride == batch.width * batch.column_stride) {
    return batch.column_stride;
  }
  return 0;
}

}  // namespace

void ScanState::update(const Activations& batch, const int64_t* ids, int threads) {
  split(rules_.units, 16, threads, [&](int64_t first, int64_t last) {
    const FloatEnvironment environment;
    update_units(batch, ids, first, last);
  });
  images_ += static_cast<uint64_t>(batch.images);
  mantissa_bits_ = std::max(mantissa_bits_, dtype_mantissa_bits(batch.dtype));
}

void ScanState::update_units(const Activations& batch, const int64_t* ids, int64_t first,
                             int64_t last) {
  const Kernels& kernel = kernels();
  const int64_t size = dtype_size(batch.dtype), stride = pixel_stride(batch);
  const bool one_pixel = rules_.pixels == 1;
  const bool pixel_major = stride != 0 && batch.unit_stride == 1 && (one_pixel || stride != 1);
  const bool planes = !pixel_major && (one_pixel || stride == 1);
  const bool packed = !pixel_major && !planes;
  const auto scan = (pixel_major ? kernel.scan_pixels : kernel.scan_planes)[int(batch.dtype)];
  const int64_t plane_bytes = rules_.pixels * size;
  const int64_t step = pixel_major ? last - first : std::max<int64_t>(1, kBlockBytes / plane_bytes);
  std::vector<char> scratch(packed ? static_cast<size_t>(std::min(step, last - first) * plane_bytes)
                                   : 0);
  std::vector<float> maxima(static_cast<size_t>(std::min(step, last - first)));
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
      block.buffers = buffers_.as<float>() + static_cast<size_t>(unit) * capacity_;
      block.capacity = capacity_;
      block.fill = &fill_[unit];
      block.zeros = &counters_.zeros[unit];
      block.negatives = &counters_.negatives[unit];
      block.maxima = maxima.data();
      scan(block);
      after_image(one, ids[image], unit, end, maxima.data());
    }
  }
}

void ScanState::after_image(const Activations& image, int64_t id, int64_t first, int64_t last,
                            const float* maxima) {
  const size_t room = capacity_ - static_cast<size_t>(rules_.pixels) - kSlack;
  const float* thresholds = topk_.thresholds();
  for (int64_t unit = first; unit < last; ++unit) {
    const float maximum = maxima[unit - first];
    if (__builtin_expect((fill_[unit] > room) | (maximum >= thresholds[unit]), 0)) {
      if (fill_[unit] > room) flush(unit);
      if (maximum >= thresholds[unit]) offer(image, id, unit, maximum);
    }
  }
}

void ScanState::offer(const Activations& image, int64_t id, int64_t unit, float maximum) {
  const auto value = [&](int64_t y, int64_t x) {
    const float raw =
        element(image, unit * image.unit_stride + y * image.row_stride + x * image.column_stride);
    return bits_float((float_bits(raw) & keep_bits_) ^ flip_bits_);
  };
  if (maximum == -INFINITY) {  // either a value of the plane, or all of it is NaN
    bool any = false;
    for (int64_t y = 0; y < image.height; ++y) {
      for (int64_t x = 0; x < image.width; ++x) any |= !std::isnan(value(y, x));
    }
    if (!any) return;
  }
  bool entered;
  float* map = topk_.offer(unit, topk_key(maximum, static_cast<uint32_t>(id)), &entered);
  if (map == nullptr) return;
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) *map++ = value(y, x);
  }
}

void ScanState::flush(int64_t unit) {
  const uint32_t n = fill_[unit];
  if (n == 0) return;
  fill_[unit] = 0;
  float* buffer = buffers_.as<float>() + static_cast<size_t>(unit) * capacity_;
  kernels().bin_values(buffer, n, histograms_.shift());
  counters_.nan[unit] += histograms_.record(unit, reinterpret_cast<const uint32_t*>(buffer), n);
  if (histograms_.due(unit)) histograms_.raise(unit, counters_.zeros[unit]);
  floors_[unit] = histograms_.floor(unit);
}

}  // namespace milan
