// All inner loops, and their table; included once for each instruction set after its `Simd`.
#include "cpu/decoding_kernels.inl"
#include "cpu/mask_kernels.inl"
#include "cpu/pool_kernels.inl"
#include "cpu/scan_kernels.inl"

namespace {

constexpr milan::Kernels table(const char* name) {
  return {
      name,
      Simd::kLanes,
      {scan_planes<float>, scan_planes<milan::Bfloat16>, scan_planes<milan::Float16>},
      {scan_pixels<float>, scan_pixels<milan::Bfloat16>, scan_pixels<milan::Float16>},
      bin_values,
      {copy_values<float>, copy_values<milan::Bfloat16>, copy_values<milan::Float16>},
      row_peak,
      stretch_row,
      threshold_row,
      widen_halves,
      count_cells,
      add_scaled,
      weigh_cells,
      add_rows,
      log_sum_exp,
      next_hopeful,
      attention_energies,
      gated_context,
      lstm_row,
  };
}

}  // namespace
