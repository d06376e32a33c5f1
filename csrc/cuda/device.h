// What every kernel needs: 16-byte loads, widening, NaN-propagating maximum, asynchronous copies.
//
// The kernels are written once. nvcc compiles them for GPUs; with MILAN_SHIM and tests/ops/shim
// first on the include path, an ordinary C++ compiler builds the same files to run on the host.
#pragma once

#include <cuda_runtime.h>
#if defined(MILAN_SHIM)
#define MILAN_OUT_OF_LINE __attribute__((noinline))
#else
#include <cuda_fp16.h>
#define MILAN_OUT_OF_LINE __noinline__
#endif

#include "milan/array.h"
#include "milan/number.h"

namespace milan::cuda {

constexpr int kLanes = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFFu;

/// Words of an atomic 64-bit counter, as CUDA's atomics want them.
using Counter = unsigned long long;

/// The dynamic shared memory of the block, 16-byte aligned.
template <class T>
__device__ __forceinline__ T* shared_memory() {
#if defined(MILAN_SHIM)
  return static_cast<T*>(shim::shared_memory());
#else
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
#endif
}

/// NaN when either is NaN; one instruction from sm_80 on.
__device__ __forceinline__ float max_or_nan(float a, float b) {
#if defined(MILAN_SHIM)
  return a != a ? a : b != b ? b : a > b ? a : b;
#else
  float c;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
#endif
}

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(Bfloat16 x) {
  return bits_float(static_cast<uint32_t>(x.bits) << 16);
}
__device__ __forceinline__ float widen(Float16 x) {
#if defined(MILAN_SHIM)
  return half_to_float(x.bits);
#else
  return __half2float(__ushort_as_half(x.bits));
#endif
}

/// How the mode changes a value: negated, absolute, or kept.
struct Change {
  uint32_t keep, flip;

  __device__ __forceinline__ float operator()(float x) const {
    return bits_float((float_bits(x) & keep) ^ flip);
  }
};

/// 16 bytes of activations.
template <class T>
struct Packet {
  static constexpr int kValues = 16 / static_cast<int>(sizeof(T));
  uint32_t word[4];

  /// Streaming load: what is read once must not push the histograms out of the L2 cache.
  __device__ __forceinline__ static Packet load(const T* aligned) {
    const uint4 raw = __ldcs(reinterpret_cast<const uint4*>(aligned));
    return {{raw.x, raw.y, raw.z, raw.w}};
  }

  __device__ __forceinline__ float value(int i) const {
    if constexpr (sizeof(T) == 4) {
      return bits_float(word[i]);
    } else {
      const uint32_t pair = word[i / 2];
      return widen(T{static_cast<uint16_t>(i % 2 ? pair >> 16 : pair & 0xFFFFu)});
    }
  }
};

/// Add to a count in global memory. The address comes out of memory, so the compiler cannot know
/// that it is global and would make it a generic atomic with a return.
__device__ __forceinline__ void add_to_global(uint32_t* count, uint32_t value) {
#if defined(MILAN_SHIM)
  atomicAdd(count, value);
#else
  asm volatile("red.relaxed.gpu.global.add.u32 [%0], %1;" ::"l"(__cvta_generic_to_global(count)),
               "r"(value)
               : "memory");
#endif
}

/// Start copying 16 bytes from global to shared memory; `wait_for_copies` makes the thread's own
/// copies visible to it, a barrier to the others.
__device__ __forceinline__ void copy_async(void* to, const void* from) {
#if defined(MILAN_SHIM)
  shim::copy_async(to, from);
#else
  const auto shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(from) : "memory");
#endif
}

/// End a group of copies.
__device__ __forceinline__ void commit_copies() {
#if defined(MILAN_SHIM)
  shim::commit_copies();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Wait until at most `kPending` of the latest groups are under way.
template <int kPending>
__device__ __forceinline__ void wait_for_copies() {
#if defined(MILAN_SHIM)
  shim::wait_for_copies(kPending);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#endif
}

/// Plain accesses to memory that other lanes of the warp write too: the host build checks that a
/// `__syncwarp` lies between a write and the read of another lane.
__device__ __forceinline__ void note_write([[maybe_unused]] const void* p) {
#if defined(MILAN_SHIM)
  shim::note_write(p);
#endif
}
__device__ __forceinline__ void note_read([[maybe_unused]] const void* p) {
#if defined(MILAN_SHIM)
  shim::note_read(p);
#endif
}

__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x) % kLanes; }
__device__ __forceinline__ int warp_in_block() { return static_cast<int>(threadIdx.x) / kLanes; }
__device__ __forceinline__ int64_t warp_index() {
  return (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kLanes;
}
__device__ __forceinline__ int64_t warp_count() { return int64_t{gridDim.x} * blockDim.x / kLanes; }

}  // namespace milan::cuda
