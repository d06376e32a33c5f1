// The memory layout of DLPack 1.0 tensors, as the array API standard fixes it.
#pragma once

#include <cstdint>

namespace milan::dlpack {

constexpr int32_t kCpu = 1, kCuda = 2;
constexpr uint8_t kInteger = 0, kUnsigned = 1, kFloat = 2, kBfloat = 4;

struct Tensor {
  void* data;
  int32_t device_type, device_id;
  int32_t ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t* shape;
  int64_t* strides;  // in elements; null means C order
  uint64_t byte_offset;
};

/// Capsule "dltensor".
struct Managed {
  Tensor tensor;
  void* context;
  void (*deleter)(Managed*);
};

/// Capsule "dltensor_versioned".
struct ManagedVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(ManagedVersioned*);
  uint64_t flags;
  Tensor tensor;
};

}  // namespace milan::dlpack
