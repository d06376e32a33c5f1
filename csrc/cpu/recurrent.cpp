#include "milan/recurrent.h"

#include <algorithm>
#include <vector>

#include "cpu/exponential.h"
#include "cpu/float_environment.h"
#include "cpu/threads.h"

namespace milan {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kBlock = 64;
constexpr int64_t kGrain = 16;  // rows

/// energy . tanh(key_j + query) of each exemplar.
MILAN_CLONES void energies(const float* query, const float* keys, const float* energy,
                           int64_t exemplars, int64_t width, float* out) {
  const int64_t whole = width / kLanes * kLanes;
  for (int64_t j = 0; j < exemplars; ++j) {
    const float* key = keys + j * width;
    float sum[kLanes] = {};
    for (int64_t at = 0; at < whole; at += kLanes) {
      for (int64_t i = 0; i < kLanes; ++i) {
        sum[i] += energy[at + i] * hyperbolic_tangent(key[at + i] + query[at + i]);
      }
    }
    for (int64_t at = whole; at < width; ++at) {
      sum[at - whole] += energy[at] * hyperbolic_tangent(key[at] + query[at]);
    }
    double total = 0;
    for (const float part : sum) total += part;
    out[j] = static_cast<float>(total);
  }
}

void softmax(float* values, int64_t count) {
  const float largest = *std::max_element(values, values + count);
  double total = 0;
  for (int64_t i = 0; i < count; ++i) total += values[i] = exp_negative(values[i] - largest);
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(values[i] / total);
}

/// logistic(gate + bias) * sum_j weights_j feature_j.
MILAN_CLONES void gated_context(const float* weights, const float* features, const float* gate,
                                const float* bias, int64_t exemplars, int64_t size, float* out) {
  for (int64_t at = 0; at < size; at += kBlock) {
    const int64_t block = std::min(kBlock, size - at);
    float sum[kBlock] = {};
    for (int64_t j = 0; j < exemplars; ++j) {
      const float* feature = features + j * size + at;
      if (block == kBlock) {
        for (int64_t i = 0; i < kBlock; ++i) sum[i] += weights[j] * feature[i];
      } else {
        for (int64_t i = 0; i < block; ++i) sum[i] += weights[j] * feature[i];
      }
    }
    for (int64_t i = 0; i < block; ++i)
      out[at + i] = sum[i] * logistic(gate[at + i] + bias[at + i]);
  }
}

MILAN_CLONES void cell(const float* left, const float* right, const float* c, int64_t hidden,
                       float* __restrict new_h, float* __restrict new_c) {
  for (int64_t i = 0; i < hidden; ++i) {
    const float in = logistic(left[i] + right[i]);
    const float forget = logistic(left[hidden + i] + right[hidden + i]);
    const float content = hyperbolic_tangent(left[2 * hidden + i] + right[2 * hidden + i]);
    const float out = logistic(left[3 * hidden + i] + right[3 * hidden + i]);
    const float state = forget * c[i] + in * content;
    new_c[i] = state;
    new_h[i] = out * hyperbolic_tangent(state);
  }
}

}  // namespace

void attend(const Rows& query, const Rows& gate, const int64_t* units, int64_t count,
            const Conditions& given, int threads, float* weights, float* gated) {
  split(count, kGrain, threads, [&](int64_t first, int64_t last) {
    const FloatEnvironment environment;
    for (int64_t r = first; r < last; ++r) {
      const int64_t exemplar = units[r] * given.exemplars;
      float* share = weights + r * given.exemplars;
      energies(query.row(r), given.keys + exemplar * given.width, given.energy, given.exemplars,
               given.width, share);
      softmax(share, given.exemplars);
      gated_context(share, given.features + exemplar * given.size, gate.row(r), given.bias,
                    given.exemplars, given.size, gated + r * given.size);
    }
  });
}

void lstm_cell(const Rows& left, const int64_t* left_row, const Rows& right,
               const int64_t* right_row, const float* c, const int64_t* c_row, int64_t count,
               int64_t hidden, int threads, float* new_h, float* new_c) {
  split(count, kGrain, threads, [&](int64_t first, int64_t last) {
    const FloatEnvironment environment;
    for (int64_t r = first; r < last; ++r) {
      cell(left.row(left_row[r]), right.row(right_row[r]), c + c_row[r] * hidden, hidden,
           new_h + r * hidden, new_c + r * hidden);
    }
  });
}

}  // namespace milan
