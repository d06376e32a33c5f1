#include "milan/beam.h"

#include <pybind11/stl.h>

#include <optional>

#include "bindings/convert.h"
#include "milan/error.h"

namespace py = pybind11;

namespace milan {
namespace {

/// Refuses a unit whose beams read no row of `costs`, or have fewer continuations than `width`.
void check_unit(const int64_t* place, const int64_t* end, const Dense<float>& costs,
                int64_t width) {
  int64_t continuations = 0;
  for (; place < end; ++place) {
    if (*place >= costs.shape(0)) throw UserError("beam_topk: place is outside the rows");
    continuations += *place < 0 ? 1 : costs.shape(1);
  }
  if (width > continuations) throw UserError("beam_topk: width is above the continuations");
}

py::tuple step(const Dense<float>& scores, const Dense<float>& costs, const Dense<int64_t>& place,
               int64_t stop, int64_t width, bool normalise, int threads,
               const std::optional<Dense<float>>& bias) {
  if (costs.ndim() != 2 || scores.ndim() != 2 || place.size() != scores.size() || stop < 0 ||
      stop >= costs.shape(1) || width < 1 || (bias && bias->size() != costs.shape(1))) {
    throw UserError("beam_topk: expected scores (N, B), costs (R, V), place (N, B), bias (V,)");
  }
  const py::ssize_t units = scores.shape(0), beams = scores.shape(1);
  for (py::ssize_t unit = 0; unit < units; ++unit) {
    const int64_t* first = place.data() + unit * beams;
    check_unit(first, first + beams, costs, width);
  }
  py::array_t<int64_t> beam({units, py::ssize_t{width}}), token({units, py::ssize_t{width}});
  py::array_t<float> score({units, py::ssize_t{width}});
  int64_t *to_beam = beam.mutable_data(), *to_token = token.mutable_data();
  float* to_score = score.mutable_data();
  {
    const py::gil_scoped_release release;
    beam_topk(scores.data(), costs.data(), bias ? bias->data() : nullptr, place.data(), units,
              beams, costs.shape(1), stop, width, normalise, threads, to_beam, to_token, to_score);
  }
  return py::make_tuple(beam, token, score);
}

}  // namespace

void bind_beam(py::module_& m) { m.def("beam_topk", &step); }

}  // namespace milan
