// Which instruction set the CPU kernels use. All give the same bytes.
#pragma once

#include <string>
#include <vector>

namespace milan {

struct Kernels;  // cpu/kernels.h

/// The kernels in use: the best that this processor runs, or the one that the environment variable
/// MILAN_ISA (scalar, avx2, avx512, neon) names. Read at every call, so that tests can compare
/// them. Throws UserError when the named set is unknown or cannot run here.
const Kernels& kernels();

/// Name of the instruction set in use.
std::string isa_name();

/// Names of the instruction sets that can run here, the best last.
std::vector<std::string> isa_available();

}  // namespace milan
