#include "milan/recurrent.h"

#include <string>

#include "bindings/convert.h"
#include "milan/error.h"

namespace py = pybind11;

namespace milan {
namespace {

using Matrix = py::array_t<float>;  // rows may be apart

Rows rows_of(const Matrix& matrix, py::ssize_t columns, const char* name) {
  const auto size = static_cast<py::ssize_t>(sizeof(float));
  if (matrix.ndim() != 2 || matrix.shape(1) != columns || matrix.strides(0) % size != 0 ||
      (columns > 1 && matrix.strides(1) != size)) {
    throw UserError(std::string(name) + ": expected rows of " + std::to_string(columns) +
                    " adjacent numbers");
  }
  return {matrix.data(), matrix.strides(0) / size};
}

const int64_t* places_of(const Dense<int64_t>& places, py::ssize_t count, py::ssize_t end,
                         const char* name) {
  if (places.ndim() != 1 || places.size() != count) {
    throw UserError(std::string(name) + ": expected " + std::to_string(count) + " rows");
  }
  for (py::ssize_t i = 0; i < count; ++i) {
    if (places.data()[i] < 0 || places.data()[i] >= end) {
      throw UserError(std::string(name) + ": a row is outside 0.." + std::to_string(end - 1));
    }
  }
  return places.data();
}

float* output(Matrix& matrix, py::ssize_t count, py::ssize_t columns, const char* name) {
  const bool fits = matrix.ndim() == 2 && matrix.shape(0) == count && matrix.shape(1) == columns;
  if (!fits || !(matrix.flags() & py::array::c_style)) {
    throw UserError(std::string(name) + ": expected a result array (" + std::to_string(count) +
                    ", " + std::to_string(columns) + ")");
  }
  return matrix.mutable_data();
}

void attend_rows(const Matrix& query, const Matrix& gate, const Dense<int64_t>& units,
                 const Dense<float>& keys, const Dense<float>& features, const Dense<float>& energy,
                 const Dense<float>& bias, int threads, Matrix weights, Matrix gated) {
  if (keys.ndim() != 3 || features.ndim() != 3 || keys.shape(0) != features.shape(0) ||
      keys.shape(1) != features.shape(1) || keys.shape(1) < 1 || energy.size() != keys.shape(2) ||
      bias.size() != features.shape(2) || gate.ndim() != 2 || gate.shape(0) != units.size() ||
      query.ndim() != 2 || query.shape(0) != units.size()) {
    throw UserError("attend: expected keys (U, k, A), features (U, k, F), energy (A,), bias (F,)");
  }
  const Conditions given{keys.data(),   features.data(), energy.data(),    bias.data(),
                         keys.shape(1), keys.shape(2),   features.shape(2)};
  const py::ssize_t count = units.size();
  const Rows queries = rows_of(query, given.width, "attend: query");
  const Rows gates = rows_of(gate, given.size, "attend: gate");
  const int64_t* unit = places_of(units, count, keys.shape(0), "attend: units");
  float* to_weights = output(weights, count, given.exemplars, "attend: weights");
  float* to_gated = output(gated, count, given.size, "attend: gated");
  const py::gil_scoped_release release;
  attend(queries, gates, unit, count, given, threads, to_weights, to_gated);
}

void cell_rows(const Matrix& left, const Dense<int64_t>& left_row, const Matrix& right,
               const Dense<int64_t>& right_row, const Dense<float>& c, const Dense<int64_t>& c_row,
               int threads, Matrix new_h, Matrix new_c) {
  if (c.ndim() != 2) throw UserError("lstm_cell: expected c (R, H)");
  const py::ssize_t hidden = c.shape(1), count = left_row.size();
  const Rows lefts = rows_of(left, 4 * hidden, "lstm_cell: left");
  const Rows rights = rows_of(right, 4 * hidden, "lstm_cell: right");
  const int64_t* from_left = places_of(left_row, count, left.shape(0), "lstm_cell: left_row");
  const int64_t* from_right = places_of(right_row, count, right.shape(0), "lstm_cell: right_row");
  const int64_t* from_c = places_of(c_row, count, c.shape(0), "lstm_cell: c_row");
  float* to_h = output(new_h, count, hidden, "lstm_cell: h");
  float* to_c = output(new_c, count, hidden, "lstm_cell: c");
  const py::gil_scoped_release release;
  lstm_cell(lefts, from_left, rights, from_right, c.data(), from_c, count, hidden, threads, to_h,
            to_c);
}

}  // namespace

void bind_recurrent(py::module_& m) {
  m.def("attend", &attend_rows);
  m.def("lstm_cell", &cell_rows);
}

}  // namespace milan
