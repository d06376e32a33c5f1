#include "cpu/kernels.h"
#include "cpu/simd_neon.h"
//
#include "cpu/mask_kernels.inl"
#include "cpu/scan_kernels.inl"

namespace milan {

const Kernels kNeonKernels = {
    "neon",
    {scan_planes<float>, scan_planes<Bfloat16>, scan_planes<Float16>},
    {scan_pixels<float>, scan_pixels<Bfloat16>, scan_pixels<Float16>},
    bin_values,
    {copy_values<float>, copy_values<milan::Bfloat16>, copy_values<milan::Float16>},
    stretch_row,
    threshold_row,
    widen_halves,
};

}  // namespace milan
