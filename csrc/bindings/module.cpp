#include <pybind11/stl.h>

#include "bindings/convert.h"
#include "milan/error.h"
#include "milan/isa.h"

namespace py = pybind11;

PYBIND11_MODULE(_core, m) {
  m.doc() = "Native operations of MILAN-workflow; use them through milan_core.ops.";
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const milan::UserError& error) {
      const py::object type = py::module_::import("milan_core.core.errors").attr("UserError");
      PyErr_SetString(type.ptr(), error.what());
    }
  });
  m.attr("__version__") = MILAN_VERSION;
  m.def("isa", &milan::isa_name, "Instruction set in use.");
  m.def("cpu_features", &milan::isa_available, "Instruction sets that can run here, best last.");
  milan::bind_scan(m);
  milan::bind_mask(m);
  milan::bind_beam(m);
  milan::bind_formulas(m);
  milan::bind_recurrent(m);
}
