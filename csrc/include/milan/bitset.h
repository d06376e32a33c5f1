// Pixels of pairs of packed masks: in both, in either, or in the first alone.
//
// The one place where bits of masks are counted. Counting is chosen at run time: 512-bit population
// counts, the processor's instruction, or plain arithmetic.
#pragma once

#include <cstdint>

namespace milan {

enum class Joined : int { kAnd = 0, kOr = 1, kAndNot = 2 };

/// Bits of `a` joined with `b`, over rows of any length and alignment.
using CountBits = int64_t (*)(const void* a, const void* b, int64_t bytes);

/// The fastest way to count that the instruction set in use (isa.h) allows.
CountBits bit_counter(Joined how);

/// Threads split the pairs.
void count_pairs(Joined how,
                 const uint8_t* a,       // [*, bytes]
                 const uint8_t* b,       // [*, bytes]
                 int64_t bytes,          //
                 const int64_t* pick_a,  // [pairs] row of a
                 const int64_t* pick_b,  // [pairs] row of b
                 int64_t pairs, int threads,
                 int64_t* counts);  // [pairs]

}  // namespace milan
