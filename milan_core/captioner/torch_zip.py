"""Read tensors and plain data from a torch checkpoint without running anything in it.

A torch checkpoint is a zip archive: `<root>/data.pkl`, a pickle, and `<root>/data/<number>`, the
bytes of the tensors. A pickle is a program that may call any function, so this reader knows only
the few names in `_GLOBALS`, maps each to a harmless builder of its own, and refuses the file at the
first other name, before anything has been built.

Size limits: torch stores its entries uncompressed, so an archive that claims more bytes than the
file has is refused (compressed or overlapping entries, "zip bombs"). Tensors share the bytes of
their storage; those that have to be copied, because they are transposed, may together be twice as
large as the file.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from milan_core.core.archives import open_zip
from milan_core.core.errors import DAMAGE, UserError

_MAX_PICKLE_BYTES = 64 << 20
_MAX_TENSORS = 100_000  # a published captioner has about 600, its encoder included
_MOST_COPIED = 2  # times the size of the file: bytes of transposed tensors, which are copied
_ENTRY_NAME = re.compile(r"[\w.+-]+(/[\w.+-]+)+")  # one way to match: names are of others

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class _Plain(dict):
    """Stands in for OrderedDict and for spaCy's Config: the items, and nothing else."""

    def __setstate__(self, state: object) -> None:
        """Attributes of the original object are not needed."""


class _StorageType(NamedTuple):
    """The element type a pickle asks for; cannot be called."""

    dtype: torch.dtype


def _encode(text: str, encoding: str) -> bytes:
    """Bytes that an old protocol wrote as text."""
    if not isinstance(text, str) or encoding != "latin1":
        message = "a byte string is not written as torch writes it"
        raise pickle.UnpicklingError(message)
    return text.encode("latin1")


def _inside(storage: Tensor, offset: int, size: tuple, stride: tuple) -> Tensor:
    """A view that lies fully inside its storage."""
    numbers = (offset, *size, *stride)
    if not all(type(number) is int and number >= 0 for number in numbers):
        message = "a tensor has an impossible shape"
        raise pickle.UnpicklingError(message)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) > storage.numel() or (math.prod(size) and last >= storage.numel()):
        message = "a tensor is larger than its stored bytes"
        raise pickle.UnpicklingError(message)
    return torch.as_strided(storage, size, stride, offset)


def _rebuild_parameter(data: Tensor, *_: object) -> Tensor:
    """A parameter is its tensor."""
    return data


_GLOBALS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _Plain,
    ("thinc.config", "Config"): _Plain,
    ("confection", "Config"): _Plain,
    ("_codecs", "encode"): _encode,
    ("torch._utils", "_rebuild_tensor_v2"): None,  # of the reader, which counts
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): _StorageType(dtype) for name, dtype in _STORAGES.items()},
}

_OPCODES = (
    "PROTO STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT "
    "BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES EMPTY_LIST EMPTY_DICT EMPTY_TUPLE TUPLE "
    "TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS SETITEM SETITEMS GLOBAL REDUCE BUILD NEWOBJ BINPERSID "
    "BINPUT LONG_BINPUT BINGET LONG_BINGET"
)
"""The opcodes of protocol 2, the one torch writes."""


def read_checkpoint(path: Path | str) -> Any:
    """The value stored in a zip-format torch checkpoint: containers, numbers, texts, tensors.

    Raises:
        UserError: the file is not such a checkpoint, is damaged, or holds anything but data.
    """
    path = Path(path)
    try:
        with open_zip(path) as archive:
            root = _check_entries(archive, path)
            program = _read_program(archive, f"{root}/data.pkl")
            return _Reader(archive, root, program, path.stat().st_size).load()
    except FileNotFoundError:
        message = f"checkpoint not found: {path}"
    except zipfile.BadZipFile:
        message = (
            f"{path} is not a readable zip-format torch checkpoint; it is damaged, cut short, or "
            "was saved by torch older than 1.6: fetch it again"
        )
    except (pickle.UnpicklingError, *DAMAGE) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        message = f"{path} is refused: {reason}; fetch it from a trusted place"
    raise UserError(message)


def _check_entries(archive: zipfile.ZipFile, path: Path) -> str:
    """The archive's root folder, once every entry has a harmless name and an honest size."""
    entries = archive.infolist()
    for entry in entries:
        if not _ENTRY_NAME.fullmatch(entry.filename) or ".." in entry.filename.split("/"):
            message = f"its entry {entry.filename!r} has a name that torch does not write"
            raise pickle.UnpicklingError(message)
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            message = f"its entry {entry.filename!r} is compressed or encrypted, torch's never are"
            raise pickle.UnpicklingError(message)
    claimed, actual = sum(entry.file_size for entry in entries), path.stat().st_size
    if claimed > actual:
        message = f"its entries claim {claimed} bytes, the file has {actual}"
        raise pickle.UnpicklingError(message)
    roots = {entry.filename.split("/")[0] for entry in entries}
    if len(roots) != 1:
        message = f"it has {len(roots)} top folders, a torch checkpoint has one"
        raise pickle.UnpicklingError(message)
    return roots.pop()


def _read_program(archive: zipfile.ZipFile, name: str) -> bytes:
    """The pickle, after every instruction and name in it was checked."""
    try:
        size = archive.getinfo(name).file_size
    except KeyError:
        message = "it has no data.pkl, a torch checkpoint has one"
        raise pickle.UnpicklingError(message) from None
    if size > _MAX_PICKLE_BYTES:
        message = f"its data.pkl has {size} bytes, more than {_MAX_PICKLE_BYTES}"
        raise pickle.UnpicklingError(message)
    program = archive.read(name)
    allowed = _OPCODES.split()
    for opcode, argument, position in pickletools.genops(program):
        if opcode.name not in allowed:
            message = f"its pickle uses {opcode.name} at byte {position}, which data does not need"
            raise pickle.UnpicklingError(message)
        if opcode.name == "GLOBAL" and tuple(str(argument).split(" ", 1)) not in _GLOBALS:
            name = str(argument).replace(" ", ".")
            message = f"its pickle asks for {name!r}, which is not plain data"
            raise pickle.UnpicklingError(message)
        # The unpickler allocates its memo up to the largest index.
        if opcode.name == "LONG_BINPUT" and int(argument or 0) > len(program):
            message = f"its pickle claims {argument} objects"
            raise pickle.UnpicklingError(message)
    return program


class _Reader(pickle.Unpickler):
    """Unpickles with the builders of `_GLOBALS` only."""

    def __init__(self, archive: zipfile.ZipFile, root: str, program: bytes, file_size: int) -> None:
        super().__init__(io.BytesIO(program))
        self._archive, self._root = archive, root
        self._storages: dict[str, Tensor] = {}
        self._tensors, self._copied, self._most_copied = 0, 0, _MOST_COPIED * file_size

    def find_class(self, module: str, name: str) -> Any:
        """The builder that replaces a listed name."""
        try:
            return _GLOBALS[module, name] or self._rebuild_tensor
        except KeyError:
            message = f"its pickle asks for {f'{module}.{name}'!r}, which is not plain data"
            raise pickle.UnpicklingError(message) from None

    def persistent_load(self, pid: Any) -> Tensor:
        """The one-dimensional tensor of a storage, read once."""
        tag, kind, key, _, count = pid
        if tag != "storage" or not isinstance(kind, _StorageType) or not str(key).isdigit():
            message = "a tensor's storage is not written as torch writes it"
            raise pickle.UnpicklingError(message)
        if key not in self._storages:
            data = bytearray(self._archive.read(f"{self._root}/data/{key}"))
            if len(data) != count * kind.dtype.itemsize:
                message = f"storage {key} has {len(data)} bytes, {count} numbers were announced"
                raise pickle.UnpicklingError(message)
            empty = torch.empty(0, dtype=kind.dtype)
            self._storages[key] = torch.frombuffer(data, dtype=kind.dtype) if data else empty
        return self._storages[key]

    def _rebuild_tensor(
        self, storage: Tensor, offset: int, size: tuple, stride: tuple, *_: object
    ) -> Tensor:
        """A contiguous tensor; what has to be copied for that, and how often, is limited."""
        view = _inside(storage, offset, size, stride)
        self._tensors += 1
        self._copied += 0 if view.is_contiguous() else view.numel() * view.element_size()
        if self._copied > self._most_copied or self._tensors > _MAX_TENSORS:
            message = f"its first {self._tensors} tensors take far more memory than the file has"
            raise pickle.UnpicklingError(message)
        return view.contiguous()
