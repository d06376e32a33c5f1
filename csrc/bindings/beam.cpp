#include "milan/beam.h"

#include "bindings/convert.h"
#include "milan/error.h"

namespace py = pybind11;

namespace milan {
namespace {

py::tuple step(const Dense<float>& scores, const Dense<float>& logp, const Dense<bool>& finished,
               int64_t stop, int64_t width, int threads) {
  if (logp.ndim() != 3 || scores.size() != logp.shape(0) * logp.shape(1) ||
      finished.size() != scores.size() || stop < 0 || stop >= logp.shape(2) || width < 1) {
    throw UserError("beam_topk: expected scores (N, B), step_logp (N, B, V), finished (N, B)");
  }
  const py::ssize_t rows = logp.shape(0);
  py::array_t<int64_t> beam({rows, py::ssize_t{width}}), token({rows, py::ssize_t{width}});
  py::array_t<float> score({rows, py::ssize_t{width}});
  int64_t *to_beam = beam.mutable_data(), *to_token = token.mutable_data();
  float* to_score = score.mutable_data();
  {
    const py::gil_scoped_release release;
    beam_topk(scores.data(), logp.data(), finished.data(), rows, logp.shape(1), logp.shape(2), stop,
              width, threads, to_beam, to_token, to_score);
  }
  return py::make_tuple(beam, token, score);
}

}  // namespace

void bind_beam(py::module_& m) { m.def("beam_topk", &step); }

}  // namespace milan
