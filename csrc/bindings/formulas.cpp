#include "milan/formulas.h"

#include <string>

#include "bindings/convert.h"
#include "milan/error.h"

namespace py = pybind11;

namespace milan {
namespace {

/// Whether `starts` cuts `values` into groups of rising numbers below `end`.
bool grouped(const Dense<int64_t>& starts, const Dense<int64_t>& values, int64_t end) {
  if (starts.ndim() != 1 || values.ndim() != 1 || starts.size() < 1 || starts.data()[0] != 0 ||
      starts.data()[starts.size() - 1] != values.size()) {
    return false;
  }
  for (py::ssize_t group = 0; group + 1 < starts.size(); ++group) {
    const int64_t first = starts.data()[group], last = starts.data()[group + 1];
    if (last < first || last > values.size()) return false;
    for (int64_t i = first; i < last; ++i) {
      const int64_t value = values.data()[i];
      if (value < 0 || value >= end || (i > first && value <= values.data()[i - 1])) return false;
    }
  }
  return true;
}

struct Masks {
  UnitBits units;
  ConceptBits concepts;
};

Masks view(const Dense<int64_t>& unit_starts, const Dense<int64_t>& unit_images,
           const Dense<uint64_t>& unit_bits, const Dense<int64_t>& starts,
           const Dense<int64_t>& which, const Dense<uint64_t>& bits, int64_t concepts) {
  if (!grouped(starts, which, concepts) || !grouped(unit_starts, unit_images, starts.size() - 1) ||
      bits.ndim() != 2 || unit_bits.ndim() != 2 || bits.shape(0) != which.size() ||
      unit_bits.shape(0) != unit_images.size() || bits.shape(1) != unit_bits.shape(1)) {
    throw UserError("formulas: masks, images and concepts do not fit together");
  }
  return {{unit_starts.data(), unit_images.data(), unit_bits.data(), unit_starts.size() - 1},
          {starts.data(), which.data(), bits.data(), starts.size() - 1, concepts, bits.shape(1)}};
}

py::array_t<int64_t> overlaps(const Dense<int64_t>& unit_starts, const Dense<int64_t>& unit_images,
                              const Dense<uint64_t>& unit_bits, const Dense<int64_t>& starts,
                              const Dense<int64_t>& which, const Dense<uint64_t>& bits,
                              int64_t concepts, int threads) {
  const Masks masks = view(unit_starts, unit_images, unit_bits, starts, which, bits, concepts);
  py::array_t<int64_t> both({masks.units.units, concepts});
  int64_t* to = both.mutable_data();
  const py::gil_scoped_release release;
  concept_overlaps(masks.units, masks.concepts, threads, to);
  return both;
}

py::tuple search(const Dense<int64_t>& unit_starts, const Dense<int64_t>& unit_images,
                 const Dense<uint64_t>& unit_bits, const Dense<int64_t>& starts,
                 const Dense<int64_t>& which, const Dense<uint64_t>& bits, int64_t concepts,
                 int beam, int length, int threads) {
  const Masks masks = view(unit_starts, unit_images, unit_bits, starts, which, bits, concepts);
  if (beam < 1 || length < 1 || length > kLongestFormula) {
    throw UserError("formulas: beam must be positive and length in 1.." +
                    std::to_string(kLongestFormula));
  }
  const int64_t count = masks.units.units;
  py::array_t<int8_t> joins({count, int64_t{length}});
  py::array_t<int64_t> chosen({count, int64_t{length}}), both(count), either(count);
  int8_t* to_joins = joins.mutable_data();
  int64_t *to_chosen = chosen.mutable_data(), *to_both = both.mutable_data(),
          *to_either = either.mutable_data();
  {
    const py::gil_scoped_release release;
    compose(masks.units, masks.concepts, beam, length, threads, to_joins, to_chosen, to_both,
            to_either);
  }
  return py::make_tuple(joins, chosen, both, either);
}

}  // namespace

void bind_formulas(py::module_& m) {
  m.def("concept_overlaps", &overlaps);
  m.def("compose", &search);
}

}  // namespace milan
