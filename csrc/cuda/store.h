// What a device scan holds in device memory: the histograms' blocks, counters, top-k.
#pragma once

#include <vector>

#include "cuda/histogram.cuh"
#include "cuda/launch.h"
#include "cuda/scan.h"

namespace milan::cuda {

/// Device pointers of the running top-k.
struct Top {
  Counter* keys;   // [units, k] falling; 0 is empty
  int32_t* slots;  // [units, k]
  float* maps;     // [units, k, pixels], or null when maps are not kept
  int k;
};

/// Device pointers of the maxima that wait to be ranked on the host, for rules that hold them.
struct Held {
  uint32_t* best;  // [units, capacity] as PlaneStats
  uint32_t* ids;   // [capacity]
  int64_t capacity;
};

class Store {
 public:
  Store(const DeviceRules& rules, cudaStream_t stream);

  Sketch sketch() const;
  Top top() const;
  Held held() const;
  int64_t blocks() const { return blocks_; }

  /// Add memory when the last report says that blocks run short. Waits for nothing.
  void grow_if_needed(cudaStream_t stream);
  /// Ask the device for a report.
  void ask_report(cudaStream_t stream);
  /// The last report that has arrived.
  Report report() const { return reported_.read(); }
  /// Throws when values have been lost.
  void check_room() const;
  /// Waits for the stream.
  Collected collect(cudaStream_t stream) const;

 private:
  void add_blocks(int64_t count, cudaStream_t stream);
  void add_cells(const uint32_t* counts, int octave, uint32_t base, Collected* to) const;
  void collect_sorted(Collected* to, cudaStream_t stream) const;
  void collect_held(Collected* to, cudaStream_t stream) const;
  void collect_cells(const std::vector<Counter>& rows, const std::vector<uint32_t>& bases,
                     unsigned waiting, Collected* to, cudaStream_t stream) const;
  size_t block_words() const;

  DeviceRules rules_;
  int64_t blocks_ = 0, most_blocks_;
  DeviceArray<Counter> rows_, nan_, zeros_, negatives_, stack_, keys_;
  DeviceArray<float> floors_, maps_;
  DeviceArray<uint32_t> bases_;
  DeviceArray<int32_t> slots_;
  DeviceArray<uint32_t> held_, held_ids_;
  DeviceArray<Spilled> list_;
  DeviceArray<Pool> pool_;
  PinnedValue<Report> reported_;
  std::vector<DeviceArray<uint32_t>> slabs_;
};

}  // namespace milan::cuda
