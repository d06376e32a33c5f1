"""Read weight files without running code from them, and explain what is wrong with them."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from milan_core.core.archives import open_zip
from milan_core.core.arrays import read_npy_header
from milan_core.core.errors import DAMAGE, UserError, first_line, reading, reads
from milan_core.core.tensors import load_tensors, save_tensors
from milan_core.networks.claims import bytes_of, check_archive, check_claim
from milan_core.networks.containers import COUNTER, contents, is_lazy, plain_state, shared
from milan_core.networks.finite import check_numbers, densely
from milan_core.networks.mapping import mapped
from milan_core.networks.weight_options import StoredWeights

WEIGHTS_KIND = "milan-weights"
PIECE = 1 << 20  # bytes that are summed at once
_SHOWN = 3  # how many keys an error message lists


def save_weights(module: nn.Module, path: Path | str, meta: Any = None) -> None:
    """Write a module's state dictionary (kind milan-weights); equal weights give equal bytes."""
    arrays = {
        name: tensor.detach().cpu().contiguous().numpy()
        for name, tensor in module.state_dict().items()
    }
    save_tensors(path, WEIGHTS_KIND, 1, arrays, meta)


@reads("a file of weights", "fetch or train them again")
def read_meta(path: Path) -> dict[str, Any]:
    """The metadata that `save_weights` wrote; empty for other weight files."""
    if path.suffix != ".safetensors":
        return {}
    _, meta = load_tensors(path, WEIGHTS_KIND, dict[str, Any])
    return meta


def load_weights(module: nn.Module, path: Path | str, reading: StoredWeights | None = None) -> None:
    """Load a state dictionary (.safetensors, torch's, .npz) into `module`; every key must fit.

    The format is detected from the content, not from the extension.

    Args:
        module: the network; it takes the weights in place.
        path: the weights file.
        reading: how the stored tensors get the module's names, see `milan_core.networks.mapping`.

    Raises:
        UserError: for a missing, damaged or foreign file, and for tensors that do not fit.

    """
    value = read_file(path)
    expected = module.state_dict()
    if packed := [key for key, held in expected.items() if not isinstance(held, torch.Tensor)]:
        msg = (
            f"{type(module).__name__} is quantized ({packed[0]} is no plain tensor): load its "
            f"weights in the factory, and leave out `weights` ({path})"
        )
        raise UserError(msg)
    state = mapped(value, module, reading or StoredWeights(), str(path))
    for key, tensor in state.items():  # some writers turn a scalar () into a row of one (1,)
        if key not in expected or is_lazy(expected[key]):
            continue
        if tensor.numel() == expected[key].numel() == 1:
            state[key] = tensor.reshape(expected[key].shape)
    _check_types(state, expected, path)
    problems = _misfits(state, expected)
    differences = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in problems.items() if keys]
    if differences:
        msg = (
            f"weights {path} do not fit {type(module).__name__}: keys {'; '.join(differences)}; "
            "check the factory and its kwargs (number of classes, widths), or map the names with "
            f"`weights: {{keys: {{pattern: replacement}}, drop: [...]}}`{_holds(value)}"
        )
        raise UserError(msg)
    dense = {key: densely(tensor, expected[key]) for key, tensor in state.items()}
    check_numbers(dense, module, path)
    assign = any(tensor.is_meta for tensor in expected.values())  # nothing to copy into
    module.load_state_dict(dense, strict=False, assign=assign)


def _misfits(
    state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]
) -> dict[str, list[str]]:
    """Names that do not fit the tensors of a network, by what is wrong."""
    twins = shared(expected)
    return {
        "missing": [
            key
            for key in expected
            # BatchNorm counters are absent from old checkpoints and play no part in inference.
            if not key.endswith(COUNTER)
            and key not in state
            and not any(name in state for name in twins.get(key, ()))
        ],
        "different from others that the network shares with them": [
            f"{key} and {name}"
            for key, names in twins.items()
            for name in names
            if key < name
            and key in state
            and name in state
            and not torch.equal(state[key], state[name])
        ],
        "unexpected": [key for key in state if key not in expected],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
            for key in expected
            if key in state
            and not is_lazy(expected[key])
            and state[key].shape != expected[key].shape
        ],
    }


def _check_types(
    state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], path: Path | str
) -> None:
    """Refuse bytes, quantized and complex numbers where the network has real ones."""
    for key, held in expected.items():
        given = state.get(key)
        if given is None or given.numel() < 2 or not held.is_floating_point():
            continue
        if given.is_complex() or given.is_quantized or given.dtype in (torch.int8, torch.uint8):
            kind, wanted = (str(t.dtype).removeprefix("torch.") for t in (given, held))
            raise UserError(
                f"weights {path}: {key} is {kind} and the network's {wanted}; codes of quantized "
                "numbers mean nothing without their scales: make numbers of them with `weights: "
                "{convert: package.module:callable}`"
            )


def without_numbers(tensor: torch.Tensor) -> str:
    """Why a tensor holds no numbers, and what to do; empty where it does."""
    if is_lazy(tensor):
        return "takes its shape from the first input: run the network once in the factory"
    if tensor.is_meta:
        return (
            "is on the meta device and holds no numbers: build the network on the CPU, or give its "
            "weights as a file"
        )
    return ""


def _holds(value: Any) -> str:
    """Describe a file that holds more than one bare state dictionary."""
    bare = all(isinstance(item, torch.Tensor) for item in value.values())
    return "" if bare else f"; the file holds {contents(value)}"


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more


def read_state_dict(path: Path | str) -> dict[str, torch.Tensor]:
    """The one state dictionary in a file, taken out of common wrappers; nothing is executed."""
    return plain_state(read_file(path), str(path))


def read_file(path: Path | str) -> Any:
    """All that a weight file holds; nothing in it is executed.

    Raises:
        UserError: for a missing or damaged file, and for one with pickled objects.

    """
    path = Path(path)
    if not path.is_file():
        msg = (
            f"weights not found: {path}; place a state dictionary there (.safetensors, .pth, .pt) "
            "or leave `weights` out when the factory loads them"
        )
        raise UserError(msg)
    return _reader(path)(path)


def _reader(path: Path) -> Callable[[Path], Any]:
    """The reader of a file by its content; by its extension only where the content is ambiguous."""
    try:
        with path.open("rb") as handle:
            head = handle.read(9)
    except OSError as error:
        raise _damaged(path, error) from None
    if head[8:] == b"{" and 8 + int.from_bytes(head[:8], "little") <= path.stat().st_size:
        return _read_safetensors
    if head[:2] == b"PK" and (names := _entries(path)) is not None:
        return _read_npz if all(name.endswith(".npy") for name in names) else _read_torch
    return {".safetensors": _read_safetensors, ".npz": _read_npz}.get(path.suffix, _read_torch)


@reads("a file of weights", "fetch or train them again")
def _entries(path: Path) -> list[str] | None:
    """The names in a zip archive; None of a file that is none."""
    if not zipfile.is_zipfile(path):
        return None
    with open_zip(path) as archive:
        return archive.namelist()


def _read_npz(path: Path) -> dict[str, torch.Tensor]:
    with reading(path, "a file of weights (.npz)", "fetch or train them again"):
        check_archive(path)
        _check_npz(path)
        with np.load(path, allow_pickle=False) as stored:
            return {name: torch.from_numpy(np.array(stored[name])) for name in stored.files}


def _check_npz(path: Path) -> None:
    """Refuse arrays that take more memory than their entries have bytes."""
    with open_zip(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as handle:
                read_npy_header(handle, info.file_size)


@reads("a file of weights", "fetch or train them again")
def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(path, framework="pt") as handle:
            ours = "milan" in (handle.metadata() or {})
        if not ours:
            return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from None
    arrays, _ = load_tensors(path, WEIGHTS_KIND, dict[str, Any])
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _check_sums(path: Path) -> None:
    """Compare the checksums of a torch file's entries, which torch does not; some have none."""
    if not zipfile.is_zipfile(path):
        return
    check_archive(path)
    with open_zip(path) as archive:
        for info in archive.infolist():
            if info.CRC:
                with archive.open(info) as handle:
                    while handle.read(PIECE):
                        pass


def _read_torch(path: Path) -> Any:
    try:
        _check_sums(path)
        value = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        if not zipfile.is_zipfile(path):  # torch's sentence would advise to run what is in it
            raise _damaged(path, ValueError("no archive of tensors")) from None
        msg = (
            f"weights {path} hold pickled Python objects, which this package never executes; "
            "save the state dictionary alone: torch.save(model.state_dict(), path)"
        )
        raise UserError(msg) from None
    except UserError:
        raise
    except DAMAGE as error:
        raise _damaged(path, error) from None
    check_claim(path, bytes_of(value))
    return value


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"weights {path} are damaged or not a weight file ({first_line(error)}); fetch or train "
        "them again"
    )
