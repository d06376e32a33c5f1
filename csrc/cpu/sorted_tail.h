// The largest values of many units, each kept: the exact counterpart of the dense histograms.
//
// A "bin" is the whole `ordered` code of a value here. Recorded codes wait in a list; `raise` sorts
// them into the (code, count) cells and drops what is below the rank-th largest. A unit holds at
// most about 5/4 of `rank` codes, plus what one buffer brings.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "milan/histogram.h"

namespace milan {

class SortedTail {
 public:
  explicit SortedTail(int64_t units) : units_(static_cast<size_t>(units)) {}

  void record(int64_t unit, uint32_t code) { units_[unit].waiting.push_back(code); }

  void add(int64_t unit, const Cell& cell) { units_[unit].cells.push_back(cell); }

  /// Sort what was recorded or added, and find the base: the code with rank `rank` from the top.
  uint32_t raise(int64_t unit, uint32_t base, uint64_t rank, uint64_t zeros) {
    std::vector<Cell>& cells = units_[unit].cells;
    gather(unit);
    return cut(cells, std::max(base, bin_of_rank(cells, rank, zeros, kZeroOrdered)));
  }

  /// From the top down; complete after `raise`.
  const std::vector<Cell>& cells(int64_t unit) const { return units_[unit].cells; }

 private:
  struct Unit {
    std::vector<uint32_t> waiting;
    std::vector<Cell> cells;  // falling, once gathered
  };

  void gather(int64_t unit) {
    std::vector<uint32_t>& waiting = units_[unit].waiting;
    std::vector<Cell>& cells = units_[unit].cells;
    for (const uint32_t code : waiting) cells.push_back({code, 1});
    waiting.clear();
    const auto higher = [](const Cell& a, const Cell& b) { return a.bin > b.bin; };
    if (!std::is_sorted(cells.begin(), cells.end(), higher)) {
      std::sort(cells.begin(), cells.end(), higher);
    }
    size_t last = 0;
    for (size_t i = 1; i < cells.size(); ++i) {
      if (cells[i].bin == cells[last].bin) {
        cells[last].count += cells[i].count;
      } else {
        cells[++last] = cells[i];
      }
    }
    if (!cells.empty()) cells.resize(last + 1);
  }

  static uint32_t cut(std::vector<Cell>& cells, uint32_t base) {
    while (!cells.empty() && cells.back().bin < base) cells.pop_back();
    return base;
  }

  std::vector<Unit> units_;
};

}  // namespace milan
