"""A job that a killed workflow left behind cannot overwrite what a later run of it has written."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

from milan_core.core import files, identity
from milan_core.core.errors import UserError
from milan_core.core.lock import claimed, publishing

# A step that writes a file, waits for a signal file, then writes its result.
JOB = """
import sys, time
from pathlib import Path
from milan_core.cli.step import execute
from milan_core.core.errors import UserError
from milan_core.core.files import write_text
from milan_core.core.step import Compute, Out, Step

class Slow(Step, name="toy.slow"):
    \"\"\"Write a text when it is time.\"\"\"
    text: str
    target: Out

    def run(self, compute):
        write_text(self.target.with_name("checkpoint"), self.text)
        Path(f"{self.text}.started").touch()
        while not Path(f"{self.text}.go").exists():
            time.sleep(0.02)
        write_text(self.target, self.text)

try:
    execute(Slow(text=sys.argv[1], target=Path("out/result.txt")), Compute(), code="x")
except UserError as error:
    sys.exit(str(error))
"""


def start(folder, text):
    root = Path(__file__).parents[2]
    log = (folder / f"{text}.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-c", JOB, text],
        cwd=folder,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
        stderr=log,
    )
    log.close()
    while not (folder / f"{text}.started").exists():
        assert process.poll() is None, (folder / f"{text}.log").read_text()
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("orphan_ends", ["after", "before"])
def test_an_orphan_publishes_nothing_once_the_job_was_started_again(tmp_path, orphan_ends):
    orphan = start(tmp_path, "old")
    later = start(tmp_path, "new")
    for text in ("new", "old") if orphan_ends == "after" else ("old", "new"):
        (tmp_path / f"{text}.go").touch()
        (later if text == "new" else orphan).wait(30)
    assert later.returncode == 0
    assert orphan.returncode == 1
    assert "a later run of this job has taken over" in (tmp_path / "old.log").read_text()
    assert (tmp_path / "out/result.txt").read_text() == "new"
    assert files.read_json(tmp_path / "out/provenance.json")["options"]["text"] == "new"
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["checkpoint", "provenance.json", "result.txt"]


def test_an_orphan_that_ends_alone_keeps_its_result(tmp_path):
    orphan = start(tmp_path, "old")
    (tmp_path / "old.go").touch()
    assert orphan.wait(30) == 0
    assert (tmp_path / "out/result.txt").read_text() == "old"


def test_a_claim_guards_every_file_of_its_process(tmp_path):
    with claimed(tmp_path / "record.json"):
        files.write_text(tmp_path / "a", "mine")
        with claimed(tmp_path / "record.json"):  # as another process would
            pass
        with pytest.raises(UserError, match="taken over"):
            files.write_text(tmp_path / "a", "late")
        with pytest.raises(UserError, match="taken over"), publishing():
            pass
    files.write_text(tmp_path / "a", "free")
    assert (tmp_path / "a").read_text() == "free"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


NAMING = {"rename", "symlink_to", "rmtree", "move"}
EXEMPT = {
    ("core.folders", "_move"),  # within `publishing`
    ("core.temporaries", "_sweep"),  # temporaries of dead processes
    ("images.fetch.transfer", "_hub"),  # below the hidden file of a download
}


def writers():
    """Every call that gives a file its name, with the `with` items around it."""
    for path in sorted(identity.PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(identity.PACKAGE).with_suffix("").parts)
        tree = ast.parse(path.read_text())
        yield from _calls(tree, module, "", [])


def _calls(node, module, function, around):
    if isinstance(node, ast.FunctionDef):
        function = node.name
    if isinstance(node, ast.With):
        around = [*around, *(ast.unparse(item.context_expr) for item in node.items)]
    if isinstance(node, ast.Try):  # its `finally` removes what was never named
        for child in [*node.body, *node.handlers, *node.orelse]:
            yield from _calls(child, module, function, around)
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        name = node.func.attr
        one = len(node.args) == 1 and not node.keywords
        if name in NAMING or (name == "replace" and one):
            yield module, function, ast.unparse(node), around
        if name in ("write_text", "write_bytes") and not ast.unparse(node).startswith("temporary"):
            yield module, function, ast.unparse(node), around
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, module, function, around)


def test_every_writer_asks_for_its_claim():
    """New writers go through `core.files` or name their files within `publishing()`."""
    seen, bare = 0, []
    for module, function, call, around in writers():
        seen += 1
        if (module, function) not in EXEMPT and "publishing()" not in around:
            bare.append(f"{module}:{function}: {call}")
    assert seen >= 8
    assert bare == []
