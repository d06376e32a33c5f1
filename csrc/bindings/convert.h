// Python arrays to views and back. Shapes are checked in milan_core/ops; the checks here only keep
// memory safe.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "bindings/dlpack.h"
#include "milan/array.h"

namespace milan {

/// Activations (images, units, height, width) or (images, units) of anything with DLPack, read in
/// place, and whatever keeps the memory alive.
struct BorrowedActivations {
  Activations view;
  std::shared_ptr<void> owner;
};

/// Throws UserError for other devices and types, with the fix.
BorrowedActivations borrow_activations(const pybind11::object& array, int64_t units,
                                       int64_t pixels);

/// Memory of another library, and whatever keeps it alive.
struct BorrowedTensor {
  dlpack::Tensor tensor;
  std::shared_ptr<void> owner;
};

/// A tensor of anything with DLPack. With `on_device` the producer is told to wait for nothing: the
/// work on the tensor goes to the stream that made it.
BorrowedTensor borrow_tensor(const pybind11::object& array, bool on_device);

/// A tensor of 2 or 4 axes as activations, whatever its device.
Activations activations_of(const dlpack::Tensor& tensor);

/// A copy as an array of this shape.
template <class T>
pybind11::array_t<T> to_numpy(const std::vector<T>& values,
                              const std::vector<pybind11::ssize_t>& shape) {
  pybind11::array_t<T> out(shape);
  std::copy(values.begin(), values.end(), out.mutable_data());
  return out;
}

/// A C-contiguous array of exactly T; pybind11 copies when it must.
template <class T>
using Dense = pybind11::array_t<T, pybind11::array::c_style | pybind11::array::forcecast>;

void bind_scan(pybind11::module_& m);
void bind_mask(pybind11::module_& m);
void bind_beam(pybind11::module_& m);
void bind_formulas(pybind11::module_& m);
void bind_recurrent(pybind11::module_& m);

}  // namespace milan
