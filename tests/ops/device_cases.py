"""The matrix of device scans and masks, in NumPy alone: run on the shim, sanitized, and on GPUs."""

from __future__ import annotations

import ctypes
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from milan_core import ops
from milan_core.ops import cuda
from milan_core.ops.cuda_scan import CudaScan

CAPSULE_POINTER = ctypes.pythonapi.PyCapsule_GetPointer
CAPSULE_POINTER.restype = ctypes.c_void_p
CAPSULE_POINTER.argtypes = [ctypes.py_object, ctypes.c_char_p]
CODE_OFFSET, BFLOAT = 20, 4  # of the type in a DLPack tensor


class Bfloat:
    """bfloat16 in NumPy's uint16, exported by DLPack as what it is."""

    dtype = "bfloat16"

    def __init__(self, bits: np.ndarray):
        self.bits = bits
        self.shape = bits.shape

    def __getitem__(self, where: Any) -> Bfloat:
        return Bfloat(self.bits[where])

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __dlpack__(self) -> Any:
        capsule = self.bits.__dlpack__()
        ctypes.c_uint8.from_address(
            CAPSULE_POINTER(capsule, b"dltensor") + CODE_OFFSET
        ).value = BFLOAT
        return capsule


class Elsewhere:
    """An array on a device, as far as anyone can see."""

    dtype = "float32"

    def __init__(self, values: Any):
        self.values, self.shape = values, values.shape

    def __dlpack_device__(self) -> tuple[int, int]:
        return (cuda.DEVICE_TYPE, 0)

    def cpu(self) -> Any:
        return self.values


@dataclass(frozen=True)
class Case:
    """One scan. `layout`: nchw, nhwc, tokens (unaligned rows), strided."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    layout: str = "nchw"
    k: int = 5
    q: float = 0.9
    mode: str = "top"
    bits: int = 10
    kind: str = "signed"
    batches: tuple[int, ...] = (7, 3)
    keep_maps: bool = True

    @property
    def name(self) -> str:
        shape = "x".join(map(str, self.shape))
        return f"{shape}-{self.dtype}-{self.layout}-{self.kind}-{self.mode}-k{self.k}-b{self.bits}"


def drawn(case: Case) -> np.ndarray:
    """float32 values of a kind that is hard for something."""
    rng = np.random.default_rng(len(case.name))
    values = rng.normal(size=case.shape).astype(np.float32)
    if case.kind in ("relu", "warm"):
        values = np.maximum(values, 0)
    elif case.kind == "dead":
        values[:, ::2] = 0
    elif case.kind == "tied":
        values = np.round(values)
    elif case.kind == "growing":  # the floor rises past the octaves seen first
        values = np.abs(values) * np.float32(2) ** np.arange(len(values)).reshape(-1, 1, 1, 1)
        values = values.astype(np.float32)
    elif case.kind == "constant":
        values[:] = 1.5
    elif case.kind == "special":
        odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1e-39, 3e38, -3e38, 65504.0]
        values = rng.choice(np.array(odd, np.float32), size=case.shape)
        values[1, 0] = np.nan
        values[2, 0] = -np.inf
    return values


def arranged(case: Case) -> Any:
    """The values in the type and layout of the case."""
    values = drawn(case)
    with np.errstate(over="ignore", invalid="ignore"):
        if case.dtype == "float16":
            values = values.astype(np.float16)
        elif case.dtype == "bfloat16":
            values = (values.view(np.uint32) >> 16).astype(np.uint16)
    if values.ndim == 4 and case.layout == "nhwc":
        values = values.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
    elif case.layout == "tokens":
        n, units, h, w = values.shape
        rows = np.zeros((n, h * w + 1, units), values.dtype)
        rows[:, 1:] = values.reshape(n, units, -1).transpose(0, 2, 1)
        values = rows[:, 1:].transpose(0, 2, 1).reshape(n, units, h, w)
        assert np.shares_memory(values, rows)
    elif case.layout == "strided":
        n, units, h, w = values.shape
        spread = np.zeros((n, units, 2 * h, 3 * w), values.dtype)
        spread[:, :, ::2, ::3] = values
        values = spread[:, :, ::2, ::3]
    return Bfloat(values) if case.dtype == "bfloat16" else values


def state_of(case: Case, values: Any) -> ops.ScanState:
    """The scan of the case, in its batches; on the device where `cuda` says so."""
    number, units, *size = case.shape
    rules = {"mode": case.mode, "bits": case.bits, "keep_maps": case.keep_maps}
    state = ops.ScanState(units, tuple(size) or (1, 1), case.k, case.q, number, **rules)
    ids = np.random.default_rng(3).permutation(2**32 - 1 - np.arange(number, dtype=np.int64))
    first = 0
    for size_now in [*case.batches, number]:
        if first < number:
            part = slice(first, first + size_now)
            state.update(values[part], ids[part])
            first += size_now
    return state


def arrays_of(state: ops.ScanState) -> dict[str, bytes]:
    arrays, meta = state.to_arrays()
    return {"meta": repr(meta).encode(), **{name: a.tobytes() for name, a in arrays.items()}}


def expected(case: Case) -> dict[str, bytes]:
    """What the CPU kernel gives, whatever counts as a device now."""
    before, cuda.DEVICE_TYPE = cuda.DEVICE_TYPE, 2
    try:
        return arrays_of(state_of(case, arranged(case)))
    finally:
        cuda.DEVICE_TYPE = before


def check(case: Case) -> None:
    """The device scan equals the CPU scan byte for byte."""
    state = state_of(case, arranged(case))
    assert state.on_device
    got, want = arrays_of(state), expected(case)
    wrong = [name for name, value in want.items() if got[name] != value]
    assert not wrong, f"{case.name}: {wrong}"


def spec_of(case: Case) -> tuple[Any, ...]:
    """Arguments of a `ScanState` for `small_scan`."""
    return case.shape[1], case.shape[2:], case.k, case.q, case.shape[0]


def small_scan(case: Case, *, blocks: int = 0, spills: int = -1, carry: int = 0) -> ops.ScanState:
    """A device state with chosen memory, fed in batches of the case's first size."""
    state = ops.ScanState(*spec_of(case))
    scan = CudaScan(state._impl, state.spec, 0)
    arguments, total = state.spec.native_arguments(), state.spec.total_images * state.spec.pixels
    module: Any = cuda.kernels()
    scan._device = module.DeviceScan(
        *arguments[:4], total, *arguments[4:], 0, blocks, spills, carry
    )
    state._impl = scan
    values, ids = arranged(case), np.arange(case.shape[0])
    for first in range(0, case.shape[0], case.batches[0]):
        part = slice(first, first + case.batches[0])
        state.update(values[part], ids[part])
    return state


def host_arrays(case: Case) -> dict[str, bytes]:
    """The CPU's state for `small_scan`."""
    state = ops.ScanState(*spec_of(case))
    state._impl.update(arranged(case), np.arange(case.shape[0]), 1)
    return arrays_of(state)


def check_carries() -> None:
    """Counts that are folded while floors rise equal the CPU's."""
    case = Case((30, 3, 8, 8), kind="tied", batches=(3,), q=0.9)
    assert arrays_of(small_scan(case, carry=3)) == host_arrays(case)


DTYPES = ("float32", "bfloat16", "float16")
LAYOUTS = ("nchw", "nhwc", "tokens", "strided")
CASES = [
    # every layout and type, on planes with and without whole 16-byte words
    *(Case((12, 9, 5, 5), dtype, layout) for dtype, layout in itertools.product(DTYPES, LAYOUTS)),
    *(Case((11, 8, 8, 4), dtype, layout) for dtype, layout in itertools.product(DTYPES, LAYOUTS)),
    # planes of several runs and chunks
    *(Case((4, 2, 70, 65), dtype, layout, batches=(2,)) for dtype in DTYPES for layout in LAYOUTS),
    # tiles: several a block, and a ragged end
    *(Case((40, 24, 7, 7), dtype, kind="warm", q=0.99, batches=(3, 16)) for dtype in DTYPES),
    # the histogram in shared memory, then the ordinary one after the floor has risen
    *(Case((40, 2, 30, 31), dtype, kind="warm", q=0.99, batches=(12,)) for dtype in DTYPES),
    # vectors, one pixel, one unit
    *(Case((33, 40), dtype, q=0.5) for dtype in DTYPES),
    Case((9, 1, 1, 1), batches=(1, 1)),
    Case((9, 3, 1, 40), layout="nhwc"),
    # values
    *(
        Case((14, 6, 6, 6), dtype, layout, kind=kind)
        for kind in ("special", "dead", "tied", "constant")
        for dtype, layout in (("float32", "nchw"), ("float16", "nhwc"), ("bfloat16", "strided"))
    ),
    # rules
    *(Case((14, 5, 6, 7), mode=mode, kind="special") for mode in ("bottom", "magnitude")),
    *(Case((14, 5, 6, 7), mode=mode, layout="nhwc") for mode in ("bottom", "magnitude")),
    *(Case((14, 5, 6, 7), bits=bits, q=0.5) for bits in (4, 7, 13, 16)),
    *(Case((90, 3, 3, 3), k=k, batches=(50, 1)) for k in (1, 32, 33, 64)),
    Case((300, 2, 2, 2), k=20, batches=(299,)),
    # without maps: more keys than are sorted on the device, all images and not all; every value
    Case((90, 3, 3, 3), k=90, bits=2, q=1e-12, batches=(50, 1), keep_maps=False),
    Case((90, 6, 7, 7), "float16", "nhwc", k=90, q=1e-12, bits=2, kind="special", keep_maps=False),
    Case((200, 3, 3, 3), k=70, batches=(50, 90), kind="tied", keep_maps=False),
]


def check_masks(h: int, w: int, height: int, width: int, border: str, count: int = 5) -> None:
    """Device masks equal the CPU's, NaN and infinities included."""
    rng = np.random.default_rng(h * w)
    maps = rng.normal(size=(count, h, w)).astype(np.float32)
    maps[1].flat[0], maps[2].flat[-1], maps[3].flat[h * w // 2] = np.nan, np.inf, -np.inf
    levels = np.resize(np.array([0.3, 0.0, -0.2, 0.5, np.nan], np.float32), count)
    out = np.full((count, height, (width + 7) // 8), 0xCB, np.uint8)
    cuda.masks(maps, levels, (height, width), out, border)
    assert out.tobytes() == ops.masks(maps, levels, (height, width), border).tobytes()


MASKS = [
    (7, 7, 64, 64),
    (5, 9, 30, 41),
    (1, 1, 8, 8),
    (14, 14, 13, 9),
    (3, 2, 1, 100),
    (120, 112, 40, 70),  # too large for the staged frame
]


def run_for_sanitizers() -> None:
    """Everything once, without float16: its memory accesses are those of bfloat16."""
    for case in CASES:
        if case.dtype != "float16":
            check(case)
    for size, border in itertools.product(MASKS, ("zeros", "clamp")):
        check_masks(*size, border)


#: Cases that together meet every barrier, with enough work for blocks to go round their loops.
TELLING = [
    Case((24, 48, 7, 7), q=0.99, batches=(20,)),  # three tiles a block
    Case((40, 2, 30, 31), kind="warm", q=0.99, batches=(12,)),
    Case((24, 40, 6, 6), layout="nhwc", batches=(20,)),  # three images a block
    Case((30, 5, 6, 6), kind="growing", q=0.99, batches=(5, 5, 5)),
]


def check_telling() -> None:
    """The telling cases and masks."""
    for case in TELLING:
        check(case)
    check_carries()
    check_masks(7, 7, 64, 64, "zeros", count=40)  # several a block
