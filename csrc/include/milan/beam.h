// The best continuations of a beam search step.
//
// Candidate (beam, token) has the score scores[beam] + step[beam, token]; a finished beam has one
// candidate, (beam, stop) with its score unchanged. The `width` largest win, best first; equal
// scores go to the lower beam * words + token; NaN is below everything. The caller guarantees at
// least `width` candidates in each row and beams * words < 2^32.
#pragma once

#include <cstdint>

namespace milan {

void beam_topk(const float* scores,   // [rows, beams]
               const float* step,     // [rows, beams, words]
               const bool* finished,  // [rows, beams]
               int64_t rows, int64_t beams, int64_t words, int64_t stop, int64_t width, int threads,
               int64_t* beam,   // [rows, width]
               int64_t* token,  // [rows, width]
               float* score);   // [rows, width]

}  // namespace milan
