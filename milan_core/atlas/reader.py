"""Read an atlas or a pack in Python; what is read shows itself in notebooks.

>>> atlas = milan.open_atlas("results/atlas")        # doctest: +SKIP
>>> network = atlas["resnet_mini"]                    # doctest: +SKIP
>>> network["blocks.3"]                               # a layer: a grid of its units; doctest: +SKIP
>>> network["blocks.3", 17]                           # one unit; doctest: +SKIP
>>> atlas.search("red dog")                           # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from milan_core.atlas import display
from milan_core.atlas.chunks import read_chunk
from milan_core.atlas.lookup import Lookup
from milan_core.atlas.named import Named, NotThere, not_there
from milan_core.atlas.sheets import Sheets
from milan_core.core.errors import UserError

RUN = "data/run.js"


@dataclass(frozen=True, eq=False)
class Unit:
    """One unit; numbers are None and texts empty where the atlas has none.

    Attributes:
        network, layer, unit: its key.
        description: its text, reliable or not; empty where it has none.
        status: why it shows nothing, or whether the description is reliable.
        correlation, low, high: held out, by the first judge that scored it, with a 95 % interval.
        confidence: estimated probability that the description is right.
        concept: its known concept, where it has a specific one.
        verdict: whether the description names it.
        tendency: what it responds to weakly, where a grading describer found no description.

    """

    network: str
    layer: str
    unit: int
    description: str
    status: str
    correlation: float | None
    low: float | None
    high: float | None
    confidence: float | None
    concept: str
    verdict: str
    tendency: str
    _place: int = field(repr=False)
    _of: Network = field(repr=False)

    @cached_property
    def _more(self) -> Mapping[str, Any]:
        return self._of.block("more", self._place)

    @cached_property
    def images(self) -> list[int]:
        """Numbers of its exemplars in the probe data set, best first."""
        numbers = self._of.block("shown", self._place)["n"]
        return [image for image in numbers if image >= 0]

    @property
    def texts(self) -> dict[str, str]:
        """What every describer says, by its name."""
        found: Named[str] = Named("describer", self._name)
        found.update((name, one[0]) for name, one in self._more.get("said", {}).items())
        return found

    @property
    def scores(self) -> dict[str, dict[str, dict[str, float]]]:
        """Held-out scores by describer and judge: correlation, low, high, auprc."""
        found: Named[dict[str, dict[str, float]]] = Named("scored describer", self._name)
        for name, (_, *judged) in self._more.get("said", {}).items():
            for judge, (_, scores) in zip(self._of.judges, judged, strict=False):
                if scores:
                    names = ("correlation", "low", "high", "auprc")
                    row = dict(zip(names, scores, strict=False))
                    if name not in found:
                        found[name] = Named("judge", f"{name!r} of {self._name}")
                    found[name][judge] = row
        return found

    @property
    def _name(self) -> str:
        return f"unit {self.unit} of {self.layer!r}"

    def ranked(self, weight: float) -> list[tuple[str, float]]:
        """(text, log p(d|E) - weight log p(d)) of its candidates, best first."""
        columns = self._more.get("candidates")
        if not columns:
            return []
        pairs = zip(columns["text"], columns["logp"], columns["prior"], strict=True)
        scored = [(t, a - weight * b) for t, a, b in pairs if a is not None and b is not None]
        return sorted(scored, key=lambda pair: -pair[1])

    def picture(self, count: int = 15, columns: int = 5) -> bytes:
        """Its strongest images, best first, as one picture in a grid: the bytes of a WebP file."""
        return self._of.sheets.of(self.network, self.images[:count], columns)

    def _repr_html_(self) -> str:
        return display.unit(self, self._of.labels)


class Units(Sequence[Unit]):
    """A selection of units, shown as a grid in notebooks.

    Attributes:
        title: what they are.
        total: number of units found, of which a limit may have kept fewer.
        note: how a search read a word, or the nearest words where it found nothing.

    """

    def __init__(
        self, units: Sequence[Unit], title: str, total: int | None = None, note: str = ""
    ) -> None:
        self._units, self.title, self.note = units, title, note
        self.total = len(units) if total is None else total

    @overload
    def __getitem__(self, at: int) -> Unit: ...
    @overload
    def __getitem__(self, at: slice) -> Units: ...
    def __getitem__(self, at: int | slice) -> Unit | Units:
        return self._units[at] if isinstance(at, int) else Units(self._units[at], self.title)

    def __len__(self) -> int:
        return len(self._units)

    def __repr__(self) -> str:
        return f"<{self.heading}>"

    @property
    def heading(self) -> str:
        """The title with the number of units, and the note."""
        count = f"{len(self)} of {self.total}" if self.total > len(self) else f"{self.total}"
        note = f"; {self.note}" if self.note else ""
        return f"{self.title}: {count} unit{'s' * (self.total != 1)}{note}"

    def _repr_html_(self) -> str:
        return display.grid(self)


class Network(Mapping[str, Units]):
    """One network of an atlas: layers by name; `network[layer, unit]` is one unit."""

    def __init__(self, folder: Path, run: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._folder, self._run, self.facts = folder, run, facts
        self.sheets = Sheets(folder, run)

    @property
    def name(self) -> str:
        """Its name in the atlas."""
        return str(self.facts["name"])

    @property
    def judges(self) -> list[str]:
        """Who scored its descriptions."""
        return list(self.facts["judges"])

    @property
    def labels(self) -> dict[str, str]:
        """Describers by name, as people read them."""
        return {one["id"]: one["label"] for one in self.facts["describers"]}

    @property
    def scores(self) -> dict[str, dict[str, float | None]]:
        """Mean held-out correlation by describer and judge."""
        return {one["id"]: one["mean"] for one in self.facts["describers"]}

    def block(self, kind: str, place: int) -> Any:
        """The entry of one unit in its chunk of details."""
        size = self._run["sizes"]["block"]
        return read_chunk(self._folder, f"{self.facts['slug']}/{kind}-{place // size}")[
            place % size
        ]

    def _chunks(self, kind: str) -> Iterator[Any]:
        size, slug = self._run["sizes"]["index"], self.facts["slug"]
        for number in range(-(-self.facts["units"] // size)):
            yield read_chunk(self._folder, f"{slug}/{kind}-{number}")

    @cached_property
    def units(self) -> Units:
        """All units, in the order of the layers."""
        found: list[Unit] = []
        for table in self._chunks("index"):
            for row in range(len(table["unit"])):
                found.append(self._unit({name: one[row] for name, one in table.items()}, found))
        return Units(found, self.name)

    def _unit(self, row: Mapping[str, Any], before: Sequence[Unit]) -> Unit:
        return Unit(
            self.name,
            self.facts["layers"][row["layer"]]["name"],
            row["unit"],
            row["text"],
            row["status"],
            row["corr"],
            row["corrLow"],
            row["corrHigh"],
            row["confidence"],
            row["concept"],
            row["verdict"],
            row.get("tendency", ""),
            len(before),
            self,
        )

    @cached_property
    def further(self) -> list[str]:
        """Of each unit the words of other texts, for searches."""
        return [words for chunk in self._chunks("words") for words in chunk]

    @overload
    def __getitem__(self, at: str) -> Units: ...
    @overload
    def __getitem__(self, at: tuple[str, int]) -> Unit: ...
    def __getitem__(self, at: str | tuple[str, int]) -> Units | Unit:
        layer, number = (at, None) if isinstance(at, str) else at
        names = list(self)
        if layer not in names:
            raise not_there("layer", layer, names, f"network {self.name!r}")
        found = [unit for unit in self.units if unit.layer == layer]
        if number is None:
            return Units(found, f"{self.name}, {layer}")
        for unit in found:
            if unit.unit == number:
                return unit
        raise NotThere(f"network {self.name!r}: layer {layer!r} has no unit {number}")

    def __iter__(self) -> Iterator[str]:
        return iter(layer["name"] for layer in self.facts["layers"])

    def __len__(self) -> int:
        return len(self.facts["layers"])

    def __repr__(self) -> str:
        return f"<network {self.name}: {self.facts['units']} units of {len(self)} layers>"

    def _repr_html_(self) -> str:
        return display.network(self.facts)


class Atlas(Mapping[str, Network]):
    """The networks of an atlas or a pack by name."""

    def __init__(self, folder: Path) -> None:
        self.run = read_chunk(folder, "run")
        self._networks = {
            facts["name"]: Network(folder, self.run, facts) for facts in self.run["networks"]
        }

    def __getitem__(self, name: str) -> Network:
        if name not in self._networks:
            raise not_there("network", name, self._networks, "the atlas")
        return self._networks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._networks)

    def __len__(self) -> int:
        return len(self._networks)

    def search(self, text: str, limit: int = 24) -> Units:
        """Units whose texts mean every word of `text` (`lookup`); own texts first.

        `limit` keeps the first units; `total` of what is returned says how many there are.
        """
        found, note = self._lookup.find(text)
        return Units(found[:limit], f"“{text}”", len(found), note)

    @cached_property
    def _lookup(self) -> Lookup[Unit]:
        return Lookup(
            (unit, f"{unit.description} {unit.tendency}", f"{others} {unit.layer} {unit.unit}")
            for network in self.values()
            for unit, others in zip(network.units, network.further, strict=True)
        )

    def __repr__(self) -> str:
        return f"<atlas of {', '.join(self)}>"

    def _repr_html_(self) -> str:
        return display.atlas(self.run)


def open_atlas(folder: Path | str) -> Atlas:
    """Open the folder of an atlas or a pack; raises `UserError` for another folder."""
    folder, inside = Path(folder), Path(folder) / "atlas"
    if not (folder / RUN).is_file() and (inside / RUN).is_file():
        raise UserError(f"{folder} is no atlas; did you mean {inside}?")
    return Atlas(folder)
