#include "milan/bitset.h"

#include <cstring>

namespace milan {

void overlap(const uint8_t* a, const uint8_t* b, int64_t bytes, const int64_t* pick_a,
             const int64_t* pick_b, int64_t pairs, int64_t* both, int64_t* either) {
  for (int64_t pair = 0; pair < pairs; ++pair) {
    const uint8_t* x = a + pick_a[pair] * bytes;
    const uint8_t* y = b + pick_b[pair] * bytes;
    int64_t intersection = 0, sum = 0;
    for (int64_t i = 0; i < bytes; i += 8) {
      uint64_t u = 0, v = 0;
      const size_t part = bytes - i < 8 ? static_cast<size_t>(bytes - i) : 8;
      std::memcpy(&u, x + i, part);
      std::memcpy(&v, y + i, part);
      intersection += __builtin_popcountll(u & v);
      sum += __builtin_popcountll(u | v);
    }
    both[pair] = intersection;
    either[pair] = sum;
  }
}

}  // namespace milan
