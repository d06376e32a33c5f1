"""Work that several jobs share: blocks on a fixed grid, parts that hold some, a step that joins.

The costly work of a step is a list of blocks (`Work`). Their number and their content depend on the
inputs alone, never on the number of jobs, so any number of parts gives the same bytes, and a part
takes blocks that parts of another number have finished. A job without parts makes all blocks
itself.

    class Describing(Shared):                     # inputs and options, and `work`
    class DescribePart(Describing, Part, name="describers.units_part"): ...
    class DescribeUnits(Describing, Joined, name="describers.units"):
        def run(self, compute):
            work = self.work(compute)
            for block in joined(self, work, read): ...

Part (i, n) holds the blocks i - 1, i - 1 + n, ... in a file of kind milan-part. Its key is a digest
of the inputs, the options, the content of files that these name, the code and the networks that the
blocks were made of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from pydantic import Field

from milan_core.core.errors import UserError, reading
from milan_core.core.files import canonical_json, text_hash
from milan_core.core.identity import step_code
from milan_core.core.inputs import contents_of
from milan_core.core.options import Content
from milan_core.core.progress import tracked
from milan_core.core.records import Records, files_of
from milan_core.core.step import Compute, In, Out, Step, step_fields
from milan_core.core.tensors import map_tensors, save_tensors
from milan_core.core.trees import file_digest

KIND, VERSION = "milan-part", 1
AGAIN = "run the job of its part again"
Block = Mapping[str, np.ndarray]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Work:
    """Blocks of a step's work.

    Attributes:
        count: number of blocks; a function of the inputs and the options.
        make: the arrays of a block by its number, from 0; a function of the number alone.
        network: gives the fingerprint of the network that `make` runs, whose source no input and no
            option holds; None where it runs none.
        roots: modules that the work finds by name (`core.identity.step_code`).

    """

    count: int
    make: Callable[[int], Block]
    network: Callable[[], str] | None
    roots: tuple[str, ...] = ()


class Shared(Step):
    """A step whose work may be done in parts."""

    part_step: ClassVar[str] = ""
    """Name of the step that makes a part."""

    def work(self, compute: Compute) -> Work:
        """The blocks."""
        raise NotImplementedError


class Joined(Shared):
    """The step that joins the blocks into results."""

    parts: list[In] = Field([], description="parts of all blocks; none: all are made here")


class Part(Shared):
    """The step that makes some of the blocks."""

    part: int = Field(1, ge=1, description="number of the part, from 1")
    of: int = Field(1, ge=1, description="number of parts")
    done: Out

    def run(self, compute: Compute) -> dict[str, int]:
        """Write the blocks of the part; the record counts them, and those taken from others."""
        work = self.work(compute)
        numbers = range(self.part - 1, work.count, self.of)
        key = work_key(self, work)
        finished = _finished(self.done, key)
        blocks = {
            number: finished[number] if number in finished else work.make(number)
            for number in tracked(numbers, "making", "block")
        }
        arrays = {
            f"{n}/{name}": array for n, block in blocks.items() for name, array in block.items()
        }
        meta = {"key": key, "count": work.count, "blocks": list(numbers)}
        save_tensors(self.done, KIND, VERSION, arrays, meta)
        return {"blocks": len(blocks), "taken": len(finished.keys() & blocks.keys())}


class PartMeta(Content):
    """Metadata of a part.

    Attributes:
        key: digest of what the blocks were made of.
        count: number of blocks of the whole work.
        blocks: numbers of those in the file.

    """

    key: str
    count: int
    blocks: list[int]


def work_key(step: Shared, work: Work) -> str:
    """Digest of inputs, options, files that options name, code and network of the work.

    Equal keys, equal blocks.
    """
    apart = {*Part.model_fields, *Joined.model_fields}
    fields = [field for field in step_fields(type(step)) if field.name not in apart]
    inputs = {
        field.name: [_digests(path) for path in _paths(getattr(step, field.name))]
        for field in fields
        if field.role == "input"
    }
    options = {name: value for name, value in step.settings().items() if name not in apart}
    contents = {
        field.name: list(contents_of(getattr(step, field.name), field.constrained))
        for field in fields
        if field.role == "option"
    }
    code = step_code(step.part_step, *work.roots)
    network = work.network() if work.network else ""
    made_of = [step.part_step, code, network, options, contents, inputs]
    return text_hash(canonical_json(made_of), 64)


def _paths(value: Any) -> Sequence[Path]:
    return value if isinstance(value, list) else [value] if value is not None else []


def _digests(path: Path) -> list[tuple[str, str]]:
    """Names in a folder with their digests, as records have them; of a file one without a name."""
    records = Records()
    found = []
    for item in files_of(path):
        written = records.of(item)
        digest = written.digest["sha256"] if written else file_digest(item)
        found.append((item.relative_to(path).as_posix(), str(digest)))
    return found


def _finished(done: Path, key: str) -> dict[int, Block]:
    """Blocks of the same work in the parts beside `done`, of whatever number of parts."""
    found: dict[int, Block] = {}
    for path in sorted(done.parent.glob("*-of-*.safetensors")):
        try:
            held, meta = read_part(path)
        except UserError:  # damaged, or half of an older run: its blocks are made again
            continue
        if path != done and meta.key == key:
            found |= held
    return found


def read_part(path: Path) -> tuple[dict[int, Block], PartMeta]:
    """The blocks of a part by number, mapped; refuses a damaged file."""
    with reading(path, "a part of a step's work", AGAIN):
        arrays, meta = map_tensors(path, KIND, PartMeta, (VERSION,))
        blocks: dict[int, dict[str, np.ndarray]] = {number: {} for number in meta.blocks}
        if not all(0 <= number < meta.count for number in blocks):
            raise ValueError(f"its blocks are not among {meta.count}")
        for name, array in arrays.items():
            number, _, inner = name.partition("/")
            blocks[int(number)][inner] = array
        return dict(blocks), meta


def joined(step: Joined, work: Work, read: Callable[[Block], Result]) -> Iterator[Result]:
    """What `read` makes of every block in order, from the step's parts or made here.

    Raises:
        UserError: for parts of other work, and for a set that lacks blocks, before any is read.

    """
    if not step.parts:
        numbers = tracked(range(work.count), "working", "block")
        return (read(work.make(number)) for number in numbers)
    return _from_parts(step, work, read)


def _from_parts(step: Joined, work: Work, read: Callable[[Block], Result]) -> Iterator[Result]:
    key = work_key(step, work)
    blocks: dict[int, tuple[Path, Block]] = {}
    for path in step.parts:
        held, meta = read_part(path)
        if (meta.key, meta.count) != (key, work.count):
            raise UserError(
                f"{path} is a part of other work: its inputs, options or code are not those of "
                f"{step.step_name} here; {AGAIN}"
            )
        blocks |= {number: (path, block) for number, block in held.items()}
    if missing := sorted(set(range(work.count)) - blocks.keys()):
        shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise UserError(
            f"{step.step_name}: {len(missing)} of {work.count} blocks ({shown}) are in none of the "
            f"{len(step.parts)} parts given; give all parts of one number of parts"
        )

    def guarded(number: int) -> Result:
        path, block = blocks[number]
        with reading(path, "a part of a step's work", AGAIN):
            return read(block)

    return (guarded(number) for number in range(work.count))


def as_array(value: Any) -> np.ndarray:
    """A plain value as JSON in an array uint8 (n,), for a block."""
    return np.frombuffer(
        json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"), np.uint8
    )


def from_array(array: np.ndarray) -> Any:
    """The value of `as_array`."""
    return json.loads(array.tobytes().decode("utf-8", "surrogatepass"))
