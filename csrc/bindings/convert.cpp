#include "bindings/convert.h"

#include <string>

#include "milan/error.h"

namespace py = pybind11;

namespace milan {
namespace {

constexpr const char* kTypes = "activations must be float32, bfloat16 or float16";

/// Take a capsule's tensor over: the consumer renames the capsule and calls the deleter.
template <class Managed>
std::shared_ptr<void> adopt(const py::capsule& capsule, const char* name, const char* used,
                            dlpack::Tensor** tensor) {
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (managed == nullptr) throw py::error_already_set();
  PyCapsule_SetName(capsule.ptr(), used);
  *tensor = &managed->tensor;
  return {managed, [](void* p) {
            auto* owned = static_cast<Managed*>(p);
            if (owned->deleter != nullptr) owned->deleter(owned);
          }};
}

py::capsule export_capsule(const py::object& array, bool on_device) {
  if (!py::hasattr(array, "__dlpack__")) {
    throw UserError(std::string(kTypes) + ", as a NumPy array or anything with __dlpack__; got " +
                    std::string(py::str(py::type::of(array))));
  }
  const py::object method = array.attr("__dlpack__");
  py::dict options;
  if (on_device) options["stream"] = -1;
  try {
    return method(**options, py::arg("max_version") = py::make_tuple(1, 0));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  return method(**options);  // a producer older than DLPack 1.0
}

Dtype dtype_of(const dlpack::Tensor& tensor) {
  if (tensor.lanes == 1 && tensor.code == dlpack::kFloat && tensor.bits == 32) {
    return Dtype::kFloat32;
  }
  if (tensor.lanes == 1 && tensor.code == dlpack::kFloat && tensor.bits == 16) {
    return Dtype::kFloat16;
  }
  if (tensor.lanes == 1 && tensor.code == dlpack::kBfloat && tensor.bits == 16) {
    return Dtype::kBfloat16;
  }
  throw UserError(std::string(kTypes) + "; got a type of " + std::to_string(tensor.bits) +
                  " bits (DLPack code " + std::to_string(tensor.code) + "); convert them first");
}

BorrowedActivations from_tensor(const dlpack::Tensor& tensor, std::shared_ptr<void> owner) {
  if (tensor.device_type != dlpack::kCpu) {
    throw UserError(std::string(kTypes) + "; they are on device type " +
                    std::to_string(tensor.device_type) + "; move them with .cpu()");
  }
  return {activations_of(tensor), std::move(owner)};
}

/// NumPy arrays without DLPack: unaligned, byte-swapped, read-only in old versions, ml_dtypes.
BorrowedActivations from_numpy(const py::array& given) {
  dlpack::Tensor tensor{};
  const auto name = py::cast<std::string>(given.dtype().attr("name"));
  tensor.code = name == "bfloat16" ? dlpack::kBfloat : dlpack::kFloat;
  tensor.bits = static_cast<uint8_t>(given.itemsize() * 8);
  tensor.lanes = name == "float32" || name == "float16" || name == "bfloat16" ? 1 : 0;
  if (tensor.lanes == 0) throw UserError(std::string(kTypes) + "; got " + name);
  py::array array = given;
  bool whole = py::cast<bool>(array.dtype().attr("isnative"));
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    whole = whole && array.strides(axis) % array.itemsize() == 0;
  }
  if (!whole) {
    array = array.attr("astype")(array.dtype().attr("newbyteorder")("="), py::arg("order") = "C");
  }
  std::vector<int64_t> shape(array.shape(), array.shape() + array.ndim()), strides;
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    strides.push_back(array.strides(axis) / array.itemsize());
  }
  tensor.data = const_cast<void*>(array.data());
  tensor.device_type = dlpack::kCpu;
  tensor.ndim = static_cast<int32_t>(array.ndim());
  tensor.shape = shape.data();
  tensor.strides = strides.data();
  return from_tensor(tensor, std::make_shared<py::array>(array));
}

}  // namespace

BorrowedTensor borrow_tensor(const py::object& array, bool on_device) {
  const py::capsule capsule = export_capsule(array, on_device);
  dlpack::Tensor* tensor = nullptr;
  const bool versioned = PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned") != 0;
  auto owner = versioned ? adopt<dlpack::ManagedVersioned>(capsule, "dltensor_versioned",
                                                           "used_dltensor_versioned", &tensor)
                         : adopt<dlpack::Managed>(capsule, "dltensor", "used_dltensor", &tensor);
  return {*tensor, std::move(owner)};
}

Activations activations_of(const dlpack::Tensor& tensor) {
  if (tensor.ndim != 2 && tensor.ndim != 4) {
    throw UserError("activations must have 2 or 4 axes, got " + std::to_string(tensor.ndim));
  }
  int64_t shape[4] = {1, 1, 1, 1}, strides[4] = {1, 1, 1, 1}, dense = 1;
  for (int axis = tensor.ndim; axis-- > 0;) {
    shape[axis] = tensor.shape[axis];
    strides[axis] = tensor.strides != nullptr ? tensor.strides[axis] : dense;
    dense *= shape[axis];
  }
  const auto* data = static_cast<const char*>(tensor.data) + tensor.byte_offset;
  return {data,     dtype_of(tensor), shape[0],   shape[1],   shape[2],
          shape[3], strides[0],       strides[1], strides[2], strides[3]};
}

BorrowedActivations borrow_activations(const py::object& array, int64_t units, int64_t pixels) {
  BorrowedActivations borrowed;
  if (py::isinstance<py::array>(array)) {
    borrowed = from_numpy(py::reinterpret_borrow<py::array>(array));
  } else {
    BorrowedTensor tensor = borrow_tensor(array, false);
    borrowed = from_tensor(tensor.tensor, std::move(tensor.owner));
  }
  if (borrowed.view.units != units || borrowed.view.pixels() != pixels) {
    throw UserError("activations: expected " + std::to_string(units) + " units of " +
                    std::to_string(pixels) + " pixels");
  }
  return borrowed;
}

}  // namespace milan
