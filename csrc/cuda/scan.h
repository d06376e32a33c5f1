// The statistics of one layer collected on a device: the contract of milan/scan.h, on a stream.
//
// `update` starts kernels on the caller's stream and waits for nothing; batches of one state must
// be ordered on it. `collect` waits, and gives what the state on the CPU needs to become the state
// of the same images, byte for byte: counts of histogram bins from some certain floor up, in any
// order, some bins perhaps twice.
//
// `update` can be captured in a CUDA graph after an ordinary update of the same size, with image
// numbers on the device. Replays are counted on the device and seen by `collect`. Memory that a
// graph may have seen is kept until the scan ends.
//
// The device reports behind every batch what the host should know early: NaN, and values that found
// no place, which make the next `update` throw. The report may lag some batches behind.
//
// With k above 64, for which maps cannot be kept, the device holds the maxima of up to k images
// without choosing among them: the caller collects and begins anew before there are more. Such
// scans cannot be captured.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "milan/array.h"

namespace milan::cuda {

struct DeviceRules {
  int64_t units, pixels, k;
  uint64_t rank;          // as ScanRules
  uint64_t total_values;  // of a unit, over the whole data set
  int mode, bits;
  bool keep_maps;
  int64_t blocks = 0;   // octave blocks at the start; 0 chooses
  int64_t spills = -1;  // values that may wait for a block; -1 chooses
  int carry_shift = 0;  // 0 chooses; tests lower it

  /// More images than K2 sorts in registers: the maxima of k images are held as they are.
  bool holds() const { return k > 64; }
};

/// Image numbers of a batch: on the host, or on the device.
struct ImageIds {
  const int64_t* host;
  const int64_t* device;
};

struct Collected {
  uint64_t images;
  std::vector<uint64_t> nan, zeros, negatives;  // [units]
  std::vector<uint32_t> cells;                  // [units] how many bins belong to each
  std::vector<uint32_t> bins;                   // [cells]
  std::vector<uint64_t> counts;                 // [cells]
  std::vector<uint64_t> keys;                   // [units, k] falling
  std::vector<float> maps;                      // [units, k, pixels]
};

/// Why these rules cannot run on a device, or null.
const char* unsupported(const DeviceRules& rules);

/// Why the kernels of this build cannot run on a device, or "".
std::string device_problem(int device);

class DeviceScan {
 public:
  DeviceScan(const DeviceRules& rules, int device);
  ~DeviceScan();

  /// True when the stream is being captured, so that nothing ran yet.
  bool update(const Activations& batch, const ImageIds& ids, cudaStream_t stream);
  Collected collect(cudaStream_t stream);
  /// Has a report of NaN arrived? Waits for nothing.
  bool seen_nan() const;
  /// Octave blocks in all, grown as needed.
  int64_t blocks() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> self_;
};

}  // namespace milan::cuda
