#include "milan/topk.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "milan/number.h"

namespace milan {

TopK::TopK(int64_t units, int64_t k, int64_t map_size)
    : k_(k),
      map_size_(map_size),
      keys_(static_cast<size_t>(units * k), 0),
      weakest_(static_cast<size_t>(units), 0),
      thresholds_(static_cast<size_t>(units), -INFINITY),
      maps_(static_cast<size_t>(units * k * map_size) * sizeof(float)) {}

float* TopK::offer(int64_t unit, uint64_t key) {
  uint64_t* keys = &keys_[unit * k_];
  const int64_t place = weakest_[unit];
  if (key <= keys[place]) return nullptr;
  keys[place] = key;
  // Empty places are taken one after another: no search until all are filled.
  const bool empty_left = place + 1 < k_ && keys[place + 1] == 0;
  const int64_t weakest = empty_left ? place + 1 : std::min_element(keys, keys + k_) - keys;
  weakest_[unit] = weakest;
  if (keys[weakest] != 0) thresholds_[unit] = key_value(keys[weakest]);
  return map_size_ > 0 ? maps_.as<float>() + (unit * k_ + place) * map_size_ : nullptr;
}

std::vector<int64_t> TopK::order(int64_t unit) const {
  std::vector<int64_t> places(static_cast<size_t>(k_));
  std::iota(places.begin(), places.end(), 0);
  const uint64_t* keys = &keys_[unit * k_];
  std::sort(places.begin(), places.end(),
            [&](int64_t a, int64_t b) { return keys[a] != keys[b] ? keys[a] > keys[b] : a < b; });
  return places;
}

}  // namespace milan
