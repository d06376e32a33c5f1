// The device half of the native core as a module of its own: `_cuda` with nvcc, or the same sources
// on the host for tests. Shapes are checked in milan_core/ops; here only what keeps memory safe.
#include <utility>

#include "bindings/convert.h"
#include "cuda/launch.h"
#include "cuda/masks.h"
#include "cuda/scan.h"
#include "milan/error.h"

namespace py = pybind11;

namespace milan::cuda {
namespace {

#if defined(MILAN_SHIM)
constexpr int32_t kDevice = dlpack::kCpu;
#else
constexpr int32_t kDevice = dlpack::kCuda;
#endif

cudaStream_t as_stream(uintptr_t handle) { return reinterpret_cast<cudaStream_t>(handle); }

/// Number of devices; without a driver 0, and why.
py::tuple devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess) return py::make_tuple(count, "");
  (void)cudaGetLastError();
  return py::make_tuple(0, cudaGetErrorString(status));
}

/// What Python offers to free cached device memory; leaked, since it may outlive the interpreter.
py::object* memory_hook = nullptr;

void call_memory_hook() {
  const py::gil_scoped_acquire acquire;
  (*memory_hook)();
}

void set_memory_hook(py::object hook) {
  delete std::exchange(memory_hook, hook.is_none() ? nullptr : new py::object(std::move(hook)));
  free_cached_memory = memory_hook != nullptr ? &call_memory_hook : nullptr;
}

/// A dense tensor of one type on the device.
BorrowedTensor borrow_dense(const py::object& array, uint8_t code, uint8_t bits, const char* what) {
  BorrowedTensor borrowed = borrow_tensor(array, kDevice != dlpack::kCpu);
  const dlpack::Tensor& t = borrowed.tensor;
  int64_t dense = 1;
  bool fits = t.device_type == kDevice && t.code == code && t.bits == bits && t.lanes == 1;
  for (int axis = t.ndim; axis-- > 0;) {
    fits = fits && (t.shape[axis] == 1 || t.strides == nullptr || t.strides[axis] == dense);
    dense *= t.shape[axis];
  }
  if (!fits) throw UserError(std::string(what) + ", dense and on the device");
  return borrowed;
}

template <class T>
T* data_of(const BorrowedTensor& borrowed) {
  return reinterpret_cast<T*>(static_cast<char*>(borrowed.tensor.data) +
                              borrowed.tensor.byte_offset);
}

int64_t size_of(const BorrowedTensor& borrowed) {
  int64_t size = 1;
  for (int axis = 0; axis < borrowed.tensor.ndim; ++axis) size *= borrowed.tensor.shape[axis];
  return size;
}

Activations activations_on_device(const BorrowedTensor& borrowed, const DeviceRules& rules) {
  const Activations view = activations_of(borrowed.tensor);
  if (borrowed.tensor.device_type != kDevice) {
    throw UserError("ScanState.update: the activations are not on a CUDA device");
  }
  if (view.units != rules.units || view.pixels() != rules.pixels ||
      reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(dtype_size(view.dtype))) {
    throw UserError("activations: expected " + std::to_string(rules.units) + " units of " +
                    std::to_string(rules.pixels) + " pixels, aligned to their type");
  }
  return view;
}

/// DeviceScan with its rules, for the checks.
struct Scan {
  DeviceRules rules;
  DeviceScan scan;
  int device;

  Scan(const DeviceRules& given, int on) : rules(given), scan(given, on), device(on) {}

  /// True when the work was captured in a graph instead of started.
  bool update(const py::object& activations, const py::object& ids, uintptr_t stream) {
    const BorrowedTensor borrowed = borrow_tensor(activations, kDevice != dlpack::kCpu);
    const Activations view = activations_on_device(borrowed, rules);
    if (borrowed.tensor.device_id != device) {
      throw UserError("ScanState.update: the first batch was on device " + std::to_string(device) +
                      ", this one is on " + std::to_string(borrowed.tensor.device_id));
    }
    if (py::isinstance<py::array>(ids)) {
      const auto host = py::cast<Dense<int64_t>>(ids);
      if (host.size() != view.images) throw UserError("one image id for each image is needed");
      const int64_t* numbers = host.data();
      const py::gil_scoped_release release;
      return scan.update(view, {numbers, nullptr}, as_stream(stream));
    }
    const BorrowedTensor there = borrow_dense(ids, dlpack::kInteger, 64, "image ids must be int64");
    if (size_of(there) != view.images) throw UserError("one image id for each image is needed");
    const py::gil_scoped_release release;
    return scan.update(view, {nullptr, data_of<int64_t>(there)}, as_stream(stream));
  }
};

py::tuple collect(Scan& self, uintptr_t stream) {
  Collected found;
  {
    const py::gil_scoped_release release;
    found = self.scan.collect(as_stream(stream));
  }
  const py::ssize_t units = self.rules.units, k = self.rules.k;
  const py::ssize_t cells = static_cast<py::ssize_t>(found.bins.size());
  py::dict out;
  out["nan"] = to_numpy(found.nan, {units});
  out["zeros"] = to_numpy(found.zeros, {units});
  out["negatives"] = to_numpy(found.negatives, {units});
  out["cells"] = to_numpy(found.cells, {units});
  out["bins"] = to_numpy(found.bins, {cells});
  out["counts"] = to_numpy(found.counts, {cells});
  out["keys"] = to_numpy(found.keys, {units, k});
  out["maps"] = to_numpy(found.maps, {units, k, self.rules.keep_maps ? self.rules.pixels : 0});
  return py::make_tuple(out, found.images);
}

void make_masks(const py::object& maps, const py::object& levels, int h, int w, int height,
                int width, bool clamp, uintptr_t stream, const py::object& out) {
  const BorrowedTensor from = borrow_dense(maps, dlpack::kFloat, 32, "masks: maps must be float32");
  const BorrowedTensor level =
      borrow_dense(levels, dlpack::kFloat, 32, "masks: levels must be float32");
  const BorrowedTensor to = borrow_dense(out, dlpack::kUnsigned, 8, "masks: out must be uint8");
  const int64_t count = size_of(level);
  if (size_of(from) != count * h * w || size_of(to) != count * height * ((width + 7) / 8) ||
      from.tensor.device_id != to.tensor.device_id ||
      from.tensor.device_id != level.tensor.device_id) {
    throw UserError("masks: expected maps (M, h, w), levels (M,), out (M, H, ceil(W / 8))");
  }
  const py::gil_scoped_release release;
  masks(data_of<const float>(from), data_of<const float>(level), count, h, w, height, width,
        clamp ? Border::kClamp : Border::kZeros, from.tensor.device_id, as_stream(stream),
        data_of<uint8_t>(to));
}

#if defined(MILAN_SHIM)
void bind_shim(py::module_& m) {
  m.def("set_seed", &shim::set_seed);
  m.def("drop_barrier", &shim::drop_barrier);
  m.def("set_capturing", [](bool on) { shim::world.capturing = on; });
  m.def("set_late_copies", [](size_t number) { shim::world.late_copies = number; });
  m.def("set_capability", [](int major) { shim::world.capability = major; });
  m.def("set_failing_allocations", [](int number) { shim::world.failing_allocations = number; });
  m.def("replay", &shim::replay);
  m.def("forget_graph", &shim::forget_graph);
  m.def("forget_kernels", &shim::forget_kernels);
  m.def("current_device", [] { return shim::world.current_device; });
  m.def("set_current_device", [](int device) { shim::world.current_device = device; });
  m.def("take_barriers", [] {
    py::list names;
    for (const std::string& name : shim::take_barriers()) names.append(name);
    return names;
  });
  m.def("counts", [] {
    return py::make_tuple(shim::counts.waits, shim::counts.allocations, shim::counts.launches,
                          shim::counts.device_changes);
  });
}
#endif

}  // namespace
}  // namespace milan::cuda

PYBIND11_MODULE(MILAN_MODULE, m) {
  using namespace milan::cuda;
  m.doc() = "CUDA kernels of MILAN-workflow; use them through milan_core.ops.";
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const milan::UserError& error) {
      const py::object type = py::module_::import("milan_core.core.errors").attr("UserError");
      PyErr_SetString(type.ptr(), error.what());
    }
  });
  m.attr("architectures") = MILAN_ARCHITECTURES;
  m.def("devices", &devices, "(number of devices, why there are none).");
  m.def("device_problem", &device_problem, "Why the kernels cannot run on a device, or ''.");
  m.def("set_memory_hook", &set_memory_hook, "Called once when device memory runs out.");
  m.def("masks", &make_masks);
  py::class_<Scan>(m, "DeviceScan")
      .def(py::init([](int64_t units, int64_t pixels, int64_t k, uint64_t rank, uint64_t total,
                       int mode, int bits, bool keep_maps, int device, int64_t blocks,
                       int64_t spills, int carry_shift) {
        return std::make_unique<Scan>(DeviceRules{units, pixels, k, rank, total, mode, bits,
                                                  keep_maps, blocks, spills, carry_shift},
                                      device);
      }))
      .def("update", &Scan::update)
      .def("collect", &collect)
      .def_property_readonly("seen_nan", [](const Scan& self) { return self.scan.seen_nan(); })
      .def_property_readonly("blocks", [](const Scan& self) { return self.scan.blocks(); });
#if defined(MILAN_SHIM)
  bind_shim(m);
#endif
}
