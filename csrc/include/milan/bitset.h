// Overlaps of packed masks: pixels in both and in either, for chosen pairs.
#pragma once

#include <cstdint>

namespace milan {

void overlap(const uint8_t* a,       // [*, bytes]
             const uint8_t* b,       // [*, bytes]
             int64_t bytes,          //
             const int64_t* pick_a,  // [pairs] row of a
             const int64_t* pick_b,  // [pairs] row of b
             int64_t pairs,
             int64_t* both,     // [pairs]
             int64_t* either);  // [pairs]

}  // namespace milan
