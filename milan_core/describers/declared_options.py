"""The declaration of a describer: its options, and what others know of it without loading it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from milan_core.core.options import Section

Need = Literal[
    "features",
    "exemplars",
    "activations",
    "maxima",
    "means",
    "concepts",
    "annotations",
    "captioner",
    "judge",
    "clip",
    "table",
    "endpoint",
]
"""The inputs of a describer: evidence that `units.Units` offer, or files that it loads."""


class DescriberOptions(Section):
    """Options of one describer, and what others know of it without loading it.

    Class arguments: `label` is its name in tables and figures, `color` its color in figures,
    `needs` what it works with. A subclass has a field `describer` whose only value is its name.
    """

    label: ClassVar[str] = ""
    color: ClassVar[str] = ""
    needs: ClassVar[frozenset[Need]] = frozenset()

    def __init_subclass__(
        cls, label: str = "", color: str = "", needs: tuple[Need, ...] = (), **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if label:
            cls.label, cls.color, cls.needs = label, color, frozenset(needs)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Take the class arguments that `__init_subclass__` has read."""

    @property
    def reads_captioner(self) -> bool:
        """Whether it loads a captioner that is no option of its own."""
        return "captioner" in self.needs

    @property
    def reads_judge(self) -> bool:
        """Whether it loads a judge that is no option of its own."""
        return "judge" in self.needs

    @classmethod
    def describer_name(cls) -> str:
        """The name of the describer: the only value of the field `describer`."""
        return str(cls.model_fields["describer"].default)
