"""The messages of docs/errors.md are those of the source."""

import ast
import re

import pytest
from paths import ROOT

from milan_core.core.errors import unknown

PAGE = (ROOT / "docs/errors.md").read_text("utf-8")
# Stands for a value between the literal parts of a message.
VALUE = "\0"


def rows():
    """First cells of the table, without messages of Snakemake and of Python."""
    cells = [line[2:].split(" | ")[0] for line in PAGE.splitlines() if line.startswith("| `")]
    return [cell for cell in cells if "(Snakemake)" not in cell]


def shown():
    return [message for cell in rows() for message in re.findall(r"`([^`]+)`", cell)]


def parts(message):
    """Literal parts of a message of the page: between dots, quoted examples and numbers."""
    found = re.split(r"\.\.\.|'[^']*'|\([\d, s]+\)|\d+", message)
    return [part for part in (one.strip(" :;,") for one in found) if part]


def texts(path):
    """Texts of a Python file, those with values included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            pieces = [
                piece.value if isinstance(piece, ast.Constant) else VALUE for piece in node.values
            ]
            yield "".join(map(str, pieces))


@pytest.fixture(scope="module")
def source():
    found = [text for path in (ROOT / "milan_core").rglob("*.py") for text in texts(path)]
    for path in (ROOT / "csrc").rglob("*.cpp"):
        found += re.findall(r'"((?:[^"\\\n]|\\.)*)"', path.read_text("utf-8"))
    return "\n".join(" ".join(text.split()) for text in found)


# Messages that one function makes of a kind, a name and a place.
NAMES = {
    "unknown model 'x' in config: models": ("model", "x", "config: models"),
    "unknown layer 'layre4' in ResNet": ("layer", "layre4", "ResNet"),
}


@pytest.mark.parametrize("message", shown())
def test_a_message_is_one_of_the_source(message, source):
    if message in NAMES:
        what, name, where = NAMES[message]
        assert str(unknown(what, name, ["layer4"], where)).startswith(message)
        return
    assert parts(message), "nothing but values"
    missing = [part for part in parts(message) if part not in source]
    assert not missing


def test_a_message_that_nobody_raises_is_noticed(source):
    assert parts("the moon ... is not a unit")[0] not in source


def test_every_row_says_what_to_do():
    for line in PAGE.splitlines():
        if line.startswith("| `"):
            assert len(re.split(r"(?<!\\)\|", line)) == 5
            assert line.rstrip("| ").split("|")[-1].strip()
