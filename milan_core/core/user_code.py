"""Callables and classes of the user's, named `package.module:name` or `path/to/file.py:name`."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import io
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any

from milan_core.core.errors import UserError, first_line, nearest, unknown
from milan_core.core.projects import Project, active, project_of_file, project_of_module

OWN = __package__.partition(".")[0]


def load_named(text: str, what: str) -> Any:
    """The object that `text` names, after importing its module with its project around it.

    Args:
        text: `package.module:name` or `path/to/file.py:name`; dots in the name are attributes.
        what: what it is, for messages: "factory".

    Raises:
        UserError: where the module is missing, fails or ends the program, or has no such name.

    """
    source, _, attribute = text.rpartition(":")
    if source.endswith(".py"):
        module = _import_file(Path(source), what)
    else:
        module = _import_module(source, what)
    value: Any = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            raise unknown("callable", attribute, _public_callables(module), where=source)
        value = getattr(value, part)
    return value


def within_project(text: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, called with its project around it, for imports and command lines it reads."""
    source = text.rpartition(":")[0]
    if _is_own(source):
        return function
    project = project_of_file(Path(source)) if source.endswith(".py") else project_of_module(source)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with active(project):
            return function(*args, **kwargs)

    return call


def _is_own(module: str) -> bool:
    return module.partition(".")[0] == OWN


def _public_callables(module: ModuleType) -> list[str]:
    return [n for n in dir(module) if not n.startswith("_") and callable(getattr(module, n))]


def _import_module(name: str, what: str) -> ModuleType:
    if _is_own(name):
        return _imported(name, what, Project((), name))
    project = project_of_module(name)
    with active(project):
        return _imported(name, what, project)


def _imported(name: str, what: str, project: Project) -> ModuleType:
    try:
        with _running(f"{what} module {name!r}", project):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        where = f"; looked among installed packages and in {Path.cwd()}" if project.roots else ""
        msg = (
            f"{what} module {name!r} cannot be imported ({error}){where}; install its package in "
            f"this environment or give path/to/file.py:callable{_close(name)}"
        )
        raise UserError(msg) from error


def _close(name: str) -> str:
    """A hint with modules that are spelled nearly alike: installed ones, or of our package."""
    if _is_own(name):
        known = [key for key in sys.modules if key.count(".") == name.count(".") and _is_own(key)]
        close = nearest(name, known)
    else:
        top, dot, rest = name.partition(".")
        installed = {*packages_distributions(), *sys.stdlib_module_names}
        close = [key + dot + rest for key in nearest(top, installed - {top}, cutoff=0.8)]
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _import_file(path: Path, what: str) -> ModuleType:
    path = path.expanduser()
    if not path.is_file():
        msg = f"{what} file not found: {path} (looked in {Path.cwd()})"
        raise UserError(msg)
    project = project_of_file(path)
    with active(project), _running(f"{what} file {path}", project):
        return _of_package(project) if project.module else _alone(path)


def _of_package(project: Project) -> ModuleType:
    """A file of a package, imported anew where the file has changed since."""
    assert project.file is not None
    known = sys.modules.get(project.module)
    if known is not None and getattr(known, "__milan_source__", None) not in (None, _sum(project)):
        del sys.modules[project.module]
    module = importlib.import_module(project.module)
    module.__milan_source__ = _sum(project)  # type: ignore[attr-defined]
    return module


def _sum(project: Project) -> str:
    assert project.file is not None
    return hashlib.sha256(project.file.read_bytes()).hexdigest()


def _alone(path: Path) -> ModuleType:
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"milan_factory_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses in the file look themselves up here
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def _running(source: str, project: Project) -> Iterator[None]:
    """Run a user's module; whatever it raises becomes one sentence.

    What the module writes to standard error is held back, so that a script which cannot read its
    command line ends in our sentence, not in its usage.
    """
    written = io.StringIO()
    try:
        with contextlib.redirect_stderr(written):
            yield
    except SystemExit as error:
        last = (written.getvalue().strip().splitlines() or [f"exit code {error.code}"])[-1]
        written.truncate(0)
        msg = (
            f"{source} ends the program while it is imported ({last}); it is a script: put what it "
            "runs under `if __name__ == '__main__':`, or the network into a file of its own"
        )
        raise UserError(msg) from None
    except ModuleNotFoundError as error:
        if project.file is None and f"{project.module}.".startswith(f"{error.name}."):
            raise  # the module itself
        where = ", ".join(map(str, project.roots)) or "this package"
        msg = (
            f"{source} needs the module {error.name!r}, which is not installed and lies in none of "
            f"{where}; install it, or put its folder on PYTHONPATH{_close(error.name or '')}"
        )
        raise UserError(msg) from error
    except UserError:
        raise
    except Exception as error:
        msg = f"{source} cannot be run: {type(error).__name__}: {first_line(error)}"
        raise UserError(msg) from error
    finally:
        if text := written.getvalue():
            print(text, end="", file=sys.stderr)
