// What one warp does with a run of values of one unit, and what it leaves behind.
#pragma once

#include "cuda/histogram.cuh"

namespace milan::cuda {

/// Of one unit in one image. `best` is `ordered` of the maximum, 0 when all values are NaN.
struct alignas(16) PlaneStats {
  uint32_t best, zeros, negatives, nan;
};

/// Most values of a run: the two packed counts must not meet.
constexpr int64_t kRun = 4096;

/// What a thread has seen of its run.
struct Seen {
  float best = bits_float(0x7FC00000u);  // NaN: nothing yet
  uint32_t counts = 0;                   // zeros, and negatives << 16
  uint32_t nan = 0;

  __device__ __forceinline__ void count(float x) {
    counts += x == 0.0f ? 1u : 0u;
    counts += x < 0.0f ? 0x10000u : 0u;
  }

  /// A value that is not below the floor. Zeros are counted apart and never recorded.
  template <class Record>
  __device__ __forceinline__ void keep(float x, const Record& record) {
    if (x != x) {
      ++nan;
    } else if (x != 0.0f) {
      record(x);
    }
  }

  template <class Record>
  __device__ __forceinline__ void visit(float x, float floor, const Record& record) {
    count(x);
    best = fmaxf(best, x);  // leaves NaN out
    if (!(x < floor)) keep(x, record);
  }

  /// A few values at a time, with one branch when none of them survives.
  template <class T, class Record>
  __device__ __forceinline__ void visit(const Packet<T>& packet, Change change, float floor,
                                        const Record& record) {
    float x[Packet<T>::kValues];
#pragma unroll
    for (int i = 0; i < Packet<T>::kValues; ++i) x[i] = change(packet.value(i));
    float largest = x[0];
#pragma unroll
    for (int i = 1; i < Packet<T>::kValues; ++i) largest = max_or_nan(largest, x[i]);
#pragma unroll
    for (int i = 0; i < Packet<T>::kValues; ++i) count(x[i]);
    best = fmaxf(best, largest);
    if (largest < floor) return;
#pragma unroll
    for (int i = 0; i < Packet<T>::kValues; ++i) {
      best = fmaxf(best, x[i]);  // again, in case one of them hid the others by being NaN
      if (!(x[i] < floor)) keep(x[i], record);
    }
  }

  __device__ __forceinline__ uint32_t code() const { return best != best ? 0u : ordered(best); }

  /// Sum the warp's parts of a plane and write them; `whole` when no other warp has a part of it.
  __device__ __forceinline__ void finish(PlaneStats* plane, bool whole) const {
    const uint32_t top = __reduce_max_sync(kAllLanes, code());
    const uint32_t both = __reduce_add_sync(kAllLanes, counts);
    uint32_t missing = 0;
    if (__any_sync(kAllLanes, nan != 0)) missing = __reduce_add_sync(kAllLanes, nan);
    if (lane_index() != 0) return;
    if (whole) {
      *plane = {top, both & 0xFFFFu, both >> 16, missing};
      return;
    }
    atomicMax(&plane->best, top);
    atomicAdd(&plane->zeros, both & 0xFFFFu);
    atomicAdd(&plane->negatives, both >> 16);
    if (missing != 0) atomicAdd(&plane->nan, missing);
  }
};

/// Pixels side by side: 16-byte loads, `kAhead` of them under way, with single values at an
/// unaligned start and end.
template <int kAhead, class T, class Record>
__device__ __forceinline__ void scan_run(const T* values, int n, Change change, float floor,
                                         const Record& record, Seen& seen) {
  constexpr int kValues = Packet<T>::kValues;
  const int lane = lane_index();
  const auto past = static_cast<int>(reinterpret_cast<uintptr_t>(values) % 16);
  const int head = min(n, past == 0 ? 0 : (16 - past) / static_cast<int>(sizeof(T)));
  if (lane < head) seen.visit(change(widen(values[lane])), floor, record);
  const T* body = values + head;
  const int packets = (n - head) / kValues;
  int i = lane;
  for (; kAhead > 1 && i + (kAhead - 1) * kLanes < packets; i += kAhead * kLanes) {
    Packet<T> packet[kAhead];
#pragma unroll
    for (int j = 0; j < kAhead; ++j) {
      packet[j] = Packet<T>::load(body + (i + j * kLanes) * kValues);
    }
#pragma unroll
    for (int j = 0; j < kAhead; ++j) seen.visit(packet[j], change, floor, record);
  }
  for (; i < packets; i += kLanes) {
    seen.visit(Packet<T>::load(body + i * kValues), change, floor, record);
  }
  const int rest = head + packets * kValues + lane;
  if (rest < n) seen.visit(change(widen(values[rest])), floor, record);
}

}  // namespace milan::cuda
