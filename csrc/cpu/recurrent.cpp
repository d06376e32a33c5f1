#include "milan/recurrent.h"

#include <algorithm>

#include "cpu/exponential.h"
#include "cpu/float_environment.h"
#include "cpu/kernels.h"
#include "cpu/threads.h"
#include "milan/isa.h"

namespace milan {
namespace {

constexpr int64_t kGrain = 16;  // rows

void softmax(float* values, int64_t count) {
  const float largest = *std::max_element(values, values + count);
  double total = 0;
  for (int64_t i = 0; i < count; ++i) total += values[i] = exp_negative(values[i] - largest);
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(values[i] / total);
}

}  // namespace

void attend(const Rows& query, const Rows& gate, const int64_t* units, int64_t count,
            const Conditions& given, int threads, float* weights, float* gated) {
  const Kernels& isa = kernels();
  split(count, kGrain, threads, [&](int64_t first, int64_t last) {
    const FloatEnvironment environment;
    for (int64_t r = first; r < last; ++r) {
      const int64_t exemplar = units[r] * given.exemplars;
      float* share = weights + r * given.exemplars;
      isa.attention_energies(query.row(r), given.keys + exemplar * given.width, given.energy,
                             given.exemplars, given.width, share);
      softmax(share, given.exemplars);
      isa.gated_context(share, given.features + exemplar * given.size, gate.row(r), given.bias,
                        given.exemplars, given.size, gated + r * given.size);
    }
  });
}

void lstm_cell(const Rows& left, const int64_t* left_row, const Rows& right,
               const int64_t* right_row, const float* c, const int64_t* c_row, int64_t count,
               int64_t hidden, int threads, float* new_h, float* new_c) {
  const Kernels& isa = kernels();
  split(count, kGrain, threads, [&](int64_t first, int64_t last) {
    const FloatEnvironment environment;
    for (int64_t r = first; r < last; ++r) {
      isa.lstm_row(left.row(left_row[r]), right.row(right_row[r]), c + c_row[r] * hidden, hidden,
                   new_h + r * hidden, new_c + r * hidden);
    }
  });
}

}  // namespace milan
