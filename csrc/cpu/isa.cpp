#include "milan/isa.h"

#include <cstdlib>

#include "cpu/kernels.h"
#include "milan/error.h"

namespace milan {
namespace {

bool can_run(const Kernels& set) {
#if defined(MILAN_X86)
  if (&set == &kAvx512Kernels) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("bmi2");
  }
  if (&set == &kAvx2Kernels) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c") &&
           __builtin_cpu_supports("bmi2");
  }
#endif
#if defined(MILAN_ARM64)
  if (&set == &kNeonKernels) return true;  // part of every 64-bit ARM processor
#endif
  return &set == &kScalarKernels;
}

const std::vector<const Kernels*>& available() {
  static const std::vector<const Kernels*> sets = [] {
    std::vector<const Kernels*> found{&kScalarKernels};
#if defined(MILAN_X86)
    if (can_run(kAvx2Kernels)) found.push_back(&kAvx2Kernels);
    if (can_run(kAvx512Kernels)) found.push_back(&kAvx512Kernels);
#endif
#if defined(MILAN_ARM64)
    found.push_back(&kNeonKernels);
#endif
    return found;
  }();
  return sets;
}

}  // namespace

const Kernels& kernels() {
  const char* wanted = std::getenv("MILAN_ISA");
  if (wanted == nullptr || *wanted == '\0') return *available().back();
  std::string known;
  for (const Kernels* set : available()) {
    if (std::string(set->name) == wanted) return *set;
    known += (known.empty() ? "" : ", ") + std::string(set->name);
  }
  throw UserError("MILAN_ISA=" + std::string(wanted) + ": this processor runs " + known +
                  "; choose one of them or unset the variable");
}

std::string isa_name() { return kernels().name; }

std::vector<std::string> isa_available() {
  std::vector<std::string> names;
  for (const Kernels* set : available()) names.emplace_back(set->name);
  return names;
}

}  // namespace milan
