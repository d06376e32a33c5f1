#include "milan/beam.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "cpu/exponential.h"
#include "cpu/float_environment.h"
#include "cpu/threads.h"
#include "milan/number.h"

namespace milan {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kBlock = 64;

/// The largest `width` keys offered; kept as a bag that is cut down when it is twice too full.
class Best {
 public:
  explicit Best(size_t width) : width_(width) { bag_.reserve(2 * width); }

  float threshold() const { return threshold_; }

  void offer(float value, uint32_t index) {
    const uint64_t code = std::isnan(value) ? 0 : ordered(value);
    bag_.push_back(code << 32 | static_cast<uint32_t>(~index));
    if (bag_.size() == 2 * width_) cut();
  }

  const std::vector<uint64_t>& sorted() {
    std::sort(bag_.begin(), bag_.end(), std::greater<>());
    return bag_;
  }

 private:
  void cut() {
    std::nth_element(bag_.begin(), bag_.begin() + width_ - 1, bag_.end(), std::greater<>());
    bag_.resize(width_);
    const uint64_t last = *std::min_element(bag_.begin(), bag_.end());
    if (last >> 32) threshold_ = key_value(last);
  }

  size_t width_;
  std::vector<uint64_t> bag_;
  float threshold_ = -INFINITY;
};

// The loops over the vocabulary. Sums run in sixteen lanes whatever the vector width, so every
// instruction set gives the same bytes.

/// out[i] = a[i] + b[i].
MILAN_CLONES void add(const float* a, const float* b, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = a[i] + b[i];
}

/// log sum exp of logits in two parts, since their sum would lose digits of large logits.
struct Norm {
  float largest = 0, log_sum = 0;

  float of(float logit) const { return (logit - largest) - log_sum; }
};

MILAN_CLONES Norm log_sum_exp(const float* logits, int64_t count) {
  float top[kLanes], sum[kLanes];
  const int64_t whole = count / kLanes * kLanes;
  std::fill_n(top, kLanes, logits[0]);
  for (int64_t at = 0; at < whole; at += kLanes) {
    for (int64_t i = 0; i < kLanes; ++i) {
      top[i] = logits[at + i] > top[i] ? logits[at + i] : top[i];
    }
  }
  float largest = *std::max_element(top, top + kLanes);
  for (int64_t at = whole; at < count; ++at) largest = std::max(largest, logits[at]);
  std::fill_n(sum, kLanes, 0.0f);
  for (int64_t at = 0; at < whole; at += kLanes) {
    for (int64_t i = 0; i < kLanes; ++i) sum[i] += exp_negative(logits[at + i] - largest);
  }
  double total = 0;
  for (int64_t i = 0; i < kLanes; ++i) total += sum[i];
  for (int64_t at = whole; at < count; ++at) total += exp_negative(logits[at] - largest);
  return {largest, static_cast<float>(std::log(total))};
}

/// Offers every candidate of one unfinished beam, `first` being its first index.
MILAN_CLONES void scan(const float* costs, int64_t words, float start, Norm norm, uint32_t first,
                       Best& best) {
  for (int64_t at = 0; at < words; at += kBlock) {
    const int64_t count = std::min(kBlock, words - at);
    float values[kBlock];
    const float threshold = best.threshold();
    int hopeful = 0;
    // Not "value >= threshold": NaN must get in while there is room.
    if (count == kBlock) {
      for (int64_t i = 0; i < kBlock; ++i) values[i] = start + norm.of(costs[at + i]);
      for (int64_t i = 0; i < kBlock; ++i) hopeful |= !(values[i] < threshold);
    } else {
      for (int64_t i = 0; i < count; ++i) values[i] = start + norm.of(costs[at + i]);
      hopeful = 1;
    }
    if (!hopeful) continue;
    for (int64_t i = 0; i < count; ++i) {
      if (!(values[i] < best.threshold())) {
        best.offer(values[i], first + static_cast<uint32_t>(at + i));
      }
    }
  }
}

}  // namespace

void beam_topk(const float* scores, const float* step, const float* bias, const int64_t* place,
               int64_t units, int64_t beams, int64_t words, int64_t stop, int64_t width,
               bool normalise, int threads, int64_t* beam, int64_t* token, float* score) {
  split(units, 1, threads, [&](int64_t first, int64_t last) {
    const FloatEnvironment environment;
    std::vector<Norm> norms(static_cast<size_t>(beams));
    std::vector<float> row(bias != nullptr ? static_cast<size_t>(words) : 0);
    for (int64_t unit = first; unit < last; ++unit) {
      Best best(static_cast<size_t>(width));
      for (int64_t b = 0; b < beams; ++b) {
        const int64_t at = unit * beams + b;
        const auto index = static_cast<uint32_t>(b * words);
        if (place[at] < 0) {
          best.offer(scores[at], index + static_cast<uint32_t>(stop));
          continue;
        }
        const float* costs = step + place[at] * words;
        if (bias != nullptr) {
          add(costs, bias, words, row.data());
          costs = row.data();
        }
        norms[b] = normalise ? log_sum_exp(costs, words) : Norm{};
        scan(costs, words, scores[at], norms[b], index, best);
      }
      const std::vector<uint64_t>& keys = best.sorted();
      for (int64_t i = 0; i < width; ++i) {
        const int64_t index = static_cast<uint32_t>(~keys[i]), b = index / words;
        const int64_t at = unit * beams + b, word = index % words;
        beam[unit * width + i] = b;
        token[unit * width + i] = word;
        score[unit * width + i] = scores[at];
        if (place[at] < 0) continue;
        const float more = bias != nullptr ? bias[word] : 0.0f;
        score[unit * width + i] += norms[b].of(step[place[at] * words + word] + more);
      }
    }
  });
}

}  // namespace milan
