#include "milan/mask.h"

#include "bindings/convert.h"
#include "milan/bitset.h"
#include "milan/error.h"
#include "milan/pool.h"

namespace py = pybind11;

namespace milan {
namespace {

py::array_t<uint8_t> make_masks(const Dense<float>& maps, const Dense<float>& levels, int height,
                                int width, bool clamp, int threads) {
  if (maps.ndim() != 3 || levels.size() != maps.shape(0) || height < 1 || width < 1) {
    throw UserError("masks: expected maps (M, h, w) and levels (M,)");
  }
  py::array_t<uint8_t> out({maps.shape(0), py::ssize_t{height}, py::ssize_t{(width + 7) / 8}});
  uint8_t* packed = out.mutable_data();
  const py::gil_scoped_release release;
  masks(maps.data(), levels.data(), maps.shape(0), static_cast<int>(maps.shape(1)),
        static_cast<int>(maps.shape(2)), height, width, clamp ? Border::kClamp : Border::kZeros,
        threads, packed);
  return out;
}

py::array_t<int64_t> joined_pixels(int how, const Dense<uint8_t>& a, const Dense<uint8_t>& b,
                                   const Dense<int64_t>& pick_a, const Dense<int64_t>& pick_b,
                                   int threads) {
  const auto inside = [](const Dense<int64_t>& pick, py::ssize_t rows) {
    for (py::ssize_t i = 0; i < pick.size(); ++i) {
      if (pick.data()[i] < 0 || pick.data()[i] >= rows) return false;
    }
    return true;
  };
  if (a.ndim() != 2 || b.ndim() != 2 || a.shape(1) != b.shape(1) || how < 0 || how > 2 ||
      pick_a.size() != pick_b.size() || !inside(pick_a, a.shape(0)) ||
      !inside(pick_b, b.shape(0))) {
    throw UserError("count_pairs: expected masks (N, bytes) and row numbers inside them");
  }
  py::array_t<int64_t> counts(pick_a.size());
  int64_t* to = counts.mutable_data();
  const py::gil_scoped_release release;
  count_pairs(static_cast<Joined>(how), a.data(), b.data(), a.shape(1), pick_a.data(),
              pick_b.data(), pick_a.size(), threads, to);
  return counts;
}

py::array_t<float> weights(const Dense<uint8_t>& packed, int width, int grid_h, int grid_w,
                           bool points) {
  if (packed.ndim() != 3 || packed.shape(2) != (width + 7) / 8 || grid_h < 1 || grid_w < 1) {
    throw UserError("cell weights: expected packed masks (M, H, ceil(width / 8))");
  }
  py::array_t<float> out({packed.shape(0), py::ssize_t{grid_h}, py::ssize_t{grid_w}});
  float* to = out.mutable_data();
  const py::gil_scoped_release release;
  const auto make = points ? point_weights : area_weights;
  make(packed.data(), packed.shape(0), static_cast<int>(packed.shape(1)), width, grid_h, grid_w,
       to);
  return out;
}

/// Feature maps are used in place, whatever they are mapped from: other types are refused, not
/// converted.
FeatureMaps feature_maps(const py::array& maps) {
  const auto name = py::cast<std::string>(maps.dtype().attr("str"));
  if (maps.ndim() != 4 || (name != "<f4" && name != "<f2") ||
      !(maps.flags() & py::array::c_style)) {
    throw UserError("pool_masks: maps must be float32 or float16 (n, C, h, w) without gaps");
  }
  return {maps.data(),
          name == "<f4" ? Dtype::kFloat32 : Dtype::kFloat16,
          maps.shape(0),
          maps.shape(1),
          static_cast<int>(maps.shape(2)),
          static_cast<int>(maps.shape(3))};
}

py::array_t<float> pool(const py::array& maps, const Dense<int64_t>& rows,
                        const Dense<uint8_t>& packed, int width, bool points, int threads) {
  const FeatureMaps features = feature_maps(maps);
  bool inside = rows.ndim() == 1;
  for (py::ssize_t i = 0; inside && i < rows.size(); ++i) {
    inside = rows.data()[i] >= -1 && rows.data()[i] < features.images;
  }
  if (!inside || packed.ndim() != 3 || packed.shape(0) != rows.size() ||
      packed.shape(2) != (width + 7) / 8) {
    throw UserError("pool_masks: expected rows (M,) of the maps and masks (M, H, row bytes)");
  }
  py::array_t<float> out({rows.size(), static_cast<py::ssize_t>(features.channels)});
  float* to = out.mutable_data();
  const py::gil_scoped_release release;
  pool_masks(features, rows.data(), packed.data(), rows.size(), static_cast<int>(packed.shape(1)),
             width, points ? CellWeights::kPoints : CellWeights::kArea, threads, to);
  return out;
}

}  // namespace

void bind_mask(py::module_& m) {
  m.def("masks", &make_masks);
  m.def("count_pairs", &joined_pixels);
  m.def("cell_weights", &weights);
  m.def("pool_masks", &pool);
}

}  // namespace milan
