#include "cpu/simd_scalar.h"
//
#include "cpu/kernel_table.inl"

namespace milan {

const Kernels kScalarKernels = table("scalar");

}  // namespace milan
