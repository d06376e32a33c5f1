"""Work in parts: any number gives the same result; incomplete and foreign sets are refused."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from milan_core.cli.step import execute
from milan_core.core import parts
from milan_core.core.errors import UserError
from milan_core.core.files import read_json
from milan_core.core.inputs import InputPath
from milan_core.core.parts import Joined, Part, Shared, Work, as_array, from_array, joined
from milan_core.core.step import Compute, In, Out

MADE = []  # numbers of blocks, in the order in which they were made
NETWORK = {0: "relu"}  # fingerprint of what makes them


class Squaring(Shared):
    """Squares of the numbers of a file, two a block."""

    part_step = "toy.square_part"
    source: In
    plus: int = 0
    judge: InputPath | None = None

    def work(self, compute):
        """The squares."""
        numbers = [int(word) for word in self.source.read_text().split()]

        def make(number):
            MADE.append(number)
            chosen = numbers[2 * number : 2 * number + 2]
            return {
                "squares": np.array([x * x + self.plus for x in chosen]),
                "names": as_array(chosen),
            }

        return Work(-(-len(numbers) // 2), make, lambda: NETWORK[0])


class SquarePart(Squaring, Part, name="toy.square_part"):
    """Make a part of the squares."""


class Square(Squaring, Joined, name="toy.square"):
    """Write the squares."""

    target: Out

    def run(self, compute):
        """Write them, each with its number."""
        blocks = joined(self, self.work(compute), lambda b: (from_array(b["names"]), b["squares"]))
        lines = [
            f"{x} {y}" for names, squares in blocks for x, y in zip(names, squares, strict=True)
        ]
        self.target.write_text("\n".join(lines))


@pytest.fixture(autouse=True)
def _toys(monkeypatch):
    monkeypatch.setattr(parts, "step_code", lambda step, *roots: f"{step} {roots}")
    MADE.clear()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "numbers"
    path.write_text(" ".join(map(str, range(11))))
    return path


def make_parts(source, folder, of, only=None, **options):
    folder.mkdir(exist_ok=True)
    files = [folder / f"{part}-of-{of}.safetensors" for part in range(1, of + 1)]
    for part, done in enumerate(files, 1):
        if only is None or part in only:
            record = folder / f"{part}-of-{of}.provenance.json"
            step = SquarePart(source=source, part=part, of=of, done=done, record=record, **options)
            execute(step, Compute(), "code")
    return files


def result(source, given, **options):
    target = source.parent / "result"
    Square(source=source, parts=given, target=target, **options).run(Compute())
    return target.read_bytes()


@pytest.mark.parametrize("of", [1, 2, 3, 5, 6, 9])
def test_any_number_of_parts_gives_the_same_bytes(source, tmp_path, of):
    whole = result(source, [])
    assert sorted(MADE) == list(range(6))
    files = make_parts(source, tmp_path / "parts", of)
    MADE.clear()
    for order in itertools.islice(itertools.permutations(files), 3):
        assert result(source, list(order)) == whole
    assert not MADE, "the parts hold all blocks"


def test_a_part_takes_blocks_that_another_number_of_parts_has_made(source, tmp_path):
    folder = tmp_path / "parts"
    make_parts(source, folder, 3, only=[1, 3])  # blocks 0, 3 and 2, 5
    MADE.clear()
    files = make_parts(source, folder, 2)
    assert MADE == [4, 1]
    counts = [read_json(folder / f"{part}-of-2.provenance.json") for part in (1, 2)]
    assert [(one["blocks"], one["taken"]) for one in counts] == [(3, 2), (3, 2)]
    assert result(source, files) == result(source, [])


def test_blocks_of_other_work_are_not_taken(source, tmp_path):
    folder = tmp_path / "parts"
    make_parts(source, folder, 3)
    MADE.clear()
    make_parts(source, folder, 2, plus=1)
    assert sorted(MADE) == list(range(6)), "made with other options"
    (folder / "1-of-2.safetensors").write_bytes(b"damaged")
    make_parts(source, folder, 4, plus=1)
    source.write_text(source.read_text().replace("7", "8"))
    MADE.clear()
    make_parts(source, folder, 5)
    assert sorted(MADE) == list(range(6)), "made of other inputs"


def test_blocks_of_an_edited_network_or_another_judge_are_not_taken(source, tmp_path, monkeypatch):
    judge, folder = tmp_path / "judge", tmp_path / "parts"
    judge.mkdir()
    (judge / "weights").write_text("old")
    old = make_parts(source, folder, 3, only=[1], judge=str(judge))  # the run was killed then
    monkeypatch.setitem(NETWORK, 0, "abs")
    MADE.clear()
    new = make_parts(source, folder, 2, judge=str(judge))
    assert sorted(MADE) == list(range(6)), "made by the network before its edit"
    with pytest.raises(UserError, match="is a part of other work"):
        result(source, [*old, *new], judge=str(judge))
    (judge / "weights").write_text("new")
    MADE.clear()
    make_parts(source, folder, 4, judge=str(judge))
    assert sorted(MADE) == list(range(6)), "the judge's folder holds another one"


def test_an_incomplete_set_is_refused(source, tmp_path):
    files = make_parts(source, tmp_path / "parts", 3)
    with pytest.raises(
        UserError, match=r"toy.square: 2 of 6 blocks \(1, 4\) are in none of the 2 p"
    ):
        result(source, [files[0], files[2]])
    mixed = make_parts(source, tmp_path / "other", 2)
    assert result(source, [files[0], files[1], *mixed]) == result(source, []), "all are there"


def test_a_foreign_part_is_refused(source, tmp_path, monkeypatch):
    files = make_parts(source, tmp_path / "parts", 2)
    other = make_parts(source, tmp_path / "other", 2, plus=1)
    with pytest.raises(UserError, match=r"other/2-of-2.safetensors is a part of other work"):
        result(source, [files[0], other[1]])
    with pytest.raises(UserError, match="is a part of other work"):
        result(source, files, plus=1)
    monkeypatch.setattr(parts, "step_code", lambda step, *roots: "edited")
    with pytest.raises(UserError, match="is a part of other work: its inputs, options or code"):
        result(source, files)
    files[0].write_bytes(files[0].read_bytes()[:-1])
    with pytest.raises(UserError, match="1-of-2"):
        result(source, files)
    with pytest.raises(UserError, match="not found"):
        result(source, [Path("missing.safetensors")])


def test_texts_survive_a_block():
    value = {"texts": ["caf\u00e9 \u2603", "\ud800", ""], "numbers": [0.1, 1e300, -0.0, None]}
    assert from_array(as_array(value)) == value
