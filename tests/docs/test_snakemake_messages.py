"""Messages of Snakemake on docs/errors.md are those that it writes; the fix beside each helps."""

import re
import subprocess

import pytest
from copies import SNAKEMAKE, environment
from paths import ROOT

PAGE = (ROOT / "docs/errors.md").read_text("utf-8")
SNAKEFILE = 'rule describe:\n    output: "{0}"\n    shell: "touch {{output}}"\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format("done.txt"))
    (tmp_path / "my.yaml").write_text("key: 1\n")
    return tmp_path


def run(folder, *words, **variables):
    command = [SNAKEMAKE, *words]
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(
        command, cwd=folder, env=environment(ROOT) | variables, timeout=60, **both
    )


def row(start):
    """Message and fix of the one row of the page that starts with these letters."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{start}")]
    cells = line.strip("| ").split(" | ")
    return re.findall(r"`([^`]+)`", cells[0])[0].split("..."), cells[-1]


def test_a_target_after_configfile(folder):
    wrong = run(folder, "--cores", "1", "--configfile", "my.yaml", "describe")
    message, fix = row("FileNotFoundError")
    assert wrong.returncode
    assert all(part.strip(" :") in wrong.stdout for part in message)
    assert "`snakemake describe --cores all --configfile my.yaml`" in fix
    right = run(folder, "describe", "--cores", "1", "--configfile", "my.yaml")
    assert right.returncode == 0, right.stdout
    assert (folder / "done.txt").exists()


def test_a_home_that_cannot_be_written(folder):
    file = folder / "file"
    file.touch()
    homeless = {"HOME": str(file), "XDG_CACHE_HOME": ""}
    wrong = run(folder, "--cores", "1", **homeless)
    assert wrong.returncode
    assert ".cache" in wrong.stdout
    _, fix = row("PermissionError")
    (name,) = re.findall(r"`(\w+)=/some/folder snakemake \.\.\.`", fix)
    right = run(folder, "--cores", "1", **homeless | {name: str(folder / "cache")})
    assert right.returncode == 0, right.stdout
