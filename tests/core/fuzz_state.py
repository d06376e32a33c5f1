"""A fuzzer of everything that reads stored scans: deterministic, no dependency, bounded time.

    python tests/core/fuzz_state.py --inputs 100000

Two kinds of damage. Bytes of a file change, move, vanish or are repeated, with most of the effort
on the header, its length field and the JSON in it. And the contents change under a correct
checksum, as a broken or hostile writer would do it: numbers of the header, types, shapes and bytes
of the arrays. Every input must either be read, and then survive use, or end in a `UserError`;
anything else leaves with the input written to the folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from milan_core import ops
from milan_core.errors import UserError
from milan_core.exemplars.state import SHARD_KIND, SHARD_VERSION, Header, MiningState
from milan_core.exemplars.store import ExemplarSet, load_exemplars, merge
from milan_core.runtime.files import load_tensors, save_tensors

ODD = (
    *(0, 1, -1, 2, 3, 7, 8, 16, 23, 24, 64, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**63, 2**64),
    *(0.5, -0.0, 1e308, float("nan"), float("inf"), "", "x", "top", None, True, [], [1], {}, [[1]]),
)
TYPES = ("u1", "i2", "u4", "i8", "u8", "f2", "f4", "f8", "?")


def sample_file(folder: Path) -> Path:
    """A shard with two layers, a sample and bands: all parts that a file can have."""
    rng = np.random.default_rng(0)
    layers, samples = {}, {}
    for name, shape in (("a", (3, 2, 2)), ("b", (2, 1, 1))):
        units, *size = shape
        options = {"total_images": 9, "quantile": 0.8}
        layers[name] = ops.ScanState(
            units, tuple(size), 2, **options, bits=10 if name == "a" else 23
        )
        samples[name] = ops.ScanState(units, tuple(size), 4, **options, bits=2, keep_maps=False)
        values = np.maximum(rng.normal(size=(6, *shape)), 0).astype(np.float32)
        layers[name].update(values, np.arange(6))
        samples[name].update(values[:4], np.arange(4))
    header = Header(
        **{"model": "m", "model_hash": "h", "dataset": "d", "images": 6, "layers": ("a", "b")},
        **{"k": 2, "quantile": 0.8, "sample": 4, "bands": 2, "band_size": 1},
    )
    MiningState(header, layers, samples).save(folder / "shard.safetensors")
    ExemplarSet.from_state(MiningState(header, layers, samples)).save(folder / "whole.safetensors")
    return folder / "shard.safetensors"


def use(path: Path) -> None:
    """Read a file as every stage would, and ask it for all answers."""
    found = load_exemplars(path)
    for name in found.layers:
        found.ids(name), found.activations(name), found.counts(name)
        if found.complete:
            found.packed_masks(name, 8)
            found.levels(name)
            if (spread := found.distribution(name)) is not None:
                spread.unit(0)
    if found.complete:
        return
    state = MiningState.load(path)
    for scan in (*state.layers.values(), *state.samples.values()):
        scan.topk()
        scan.levels()
        scan.to_arrays()
        units, pixels = scan.spec.units, scan.spec.pixels
        if scan.images < scan.spec.total_images and units * pixels < 2**16:
            scan.update(np.ones((1, units, *scan.spec.map_shape), np.float32), [2**32 - 1])
    merge([found, found])


def mutate_bytes(raw: bytes, rng: np.random.Generator) -> bytes:
    """A few changed, cut, repeated or moved bytes, mostly in the header."""
    data = bytearray(raw)
    header = 8 + int.from_bytes(raw[:8], "little")
    for _ in range(int(rng.integers(1, 5))):
        limit = len(data) if rng.random() < 0.3 else min(header, len(data))
        at = int(rng.integers(0, max(1, limit if rng.random() < 0.8 else 8)))
        kind = rng.integers(0, 6)
        if not data or kind == 0:
            data[at:at] = rng.integers(0, 256, int(rng.integers(1, 9)), np.uint8).tobytes()
        elif kind == 1:
            del data[at : at + int(rng.integers(1, 64))]
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            data[at:at] = data[at : at + int(rng.integers(1, 64))]
        else:
            data[min(at, len(data) - 1)] = int(rng.choice([0, 255, 34, 48, 57, 91, 123, 125, 128]))
    return bytes(data)


def mutate_json(value: Any, rng: np.random.Generator) -> Any:
    """The value with one entry, somewhere, replaced, removed or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = str(rng.choice(sorted(value)))
        out = dict(value)
        if rng.random() < 0.1:
            out[key + "x"] = out.pop(key)
        elif rng.random() < 0.1:
            del out[key]
        else:
            out[key] = mutate_json(out[key], rng)
        return out
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = int(rng.integers(len(value)))
        return [*value[:at], mutate_json(value[at], rng), *value[at + 1 :]]
    return ODD[int(rng.integers(len(ODD)))]


def mutate_array(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The array with another type, shape, length or content."""
    kind = int(rng.integers(0, 5))
    if kind == 0:
        with np.errstate(all="ignore"):
            return array.astype(str(rng.choice(TYPES)))
    if kind == 1:
        return array.reshape(-1)[: int(rng.integers(0, array.size + 1))]
    if kind == 2:
        return array.reshape(array.shape[::-1])
    raw = bytearray(array.tobytes())
    for _ in range(int(rng.integers(1, 4)) if raw else 0):
        raw[int(rng.integers(len(raw)))] = int(rng.choice([0, 1, 127, 128, 255]))
    return np.frombuffer(bytes(raw), array.dtype).reshape(array.shape)


def resigned(path: Path, arrays: dict[str, Any], meta: Any, rng: np.random.Generator) -> None:
    """Write changed contents with a correct checksum."""
    arrays = dict(arrays)
    if rng.random() < 0.5:
        meta = mutate_json(meta, rng)
    for _ in range(int(rng.integers(0, 3))):
        name = str(rng.choice(sorted(arrays)))
        arrays[name] = mutate_array(arrays[name], rng)
    if rng.random() < 0.1:
        arrays.pop(str(rng.choice(sorted(arrays))))
    save_tensors(path, path.stem, meta_version(path), arrays, meta)


def meta_version(path: Path) -> int:
    """The newest version of either kind."""
    return SHARD_VERSION if path.stem == SHARD_KIND else 2


def fuzz(inputs: int, folder: Path, seed: int = 0) -> dict[str, int]:
    """Try `inputs` damaged files; how many were read and how many refused."""
    files = [sample_file(folder), folder / "whole.safetensors"]
    raws = [file.read_bytes() for file in files]
    kinds = (SHARD_KIND, "milan-exemplars")
    contents = [
        load_tensors(f, k, (meta_version(Path(k)),)) for f, k in zip(files, kinds, strict=True)
    ]
    outcome = {"read": 0, "refused": 0}
    for number in range(inputs):
        rng = np.random.default_rng([seed, number])
        which = number % 2
        path = folder / kinds[which]
        if rng.random() < 0.5:
            path.write_bytes(mutate_bytes(raws[which], rng))
        else:
            try:
                resigned(path, *contents[which], rng)
            except (TypeError, ValueError):
                continue  # the writer itself cannot store this, NaN in a header for example
        try:
            use(path)
            outcome["read"] += 1
        except UserError:
            outcome["refused"] += 1
        except BaseException:
            print(f"input {number} of seed {seed}: kept as {path}", file=sys.stderr)
            raise
    return outcome


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    start = time.monotonic()
    print(fuzz(arguments.inputs, folder, arguments.seed), f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
