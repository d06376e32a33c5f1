"""What pages name exists: files, tests, modules, commands with options, keys, variables."""

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
from paths import ROOT

import milan_core
from milan_core.cli import build_parser
from milan_core.cli.parsers import commands as all_commands
from milan_core.config import schema

PAGES = sorted(
    path
    for folder in ("", "config", "docs", "docs/how-to", "profiles", "workflow")
    for path in (ROOT / folder).glob("*.md")
)
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```\w*\n(.*?)^```|^((?: {4}\S.*\n)+)", re.DOTALL | re.MULTILINE)
TEST = re.compile(r"([\w./-]+\.py)::(\w+)")
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)*\.(?:py|smk|cpp|cuh?|h)")
PLACE = re.compile(
    r"(?:tests|milan_core|csrc|config|workflow|benchmarks|docs|profiles|envs)/[\w./-]*"
)
BELOW = ("", "tests/", "milan_core/", "csrc/", "workflow/rules/", "milan_core/world/zoo/")
# Files that a reader is told to write, and those of other projects.
EXAMPLES = ("shade.py", "setup.py", "test_shade.py")
# A part of wheels, and a function of the atlas's scripts.
ELSEWHERE = ("milan_core/shipped", "milan.add(key, value)")


@cache
def files():
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT)
    names = listed.decode().split()
    return {*names, *("/".join(name.split("/")[:n]) for name in names for n in range(1, 9))}


@cache
def source():
    ends = (".py", ".smk", ".cpp", ".cu", ".cuh", ".h", ".txt", ".cmake", ".yaml", "Makefile")
    paths = [ROOT / name for name in files() if name.endswith(ends)]
    paths = [path for path in paths if path.is_file() and path != Path(__file__).resolve()]
    return "\n".join(path.read_text("utf-8") for path in paths)


@cache
def parsers():
    return dict(all_commands(build_parser()))


@cache
def sections():
    return schema()


def found(name):
    """The file of the repository that a page means; modules are named from several folders."""
    name = name.rstrip("/")
    if "/" not in name:
        return next((one for one in sorted(files()) if one.rpartition("/")[2] == name), None)
    return next((folder + name for folder in BELOW if folder + name in files()), None)


def wrong_file(code):
    if named := TEST.fullmatch(code):
        path = found(named[1])
        text = (ROOT / path).read_text("utf-8") if path else ""
        return f"def {named[2]}(" not in text
    if re.fullmatch(r"test_\w+", code):
        return f"def {code}(" not in source()
    example = code.endswith(EXAMPLES) or re.match(r"(my|path)\w*[./]", code)
    named = FILE.fullmatch(code) or PLACE.fullmatch(code)
    return bool(named) and not example and not found(code)


def wrong_command(line):
    """Whether a line begins with an unknown command of `milan`, or gives it an unknown option."""
    words = shlex.split(line, comments=True)[1:]
    path = tuple(words[:2]) if tuple(words[:2]) in parsers() else tuple(words[:1])
    if not words or not words[0][0].islower():
        return False  # `milan --version`, and a name that stands for any command
    if path not in parsers():
        return True
    known = {flag for action in parsers()[path]._actions for flag in action.option_strings}
    given = [] if words[0] == "step" else [word.partition("=")[0] for word in words]
    return not {word for word in given if re.match(r"--\w", word)} <= known


def below(nodes, key):
    """Resolve a key in the schema of configurations; free names match any entry."""
    nodes = list(nodes)
    for node in nodes:  # grows
        refers = [node] if "$ref" in node else node.get("anyOf", []) + node.get("oneOf", [])
        for one in refers:
            nodes += [sections()["$defs"][one["$ref"].split("/")[-1]] if "$ref" in one else one]
        if isinstance(node.get("items"), dict):
            nodes.append(node["items"])
    found = [node["properties"][key] for node in nodes if key in node.get("properties", {})]
    free = [node.get("additionalProperties") for node in nodes]
    return found + [node for node in free if isinstance(node, dict)]


def wrong_key(code):
    named = re.fullmatch(r"([a-z_]+(?:\.[a-z_]+)+): .+", code)
    if named is None or named[1].split(".")[0] not in sections()["properties"]:
        return False
    nodes = [sections(), *sections()["$defs"].values()]  # pages name keys within an entry too
    for key in named[1].split("."):
        nodes = below(nodes, key)
    return not nodes


def wrong_name(code):
    variables = re.findall(r"\bMILAN_[A-Z_]+", code)
    modules = [name.replace(".", "/") for name in re.findall(r"python -m (benchmarks[\w.]+)", code)]
    targets = re.findall(r"^make ([a-z][\w-]*)$", code)
    exports = re.findall(r"^milan\.([a-z]\w*)\(", code)
    return (
        any(name not in source() for name in variables)
        or any(f"{name}.py" not in files() for name in modules)
        or any(f"\n{name}:" not in (ROOT / "Makefile").read_text() for name in targets)
        or any(name not in milan_core.__all__ for name in exports)
    )


def wrong(text):
    """List the names on a page that do not exist."""
    blocks = "\n".join(map("".join, FENCE.findall(text)))
    lines = re.sub(r"\\\n\s*", " ", blocks).splitlines()
    codes = CODE.findall(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    calls = [line.strip() for line in [*codes, *lines] if line.strip().startswith("milan ")]
    checks = (wrong_file, wrong_key, wrong_name)
    codes = [code for code in codes if code not in ELSEWHERE]
    return [code for code in codes if any(check(code) for check in checks)] + [
        line for line in calls if wrong_command(line)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_names_exists(page):
    assert wrong(page.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "code",
    [
        "tests/docs/test_named.py::test_gone", "test_that_is_gone", "core/gone.py", "gone.py",
        "config/gone.yaml", "milan models list", "milan describe --gone 1", "make gone",
        "MILAN_GONE=1", "python -m benchmarks.gone", "milan.gone(model)", "describe.gone: 1",
    ],
)  # fmt: skip
def test_what_is_gone_is_noticed(code):
    assert wrong(f"See `{code}`.") == [code]


def test_commands_of_blocks_are_read():
    assert wrong("```\nmilan describe \\\n    --gone 1\n```\n") == ["milan describe  --gone 1"]
    assert wrong("`describe.temperature: 0.2`, `milan zoo rank`") == []
