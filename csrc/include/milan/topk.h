// The k best images of many units, with a copy of their maps.
//
// An image is offered with its key (number.h); the k largest keys stay. The order is total, so the
// result does not depend on the order of the offers. Empty places have key 0 and a map of zeros.
#pragma once

#include <cstdint>
#include <vector>

#include "milan/pages.h"

namespace milan {

class TopK {
 public:
  /// `map_size` values are kept for each place; 0 keeps none.
  TopK(int64_t units, int64_t k, int64_t map_size);

  int64_t k() const { return k_; }
  int64_t map_size() const { return map_size_; }

  /// A maximum below this cannot enter; equal ones may.
  const float* thresholds() const { return thresholds_.data(); }

  /// Where to copy the map of an image that enters; null when it does not, or when maps are not
  /// kept.
  float* offer(int64_t unit, uint64_t key);

  /// Places of a unit, best first.
  std::vector<int64_t> order(int64_t unit) const;
  uint64_t key(int64_t unit, int64_t place) const { return keys_[unit * k_ + place]; }
  const float* map(int64_t unit, int64_t place) const {
    return maps_.as<float>() + (unit * k_ + place) * map_size_;
  }

 private:
  int64_t k_, map_size_;
  std::vector<uint64_t> keys_;     // [units, k] in no order
  std::vector<int64_t> weakest_;   // [units] place of the smallest key
  std::vector<float> thresholds_;  // [units]
  PageArray maps_;                 // [units, k, map_size]
};

}  // namespace milan
