"""Damage to files by format: headers, archives, and what `damage` has; `FORMATS` names them all."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from faults.damage import NUMBERS, Mutator, as_json, as_yaml, noise, raw, table, text, tree


def safetensors(rng: random.Random, data: bytes) -> bytes:
    """The table of a tensor file under a correct length, or its bytes."""
    if rng.random() < 0.3:
        return raw(rng, data)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    stored = header.get("__metadata__", {}).get("milan")
    if stored and rng.random() < 0.4:
        header["__metadata__"]["milan"] = json.dumps(tree(rng, json.loads(stored)))
    else:
        header = tree(rng, header)
    changed = json.dumps(header).encode("utf-8", "replace")
    changed += b" " * (-len(changed) % 8)
    return len(changed).to_bytes(8, "little") + changed + data[8 + size :]


def sealed(rng: random.Random, data: bytes) -> bytes:
    """Other contents of one of our tensor files, under the right checksum."""
    from milan_core.core.tensors import save_tensors

    ours, arrays = arrays_of(data)
    meta, kind, version = ours["meta"], ours["kind"], ours["version"]
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice(sorted(arrays))
        if rng.random() < 0.5 and meta:
            meta = tree(rng, meta)
        else:
            arrays[name] = _other(rng, arrays[name])
        if rng.random() < 0.1 and len(arrays) > 1:
            arrays.pop(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        save_tensors(path, kind, version, arrays, meta)
        return path.read_bytes()


def arrays_of(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `save_tensors` wrote into the header of a tensor file, and its arrays by name."""
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    codes = {"BOOL": "?", "U8": "u1", "I8": "i1", "I16": "i2", "U16": "u2", "F16": "f2"}
    codes |= {"I32": "i4", "U32": "u4", "F32": "f4", "F64": "f8", "I64": "i8", "U64": "u8"}
    arrays = {}
    for name, facts in header.items():
        if name != "__metadata__":
            start, end = facts["data_offsets"]
            flat = np.frombuffer(body[start:end], codes[facts["dtype"]])
            arrays[name] = flat.reshape(facts["shape"])
    return json.loads(header["__metadata__"]["milan"]), arrays


def _other(rng: random.Random, array: np.ndarray) -> np.ndarray:
    """An array of other values, type or shape."""
    match rng.randrange(6):
        case 0:
            with np.errstate(over="ignore", invalid="ignore"):
                return array.astype(rng.choice(("?", "u1", "i2", "i4", "i8", "f2", "f4", "f8")))
        case 1:
            return array.reshape(rng.choice(((-1,), (1, *array.shape), (*array.shape, 1))))
        case 2:
            return array[: rng.randrange(len(array) + 1)] if array.ndim else array
        case 3:
            return np.concatenate([array, array]) if array.ndim else array
        case _:
            values = np.array(array).reshape(-1)
            if values.size:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    number = np.float64(rng.choice(NUMBERS)) if values.dtype.kind == "f" else 0
                    odd = rng.choice((number, -1, 1, 2, 100, np.nan, 2**40))
                    odd = 0 if values.dtype.kind != "f" and odd != odd else odd
                    values[rng.randrange(values.size)] = np.array(odd).astype(values.dtype)
            return values.reshape(array.shape)


def npy(rng: random.Random, data: bytes) -> bytes:
    """The header of a .npy file: type, order, shape; or its bytes."""
    if rng.random() < 0.4:
        return raw(rng, data)
    array = np.load(io.BytesIO(data))
    kinds = (
        array.dtype.str,
        "|O",
        ">i4",
        "<U4",
        "|V0",
        "|V8",
        "<f8",
        "|b1",
        "<M8[s]",
        "",
        "x",
        "i9",
    )
    shape: Any = list(array.shape)
    match rng.randrange(4):
        case 0:
            shape[rng.randrange(len(shape))] = rng.choice((0, -1, 1, 2**31, 2**62, 2**64, 0.5, "x"))
        case 1:
            shape = rng.choice(([], [0], shape * 3, [2**40, 2**40], [-1], shape[::-1]))
        case 2:
            shape[rng.randrange(len(shape))] += rng.choice((-1, 1, 10))
    header: Any = {
        "descr": rng.choice((array.dtype.str, rng.choice(kinds))),
        "fortran_order": rng.choice((False, False, True, 0, "x")),
        "shape": tuple(shape),
    }
    if rng.random() < 0.1:
        header = tree(rng, header)
    if rng.random() < 0.05:
        header = "__import__('os').system('touch PWNED')"
    packed = (header if isinstance(header, str) else repr(header)).encode("utf-8", "replace")
    packed += b" " * (-(len(packed) + 11) % 64) + b"\n"
    version = rng.choice((b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"))
    length = len(packed).to_bytes(2 if version[0] == 1 else 4, "little", signed=False)
    return b"\x93NUMPY" + version + length + packed + array.tobytes()


HARM = (
    b"cos\nsystem\n(S'touch PWNED'\ntR.",
    b"\x80\x02cposix\nsystem\nX\x0b\x00\x00\x00touch PWNED\x85R.",
    b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch PWNED\x85R.",
    b"\x80\x02cbuiltins\nexec\nX\x1d\x00\x00\x00open('PWNED','w').write('x')  \x85R.",
)


def torch_zip(rng: random.Random, data: bytes) -> bytes:
    """The pickle, entries and names of a torch file in a whole archive; or its bytes."""
    if rng.random() < 0.25:
        return raw(rng, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    place = rng.randrange(len(entries))
    programs = [i for i, (name, _) in enumerate(entries) if name.endswith("data.pkl")]
    program = programs[0] if programs else place
    name, body = entries[place]
    match rng.randrange(10):
        case 0:
            entries[place] = (
                rng.choice(("../x", "/x", "a\\b", "", "archive/data/9", "x" * 300)),
                body,
            )
        case 1:
            del entries[place]
        case 2:
            entries.append((name, raw(rng, body)))
        case 3:
            entries[program] = (entries[program][0], rng.choice(HARM))
        case 4:
            entries[place] = (name, raw(rng, body))
        case _:
            entries[program] = (entries[program][0], noise(rng, entries[program][1]))
    return _zip(rng, entries)


def _zip(rng: random.Random, entries: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if rng.random() < 0.05 else zipfile.ZIP_STORED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(buffer, "w", kind) as archive:
            for name, body in entries:
                archive.writestr(zipfile.ZipInfo(name or "x"), body, kind)
    return buffer.getvalue()


def archive_zip(rng: random.Random, data: bytes) -> bytes:
    """Names, modes and contents of a zip; or its bytes."""
    if rng.random() < 0.4:
        return raw(rng, data)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as out:
        warnings.simplefilter("ignore")
        for name, body in entries:
            new = rng.choice(NAMES) if rng.random() < 0.2 else name
            info = zipfile.ZipInfo(new)
            info.external_attr = rng.choice((0, 0, 0o120777, 0o100644, 0o060644, 0o40755)) << 16
            out.writestr(info, raw(rng, body) if rng.random() < 0.3 else body, rng.choice((0, 8)))
    return buffer.getvalue()


NAMES = (
    *(
        "../x",
        "/x",
        "a/../../x",
        "a\\..\\x",
        "C:x",
        "x" * 300,
        "a//b",
        "./a",
        "a/.",
        "\n",
        "a\x01b",
    ),
    *("annotations.csv/x", "é" * 130, "..", ".", "a/" * 40 + "x", "CON", "annotations.csv"),
)


def tar(rng: random.Random, data: bytes) -> bytes:
    """Names, types, sizes and contents of a plain tar file; or its bytes."""
    if rng.random() < 0.4:
        return raw(rng, data)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as source:
        members = [(m, source.extractfile(m)) for m in source if m.isreg()]
        with tarfile.open(fileobj=buffer, mode="w", format=rng.choice((0, 1, 2))) as out:
            for member, handle in members:
                body = handle.read() if handle else b""
                body = raw(rng, body) if rng.random() < 0.3 else body
                info = tarfile.TarInfo(rng.choice(NAMES) if rng.random() < 0.2 else member.name)
                info.size = len(body)
                if rng.random() < 0.15:
                    info.type = rng.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE))
                    info.linkname, info.size = rng.choice(NAMES), 0
                out.addfile(info, io.BytesIO(body) if info.isreg() else None)
    done = buffer.getvalue()
    return noise(rng, done) if rng.random() < 0.2 else done


def cassette_lines(rng: random.Random, data: bytes) -> bytes:
    """Other values in one line of a cassette, under the right digest; or its bytes."""
    if rng.random() < 0.3:
        return raw(rng, data)
    from milan_core.endpoint.cassette import CHECK

    lines = data.splitlines()
    number = rng.randrange(len(lines))
    changed = as_json(rng, lines[number].partition(b" ")[2])
    digest = hashlib.sha256(changed).hexdigest()[:CHECK].encode()
    return b"\n".join([*lines[:number], digest + b" " + changed, *lines[number + 1 :], b""])


FORMATS: dict[str, Mutator] = {
    "raw": raw,
    "text": text,
    "csv": table,
    "json": as_json,
    "yaml": as_yaml,
    "safetensors": safetensors,
    "sealed": sealed,
    "npy": npy,
    "torch": torch_zip,
    "zip": archive_zip,
    "tar": tar,
    "lines": cassette_lines,
}
