"""Section of the configuration: descriptions that other methods give the same units (Table 2)."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Section
from milan_core.describers.label_options import LabelMethod, LabelSections


class BaselinesSpec(LabelSections):
    """Other methods on the same exemplars and splits; the trivial ones are always beside."""


class Evidence(Section):
    """The facts about labels and references in the text of Table 2.

    `methods` label from a concept list, `labels` names the data sets that their evidence comes
    from, `same_images` says whether annotators saw the same images, `sets` are the described
    annotation sets, `judged` methods that read the mini judge of the run.
    """

    methods: list[LabelMethod]
    labels: str
    same_images: bool
    sets: list[str] = Field([])
    judged: list[str] = Field([])


class MethodFacts(Section):
    """facts.json of one trial.

    `manifest` is the fingerprint of the images that the network was probed with, `passes` the share
    of units whose label passes its method's own threshold, `variants` the variants that are scored.
    """

    manifest: str
    passes: dict[str, float]
    variants: list[str] = Field([])
