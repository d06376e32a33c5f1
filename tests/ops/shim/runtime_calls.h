// The few calls of the CUDA runtime that the launchers make. Everything runs at once, in order.
#pragma once

#include <cstdlib>
#include <cstring>
#include <map>
#include <tuple>

#include "shim/fibers.h"

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorStreamCaptureUnsupported = 900
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone, cudaStreamCaptureStatusActive };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount,
  cudaDevAttrComputeCapabilityMajor,
  cudaDevAttrComputeCapabilityMinor
};
using cudaStream_t = struct ShimStream*;

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
};
struct cudaFuncAttributes {
  int numRegs;
};

inline const char* cudaGetErrorString(cudaError_t) { return "shim error"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) { return *count = shim::kDevices, cudaSuccess; }
inline cudaError_t cudaGetDevice(int* device) {
  return *device = shim::world.current_device, cudaSuccess;
}
inline cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= shim::kDevices) return cudaErrorInvalidValue;
  ++shim::counts.device_changes;
  return shim::world.current_device = device, cudaSuccess;
}
/// One processor: grids stay small, so persistent loops go round more than once.
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
  const bool capability = which == cudaDevAttrComputeCapabilityMajor;
  *value = capability ? shim::world.capability : which == cudaDevAttrMultiProcessorCount ? 1 : 0;
  return cudaSuccess;
}

// ---- memory, with the size of each piece
inline std::map<void*, size_t>& shim_sizes() {
  static std::map<void*, size_t> sizes;
  return sizes;
}
inline cudaError_t cudaMalloc(void** data, size_t bytes) {
  if (shim::world.capturing) return cudaErrorStreamCaptureUnsupported;
  if (shim::world.failing_allocations > 0) {
    --shim::world.failing_allocations;
    return cudaErrorMemoryAllocation;
  }
  ++shim::counts.allocations;
  // No rounding up: address sanitizers then see the first byte beyond.
  if (posix_memalign(data, 256, bytes) != 0) return cudaErrorMemoryAllocation;
  std::memset(*data, 0xCB, bytes);
  shim_sizes()[*data] = bytes;
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* data) {
  const auto size = shim_sizes().find(data);
  if (size == shim_sizes().end()) return cudaErrorInvalidValue;
  shim::release(data, size->second);
  shim_sizes().erase(size);
  return cudaSuccess;
}
inline cudaError_t cudaMallocHost(void** data, size_t bytes) { return cudaMalloc(data, bytes); }
inline cudaError_t cudaFreeHost(void* data) {
  shim::deliver_copies();
  return cudaFree(data);
}

// ---- work on streams
template <class Work>
cudaError_t shim_start(Work work) {
  if (shim::world.capturing) shim::capture(work);
  work();
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t) {
  return shim_start([=] { std::memset(data, value, bytes); });
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                                   cudaStream_t) {
  if (kind == cudaMemcpyDeviceToHost) {
    return shim_start([=] { shim::copy_to_host(to, from, bytes); });
  }
  return shim_start([=] { std::memcpy(to, from, bytes); });
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
  if (shim::world.capturing) return cudaErrorStreamCaptureUnsupported;
  shim::deliver_copies();
  return ++shim::counts.waits, cudaSuccess;
}
inline cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
  *status = shim::world.capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
template <class... Parameters>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*kernel)(Parameters...)) {
  attributes->numRegs = 0;
  shim::load_kernel(reinterpret_cast<const void*>(kernel));
  return cudaSuccess;
}
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  const auto* name = reinterpret_cast<const void*>(kernel);
  if (shim::world.capturing && !shim::is_loaded(name)) return cudaErrorStreamCaptureUnsupported;
  shim::load_kernel(name);
  ++shim::counts.launches;
  return shim_start([config = *config, kernel,
                     values = std::tuple<Parameters...>(static_cast<Parameters>(arguments)...)] {
    shim::run(config.gridDim.x, config.blockDim.x, config.dynamicSmemBytes,
              [&] { std::apply(kernel, values); });
  });
}
