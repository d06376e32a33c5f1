// Stands in for the CUDA runtime, so that an ordinary C++ compiler builds the kernels for the host.
//
// One fibre a CUDA thread, one block at a time. Barriers and warp operations are meeting points: a
// fibre runs alone until it reaches one, then the next fibre is drawn at random from a seed. So a
// missing barrier shows as a wrong result for some seed, and a divergent one as an error. Memory
// that CUDA leaves undefined is filled with 0xCB. Not modelled: weak memory order, several blocks
// at a time, speed.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "shim/fibers.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3() = default;
  explicit dim3(unsigned n) : x(n) {}
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

namespace shim {

/// A number that depends on the running fibre.
struct Place {
  unsigned (*read)();
  operator unsigned() const { return read(); }
};
struct Axes {
  Place x;
};

}  // namespace shim

inline constexpr shim::Axes threadIdx{{&shim::thread_index}}, blockIdx{{&shim::block_index}},
    blockDim{{&shim::block_size}}, gridDim{{&shim::grid_size}};

// ---- meeting points; the line that calls is the site, which tests can switch off
#define __syncthreads() shim::block_barrier({__FILE__, __LINE__})
#define __syncwarp() shim::warp_barrier({__FILE__, __LINE__})

namespace shim {

template <class T>
uint64_t to_word(T value) {
  static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof value);
  return word;
}

template <class T>
T from_word(uint64_t word) {
  T value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

template <class T, class Fold>
T reduce(unsigned mask, T value, Fold fold, Site site) {
  const WarpWords words = exchange(mask, to_word(value), site);
  bool first = true;
  T all{};
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    const T other = from_word<T>(words[lane]);
    all = first ? other : fold(all, other);
    first = false;
  }
  return all;
}

inline unsigned ballot(unsigned mask, bool vote, Site site) {
  const WarpWords words = exchange(mask, vote ? 1 : 0, site);
  unsigned bits = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if (mask >> lane & 1) bits |= static_cast<unsigned>(words[lane]) << lane;
  }
  return bits;
}

/// The value of lane `source`, or the own one where there is no such lane.
template <class T>
T shuffle(unsigned mask, T value, int source, Site site) {
  const WarpWords words = exchange(mask, to_word(value), site);
  return source >= 0 && source < 32 ? from_word<T>(words[source]) : value;
}

}  // namespace shim

#define SHIM_SITE (shim::Site{__FILE__, __LINE__})
#define __ballot_sync(mask, vote) shim::ballot(mask, vote, SHIM_SITE)
#define __any_sync(mask, vote) (shim::ballot(mask, vote, SHIM_SITE) != 0)
#define __shfl_sync(mask, value, lane) shim::shuffle(mask, value, (lane) & 31, SHIM_SITE)
#define __shfl_up_sync(mask, value, by) \
  shim::shuffle(mask, value, shim::lane() - static_cast<int>(by), SHIM_SITE)
#define __shfl_down_sync(mask, value, by) \
  shim::shuffle(mask, value, shim::lane() + static_cast<int>(by), SHIM_SITE)
#define __reduce_max_sync(mask, value) \
  shim::reduce(mask, value, [](auto a, auto b) { return a > b ? a : b; }, SHIM_SITE)
#define __reduce_add_sync(mask, value) \
  shim::reduce(mask, value, [](auto a, auto b) { return a + b; }, SHIM_SITE)

// ---- atomics: one fibre runs at a time, but another may run before and after each of them
template <class T, class V>
T atomicAdd(T* to, V value) {
  shim::maybe_yield();
  const T before = *to;
  *to = static_cast<T>(before + value);
  return before;
}
template <class T, class V>
T atomicSub(T* to, V value) {
  shim::maybe_yield();
  const T before = *to;
  *to = static_cast<T>(before - value);
  return before;
}
template <class T>
T atomicMax(T* to, T value) {
  shim::maybe_yield();
  const T before = *to;
  if (value > before) *to = value;
  return before;
}
template <class T>
T atomicExch(T* to, T value) {
  shim::maybe_yield();
  const T before = *to;
  *to = value;
  return before;
}
template <class T>
T atomicCAS(T* to, T expected, T value) {
  shim::maybe_yield();
  const T before = *to;
  if (before == expected) *to = value;
  return before;
}

inline void __nanosleep(unsigned) { shim::yield(); }
inline uint4 __ldcs(const uint4* p) {
  shim::require_aligned(p, 16);
  uint4 value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
template <class A, class B>
auto min(A a, B b) {
  return a < b ? a : b;
}
template <class A, class B>
auto max(A a, B b) {
  return a > b ? a : b;
}

#include "shim/runtime_calls.h"
