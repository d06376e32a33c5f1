#include "milan/formulas.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "cpu/threads.h"
#include "milan/bitset.h"

namespace milan {
namespace {

using Counts = std::vector<int64_t>;

/// Sorted parts of a formula: equal exactly when two formulas differ only in the order of parts.
using Key = std::vector<int64_t>;

struct Formula {
  int length = 0;
  int8_t joins[kLongestFormula] = {};
  int64_t chosen[kLongestFormula] = {};
  int64_t both = 0, area = 0;
  double iou = 0.0;

  bool has(int64_t which) const {
    return std::find(chosen, chosen + length, which) < chosen + length;
  }

  Formula joined(int8_t join, int64_t which) const {
    Formula longer = *this;
    longer.joins[length] = join;
    longer.chosen[length] = which;
    ++longer.length;
    return longer;
  }

  /// Runs of `or` and runs of `and` with `and not`, each sorted. The first concept belongs to the
  /// first run.
  Key key() const {
    Key key;
    int begin = 0;
    while (begin < length) {
      const bool is_or = joins[begin == 0 && length > 1 ? 1 : begin] == kOr;
      int end = begin + 1;
      while (end < length && (joins[end] == kOr) == is_or) ++end;
      Key run;
      for (int i = begin; i < end; ++i) run.push_back(2 * chosen[i] + (joins[i] == kAndNot));
      std::sort(run.begin(), run.end());
      key.push_back(is_or ? -1 : -2);
      key.insert(key.end(), run.begin(), run.end());
      begin = end;
    }
    return key;
  }
};

/// What the search of one thread needs beside the masks.
class Search {
 public:
  Search(const UnitBits& units, const ConceptBits& concepts, int beam, int length)
      : units_(units),
        concepts_(concepts),
        beam_(static_cast<size_t>(beam)),
        length_(length),
        count_(bit_counter(Joined::kAnd)),
        formula_(static_cast<size_t>(concepts.words)),
        rows_of_(static_cast<size_t>(concepts.concepts)) {
    for (int64_t image = 0; image < concepts.images; ++image) {
      for (int64_t row = concepts.starts[image]; row < concepts.starts[image + 1]; ++row) {
        rows_of_[static_cast<size_t>(concepts.which[row])].emplace_back(image, row);
      }
    }
    areas_.resize(rows_of_.size());
    for (size_t c = 0; c < rows_of_.size(); ++c) {
      for (const auto& [image, row] : rows_of_[c]) areas_[c] += shared_pixels(bits(row), bits(row));
    }
  }

  void overlaps(int64_t unit, int64_t* both) const {
    std::fill_n(both, concepts_.concepts, int64_t{0});
    for (int64_t r = units_.starts[unit]; r < units_.starts[unit + 1]; ++r) {
      add(units_.bits + r * words(), units_.images[r], both);
    }
  }

  int64_t pixels_of(int64_t unit) const {
    int64_t pixels = 0;
    for (int64_t r = units_.starts[unit]; r < units_.starts[unit + 1]; ++r) {
      const uint64_t* row = units_.bits + r * words();
      pixels += shared_pixels(row, row);
    }
    return pixels;
  }

  Formula best(int64_t unit) {
    Counts shared(areas_.size());
    overlaps(unit, shared.data());
    const int64_t pixels = pixels_of(unit);
    std::vector<Formula> beam;
    for (size_t c = 0; c < shared.size(); ++c) {
      if (shared[c] > 0) {
        const Formula single = Formula().joined(kOr, static_cast<int64_t>(c));
        offer(single, shared[c], areas_[c], pixels, &beam);
      }
    }
    for (int round = 1; round < length_; ++round) {
      const std::vector<Formula> before = beam;
      for (const Formula& formula : before) {
        if (formula.length == round) extend(unit, formula, shared, pixels, &beam);
      }
    }
    return beam.empty() ? Formula() : beam.front();
  }

 private:
  int64_t words() const { return concepts_.words; }
  const uint64_t* bits(int64_t row) const { return concepts_.bits + row * words(); }
  int64_t shared_pixels(const uint64_t* a, const uint64_t* b) const {
    return count_(a, b, words() * int64_t{sizeof(uint64_t)});
  }

  /// Adds to both[c] the pixels that `mask` and each concept of the image share.
  void add(const uint64_t* mask, int64_t image, int64_t* both) const {
    for (int64_t row = concepts_.starts[image]; row < concepts_.starts[image + 1]; ++row) {
      both[concepts_.which[row]] += shared_pixels(mask, bits(row));
    }
  }

  /// Puts a candidate into the beam when it is better than the last there and new.
  void offer(Formula candidate, int64_t both, int64_t area, int64_t pixels,
             std::vector<Formula>* beam) const {
    candidate.both = both;
    candidate.area = area;
    candidate.iou = static_cast<double>(both) / static_cast<double>(pixels + area - both);
    const bool full = beam->size() == beam_;
    if (both <= 0 || (full && candidate.iou <= beam->back().iou)) return;
    const Key key = candidate.key();
    for (const Formula& other : *beam) {
      if (other.both == both && other.area == area && other.key() == key) return;
    }
    const auto place =
        std::upper_bound(beam->begin(), beam->end(), candidate,
                         [](const Formula& a, const Formula& b) { return a.iou > b.iou; });
    beam->insert(place, candidate);
    if (beam->size() > beam_) beam->pop_back();
  }

  void extend(int64_t unit, const Formula& formula, const Counts& shared, int64_t pixels,
              std::vector<Formula>* beam) {
    const Counts& common = with_concepts(formula);  // pixels of formula and concept
    Counts inside(areas_.size(), 0);                // pixels of unit, formula and concept
    for (int64_t r = units_.starts[unit]; r < units_.starts[unit + 1]; ++r) {
      if (!evaluate(formula, units_.images[r])) continue;
      const uint64_t* mask = units_.bits + r * words();
      for (int64_t i = 0; i < words(); ++i) formula_[static_cast<size_t>(i)] &= mask[i];
      add(formula_.data(), units_.images[r], inside.data());
    }
    for (const int8_t join : {kOr, kAnd, kAndNot}) {
      for (size_t c = 0; c < areas_.size(); ++c) {
        const auto which = static_cast<int64_t>(c);
        if (shared[c] == 0 || formula.has(which)) continue;
        int64_t both = inside[c], area = common[c];
        if (join == kOr) {
          both = formula.both + shared[c] - both;
          area = formula.area + areas_[c] - area;
        } else if (join == kAndNot) {
          both = formula.both - both;
          area = formula.area - area;
        }
        if (area != formula.area) offer(formula.joined(join, which), both, area, pixels, beam);
      }
    }
  }

  /// Pixels that a formula and each concept share, in all images. Many units meet the same
  /// formulas.
  const Counts& with_concepts(const Formula& formula) {
    Key key = formula.key();
    const auto found = cache_.find(key);
    if (found != cache_.end()) return found->second;
    if (cache_.size() * areas_.size() > kCached) cache_.clear();
    Counts common(areas_.size(), 0);
    for (const int64_t image : images_of(formula)) {
      if (evaluate(formula, image)) add(formula_.data(), image, common.data());
    }
    return cache_.emplace(std::move(key), std::move(common)).first->second;
  }

  /// Images where the formula can be true: those of its concepts that are not negated.
  std::vector<int64_t> images_of(const Formula& formula) const {
    std::vector<int64_t> images;
    for (int i = 0; i < formula.length; ++i) {
      if (formula.joins[i] == kAndNot) continue;
      for (const auto& item : rows_of_[static_cast<size_t>(formula.chosen[i])]) {
        images.push_back(item.first);
      }
    }
    std::sort(images.begin(), images.end());
    images.erase(std::unique(images.begin(), images.end()), images.end());
    return images;
  }

  /// Leaves the formula's mask of one image in `formula_`; false when it is empty.
  bool evaluate(const Formula& formula, int64_t image) {
    std::fill(formula_.begin(), formula_.end(), uint64_t{0});
    const auto n = formula_.size();
    for (int part = 0; part < formula.length; ++part) {
      const uint64_t* row = row_of(formula.chosen[part], image);
      const int8_t join = formula.joins[part];
      if (row == nullptr) {
        if (join == kAnd) std::fill(formula_.begin(), formula_.end(), uint64_t{0});
      } else if (join == kOr) {
        for (size_t i = 0; i < n; ++i) formula_[i] |= row[i];
      } else if (join == kAnd) {
        for (size_t i = 0; i < n; ++i) formula_[i] &= row[i];
      } else {
        for (size_t i = 0; i < n; ++i) formula_[i] &= ~row[i];
      }
    }
    uint64_t any = 0;
    for (size_t i = 0; i < n; ++i) any |= formula_[i];
    return any != 0;
  }

  const uint64_t* row_of(int64_t which, int64_t image) const {
    const int64_t* first = concepts_.which + concepts_.starts[image];
    const int64_t* last = concepts_.which + concepts_.starts[image + 1];
    const int64_t* found = std::lower_bound(first, last, which);
    return found < last && *found == which ? bits(found - concepts_.which) : nullptr;
  }

  static constexpr size_t kCached = size_t{1} << 25;  // numbers: 256 MB

  const UnitBits& units_;
  const ConceptBits& concepts_;
  size_t beam_;
  int length_;
  CountBits count_;
  std::vector<uint64_t> formula_;                                  // scratch: one image
  std::vector<std::vector<std::pair<int64_t, int64_t>>> rows_of_;  // (image, row) by concept
  Counts areas_;
  std::map<Key, Counts> cache_;
};

}  // namespace

void concept_overlaps(const UnitBits& units, const ConceptBits& concepts, int threads,
                      int64_t* both) {
  split(units.units, 1, threads, [&](int64_t first, int64_t last) {
    const Search search(units, concepts, 1, 1);
    for (int64_t unit = first; unit < last; ++unit) {
      search.overlaps(unit, both + unit * concepts.concepts);
    }
  });
}

void compose(const UnitBits& units, const ConceptBits& concepts, int beam, int length, int threads,
             int8_t* joins, int64_t* chosen, int64_t* both, int64_t* either) {
  split(units.units, 1, threads, [&](int64_t first, int64_t last) {
    Search search(units, concepts, beam, length);
    for (int64_t unit = first; unit < last; ++unit) {
      const Formula found = search.best(unit);
      for (int i = 0; i < length; ++i) {
        joins[unit * length + i] = i < found.length ? found.joins[i] : int8_t{kNone};
        chosen[unit * length + i] = i < found.length ? found.chosen[i] : -1;
      }
      both[unit] = found.both;
      either[unit] = search.pixels_of(unit) + found.area - found.both;
    }
  });
}

}  // namespace milan
