// Inner loops of beam search and of the captioner's recurrence; included once for each instruction
// set. Sums run in sixteen lanes whatever the vector width, so every set gives the same bytes.
#include "cpu/exponential.h"
#include "cpu/kernels.h"

namespace {

constexpr int64_t kSumLanes = 16;
constexpr int64_t kWordBlock = 64;

void add_rows(const float* a, const float* b, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = a[i] + b[i];
}

milan::LogSumExp log_sum_exp(const float* logits, int64_t count) {
  float top[kSumLanes], sum[kSumLanes];
  const int64_t whole = count / kSumLanes * kSumLanes;
  for (int64_t i = 0; i < kSumLanes; ++i) top[i] = logits[0], sum[i] = 0.0f;
  for (int64_t at = 0; at < whole; at += kSumLanes) {
    for (int64_t i = 0; i < kSumLanes; ++i) {
      top[i] = logits[at + i] > top[i] ? logits[at + i] : top[i];
    }
  }
  float largest = top[0];
  for (int64_t i = 1; i < kSumLanes; ++i) largest = largest < top[i] ? top[i] : largest;
  for (int64_t at = whole; at < count; ++at) largest = largest < logits[at] ? logits[at] : largest;
  for (int64_t at = 0; at < whole; at += kSumLanes) {
    for (int64_t i = 0; i < kSumLanes; ++i) sum[i] += exp_negative(logits[at + i] - largest);
  }
  double total = 0;
  for (int64_t i = 0; i < kSumLanes; ++i) total += sum[i];
  for (int64_t at = whole; at < count; ++at) total += exp_negative(logits[at] - largest);
  return {largest, total};
}

int64_t next_hopeful(const float* costs, int64_t words, int64_t at, const milan::WordCosts& how,
                     float* values) {
  const float start = how.start, largest = how.largest, log_sum = how.log_sum;
  const float threshold = how.threshold;
  for (; at + kWordBlock <= words; at += kWordBlock) {
    int hopeful = 0;
    for (int64_t i = 0; i < kWordBlock; ++i) {
      values[i] = start + ((costs[at + i] - largest) - log_sum);
    }
    // Not "value >= threshold": NaN must get in while there is room.
    for (int64_t i = 0; i < kWordBlock; ++i) hopeful |= !(values[i] < threshold);
    if (hopeful) return at;
  }
  for (int64_t i = at; i < words; ++i) {
    values[i - at] = start + ((costs[i] - largest) - log_sum);
  }
  return at < words ? at : words;
}

/// energy . tanh(key_j + query) of each exemplar.
void attention_energies(const float* query, const float* keys, const float* energy,
                        int64_t exemplars, int64_t width, float* out) {
  const int64_t whole = width / kSumLanes * kSumLanes;
  for (int64_t j = 0; j < exemplars; ++j) {
    const float* key = keys + j * width;
    float sum[kSumLanes] = {};
    for (int64_t at = 0; at < whole; at += kSumLanes) {
      for (int64_t i = 0; i < kSumLanes; ++i) {
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

/// logistic(gate + bias) * sum_j weights_j feature_j.
void gated_context(const float* weights, const float* features, const float* gate,
                   const float* bias, int64_t exemplars, int64_t size, float* out) {
  for (int64_t at = 0; at < size; at += kWordBlock) {
    const int64_t block = size - at < kWordBlock ? size - at : kWordBlock;
    float sum[kWordBlock] = {};
    for (int64_t j = 0; j < exemplars; ++j) {
      const float* feature = features + j * size + at;
      if (block == kWordBlock) {
        for (int64_t i = 0; i < kWordBlock; ++i) sum[i] += weights[j] * feature[i];
      } else {
        for (int64_t i = 0; i < block; ++i) sum[i] += weights[j] * feature[i];
      }
    }
    for (int64_t i = 0; i < block; ++i) {
      out[at + i] = sum[i] * logistic(gate[at + i] + bias[at + i]);
    }
  }
}

void lstm_row(const float* left, const float* right, const float* c, int64_t hidden,
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
