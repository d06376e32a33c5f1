"""Compare the results of two runs file by file.

    python tests/compare_runs.py BEFORE AFTER --map analyze=analysis --declare 'report/*=new pages'

A file becomes SHA-256 digests of its parts: columns of a table, arrays and metadata of a
safetensors file, top-level keys of JSON, the words of a page, and the bytes of any other file. Left
out are identities (hexadecimal digests, modules of factories), provenance records, logs and times,
with other files than tables and JSON that a step declares to hold times (`Step.timed`); of pages
also the numbers, which come from tables. The exit code is 1 if there are differences that
`--declare` does not name. `--save LIST` writes the digests of BEFORE; such a list may stand for
BEFORE later. `@FILE` reads arguments from a file, one a line.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path

from milan_core.core.step import Step, all_steps

IGNORED = ("*provenance.json", "*.snakemake_timestamp", "*.log", "*benchmarks/*")
IDENTITY = re.compile(r"[0-9a-f]{12,64}(:\d+)?")
MODULE = re.compile(r"\bmilan_core(\.\w+)+:")
TIME = re.compile(r"(^|_)(seconds|ms|minutes|time)(_|$)")
NUMBERS = re.compile(r"-?\d[\d.,]*( (h|min|s|ms|MB|GB)\b)?( -?\d[\d.,]*( (min|s)\b)?)*")
Parts = dict[str, str]
"""SHA-256 of each part of a file, by the part's name."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------------------- parts of files


def without_identities(value: object) -> object:
    """JSON without identities, modules of factories and times."""
    if isinstance(value, dict):
        return {k: without_identities(v) for k, v in value.items() if not TIME.search(k)}
    if isinstance(value, list):
        return [without_identities(item) for item in value]
    if isinstance(value, str):
        return "<identity>" if IDENTITY.fullmatch(value) else MODULE.sub("milan_core:", value)
    return value


def json_parts(value: object, prefix: str = "") -> Parts:
    """One part a top-level key."""
    items = value.items() if isinstance(value, dict) else [("value", value)]
    return {
        f"{prefix}{key}": sha256(json.dumps(without_identities(item), sort_keys=True).encode())
        for key, item in items
        if not TIME.search(key)
    }


def json_file_parts(data: bytes) -> Parts:
    return json_parts(json.loads(data))


def table_parts(data: bytes) -> Parts:
    """One part a column, and the bytes unless a column holds times."""
    header, *rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    timed = [bool(TIME.search(name)) for name in header]
    parts = {"rows": str(len(rows))} if any(timed) else {"bytes": sha256(data)}
    for index, name in enumerate(header):
        if not timed[index]:
            column = [row[index] if index < len(row) else None for row in rows]
            parts[name] = sha256(json.dumps(column).encode())
    return parts


def safetensors_parts(data: bytes) -> Parts:
    """One part an array (type, shape and values), and one a key of the header's metadata."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    metadata = header.pop("__metadata__", {})
    facts = json.loads(metadata.pop("milan", "{}"))
    meta = facts.pop("meta", {})
    parts = json_parts({**metadata, **facts, **meta}, "metadata ")
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        values = data[end + start : end + stop]
        parts[name] = sha256(f"{entry['dtype']} {entry['shape']} ".encode() + values)
    return parts


class VisibleText(HTMLParser):
    """Collects the text that a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words += data.split()


def page_parts(data: bytes) -> Parts:
    """The visible words, without numbers."""
    parser = VisibleText()
    parser.feed(data.decode())
    return {"text": sha256(NUMBERS.sub("<number>", " ".join(parser.words)).encode())}


def byte_parts(data: bytes) -> Parts:
    return {"bytes": sha256(data)}


KINDS: dict[str, tuple[str, Callable[[bytes], Parts]]] = {
    ".csv": ("tables", table_parts),
    ".safetensors": ("safetensors", safetensors_parts),
    ".json": ("JSON", json_file_parts),
    ".npy": ("arrays", byte_parts),
    ".svg": ("figures", byte_parts),
    ".html": ("pages", page_parts),
    ".webp": ("pictures", byte_parts),
    ".png": ("pictures", byte_parts),
}


def kind_of(path: str) -> str:
    return KINDS.get(Path(path).suffix, ("other", byte_parts))[0]


def parts_of(path: Path) -> Parts:
    """Digests of a file's parts; those of its bytes if it cannot be parsed."""
    data = path.read_bytes()
    try:
        return KINDS.get(path.suffix, ("other", byte_parts))[1](data)
    except (ValueError, KeyError, TypeError, csv.Error):
        return byte_parts(data)


# ---------------------------------------------------------------------------- folders


def matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def plain_path(path: str) -> str:
    """The path with folders that are named by an identity replaced."""
    *folders, name = path.split("/")
    return "/".join(
        [*("<identity>" if IDENTITY.fullmatch(part) else part for part in folders), name]
    )


def mapped_path(path: str, renamed: dict[str, str]) -> str:
    """The path after the first renaming whose old name is the path or a folder above it."""
    for old, new in renamed.items():
        if path == old or path.startswith(f"{old}/"):
            return new + path[len(old) :]
    return path


def files_with_times(root: Path) -> set[Path]:
    """Files without parts to compare whose steps declare that they hold times."""
    found: set[Path] = set()
    for record in root.rglob("*provenance.json"):
        facts = json.loads(record.read_text())
        step = all_steps().get(facts.get("step", ""), Step)
        names = [name for name in facts.get("outputs", {}) if kind_of(name) == "other"]
        found.update(record.parent / name for name in names if step.holds_times(Path(name).name))
    return found


def read_run(root: Path, leave_out: Sequence[str]) -> dict[str, Parts]:
    """Parts of all files of a run, by path relative to its folder."""
    if root.is_file():
        return json.loads(root.read_text())
    if not root.is_dir():
        raise SystemExit(f"compare_runs: error: {root} is neither a folder nor a list of digests")
    files: dict[str, Parts] = {}
    timed = files_with_times(root)
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        path = file.relative_to(root).as_posix()
        if matches(path, [*IGNORED, *leave_out]) or file in timed:
            continue
        plain = plain_path(path)
        files[path if plain in files else plain] = parts_of(file)
    return files


@dataclass
class Comparison:
    """Paths by the outcome of their comparison."""

    equal: list[str] = field(default_factory=list)
    different: dict[str, list[str]] = field(default_factory=dict)  # names of the parts
    only_before: list[str] = field(default_factory=list)
    only_after: list[str] = field(default_factory=list)

    def differences(self) -> Iterator[tuple[str, str]]:
        """Path and description of each difference."""
        for path, parts in self.different.items():
            yield path, f"different: {', '.join(parts)}"
        yield from ((path, "only before") for path in self.only_before)
        yield from ((path, "only after") for path in self.only_after)


def compare(before: dict[str, Parts], after: dict[str, Parts]) -> Comparison:
    """Compare parts of files by path."""
    result = Comparison()
    for path in sorted({*before, *after}):
        if path not in after:
            result.only_before.append(path)
        elif path not in before:
            result.only_after.append(path)
        elif before[path] == after[path]:
            result.equal.append(path)
        else:
            old, new = before[path], after[path]
            names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
            result.different[path] = [n for n in names if n != "bytes"] or names
    return result


# ---------------------------------------------------------------------------- command


def print_counts(result: Comparison) -> None:
    columns = {
        "equal": Counter(map(kind_of, result.equal)),
        "different": Counter(map(kind_of, result.different)),
        "only before": Counter(map(kind_of, result.only_before)),
        "only after": Counter(map(kind_of, result.only_after)),
    }
    print(f"{'files':<12}" + "".join(f"{name:>13}" for name in columns))
    for kind in sorted(set().union(*columns.values())):
        print(f"{kind:<12}" + "".join(f"{counts[kind]:>13}" for counts in columns.values()))


def pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise argparse.ArgumentTypeError(f"{text!r} has no =; write OLD=NEW")
    return old, new


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Compare the results of two runs file by file.", fromfile_prefix_chars="@"
    )
    parser.add_argument("before", type=Path, help="results folder, or a list written by --save")
    parser.add_argument("after", type=Path, help="results folder")
    renamed = "a file or folder of BEFORE that has another name in AFTER"
    parser.add_argument("--map", type=pair, nargs="+", action="extend", default=[],
                        metavar="OLD=NEW", help=renamed)  # fmt: skip
    reason = "pattern of paths in AFTER that may differ, and why"
    parser.add_argument("--declare", type=pair, nargs="+", action="extend", default=[],
                        metavar="PATTERN=REASON", help=reason)  # fmt: skip
    parser.add_argument("--leave-out", nargs="+", action="extend", default=[],
                        metavar="PATTERN", help="paths that are not compared")  # fmt: skip
    parser.add_argument("--save", type=Path, metavar="LIST", help="write the digests of BEFORE")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = parse(argv)
    before = read_run(arguments.before, arguments.leave_out)
    if arguments.save:
        arguments.save.write_text(json.dumps(before, indent=1, sort_keys=True) + "\n")
    before = {mapped_path(path, dict(arguments.map)): parts for path, parts in before.items()}
    result = compare(before, read_run(arguments.after, arguments.leave_out))
    print_counts(result)
    undeclared = 0
    for path, difference in result.differences():
        reasons = [why for pattern, why in arguments.declare if fnmatch(path, pattern)]
        undeclared += not reasons
        print(f"{path}: {difference}" + (f" (declared: {reasons[0]})" if reasons else ""))
    print(f"undeclared differences: {undeclared}")
    return int(undeclared > 0)


if __name__ == "__main__":
    sys.exit(main())
