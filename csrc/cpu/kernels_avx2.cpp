#include "cpu/simd_avx2.h"
//
#include "cpu/kernel_table.inl"

namespace milan {

const Kernels kAvx2Kernels = table("avx2");

}  // namespace milan
