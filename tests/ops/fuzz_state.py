"""A fuzzer of everything that reads stored scans: deterministic, in one process, bounded time.

    python tests/ops/fuzz_state.py --inputs 100000

Three kinds of damage. Bytes of a file change, move, vanish or are repeated, with most of the effort
on the header, its length field and the JSON in it. The table of tensors, which is JSON, changes as
a structure under a correct length: types, shapes, places. And the contents change under a correct
checksum, as a broken or hostile writer would do it: numbers of the header, types, shapes and bytes
of the arrays. Every input must either be read, and then survive use, or end in a `UserError`;
anything else leaves with the input written to the folder. Inputs are given through one file in
memory, so nothing is written otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json
from milan_core.core.tensors import _digest, load_tensors
from milan_core.exemplars.merge import merge
from milan_core.exemplars.state import SHARD_KIND, SHARD_VERSION, Header, MiningState
from milan_core.exemplars.store import KIND, VERSION, ExemplarSet, load_exemplars

ODD = (
    *(0, 1, -1, 2, 3, 7, 8, 16, 23, 24, 64, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**63, 2**64),
    *(0.5, -0.0, 1e308, float("nan"), float("inf"), "", "x", "top", None, True, [], [1], {}, [[1]]),
)
TYPES = ("u1", "i2", "u4", "i8", "u8", "f2", "f4", "f8", "?")
TENSOR_TYPES = ("BOOL", "U8", "I16", "F16", "BF16", "U32", "F32", "I64", "U64", "F64", "F8_E4M3")
BYTES = (0, 255, 34, 48, 57, 91, 123, 125, 128)


def mining_state(of: int) -> MiningState:
    """Shard 0 of `of`, with two layers, a sample and bands: all parts that a file can have."""
    rng = np.random.default_rng(0)
    layers, samples = {}, {}
    seen = np.arange(0, 6, of)
    for name, shape in (("a", (3, 2, 2)), ("b", (2, 1, 1))):
        units, *size = shape
        options = {"total_images": 6, "quantile": 0.8}
        bits = 10 if name == "a" else 23
        layers[name] = ops.ScanState(units, tuple(size), 2, **options, bits=bits)
        samples[name] = ops.ScanState(units, tuple(size), 4, **options, bits=2, keep_maps=False)
        values = np.maximum(rng.normal(size=(6, *shape)), 0).astype(np.float32)[seen]
        layers[name].update(values, seen)
        samples[name].update(values[seen < 4], seen[seen < 4])
    header = Header(
        **{"model": "m", "model_hash": "h", "dataset": "d", "images": 6, "layers": ("a", "b")},
        **{"k": 2, "quantile": 0.8, "sample": 4, "bands": 2, "band_size": 1, "of": of},
    )
    return MiningState(header, layers, samples)


def sample_files(folder: Path) -> list[Path]:
    """A complete shard, one of two shards, and a finished result."""
    names = [folder / f"{name}.safetensors" for name in ("shard", "part", "whole")]
    mining_state(1).save(names[0])
    mining_state(2).save(names[1])
    ExemplarSet.from_state(mining_state(1)).save(names[2])
    return names


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


def mutate_bytes(raw: bytes, rng: random.Random) -> bytes:
    """A few changed, cut, repeated or moved bytes, mostly in the header."""
    data = bytearray(raw)
    header = 8 + int.from_bytes(raw[:8], "little")
    for _ in range(rng.randint(1, 4)):
        limit = len(data) if rng.random() < 0.3 else min(header, len(data))
        at = rng.randrange(max(1, limit if rng.random() < 0.8 else 8))
        kind = rng.randrange(6)
        if not data or kind == 0:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        elif kind == 1:
            del data[at : at + rng.randint(1, 63)]
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            data[at:at] = data[at : at + rng.randint(1, 63)]
        else:
            data[min(at, len(data) - 1)] = rng.choice(BYTES)
    return bytes(data)


def mutate_table(raw: bytes, rng: random.Random) -> bytes:
    """The file with another table of tensors before the same data, its length field correct."""
    end = 8 + int.from_bytes(raw[:8], "little")
    table = json.loads(raw[8:end])
    name = rng.choice(sorted(set(table) - {"__metadata__"}))
    if rng.random() < 0.3:
        table[name]["dtype"] = rng.choice(TENSOR_TYPES)
    elif rng.random() < 0.3:
        table[name]["shape"] = [*table[name]["shape"][::-1], rng.choice((0, 1, 2**62))]
    elif rng.random() < 0.3:
        other = rng.choice(sorted(set(table) - {"__metadata__"}))
        table[name], table[other] = table[other], table[name]
    else:
        table = mutate_json(table, rng)
    told = json.dumps(table).encode()
    return len(told).to_bytes(8, "little") + told + raw[end:]


def mutate_json(value: Any, rng: random.Random) -> Any:
    """The value with one entry, somewhere, replaced, removed or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        out = dict(value)
        if rng.random() < 0.1:
            out[key + "x"] = out.pop(key)
        elif rng.random() < 0.1:
            del out[key]
        else:
            out[key] = mutate_json(out[key], rng)
        return out
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], mutate_json(value[at], rng), *value[at + 1 :]]
    return rng.choice(ODD)


def mutate_array(array: np.ndarray, rng: random.Random) -> np.ndarray:
    """The array with another type, shape, length or content."""
    kind = rng.randrange(5)
    if kind == 0:
        with np.errstate(all="ignore"):
            return array.astype(rng.choice(TYPES))
    if kind == 1:
        return array.reshape(-1)[: rng.randint(0, array.size)]
    if kind == 2:
        return array.reshape(array.shape[::-1])
    raw = bytearray(array.tobytes())
    for _ in range(rng.randint(1, 3) if raw else 0):
        raw[rng.randrange(len(raw))] = rng.choice((0, 1, 127, 128, 255))
    return np.frombuffer(bytes(raw), array.dtype).reshape(array.shape)


def resigned(
    kind: str, version: int, arrays: dict[str, Any], meta: Any, rng: random.Random
) -> bytes:
    """A file of changed contents with a correct checksum."""
    arrays = dict(arrays)
    if rng.random() < 0.5:
        meta = mutate_json(meta, rng)
    for _ in range(rng.randrange(3)):
        name = rng.choice(sorted(arrays))
        arrays[name] = np.ascontiguousarray(mutate_array(arrays[name], rng))
    if rng.random() < 0.1:
        arrays.pop(rng.choice(sorted(arrays)))
    header = {"kind": kind, "version": version, "meta": meta}
    header["sha256"] = _digest(arrays, header)
    return save(arrays, metadata={"milan": canonical_json(header)})


class Slot:
    """The file that inputs are read from: in memory where the system can."""

    def __init__(self, folder: Path) -> None:
        if hasattr(os, "memfd_create"):
            self._file = os.memfd_create("fuzz")
            self.path = Path(f"/proc/self/fd/{self._file}")
        else:
            self.path = folder / "input"
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT)

    def fill(self, raw: bytes) -> None:
        """Make `raw` the content of the file."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, raw, 0)

    def close(self) -> None:
        """Let the memory go."""
        os.close(self._file)


class Fuzzer:
    """Makes inputs from their numbers and tries them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        files = sample_files(folder)
        self._raws = [file.read_bytes() for file in files]
        signs = [(SHARD_KIND, SHARD_VERSION), (SHARD_KIND, SHARD_VERSION), (KIND, VERSION)]
        self._contents = [
            (*sign, *load_tensors(file, sign[0], dict[str, Any], (sign[1],)))
            for file, sign in zip(files, signs, strict=True)
        ]

    def damaged(self, rng: random.Random) -> tuple[str, bytes | None]:
        """(kind of damage, input), None where the writer itself cannot store it: NaN, say."""
        which = rng.randrange(3)
        kind = rng.choice(("bytes", "table", "contents", "contents"))
        try:
            if kind == "bytes":
                return kind, mutate_bytes(self._raws[which], rng)
            if kind == "table":
                return kind, mutate_table(self._raws[which], rng)
            return kind, resigned(*self._contents[which], rng)
        except (TypeError, ValueError):
            return kind, None

    def run(self, inputs: int, seed: int) -> Counter[str]:
        """Try inputs 0 to `inputs` - 1 of a seed; how many were read and how many refused."""
        outcome: Counter[str] = Counter()
        slot = Slot(self._folder)
        for number in range(inputs):
            kind, raw = self.damaged(random.Random(f"{seed} {number}"))
            if raw is None:
                outcome["not writable"] += 1
                continue
            slot.fill(raw)
            try:
                use(slot.path)
                outcome[f"{kind}: read"] += 1
            except UserError:
                outcome[f"{kind}: refused"] += 1
            except BaseException:
                kept = self._folder / f"input-{seed}-{number}"
                kept.write_bytes(raw)
                print(f"input {number} of seed {seed}: kept as {kept}", file=sys.stderr)
                raise
        slot.close()
        return outcome


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    fuzzer = Fuzzer(Path(tempfile.mkdtemp()))
    start = time.process_time()
    outcome = fuzzer.run(arguments.inputs, arguments.seed)
    spent = time.process_time() - start
    for name, number in sorted(outcome.items()):
        print(f"{name:20} {number}")
    print(f"{arguments.inputs} inputs, no crash, {spent:.0f} CPU-s")


if __name__ == "__main__":
    main()
