// `milan::masks` (milan/mask.h) for maps in device memory, on the caller's stream.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "milan/mask.h"

namespace milan::cuda {

/// Byte for byte what `milan::masks` gives. Waits for nothing. The tables of the axes are kept for
/// the last few sizes, so a repeated size can be captured in a CUDA graph.
void masks(const float* maps,    // [count, h, w]
           const float* levels,  // [count]
           int64_t count, int h, int w, int height, int width, Border border, int device,
           cudaStream_t stream,
           uint8_t* packed);  // [count, height, ceil(width / 8)]

}  // namespace milan::cuda
