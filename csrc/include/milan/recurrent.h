// One step of the captioner's recurrence for many hypotheses, but for its matrix products.
//
// Elementwise work, gathers and small sums that would otherwise pass over memory several times.
// Sums run in sixteen lanes, so every instruction set gives the same bytes; threads split the rows.
#pragma once

#include <cstdint>

namespace milan {

/// Rows of a matrix whose elements are adjacent, `stride` elements apart.
struct Rows {
  const float* data;
  int64_t stride;

  const float* row(int64_t index) const { return data + index * stride; }
};

/// What hypotheses are conditioned on, and the weights that read it.
struct Conditions {
  const float* keys;      // [units, exemplars, width]
  const float* features;  // [units, exemplars, size]
  const float* energy;    // [width]
  const float* bias;      // [size] of the gate
  int64_t exemplars, width, size;
};

/// Attention of each hypothesis over the exemplars of its unit, and the gated context:
///   weights = softmax_j(energy . tanh(key_j + query)), gated = logistic(gate + bias) *
///   sum_j weights_j feature_j.
void attend(const Rows& query,     // [count, width]
            const Rows& gate,      // [count, size]
            const int64_t* units,  // [count] unit of each hypothesis
            int64_t count, const Conditions& given, int threads,
            float* weights,  // [count, exemplars]
            float* gated);   // [count, size]

/// An LSTM cell: gates = left[left_row] + right[right_row], in the order input, forget, cell,
/// output; c = logistic(forget) * c[c_row] + logistic(input) * tanh(cell); h = logistic(output) *
/// tanh(c).
void lstm_cell(const Rows& left,          // [*, 4 hidden]
               const int64_t* left_row,   // [count]
               const Rows& right,         // [*, 4 hidden]
               const int64_t* right_row,  // [count]
               const float* c,            // [*, hidden]
               const int64_t* c_row,      // [count]
               int64_t count, int64_t hidden, int threads,
               float* new_h,   // [count, hidden]
               float* new_c);  // [count, hidden]

}  // namespace milan
