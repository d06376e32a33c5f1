"""YAML files of users, read strictly: no duplicate keys, no documents that explode.

`yaml.safe_load` keeps the last of two equal keys, and a few lines of aliases can stand for billions
of values. Both are refused here, with file and line. So are numbers that YAML 1.1 reads in base 8
or 60, where a person reads another number.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from milan_core.core.errors import UserError

LARGEST = 10 << 20  # bytes of a file
DEEPEST = 50  # mappings and lists inside each other
MOST = 200_000  # values, aliases expanded
_TEXT = "tag:yaml.org,2002:str"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_IN_OTHER_BASES = re.compile(r"[-+]?0[0-9_]{1,40}|.*:.*")  # 010 is 8, 1:30 is 90


def load_yaml(path: Path | str) -> Any:
    """The content of a YAML file; {} for an empty one.

    Raises:
        UserError: with file and line, for a file that is missing, too large or not YAML, duplicate
            keys, values inside each other deeper than `DEEPEST`, an alias that holds itself, more
            than `MOST` values, or a number in base 8 or 60.

    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if len(raw) > LARGEST:
        raise UserError(f"{path} has {len(raw)} bytes; a configuration has at most {LARGEST}")
    try:
        text = raw.decode("utf-8-sig")
        root = _compose(text)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: not UTF-8") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UserError(f"{path}: values are nested too deeply") from None
    if root is None:
        return {}
    _Sizes(path).size(root, 0)
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(root)
    except (yaml.YAMLError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    finally:
        loader.dispose()


def _compose(text: str) -> yaml.Node | None:
    """The graph of nodes; an alias is the node that it names, so the graph stays small."""
    if text.count("[") + text.count("{") > MOST:
        raise RecursionError
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _value(node: yaml.Node) -> Any:
    """The value of a scalar; its text where YAML can make no value of it."""
    if node.tag == _TEXT:
        return node.value
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError, TypeError, LookupError, ArithmeticError):
        return node.value
    finally:
        loader.dispose()


class _Sizes:
    """Number of values below each node with aliases expanded, and the checks on the way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def size(self, node: yaml.Node, depth: int) -> int:
        """Values below a node; refuses what `load_yaml` says."""
        if id(node) in self._open:
            raise self._wrong(node, "an alias holds itself")
        if depth > DEEPEST:
            raise self._wrong(node, f"values stand more than {DEEPEST} levels inside each other")
        if id(node) not in self._sizes:
            self._open.add(id(node))
            total = 1 + sum(self.size(child, depth + 1) for child in self._children(node))
            self._open.remove(id(node))
            self._sizes[id(node)] = total
            if total > MOST:
                raise self._wrong(node, f"its aliases stand for more than {MOST} values")
        return self._sizes[id(node)]

    def _children(self, node: yaml.Node) -> list[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        if not isinstance(node, yaml.MappingNode):
            self._check_number(node)
            return []
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            name = str(key.value)
            if isinstance(key, yaml.ScalarNode) and name != "<<":
                line, value = key.start_mark.line + 1, _value(key)
                if before := seen.get(name) or seen.get(value):
                    raise self._wrong(key, f"key {name!r} stands in line {before} already")
                seen |= {name: line, value: line}
        return [part for pair in node.value for part in pair]

    def _check_number(self, node: yaml.Node) -> None:
        """Refuse a number that looks like another one, or like a time."""
        if node.tag in _NUMBERS and _IN_OTHER_BASES.fullmatch(node.value):
            value = _value(node)
            if ":" in node.value or int(node.value.replace("_", "")) != value:
                raise self._wrong(node, f"YAML reads {node.value} as {value}")

    def _wrong(self, node: yaml.Node, problem: str) -> UserError:
        line = node.start_mark.line + 1
        return UserError(f"{self.path}, line {line}: {problem}; change it there")
