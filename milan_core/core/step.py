"""Steps: the jobs of the workflow, each declared once as a typed class.

    class EditNetwork(Step, name="edit.network", device=True):
        \"\"\"Ablate the units that a query selects by description (paper section 7).\"\"\"

        model: Network
        descriptions: In
        truth: In | None = None
        options: EditOptions
        result: Out

        def run(self, compute: Compute) -> None: ...

The fields are the step's inputs (`In`), outputs (`Out`, `OutFolder`) and options. The command line
(`milan step edit.network`), the command of the rule (`command`), the provenance record and the
comparison of rules with steps (`tests/workflow/test_rules.py`) are derived from them. From Python
and in tests: `EditNetwork(model=..., ...).run(Compute())`.

A step named `<folder>.<verb>` is declared in `<folder>/step.py`. Such files import nothing heavy at
their top: Snakemake and `milan` load them only to read the declarations.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from milan_core.core.devices import start_device
from milan_core.core.errors import unknown
from milan_core.core.options import Section

PACKAGE = Path(__file__).resolve().parents[1]
Role = Literal["input", "output", "folder", "option"]


@dataclass(frozen=True)
class FileRole:
    """Marks a path as an input, an output file, or an output folder."""

    role: Role


In = Annotated[Path, FileRole("input")]
Out = Annotated[Path, FileRole("output")]
OutFolder = Annotated[Path, FileRole("folder")]


class Compute(Section):
    """The machine settings of a step; never part of its result."""

    device: str = "cpu"
    threads: int = 1

    def start(self) -> dict[str, Any]:
        """Start torch with these threads on this device; returns facts for the record."""
        return start_device(self.device, self.threads)


class Step(Section):
    """One job: its inputs, options and outputs as fields, its work in `run`.

    Class arguments: `name` is `<folder>.<verb>`; `device=True` for work that runs networks: torch
    is started before `run`, and the rule gives `device`; `timed`: names of output files that hold
    times, as patterns, so their bytes differ from run to run.
    """

    step_name: ClassVar[str] = ""
    runs_networks: ClassVar[bool] = False
    timed: ClassVar[tuple[str, ...]] = ()

    record: Out | None = None
    """The provenance record; `provenance.json` inside an output folder where it is not given."""

    def __init_subclass__(
        cls, name: str = "", device: bool = False, timed: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.step_name, cls.runs_networks, cls.timed = name, device, timed

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Take the class arguments that `__init_subclass__` has read."""

    def run(self, compute: Compute) -> Mapping[str, Any] | None:
        """Read the inputs, write the outputs; facts that are returned go into the record."""
        raise NotImplementedError

    def paths(self, *roles: Role) -> list[Path]:
        """The given paths of the fields with one of `roles`, in the order of declaration."""
        files: list[Path] = []
        for field in step_fields(type(self)):
            value = getattr(self, field.name)
            if field.role in roles and value is not None:
                files += value if field.many else [value]
        return files

    @classmethod
    def holds_times(cls, name: str) -> bool:
        """Whether the output file called `name` holds times."""
        return any(fnmatch(name, pattern) for pattern in cls.timed)

    def settings(self) -> dict[str, Any]:
        """Every field that is no path, as plain values."""
        names = {field.name for field in step_fields(type(self)) if field.role == "option"}
        return self.model_dump(mode="json", include=names)


@dataclass(frozen=True)
class StepField:
    """One field of a step, as the command line and the rules see it."""

    name: str
    role: Role
    many: bool  # a list of paths
    required: bool
    annotation: Any
    constrained: Any  # the annotation with what its field adds, for validation
    description: str

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")


def step_fields(cls: type[Step]) -> list[StepField]:
    """The fields of a step in the order of declaration, `record` last."""
    names = [*(name for name in cls.model_fields if name != "record"), "record"]
    fields = []
    for name in names:
        info = cls.model_fields[name]
        role, many = _role(info.annotation, info.metadata)
        text = info.description or ""
        full: Any = Annotated[info.annotation, info]
        fields.append(StepField(name, role, many, info.is_required(), info.annotation, full, text))
    return fields


def _role(annotation: Any, metadata: list[Any]) -> tuple[Role, bool]:
    """The role of a field, and whether it holds a list of paths."""
    for item in metadata:
        if isinstance(item, FileRole):
            return item.role, False
    for argument in get_args(annotation):
        role, many = _role(argument, list(getattr(argument, "__metadata__", ())))
        if role != "option":
            return role, many or get_origin(annotation) is list
    return "option", False


def step_modules() -> dict[str, str]:
    """Modules that declare steps, by the folder that they are in: every `step.py`."""
    files = [path for path in sorted(PACKAGE.rglob("step.py")) if path.parent.name != "core"]
    return {
        path.parent.name: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in files
    }


def all_steps() -> dict[str, type[Step]]:
    """Every declared step by name."""
    return {name: step for module in step_modules().values() for name, step in _of(module).items()}


def find_step(name: str) -> type[Step]:
    """The step of that name; raises `UserError` with the nearest names."""
    module = step_modules().get(name.partition(".")[0])
    steps = _of(module) if module else {}
    if name not in steps:
        raise unknown("step", name, all_steps(), listed="milan step")
    return steps[name]


def _of(module: str) -> dict[str, type[Step]]:
    """The steps that a module declares, by name."""
    members = vars(importlib.import_module(module)).values()
    return {
        item.step_name: item
        for item in members
        if isinstance(item, type)
        and issubclass(item, Step)
        and item.__module__ == module
        and item.step_name
    }


def command(name: str) -> str:
    """The shell command of the rule that runs a step: every field by its name, all of it quoted.

    The rule's inputs and outputs carry the names of the fields; its params carry the other fields,
    and `code` (`milan_core.core.identity.step_code`); the resources of a step that runs networks
    have `device`, which is no part of what was asked. An optional file that is not there is an
    empty input or output.
    """
    step = find_step(name)
    place = {"input": "input", "output": "output", "folder": "output", "option": "params"}
    fields = [
        field for field in step_fields(step) if field.name != "record" or not _only_folder(step)
    ]
    parts = ["milan --log {log:q} step", name]
    parts += [f"{field.flag} {{{place[field.role]}.{field.name}:q}}" for field in fields]
    if step.runs_networks:
        parts.append("--device {resources.device:q}")
    return " ".join([*parts, "--threads {threads} --code {params.code:q}"])


def _only_folder(step: type[Step]) -> bool:
    """Whether the step writes a folder and nothing beside it: the folder then holds its record."""
    roles = {field.role for field in step_fields(step) if field.name != "record"}
    return "folder" in roles and "output" not in roles
