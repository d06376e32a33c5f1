"""Result files of the published programs of NetDissect and Compositional Explanations.

NetDissect writes `{arch}-{data}-netpqc-{layer}-10/report.json`, whose `units` have a `unit` and a
`label`; Compositional Explanations writes `{model}_{data}_broden_ade20k_neuron_3/tally_{layer}.csv`
with the columns `unit` and `label`. Layers of AlexNet are called conv1 to conv5 there, as in the
published annotation sets, and features.0 to features.10 in torchvision.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from milan_core.core.errors import UserError, reading
from milan_core.core.files import read_csv, read_json
from milan_core.core.numbers import is_whole
from milan_core.core.units import UnitKey
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Describer, Descriptions, Resources, TableForm
from milan_core.describers.driver import describe
from milan_core.describers.labels import FORM, labeled
from milan_core.describers.options import PublishedMethod, PublishedOptions
from milan_core.describers.units import LayerUnits, Units
from milan_core.describers.wording import compexp_text, netdissect_text
from milan_core.exemplars.status import UnitStatus

# (layer, unit) to (description, label)
Labels = dict[tuple[str, int], tuple[str, str]]
ALEXNET = {f"conv{i}": f"features.{n}" for i, n in enumerate((0, 3, 6, 8, 10), 1)}
_NETDISSECT = re.compile(r"-netpqc-(?P<layer>.+)-10$")


class Published(Describer):
    """Repeats the labels of a published program for the layers of the units."""

    Options: ClassVar[type[DescriberOptions]] = PublishedOptions
    form: ClassVar[TableForm] = FORM

    def __init__(self, options: PublishedOptions) -> None:
        self._options = options

    @classmethod
    def load(cls, options: PublishedOptions, resources: Resources) -> Published:
        """The describer; the results are read when units are described."""
        return cls(options)

    def describe(self, units: Units) -> Descriptions:
        """The labels of all units that the results have in the layers of `units`."""
        labels = read_published(self._options.method, self._options.path, units.layers)
        rows = [labeled(text, label) for text, label in labels.values()]
        return Descriptions(list(labels), rows)


def published_labels(
    folders: Mapping[PublishedMethod, str],
    layers: Iterable[str],
    silent: Mapping[UnitKey, UnitStatus] | None = None,
) -> list[tuple[str, Descriptions]]:
    """The labels of several programs for the layers of a network, by `<program>_published`.

    `silent` are the units that show nothing, where it is known.
    """
    units = LayerUnits(layers, silent)
    return [
        (
            f"{method}_published",
            describe(Published(PublishedOptions(method=method, path=path)), units),
        )
        for method, path in sorted(folders.items())
    ]


def read_published(method: PublishedMethod, path: Path | str, layers: Iterable[str]) -> Labels:
    """Labels of `netdissect` or `compexp` for the layers of a network.

    `path` is the folder with the result files; for NetDissect also `folder/{arch}-{data}`, when
    the folder holds the results of several networks.
    """
    read = {"netdissect": _netdissect, "compexp": _compexp}[method]
    labels = read(Path(path))
    wanted = set(layers)
    named = {layer: layer if layer in wanted else _layer(layer) for layer, _ in labels}
    labels = {
        (named[layer], unit): text
        for (layer, unit), text in labels.items()
        if named[layer] in wanted
    }
    if not labels:
        raise UserError(
            f"{path}: {method} results of {_some(named.values())}, the network has "
            f"the layers {_some(wanted)}; give the results of this network"
        )
    return labels


def _some(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "no layer"


def _layer(name: str) -> str:
    return ALEXNET.get(name, name)


def _netdissect(path: Path) -> Labels:
    pattern = "*" if path.is_dir() else f"{path.name}-*"
    folder = path if path.is_dir() else path.parent
    labels: Labels = {}
    for report in sorted(folder.glob(f"{pattern}/report.json")):
        match = _NETDISSECT.search(report.parent.name)
        if match is None:
            continue
        layer = match["layer"]
        with reading(report, "a NetDissect report", "get it again"):
            content = read_json(report, "NetDissect report")
            units = content.get("units") if isinstance(content, dict) else None
            if not isinstance(units, list):
                raise UserError(f"{report} is not a NetDissect report: it has no list `units`")
            for entry in units:
                if not isinstance(entry, dict) or not {"unit", "label"} <= entry.keys():
                    raise UserError(f"{report}: an entry of `units` lacks `unit` or `label`")
                _put(
                    labels, layer, str(entry["unit"]), str(entry["label"]), report, netdissect_text
                )
    return labels


def _compexp(path: Path) -> Labels:
    labels: Labels = {}
    for table in sorted(path.glob("tally_*.csv")):
        layer = table.stem.removeprefix("tally_")
        for row in read_csv(table, ("unit", "label")):
            _put(labels, layer, row["unit"], row["label"], table, compexp_text)
    return labels


def _put(
    labels: Labels, layer: str, unit: str, label: str, path: Path, clean: Callable[[str], str]
) -> None:
    if not is_whole(unit):
        raise UserError(f"{path}: unit {unit!r:.60} is not a whole number")
    key = (layer, int(unit))
    if key in labels:
        raise UserError(
            f"{path}: layer {layer!r} unit {unit} is labelled twice; name the results of one "
            "network (folder/arch-data)"
        )
    labels[key] = (clean(label), label)
