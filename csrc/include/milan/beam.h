// The best continuations of a beam search step.
//
// Candidate (beam, token) has the score scores[beam] + cost, where the cost is x = step[row, token]
// + bias[token] of the beam's row or, with `normalise`, its log-softmax x - log sum exp x; a
// finished beam has no row and one candidate, (beam, stop) with its score unchanged. The `width`
// largest win, best first; equal scores go to the lower beam * words + token; NaN is below
// everything. The caller guarantees at least `width` candidates for each unit, rows inside `step`,
// and beams * words < 2^32.
#pragma once

#include <cstdint>

namespace milan {

void beam_topk(const float* scores,   // [units, beams]
               const float* step,     // [rows of unfinished beams, words]
               const float* bias,     // [words], or null for zeros
               const int64_t* place,  // [units, beams] row of `step`, negative: finished
               int64_t units, int64_t beams, int64_t words, int64_t stop, int64_t width,
               bool normalise, int threads,
               int64_t* beam,   // [units, width]
               int64_t* token,  // [units, width]
               float* score);   // [units, width]

}  // namespace milan
