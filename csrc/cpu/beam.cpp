#include "milan/beam.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "cpu/float_environment.h"
#include "cpu/kernels.h"
#include "cpu/threads.h"
#include "milan/isa.h"
#include "milan/number.h"

namespace milan {
namespace {

constexpr int64_t kBlock = 64;  // words, as `next_hopeful` gives them

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

/// Log sum exp of logits in two parts, since their sum would lose digits of large logits.
struct Norm {
  float largest = 0, log_sum = 0;

  float of(float logit) const { return (logit - largest) - log_sum; }
};

Norm norm_of(const Kernels& isa, const float* logits, int64_t count) {
  const LogSumExp sum = isa.log_sum_exp(logits, count);
  return {sum.largest, static_cast<float>(std::log(sum.total))};
}

/// Offers every candidate of one unfinished beam, `first` being its first index.
void scan(const Kernels& isa, const float* costs, int64_t words, float start, Norm norm,
          uint32_t first, Best& best) {
  float values[kBlock];
  for (int64_t at = 0;; at += kBlock) {
    const WordCosts how{start, norm.largest, norm.log_sum, best.threshold()};
    at = isa.next_hopeful(costs, words, at, how, values);
    if (at >= words) return;
    const int64_t count = std::min(kBlock, words - at);
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
  const Kernels& isa = kernels();
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
          isa.add_rows(costs, bias, words, row.data());
          costs = row.data();
        }
        norms[b] = normalise ? norm_of(isa, costs, words) : Norm{};
        scan(isa, costs, words, scores[at], norms[b], index, best);
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
