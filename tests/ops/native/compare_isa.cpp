// Runs every operation with every instruction set of this processor and compares the bytes with
// those of the scalar kernels. For processors where the Python tests cannot run: built by
// test_arm.py for 64-bit ARM and run in an emulator.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "milan/beam.h"
#include "milan/bitset.h"
#include "milan/formulas.h"
#include "milan/isa.h"
#include "milan/mask.h"
#include "milan/pool.h"
#include "milan/recurrent.h"
#include "milan/scan.h"

namespace {

using milan::Dtype;

/// FNV-1a of everything an operation gave.
struct Digest {
  uint64_t state = 0xCBF29CE484222325u;

  template <class T>
  void add(const T* values, size_t n) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(values);
    for (size_t i = 0; i < n * sizeof(T); ++i) state = (state ^ bytes[i]) * 0x100000001B3u;
  }
};

std::vector<float> numbers(size_t n, unsigned seed) {
  const float special[] = {0.0f,
                           -0.0f,
                           1e-45f,
                           -1e-45f,
                           1.17549435e-38f,
                           3e38f,
                           -3e38f,
                           std::numeric_limits<float>::infinity(),
                           -std::numeric_limits<float>::infinity(),
                           std::numeric_limits<float>::quiet_NaN()};
  std::mt19937 random(seed);
  std::vector<float> out(n);
  for (float& x : out) {
    const unsigned pick = random() % 64;
    x = pick < 10 ? special[pick] : (static_cast<float>(random()) / 2147483648.0f - 1.0f) * 3.0f;
    if (pick >= 10 && pick < 30) x = std::fmax(x, 0.0f);
  }
  return out;
}

void scan(Digest& digest, Dtype dtype, int mode, int bits, int units, int side, bool pixel_major) {
  const int images = 12, pixels = side * side, size = milan::dtype_size(dtype);
  const auto values = numbers(static_cast<size_t>(images * units * pixels), 7u + units);
  std::vector<char> raw(values.size() * static_cast<size_t>(size) + 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t word = milan::float_bits(values[i]);
    const auto half = static_cast<uint16_t>(word >> 16);  // any bits are a number of either type
    if (size == 4) {
      std::memcpy(&raw[1 + 4 * i], &word, 4);
    } else {
      std::memcpy(&raw[1 + 2 * i], &half, 2);
    }
  }
  milan::Activations batch{};
  batch.data = raw.data() + 1;  // unaligned
  batch.dtype = dtype;
  batch.images = images, batch.units = units, batch.height = batch.width = side;
  batch.image_stride = int64_t{units} * pixels;
  batch.unit_stride = pixel_major ? 1 : pixels;
  batch.column_stride = pixel_major ? units : 1;
  batch.row_stride = batch.column_stride * side;
  std::vector<int64_t> ids;
  for (int i = 0; i < images; ++i) ids.push_back(100 - 3 * i);
  const uint64_t rank = static_cast<uint64_t>(images * pixels / 10 + 1);
  milan::ScanState state({units, pixels, 3, rank, static_cast<milan::Mode>(mode), bits, true});
  std::vector<float> maxima(static_cast<size_t>(images * units));
  state.update(batch, ids.data(), 2, maxima.data());
  for (float& maximum : maxima) maximum += 0.0f;  // -0 becomes 0
  digest.add(maxima.data(), maxima.size());
  std::vector<float> level(static_cast<size_t>(units));
  state.levels(0.95, level.data());
  digest.add(level.data(), level.size());
  const milan::Counters& counters = state.counters();
  for (const auto* counts : {&counters.nan, &counters.zeros, &counters.negatives}) {
    digest.add(counts->data(), counts->size());
  }
  for (int64_t unit = 0; unit < units; ++unit) {
    for (const milan::Cell& cell : state.histograms().cells(unit)) {
      digest.add(&cell.bin, 1);
      digest.add(&cell.count, 1);
    }
    for (const int64_t place : state.topk().order(unit)) {
      const uint64_t key = state.topk().key(unit, place);
      digest.add(&key, 1);
      digest.add(state.topk().map(unit, place), static_cast<size_t>(pixels));
    }
  }
}

void masks_and_pools(Digest& digest) {
  const int count = 9, height = 45, width = 61, bytes = 8;
  for (const int side : {1, 7, 23, 57, 61, 90}) {  // up to more pixels than the masks have
    const auto maps = numbers(static_cast<size_t>(count * side * side), 3u + side);
    const auto levels = numbers(count, 5);
    std::vector<uint8_t> packed(static_cast<size_t>(count * height * bytes));
    for (const auto border : {milan::Border::kZeros, milan::Border::kClamp}) {
      milan::masks(maps.data(), levels.data(), count, side, side, height, width, border, 2,
                   packed.data());
      digest.add(packed.data(), packed.size());
    }
    std::vector<uint16_t> halves(static_cast<size_t>(2 * 11 * side * side));
    std::mt19937 random(9);
    for (uint16_t& half : halves) half = static_cast<uint16_t>(random() & 0xBBFF);  // no NaN
    const std::vector<int64_t> rows{0, 1, -1, 1, 0, 0, 1, 1, 0};
    std::vector<float> pooled(rows.size() * 11);
    for (const auto kind : {milan::CellWeights::kArea, milan::CellWeights::kPoints}) {
      milan::pool_masks({halves.data(), Dtype::kFloat16, 2, 11, side, side}, rows.data(),
                        packed.data(), count, height, width, kind, 2, pooled.data());
      digest.add(pooled.data(), pooled.size());
    }
  }
}

std::vector<float> finite_numbers(size_t n, unsigned seed, float spread) {
  std::mt19937 random(seed);
  std::vector<float> out(n);
  for (float& x : out) x = (static_cast<float>(random()) / 2147483648.0f - 1.0f) * spread;
  return out;
}

void beams(Digest& digest) {
  const int64_t units = 3, count = 4, words = 150, width = 5;
  const std::vector<int64_t> place{0, 1, -1, 2, 3, 4, 5, 6, -1, 7, 8, -1};
  const auto scores = finite_numbers(units * count, 1, 2), bias = finite_numbers(words, 2, 1);
  for (const bool strange : {false, true}) {
    const auto step = strange ? numbers(9 * words, 3) : finite_numbers(9 * words, 3, 9);
    std::vector<int64_t> beam(units * width), token(units * width);
    std::vector<float> score(units * width);
    milan::beam_topk(scores.data(), step.data(), bias.data(), place.data(), units, count, words, 7,
                     width, !strange, 2, beam.data(), token.data(), score.data());
    digest.add(beam.data(), beam.size());
    digest.add(token.data(), token.size());
    digest.add(score.data(), score.size());
  }
}

void recurrence(Digest& digest) {
  const int64_t rows = 20, exemplars = 5, width = 37, size = 150;
  const std::vector<int64_t> units(rows, 1);
  const auto query = finite_numbers(rows * width, 1, 3), gate = finite_numbers(rows * size, 2, 3);
  const auto keys = finite_numbers(2 * exemplars * width, 3, 2);
  const auto features = finite_numbers(2 * exemplars * size, 4, 2);
  const auto energy = finite_numbers(width, 5, 1), bias = finite_numbers(size, 6, 1);
  std::vector<float> weights(rows * exemplars), gated(rows * size);
  milan::attend({query.data(), width}, {gate.data(), size}, units.data(), rows,
                {keys.data(), features.data(), energy.data(), bias.data(), exemplars, width, size},
                2, weights.data(), gated.data());
  digest.add(weights.data(), weights.size());
  digest.add(gated.data(), gated.size());
  const int64_t hidden = 35;
  const auto left = finite_numbers(2 * 4 * hidden, 7, 4), c = finite_numbers(2 * hidden, 8, 2);
  std::vector<float> h(rows * hidden), next(rows * hidden);
  milan::lstm_cell({left.data(), 4 * hidden}, units.data(), {left.data(), 4 * hidden}, units.data(),
                   c.data(), units.data(), rows, hidden, 2, h.data(), next.data());
  digest.add(h.data(), h.size());
  digest.add(next.data(), next.size());
}

/// Masks of 70 bits: pairs, and formulas of four concepts in six images for two units.
void bitsets(Digest& digest) {
  std::mt19937_64 random(11);
  std::vector<uint64_t> bits(40 * 3);
  for (uint64_t& word : bits) word = random() & random();
  const auto* bytes = reinterpret_cast<const uint8_t*>(bits.data());
  const std::vector<int64_t> a{0, 1, 2, 9}, b{3, 3, 2, 30};
  std::vector<int64_t> counts(a.size());
  for (const int how : {0, 1, 2}) {
    milan::count_pairs(static_cast<milan::Joined>(how), bytes, bytes + 1, 29, a.data(), b.data(),
                       static_cast<int64_t>(a.size()), 2, counts.data());
    digest.add(counts.data(), counts.size());
  }
  std::vector<int64_t> starts, which, images;
  for (int64_t image = 0; image <= 6; ++image) starts.push_back(4 * image);
  for (int64_t row = 0; row < 24; ++row) which.push_back(row % 4);
  for (int64_t row = 0; row < 12; ++row) images.push_back(row % 6);
  const std::vector<int64_t> unit_starts{0, 6, 12};
  const milan::ConceptBits concepts{starts.data(), which.data(), bits.data(), 6, 4, 3};
  const milan::UnitBits units{unit_starts.data(), images.data(), bits.data() + 24 * 3, 2};
  std::vector<int8_t> joins(6);
  std::vector<int64_t> chosen(6), both(2), either(2), shared(8);
  milan::concept_overlaps(units, concepts, 2, shared.data());
  milan::compose(units, concepts, 3, 3, 2, joins.data(), chosen.data(), both.data(), either.data());
  digest.add(shared.data(), shared.size());
  digest.add(joins.data(), joins.size());
  digest.add(chosen.data(), chosen.size());
  digest.add(both.data(), both.size());
  digest.add(either.data(), either.size());
}

uint64_t everything() {
  Digest digest;
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kBfloat16, Dtype::kFloat16}) {
    for (int mode = 0; mode < 3; ++mode) {
      for (const int bits : {4, 10, 23}) {
        for (const int side : {1, 3, 7, 19}) {
          for (const bool pixel_major : {false, true}) {
            scan(digest, dtype, mode, bits, 21, side, pixel_major);
          }
        }
      }
    }
  }
  masks_and_pools(digest);
  beams(digest);
  recurrence(digest);
  bitsets(digest);
  return digest.state;
}

}  // namespace

int main() {
  uint64_t want = 0;
  bool equal = true;
  for (const std::string& name : milan::isa_available()) {  // scalar comes first
    setenv("MILAN_ISA", name.c_str(), 1);
    const uint64_t got = everything();
    if (name == "scalar") want = got;
    equal = equal && got == want;
    std::printf("%s %016llx\n", name.c_str(), static_cast<unsigned long long>(got));
  }
  return equal ? 0 : 1;
}
