#include "cpu/simd_avx512.h"
//
#include "cpu/kernel_table.inl"

namespace milan {

const Kernels kAvx512Kernels = table("avx512");

}  // namespace milan
