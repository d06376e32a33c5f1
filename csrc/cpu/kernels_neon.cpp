#include "cpu/simd_neon.h"
//
#include "cpu/kernel_table.inl"

namespace milan {

const Kernels kNeonKernels = table("neon");

}  // namespace milan
