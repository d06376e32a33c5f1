#include "milan/bitset.h"

#include <cstring>
#include <string>

#include "cpu/kernels.h"
#include "cpu/threads.h"
#include "milan/isa.h"

// The loops below are inlined into one function for each kind of population count, which the
// compiler then vectorises with what that function may use.
#define MILAN_INLINE inline __attribute__((always_inline))

namespace milan {
namespace {

template <Joined kHow>
MILAN_INLINE uint64_t join(uint64_t a, uint64_t b) {
  return kHow == Joined::kAnd ? a & b : kHow == Joined::kOr ? a | b : a & ~b;
}

template <Joined kHow>
MILAN_INLINE int64_t count_rows(const void* a, const void* b, int64_t bytes) {
  const auto* x = static_cast<const unsigned char*>(a);
  const auto* y = static_cast<const unsigned char*>(b);
  int64_t sum = 0;
  const int64_t words = bytes / 8;
  for (int64_t i = 0; i < words; ++i) {
    uint64_t u, v;
    __builtin_memcpy(&u, x + 8 * i, 8);
    __builtin_memcpy(&v, y + 8 * i, 8);
    sum += __builtin_popcountll(join<kHow>(u, v));
  }
  for (int64_t i = 8 * words; i < bytes; ++i) {
    sum += __builtin_popcount(static_cast<unsigned>(join<kHow>(x[i], y[i])) & 0xFFu);
  }
  return sum;
}

template <Joined kHow>
int64_t count_plain(const void* a, const void* b, int64_t bytes) {
  return count_rows<kHow>(a, b, bytes);
}

#if defined(MILAN_X86)
template <Joined kHow>
__attribute__((target("popcnt"))) int64_t count_popcnt(const void* a, const void* b,
                                                       int64_t bytes) {
  return count_rows<kHow>(a, b, bytes);
}

template <Joined kHow>
__attribute__((target("avx512f,avx512vpopcntdq,popcnt,prefer-vector-width=512"))) int64_t
count_wide(const void* a, const void* b, int64_t bytes) {
  return count_rows<kHow>(a, b, bytes);
}
#endif

template <Joined kHow>
CountBits best_counter() {
#if defined(MILAN_X86)
  const std::string isa = kernels().name;
  if (isa == "avx512" && __builtin_cpu_supports("avx512vpopcntdq")) return &count_wide<kHow>;
  if (isa != "scalar" && __builtin_cpu_supports("popcnt")) return &count_popcnt<kHow>;
#endif
  return &count_plain<kHow>;
}

}  // namespace

CountBits bit_counter(Joined how) {
  switch (how) {
    case Joined::kAnd:
      return best_counter<Joined::kAnd>();
    case Joined::kOr:
      return best_counter<Joined::kOr>();
    default:
      return best_counter<Joined::kAndNot>();
  }
}

void count_pairs(Joined how, const uint8_t* a, const uint8_t* b, int64_t bytes,
                 const int64_t* pick_a, const int64_t* pick_b, int64_t pairs, int threads,
                 int64_t* counts) {
  constexpr int64_t kGrain = 64;  // pairs, so that a thread has some work
  const CountBits count = bit_counter(how);
  split(pairs, kGrain, threads, [&](int64_t first, int64_t last) {
    for (int64_t pair = first; pair < last; ++pair) {
      counts[pair] = count(a + pick_a[pair] * bytes, b + pick_b[pair] * bytes, bytes);
    }
  });
}

}  // namespace milan
