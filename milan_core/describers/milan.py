"""MILAN: a captioner of exemplar features, in every strategy of decoding (paper section 3).

Its controls are describers on other evidence: features under masks of other units
(`shuffled_masks`), of whole images (`whole_image`), the language model alone (`prior_only`), and
the same captioner without its prior (`greedy`). Beside them stands its search with fewer beams and
a larger lambda (`milan_tuned`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.describe import decode
from milan_core.captioner.features.store import FeatureTable
from milan_core.captioner.options import DecodingOptions
from milan_core.captioner.prior import most_likely_text
from milan_core.captioner.reading import decoding_of
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.units import UnitKey
from milan_core.describers.constant import Constant
from milan_core.describers.declared_options import DescriberOptions, Need
from milan_core.describers.describer import Describer, Descriptions, Resources, TableForm
from milan_core.describers.driver import describe
from milan_core.describers.options import MilanOptions, MilanTunedOptions
from milan_core.describers.pmi import FORM, described
from milan_core.describers.reader import CaptionerReader
from milan_core.describers.sources import FeatureUnits
from milan_core.describers.units import Units

MASKINGS = {"shuffled_masks": "shuffled", "whole_image": "whole"}
"""Controls on other evidence: masks of the features by the name of the control."""


class Milan(Describer):
    """A captioner trained here, or a published one.

    Args:
        captioner: loaded, on its device.
        reader: which features it reads, and its encoder.
        decoding: options; those that are not set are the captioner's.

    """

    Options: ClassVar[type[DescriberOptions]] = MilanOptions
    form: ClassVar[TableForm] = FORM

    def __init__(
        self, captioner: Captioner, reader: CaptionerReader, decoding: DecodingOptions
    ) -> None:
        self.captioner, self.reader = captioner, reader
        self.decoding = decoding_of(captioner, decoding)

    @classmethod
    def load(cls, options: MilanOptions, resources: Resources) -> Milan:
        """The describer with its captioner, a folder or a published file."""
        device = resources.compute.device
        captioner = load_captioner(resources.need_captioner("milan")).to(device)
        reader = CaptionerReader(captioner, device, resources.encoder_weights, resources.trust)
        return cls(captioner, reader, options.decoding)

    def prepare(self, offers: frozenset[Need]) -> None:
        """Load the encoder too where features have to be made: its faults come first."""
        super().prepare(offers)
        if "exemplars" in offers:
            _ = self.reader.encoder

    def describe(self, units: Units) -> Descriptions:
        """Decode the features of every unit; too wide a beam is narrowed."""
        features = units.features(self.reader)
        decoded = decode(self.captioner, features, self.decoding)
        return described(units.keys, decoded, self.decoding.temperature)

    def greedy(self) -> Milan:
        """The same captioner without its prior, one word after the other."""
        plain = {"strategy": "greedy", "mi": False}
        return Milan(self.captioner, self.reader, self.decoding.model_copy(update=plain))

    def tuned(self) -> Milan:
        """The same captioner with the search of `milan_tuned`."""
        options = MilanTunedOptions().decoding
        chosen = {name: getattr(options, name) for name in options.model_fields_set}
        search = self.decoding.model_copy(update={"strategy": None, "mi": None, **chosen})
        return Milan(self.captioner, self.reader, search)

    def prior_only(self) -> Constant:
        """The most likely text of the language model, for every unit."""
        beam, length = self.decoding.beam_size, self.decoding.length
        text, logp = most_likely_text(self.captioner, beam, length)
        return Constant(text, {"logp_lm": logp})


def masked(table: FeatureTable, masking: str, path: Path) -> FeatureTable:
    """The table whose described features are those of `masking`; without controls but for `exact`.

    Raises:
        UserError: where the file has no such features.

    """
    if masking == "exact":
        return table
    if masking not in table.arrays:
        raise UserError(f"{path}: no features {masking!r}, got {sorted(table.arrays)}")
    return replace(table, arrays={"exact": table.arrays[masking]})


def searches(milan: Milan, table: FeatureTable) -> dict[str, tuple[Milan, str]]:
    """The captioner's search and those of its controls, each with the masks of its features.

    In the order of their table; the search itself comes first, under the name of the describer.
    """
    found = {MilanOptions.describer_name(): (milan, "exact")}
    found |= {name: (milan, mask) for name, mask in MASKINGS.items() if mask in table.arrays}
    if milan.captioner.language_model is not None:
        found[MilanTunedOptions.describer_name()] = milan.tuned(), "exact"
    return found | {"greedy": (milan.greedy(), "exact")}


def with_prior(
    said: Mapping[str, Descriptions], milan: Milan, table: FeatureTable, path: Path
) -> tuple[Descriptions, list[tuple[str, Descriptions]]]:
    """List the captioner's descriptions and controls, in their table's order with `prior_only`.

    Args:
        said: what each of `searches` says.
        milan: the captioner.
        table: the features.
        path: their file, for messages.

    """
    (_, main), *others = said.items()
    if milan.captioner.language_model is not None:
        prior = describe(milan.prior_only(), FeatureUnits(table, path))
        others.insert(len(others) - 1, ("prior_only", prior))
    return main, others


def unit_sides(units: Path | None, model: str, keys: list[UnitKey]) -> list[str]:
    """Whether a captioner was trained on each unit of a network: "train" or "test".

    Args:
        units: units.csv of the captioner. None: its training units are unknown, as those of a
            published captioner are, and all units are "test".
        model: name of the network.
        keys: its units.

    """
    if units is None:
        return ["test"] * len(keys)
    trained = {
        (row["layer"], int(row["unit"]))
        for row in read_csv(units, ["model", "layer", "unit", "side"])
        if row["model"] == model and row["side"] == "train"
    }
    return ["train" if key in trained else "test" for key in keys]
