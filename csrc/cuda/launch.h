// Calls of the CUDA runtime with one error message, memory that frees itself, kernel launches.
#pragma once

#include <cuda_runtime.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "milan/error.h"

namespace milan::cuda {

/// Throws when a call of the runtime failed; `what` names it.
inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  const std::string reason = std::string(what) + ": " + cudaGetErrorString(status);
  (void)cudaGetLastError();
  if (status == cudaErrorMemoryAllocation) {
    throw UserError("CUDA is out of memory (" + reason +
                    "); use a smaller batch, fewer layers at a time, or device: cpu");
  }
  if (status == cudaErrorStreamCaptureUnsupported) {
    throw UserError("this cannot be captured in a CUDA graph (" + reason +
                    "); run one ordinary update of this size before capturing one");
  }
  throw std::runtime_error("CUDA call failed: " + reason);
}

/// Makes a device current while it lives. The device from before is set again only when it is
/// another one: setting a device creates a context on it.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) {
    check(cudaGetDevice(&before_), "cudaGetDevice");
    if (device == before_) return;
    check(cudaSetDevice(device), "cudaSetDevice");
    changed_ = true;
  }
  ~DeviceGuard() {
    if (changed_) (void)cudaSetDevice(before_);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

/// Called when no device memory is left, before one more try: the process may hold free memory in
/// a cache of another library. Set by the bindings; may be null.
inline void (*free_cached_memory)() = nullptr;

inline cudaError_t allocate(void** data, size_t bytes) {
  const cudaError_t status = cudaMalloc(data, bytes);
  if (status != cudaErrorMemoryAllocation || free_cached_memory == nullptr) return status;
  (void)cudaGetLastError();
  free_cached_memory();
  return cudaMalloc(data, bytes);
}

/// Device memory for `size` values of T.
template <class T>
class DeviceArray {
 public:
  DeviceArray() = default;
  explicit DeviceArray(size_t size) : size_(size) {
    if (size > 0) check(allocate(reinterpret_cast<void**>(&data_), size * sizeof(T)), "cudaMalloc");
  }
  DeviceArray(DeviceArray&& other) noexcept { *this = std::move(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~DeviceArray() {
    if (data_ != nullptr) (void)cudaFree(data_);
  }

  T* get() const { return data_; }
  size_t size() const { return size_; }

  void clear(cudaStream_t stream) {
    if (size_ > 0) check(cudaMemsetAsync(data_, 0, size_ * sizeof(T), stream), "cudaMemsetAsync");
  }
  void upload(const T* from, size_t count, cudaStream_t stream) {
    if (count == 0) return;
    check(cudaMemcpyAsync(data_, from, count * sizeof(T), cudaMemcpyHostToDevice, stream),
          "cudaMemcpyAsync");
  }
  void download(T* to, size_t count, cudaStream_t stream) const {
    if (count == 0) return;
    check(cudaMemcpyAsync(to, data_, count * sizeof(T), cudaMemcpyDeviceToHost, stream),
          "cudaMemcpyAsync");
  }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

/// One word in memory that the device can write to without the host waiting for it.
template <class T>
class PinnedValue {
 public:
  PinnedValue() {
    check(cudaMallocHost(reinterpret_cast<void**>(&data_), sizeof(T)), "cudaMallocHost");
    *data_ = T{};
  }
  ~PinnedValue() { (void)cudaFreeHost(data_); }
  PinnedValue(const PinnedValue&) = delete;
  PinnedValue& operator=(const PinnedValue&) = delete;

  T* get() const { return data_; }
  /// Never from a register: the device may have written since.
  T read() const {
    T value;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::memcpy(&value, data_, sizeof value);
    return value;
  }

 private:
  T* data_ = nullptr;
};

/// Start a kernel; `what` names it and its sizes in an error.
template <class... Parameters, class... Arguments>
void launch(const char* what, void (*kernel)(Parameters...), int64_t blocks, int threads,
            size_t shared_bytes, cudaStream_t stream, Arguments&&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  check(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...), what);
}

/// Load a kernel's code now, which is not allowed while a stream is captured.
template <class... Parameters>
void load(const char* what, void (*kernel)(Parameters...)) {
  cudaFuncAttributes attributes{};
  check(cudaFuncGetAttributes(&attributes, kernel), what);
}

/// Blocks that keep the device busy for `items` pieces of work.
inline int64_t busy_blocks(int64_t items, int resident) {
  int device = 0, processors = 1;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device),
        "cudaDeviceGetAttribute");
  const int64_t most = int64_t{processors} * resident;
  return items < 1 ? 1 : items < most ? items : most;
}

inline bool is_capturing(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(stream, &status), "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
}

}  // namespace milan::cuda
