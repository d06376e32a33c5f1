// The statistics of one layer: top-k images with maps, tail histograms, counts; one read of the
// activations.
//
// Values are changed first by the mode (kept, negated, absolute). NaN enters neither maximum nor
// histogram and is counted; an image whose values of a unit are all NaN cannot be among its top.
// The level of quantile q over n values is the r-th largest, r = n - ceil(q n) + 1. Between bin
// edges it is interpolated by rank, in double, a pure function of the counts: within 2^-bits of the
// true value, exact where the input type has no more mantissa bits than the bins. Zeros are counted
// exactly, so a level that falls among them is exactly 0. A unit without any value that is not NaN
// has level NaN.
//
// Two states of equal shape and rules merge into the state of all their images, byte for byte in
// any order. Updates survive in per-unit buffers until something is read; methods that read settle
// them first, so an object must be used by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "milan/array.h"
#include "milan/histogram.h"
#include "milan/isa.h"
#include "milan/topk.h"

namespace milan {

enum class Mode : int { kTop = 0, kBottom = 1, kMagnitude = 2 };

struct ScanRules {
  int64_t units, pixels, k;
  uint64_t rank;  // the largest rank that may be asked for, over the whole data set
  Mode mode;
  int bits;
  bool keep_maps;
};

struct Counters {
  std::vector<uint64_t> nan, zeros, negatives;  // [units]
};

/// A map that has entered a unit's top and is still to be copied.
struct MapCopy {
  int64_t unit;
  float* map;
};

class ScanState {
 public:
  explicit ScanState(const ScanRules& rules);

  const ScanRules& rules() const { return rules_; }
  uint64_t images() const { return images_; }
  int mantissa_bits() const { return mantissa_bits_; }

  /// Add a batch; ids[b] in 0..2^32-1 is the image of row b. Threads split the units. `maxima` is
  /// null or gets the largest value of every plane, [images, units]: NaN left out, -infinity where
  /// nothing else is; of -0 and +0 either.
  void update(const Activations& batch, const int64_t* ids, int threads, float* maxima);

  /// Add the images of another state with equal rules.
  void merge(ScanState& other);

  /// Level of each unit.
  void levels(double quantile, float* level);

  const Counters& counters();
  const Histograms& histograms();
  const TopK& topk() const { return topk_; }

  /// Become the stored state; see the binding for the checks before.
  void restore(uint64_t images, int mantissa_bits, Counters counters);
  Histograms& histograms_to_restore() { return histograms_; }
  TopK& topk_to_restore() { return topk_; }

 private:
  void update_units(const Activations& batch, const int64_t* ids, int64_t first, int64_t last,
                    float* maxima);
  void after_image(const Activations& image, int64_t id, int64_t first, int64_t last,
                   const float* maxima, std::vector<MapCopy>* copies);
  void flush(int64_t unit);
  void settle();
  float level_of(int64_t unit, double quantile) const;

  ScanRules rules_;
  const Kernels& kernels_;
  uint64_t images_ = 0;
  int mantissa_bits_ = 0;
  uint32_t keep_bits_, flip_bits_;
  Counters counters_;
  Histograms histograms_;
  TopK topk_;
  size_t capacity_;                     // floats in a unit's buffer
  std::vector<uint32_t> fill_;          // [units]
  std::vector<float> floors_;           // [units]
  std::unique_ptr<PageArray> buffers_;  // [units, capacity], from the first update on
};

}  // namespace milan
