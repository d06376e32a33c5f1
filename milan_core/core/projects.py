"""The project around a user's file: what it may import while it is loaded.

A network often lies in a project of several files. While its file is imported and its callable
runs, the file's folder and the roots of its project come first on `sys.path`, modules of the same
names from elsewhere are set aside, and `sys.argv` holds the file alone, so a script that reads its
command line does not read ours. Afterwards the roots stay at the end of `sys.path`, for imports
inside functions, and the modules that were set aside are back.

A file that has the name of an installed package (`timm.py` with `import timm` in it) means the
package, so its roots come last from the start.

Only the standard library is used: the identity of a network's source (`networks.version`) asks for
the same roots while the graph of jobs is built.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.machinery
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
# Loading a second copy of these breaks the process; a project's folder of such a name is passed by.
SHARED = frozenset(
    {"milan_core", "torch", "torchvision", "numpy", "PIL", "pydantic", "safetensors"}
)


@dataclass(frozen=True)
class Project:
    """The importable surroundings of a factory.

    Args:
        roots: folders that come first on the path, in this order.
        module: dotted name under which the file is imported; "" for a file outside any package.
        file: of the factory; None for `package.module:callable`.

    """

    roots: tuple[Path, ...]
    module: str = ""
    file: Path | None = None

    @cached_property
    def names(self) -> frozenset[str]:
        """Top-level names that the roots provide."""
        names = {name for root in self.roots for name in _provided(root)}
        own = {self.file.stem} if self.namesake and self.file else set()
        return frozenset(names - SHARED - set(sys.stdlib_module_names) - own)

    @cached_property
    def namesake(self) -> bool:
        """Whether a file outside of packages has the name of an installed package."""
        if self.file is None or self.module:
            return False
        finder = importlib.machinery.PathFinder
        others = {*map(str, self.roots), *_LEFT, ""}
        installed = [entry for entry in sys.path if entry not in others]
        name = self.file.stem
        return name in sys.stdlib_module_names or finder.find_spec(name, installed) is not None

    def holds(self, module: ModuleType | None) -> bool:
        """Whether a module's file, or the folder of a package without one, lies below a root."""
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        first = next((str(place) for place in places if place), "")
        return bool(first) and any(_is_below(first, root) for root in self.roots)


def project_of_file(path: Path) -> Project:
    """The project of `path/to/file.py`.

    Roots are the folder above the file's outermost package (the file's own folder outside of
    packages), the nearest folder above with one of `MARKERS` and `src` below that, and the current
    folder where the file lies below it. A file with relative imports belongs to a package, with or
    without `__init__.py`.
    """
    file = path.expanduser().resolve()
    package = _package_root(file)
    first = [] if package == file.parent else [package]
    marked = next((f for f in file.parents if any((f / name).exists() for name in MARKERS)), None)
    further = [] if marked is None else [marked / "src", marked]
    working = Path.cwd().resolve()
    further += [working] if working in file.parents else []
    roots = dict.fromkeys([*first, file.parent, *(f for f in further if f.is_dir())])
    module = ".".join(file.relative_to(package).with_suffix("").parts) if first else ""
    return Project(tuple(roots), module.removesuffix(".__init__"), file)


def project_of_module(name: str) -> Project:
    """The project of `package.module`: the current folder, as with `python -m`."""
    return Project((Path.cwd().resolve(),), name)


def _package_root(file: Path) -> Path:
    """The folder above the outermost package of a file; its own folder outside of packages."""
    folder = file.parent
    for _ in range(_relative_depth(file)):  # a package also where no __init__.py says so
        folder = folder.parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent
    return folder


def _relative_depth(file: Path) -> int:
    """Count the folders that the relative imports of a file climb; 0 without any."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return 0
    levels = [node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return max(levels, default=0)


def _provided(root: Path) -> Iterator[str]:
    """Top-level modules and packages of a folder; folders without Python files are none."""
    with contextlib.suppress(OSError):
        for item in root.iterdir():
            if item.suffix == ".py" and item.stem.isidentifier():
                yield item.stem
            elif item.name.isidentifier() and item.is_dir() and any(item.glob("*.py")):
                yield item.name


def _is_below(place: str, root: Path) -> bool:
    place = os.path.realpath(place)
    if "site-packages" in Path(os.path.relpath(place, root)).parts:  # an environment in the project
        return False
    return os.path.commonpath([place, root]) == str(root)


_OWN: dict[tuple[Path, ...], dict[str, ModuleType]] = {}
"""Modules of projects whose names belong to other modules outside of `active`, by roots."""
_LEFT: set[str] = set()
"""Roots that stay at the end of the path after `active`."""


@contextlib.contextmanager
def active(project: Project) -> Iterator[None]:
    """Make a project importable, and hide our command line from it; see the module's text."""
    roots = [str(root) for root in project.roots]
    argv, path = sys.argv, [entry for entry in sys.path if entry not in _LEFT]
    others = [entry for entry in path if entry not in roots]
    aside = {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in project.names and not project.holds(module)
    }
    for name in aside:
        del sys.modules[name]
    sys.modules.update(_OWN.get(project.roots, {}))
    sys.path[:] = [*others, *roots] if project.namesake else [*roots, *others]
    sys.argv = [str(project.file or project.module)]
    importlib.invalidate_caches()  # files that were written a moment ago
    try:
        yield
    finally:
        sys.argv = argv
        added = [entry for entry in sys.path if entry not in {*path, *roots}]
        _LEFT.update(root for root in roots if root not in path)
        sys.path[:] = [*path, *added, *(root for root in roots if root not in path)]
        _take_back(project, aside)


def _take_back(project: Project, aside: dict[str, ModuleType]) -> None:
    """Keep the project's modules whose names others had before, and put the others back."""
    shared = {name.partition(".")[0] for name in aside}
    own = {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in shared and project.holds(module)
    }
    _OWN.setdefault(project.roots, {}).update(own)
    for name in own:
        del sys.modules[name]
    sys.modules.update(aside)
