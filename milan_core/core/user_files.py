"""Identity of a user's code: the files that a module can reach by its imports, read, never run.

A file of the user's imports others: beside it, in its package, from the root of its project, from
packages that were installed in place. All of them decide what a network computes (`closure`). Files
count by their syntax without docstrings and comments, in a form that no version of Python changes;
data files whose names they hold count by their bytes. What is installed counts by its version.

Found are imports anywhere in a file, `importlib.import_module("name")` with a constant, and data
files: those below the file's folder, or below one above it in its project, whose every name is in
a constant of the file, as in `HERE / "data" / "scale.json"`. Names built at run time are not.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from milan_core.core.contents import content_digest
from milan_core.core.definitions import NAME, is_docstring
from milan_core.core.projects import SHARED, project_of_file
from milan_core.core.shipped import PACKAGE

INSTALLED = ("site-packages", "dist-packages")
_PATH = re.compile(r"[\w ./+-]{1,120}")
_DEEPEST = 6  # folders of a data file below that of the source

Import = tuple[int, str, str]  # dots of a relative import, module, name in it


@dataclass
class Closure:
    """The files that a file reaches."""

    files: dict[str, Path] = field(default_factory=dict)  # by name below the first file's root
    libraries: set[str] = field(default_factory=set)  # top-level modules that are installed
    package: set[tuple[str, str]] = field(default_factory=set)  # module, definition of this package
    _listed: dict[Path, list[str]] = field(default_factory=dict)

    def digest(self) -> str:
        """Hexadecimal SHA-256 of the files; empty where there are none."""
        if not self.files:
            return ""
        total = hashlib.sha256()
        for name, path in sorted(self.files.items()):
            total.update(f"{name}\0{_content(path)}\n".encode())
        return total.hexdigest()

    def files_by(self, names: set[str], folder: Path, depth: int = _DEEPEST) -> Iterator[Path]:
        """Files at most `depth` folders below one, by `names` alone; closed folders hold none."""
        if folder not in self._listed:
            with contextlib.suppress(OSError):
                self._listed[folder] = sorted(os.listdir(folder))  # noqa: PTH208 - of large folders
        for name in names.intersection(self._listed.get(folder, ())):
            place = folder / name
            if os.path.isdir(place) and depth:  # noqa: PTH112 - False where it is closed
                yield from self.files_by(names, place, depth - 1)
            elif os.path.isfile(place):  # noqa: PTH113
                yield place


def closure(files: Iterable[Path]) -> Closure:
    """Everything that the given files of the user's reach, themselves included."""
    found, queue = Closure(), [Path(os.path.realpath(path)) for path in files]
    if not queue:
        return found
    roots = project_of_file(queue[0]).roots
    base, seen = roots[0], set[Path]()
    while queue:
        path = queue.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        found.files[Path(os.path.relpath(path, base)).as_posix()] = path
        if path.suffix == ".py":
            queue += _reached(path, roots, found)
    return found


def module_file(name: str) -> Path | None:
    """The file of a module of the user's by its name; None for what is installed or missing."""
    for root in [*_search_path(), *_editable_roots(name.partition(".")[0])]:
        if files := list(_module_files(root, name)):
            return files[-1]
    return None


def is_users(path: Path | str | None) -> bool:
    """Whether a source file is neither installed, nor of Python, nor of this package."""
    if not path or not str(path).endswith((".py", ".so", ".pyd")):
        return False
    place = Path(os.path.realpath(path))
    if place.is_relative_to(PACKAGE) or any(part in INSTALLED for part in place.parts):
        return False
    library = Path(os.path.realpath(os.__file__)).parent
    return place.is_file() and not place.is_relative_to(library)


def _reached(path: Path, roots: Sequence[Path], found: Closure) -> list[Path]:
    """Files that one file imports or names; what is no file of the user's goes to `found`."""
    places = [*dict.fromkeys([path.parent, *project_of_file(path).roots, *roots, *_search_path()])]
    imports, texts = _named(path, _stamp(path))
    files: list[Path] = []
    for dots, module, name in imports:
        top = module.partition(".")[0]
        if dots:
            folder = path.parents[dots - 1] if dots <= len(path.parents) else path.parent
            files += _from(folder, module, name)
        elif top == NAME:
            found.package.add((module, name or "*"))
        elif top in SHARED:
            found.libraries.add(top)
        else:
            inside = [file for root in places for file in _from(root, module, name)] or [
                file for root in _editable_roots(top) for file in _from(root, module, name)
            ]
            files += inside
            if not inside and top not in sys.stdlib_module_names:
                found.libraries.add(top)
    files += [Path(text) for text in texts if os.path.isfile(text)]  # noqa: PTH113
    files += _data_files(path, {part for text in texts for part in text.split("/")}, found)
    return [Path(os.path.realpath(file)) for file in files]


def _data_files(path: Path, names: set[str], found: Closure) -> Iterator[Path]:
    """Files whose every name below the folder of a source, or one above it, is among `names`."""
    roots = {path.parent, *project_of_file(path).roots} & {*path.parents}
    highest = min(len(root.parts) for root in roots)
    for folder in path.parents:
        if len(folder.parts) >= highest:
            yield from found.files_by(names, folder)
    endings = [name for name in names if name.startswith(".")]  # of `with_suffix`
    yield from found.files_by({f"{path.stem}{ending}" for ending in endings}, path.parent, 0)


def _from(root: Path, module: str, name: str) -> list[Path]:
    """Files of `from module import name` below `root`; the name may be a module itself."""
    files = list(_module_files(root, module)) if module else list(_init(root))
    inner = f"{module}.{name}" if module else name
    return [*files, *(_module_files(root, inner) if name and name != "*" else ())]


def _module_files(root: Path, module: str) -> Iterator[Path]:
    """The packages above a module, then the module; nothing where it is not below `root`."""
    parts = module.split(".")
    base = root.joinpath(*parts)
    ends = [base.with_name(f"{base.name}.py"), base / "__init__.py", *_compiled(base)]
    there = [file for file in ends if file.is_file()]
    if there:
        for depth in range(1, len(parts)):
            yield from _init(root.joinpath(*parts[:depth]))
        yield there[0]


def _compiled(base: Path) -> list[Path]:
    return sorted(base.parent.glob(f"{base.name}.*.so")) if base.parent.is_dir() else []


def _init(folder: Path) -> Iterator[Path]:
    if (folder / "__init__.py").is_file():
        yield folder / "__init__.py"


def _search_path() -> list[Path]:
    """The working folder, and folders of the module path that are the user's own."""
    library = Path(os.path.realpath(os.__file__)).parent
    folders = [Path(os.path.realpath(entry)) for entry in sys.path if entry]
    own = [
        folder
        for folder in folders
        if folder.is_dir()
        and not any(part in INSTALLED for part in folder.parts)
        and not folder.is_relative_to(library)
    ]
    return list(dict.fromkeys([Path.cwd(), *own]))


@functools.cache
def _editable_roots(top: str) -> tuple[Path, ...]:
    """The folders above a package that was installed in place; none for other packages."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return ()
    places = list(spec.submodule_search_locations or []) if spec else []
    if spec and spec.origin and is_users(spec.origin) and not places:
        return (Path(spec.origin).parent,)
    return tuple(Path(place).parent for place in places if is_users(Path(place, "__init__.py")))


def _stamp(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@functools.lru_cache(4096)
def _named(path: Path, _: tuple[int, int, int]) -> tuple[tuple[Import, ...], tuple[str, ...]]:
    """Imports of a file, and its constants that may be paths or parts of some."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return (), ()
    imports: list[Import] = []
    texts: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports += [(node.level, node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Call) and (name := _imported_by_call(node)):
            imports.append((0, name, ""))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts += [node.value] if _PATH.fullmatch(node.value) else []
    return tuple(imports), tuple(texts)


def _imported_by_call(node: ast.Call) -> str:
    """The module of `import_module("name")` or `__import__("name")`."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    first = node.args[0] if node.args else None
    if called not in ("import_module", "__import__") or not isinstance(first, ast.Constant):
        return ""
    return first.value.lstrip(".") if isinstance(first.value, str) else ""


def _content(path: Path) -> str:
    """A digest of a file: of Python's syntax, or of the bytes of everything else."""
    return _syntax(path, _stamp(path)) if path.suffix == ".py" else content_digest(path)


@functools.lru_cache(4096)
def _syntax(path: Path, _: tuple[int, int, int]) -> str:
    data = path.read_bytes()
    try:
        tree: ast.AST = ast.parse(data)
    except (SyntaxError, ValueError):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha256("".join(_plain(tree)).encode()).hexdigest()


def _plain(node: object) -> Iterator[str]:
    """Syntax as text: no docstrings, no places, nothing that is empty."""
    if isinstance(node, ast.AST):
        yield f"{type(node).__name__}("
        for name in node._fields:
            value = getattr(node, name, None)
            if name == "body" and isinstance(value, list):
                value = [item for item in value if not is_docstring(item)]
            if value not in (None, []) and name not in ("type_comment", "kind"):
                yield f"{name}="
                yield from _plain(value)
                yield ","
        yield ")"
    elif isinstance(node, list):
        yield "["
        for item in node:
            yield from _plain(item)
            yield ","
        yield "]"
    else:
        yield repr(node)
