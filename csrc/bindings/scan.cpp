#include "milan/scan.h"

#include <algorithm>

#include "bindings/convert.h"
#include "milan/error.h"

namespace py = pybind11;

namespace milan {
namespace {

/// Arrays are made with the interpreter's lock; whatever walks over the state runs without it.
using Unlocked = py::gil_scoped_release;

template <class T>
py::array_t<T> column(const std::vector<T>& values) {
  return to_numpy(values, {static_cast<py::ssize_t>(values.size())});
}

BorrowedActivations checked_batch(const ScanState& state, const py::object& activations,
                                  const Dense<int64_t>& ids) {
  BorrowedActivations batch =
      borrow_activations(activations, state.rules().units, state.rules().pixels);
  if (ids.ndim() != 1 || ids.shape(0) != batch.view.images) {
    throw UserError("ScanState.update: one image id for each image is needed");
  }
  return batch;
}

void update(ScanState& state, const py::object& activations, const Dense<int64_t>& ids,
            int threads) {
  const BorrowedActivations batch = checked_batch(state, activations, ids);
  const Unlocked unlocked;
  state.update(batch.view, ids.data(), threads, nullptr);
}

/// The same, giving the largest values of the planes [images, units].
py::array_t<float> update_maxima(ScanState& state, const py::object& activations,
                                 const Dense<int64_t>& ids, int threads) {
  const BorrowedActivations batch = checked_batch(state, activations, ids);
  py::array_t<float> maxima({batch.view.images, state.rules().units});
  float* to = maxima.mutable_data();
  const Unlocked unlocked;
  state.update(batch.view, ids.data(), threads, to);
  return maxima;
}

py::array_t<uint64_t> keys(const ScanState& state) {
  const TopK& topk = state.topk();
  py::array_t<uint64_t> out({state.rules().units, topk.k()});
  uint64_t* key = out.mutable_data();
  const Unlocked unlocked;
  for (int64_t unit = 0; unit < state.rules().units; ++unit) {
    for (const int64_t place : topk.order(unit)) *key++ = topk.key(unit, place);
  }
  return out;
}

py::array_t<float> maps(const ScanState& state) {
  const TopK& topk = state.topk();
  py::array_t<float> out({state.rules().units, topk.k(), topk.map_size()});
  float* to = out.mutable_data();
  const Unlocked unlocked;
  for (int64_t unit = 0; unit < state.rules().units; ++unit) {
    for (const int64_t place : topk.order(unit)) {
      to = std::copy_n(topk.map(unit, place), topk.map_size(), to);
    }
  }
  return out;
}

py::array_t<float> levels(ScanState& state, double quantile) {
  py::array_t<float> level(state.rules().units);
  float* to = level.mutable_data();
  const Unlocked unlocked;
  state.levels(quantile, to);
  return level;
}

const Counters& settled_counters(ScanState& state) {
  const Unlocked unlocked;
  return state.counters();
}

py::dict counters(ScanState& state) {
  const Counters& counted = settled_counters(state);
  py::dict out;
  out["zeros"] = column(counted.zeros);
  out["negatives"] = column(counted.negatives);
  out["nan"] = column(counted.nan);
  return out;
}

/// The filled bins of all units, rising within each.
struct CellTable {
  std::vector<uint32_t> number, bins;
  std::vector<uint64_t> counts;
};

CellTable cell_table(ScanState& state) {
  const Unlocked unlocked;
  const Histograms& histograms = state.histograms();
  CellTable table;
  for (int64_t unit = 0; unit < state.rules().units; ++unit) {
    const std::vector<Cell> cells = histograms.cells(unit);
    table.number.push_back(static_cast<uint32_t>(cells.size()));
    for (auto cell = cells.rbegin(); cell != cells.rend(); ++cell) {
      table.bins.push_back(cell->bin);
      table.counts.push_back(cell->count);
    }
  }
  return table;
}

py::dict save(ScanState& state) {
  py::dict out = counters(state);
  const CellTable table = cell_table(state);
  out["cells"] = column(table.number);
  out["bins"] = column(table.bins);
  out["counts"] = column(table.counts);
  out["keys"] = keys(state);
  out["maps"] = maps(state);
  return out;
}

template <class T>
Dense<T> member(const py::dict& arrays, const char* name, int64_t size) {
  auto array = py::cast<Dense<T>>(arrays[name]);
  if (array.size() != size) throw UserError(std::string("scan state: wrong size of ") + name);
  return array;
}

/// `ScanState.from_arrays` has checked the contents; sizes are checked again to keep memory safe.
void load(ScanState& state, const py::dict& arrays, uint64_t images, int mantissa_bits) {
  const int64_t units = state.rules().units, k = state.rules().k;
  const auto number = member<uint32_t>(arrays, "cells", units);
  int64_t total = 0;
  for (int64_t unit = 0; unit < units; ++unit) total += number.data()[unit];
  const auto bins = member<uint32_t>(arrays, "bins", total);
  const auto counts = member<uint64_t>(arrays, "counts", total);
  const auto key = member<uint64_t>(arrays, "keys", units * k);
  TopK& topk = state.topk_to_restore();
  const auto map = member<float>(arrays, "maps", units * k * topk.map_size());
  const auto counted = [&](const char* name) {
    const auto array = member<uint64_t>(arrays, name, units);
    return std::vector<uint64_t>(array.data(), array.data() + units);
  };
  const Counters counters{counted("nan"), counted("zeros"), counted("negatives")};
  const Unlocked unlocked;
  int64_t at = 0;
  for (int64_t unit = 0; unit < units; ++unit) {
    std::vector<Cell> cells;
    for (const int64_t end = at + number.data()[unit]; at < end; ++at) {
      cells.push_back({bins.data()[at], counts.data()[at]});
    }
    state.histograms_to_restore().add(unit, cells);
    for (int64_t place = unit * k; place < (unit + 1) * k; ++place) {
      float* to = topk.offer(unit, key.data()[place]);
      if (to != nullptr) std::copy_n(map.data() + place * topk.map_size(), topk.map_size(), to);
    }
  }
  state.restore(images, mantissa_bits, counters);
}

}  // namespace

void bind_scan(py::module_& m) {
  py::class_<ScanState>(m, "ScanState")
      .def(py::init([](int64_t units, int64_t pixels, int64_t k, uint64_t rank, int mode, int bits,
                       bool keep_maps) {
        return std::make_unique<ScanState>(
            ScanRules{units, pixels, k, rank, static_cast<Mode>(mode), bits, keep_maps});
      }))
      .def_property_readonly("images", &ScanState::images)
      .def_property_readonly("mantissa_bits", &ScanState::mantissa_bits)
      .def("update", &update)
      .def("update_maxima", &update_maxima)
      .def("merge", &ScanState::merge, py::call_guard<Unlocked>())
      .def("keys", &keys)
      .def("maps", &maps)
      .def("levels", &levels)
      .def("counters", &counters)
      .def("export", &save)
      .def("load", &load);
}

}  // namespace milan
