"""Which images belong into an evidence packet? Candidates chosen by a judge on packets alone.

    python benchmarks/packets.py --results results --resources resources --networks resnet_mini
    python benchmarks/packets.py --zoo 100 101 102 103 104

The describer `vlm` shows a model one packet of images (`describers.packets`) and weighs its
verdicts. No such model is at hand here, so the mini judge gives the verdicts, and the candidates
are the captioner's beams: what a packet is worth to a judge with a fixed eye, not what a model
would write. On the zoo the judge is the truth, and the candidates are its 62 texts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.seeding import generator
from milan_core.core.step import Compute
from milan_core.core.units import UnitKey
from milan_core.describers.options import PacketOptions
from milan_core.describers.packets import LayerPackets, Packet
from milan_core.describers.ranking import Ranking, read_ranking
from milan_core.exemplars.store import ExemplarSet, load_exemplars
from milan_core.exemplars.table import open_table
from milan_core.images.store import open_dataset
from milan_core.referee.judge import JudgeResources
from milan_core.referee.judges.mini import Judge, load_folder
from milan_core.referee.seen import recall
from milan_core.scoring.tables import Truth, read_truth
from milan_core.world.zoo.facts import Facts, draw_facts
from milan_core.zoo.several import (
    FIRST,
    SeveralOptions,
    candidate_texts,
    drawn_units,
    text_of,
)

LEAST = 1e-3  # of a probability, as `describers.vlm`
RESAMPLES = 2000


@dataclass(frozen=True)
class Shown:
    """One way to make a packet.

    Attributes:
        options: how many images of each role.
        masks: the strongest images count under their masks alone.
        random: quiet images drawn at random in place of the hard ones.

    """

    options: PacketOptions
    masks: bool = False
    random: bool = False


def _packet(top: int, spread: int, hard: int = 0, near: int = 0) -> PacketOptions:
    return PacketOptions(top=top, range=spread, hard=hard, neighbor=near)


KINDS: dict[str, Shown] = {
    "8 strongest": Shown(_packet(8, 0)),
    "8 strongest, masked": Shown(_packet(8, 0), masks=True),
    "15 strongest, masked": Shown(_packet(15, 0), masks=True),
    "8 strongest + 8 over the range": Shown(_packet(8, 8)),
    "8 masked + 8 over the range": Shown(_packet(8, 8), masks=True),
    "8 masked + 8 random quiet": Shown(_packet(8, 0, 8), masks=True, random=True),
    "8 masked + 8 hard": Shown(_packet(8, 0, 8), masks=True),
    "8 masked + 8 of the neighbor": Shown(_packet(8, 0, 0, 8), masks=True),
    "8 masked + 4 hard + 4 of the neighbor": Shown(_packet(8, 0, 4, 4), masks=True),
    "8 + 8 + 4 + 4, no masks": Shown(_packet(8, 8, 4, 4)),
    "8 masked + 8 + 4 + 4 (the default)": Shown(_packet(8, 8, 4, 4), masks=True),
}
Presence = Callable[[np.ndarray, bool], np.ndarray]
"""Presence float [images, candidates] of a unit's texts at positions; masked or whole."""


def scores(packet: Packet, presence: Presence, *, masks: bool, weight: float = 0.5) -> np.ndarray:
    """Mean log presence in the positives - weight x log presence in the worst negative."""
    top, rest = presence(packet.top, masks), presence(packet.range, False)
    positives = np.log(np.clip(np.concatenate([top, rest]), LEAST, 1)).mean(0)
    against = np.concatenate([packet.hard, packet.neighbor]).astype(np.int64)
    if not len(against):
        return np.asarray(positives)
    worst = np.clip(presence(against, False), LEAST, 1).max(0)
    return np.asarray(positives - weight * np.log(worst))


def packets_of(maxima: np.ndarray, shown: Shown, seed: int) -> list[Packet]:
    """The packets of all units of a layer."""
    layer = LayerPackets(maxima, shown.options)
    packets = [layer.of(unit) for unit in range(len(maxima))]
    if not shown.random:
        return packets
    drawn = []
    for unit, packet in enumerate(packets):
        quiet = np.flatnonzero(maxima[unit] <= np.median(maxima[unit]))
        rng = generator(seed, "random quiet", unit)
        hard = rng.choice(quiet, min(shown.options.hard, len(quiet)), replace=False)
        drawn.append(Packet(packet.top, packet.range, np.sort(hard), packet.neighbor))
    return drawn


def network_rows(results: Path, resources: Path, network: str) -> dict[str, np.ndarray]:
    """Whether the chosen text names the concept: float [judged units] by kind of packet."""
    folder = results / network
    judge = load_folder(results / "judge", JudgeResources(results / "judge", compute=Compute()))
    recall(judge, results / "referee/mini/stickers_probe.safetensors")
    table, dataset = open_table(folder / "exemplars/activations.safetensors"), "stickers_probe"
    images = open_dataset(resources / "datasets" / dataset)
    ranking, truth = (
        read_ranking(folder / "pool/ranking.csv"),
        read_truth(folder / "annotations/truth.csv"),
    )
    exemplars = load_exemplars(folder / "exemplars/exemplars.safetensors")
    seen = judge._seen[images.fingerprint]
    texts = sorted({one.text for every in ranking.values() for one in every})
    embedded = dict(zip(texts, judge.embed_texts(texts), strict=True))
    right: dict[str, list[float]] = {name: [] for name in KINDS}
    first = 0
    for layer, count in table.facts.layers:
        maxima = table.block(slice(first, first + count))
        first += count
        made = {name: packets_of(maxima, shown, 0) for name, shown in KINDS.items()}
        shares = Shares(exemplars, layer, round(seen.shape[1] ** 0.5))
        for unit in range(count):
            key: UnitKey = (layer, unit)
            if not ranking.get(key) or key not in truth or not truth[key].specific:
                continue
            candidates = [one.text for one in ranking[key]]
            vectors = np.stack([embedded[text] for text in candidates])
            look = Look(judge, seen, vectors, shares.of(unit))
            for name, shown in KINDS.items():
                values = scores(made[name][unit], look, masks=shown.masks)
                right[name].append(_expected(values, candidates, truth[key]))
            _beside(right, ranking, key, truth[key])
    return {name: np.array(values) for name, values in right.items()}


def _beside(right: dict[str, list[float]], ranking: Ranking, key: UnitKey, truth: Truth) -> None:
    """The pool's own choice, and MILAN's as published, on the same units."""
    milan = max(
        (one for one in ranking[key] if one.logp == one.logp),
        key=lambda one: one.logp - 0.2 * one.logp_lm,
    )
    for name, text in (("pool", ranking[key][0].text), ("MILAN as published", milan.text)):
        right.setdefault(name, []).append(float(truth.named_by(text)))


def _expected(values: np.ndarray, texts: Sequence[str], truth: Truth) -> float:
    """Share of the equally good texts that name the concept."""
    best = np.flatnonzero(values >= values.max() - 1e-9)
    return float(np.mean([truth.named_by(texts[place]) for place in best]))


class Shares:
    """Shares of the judge's cells that the masks of exemplars cover.

    Args:
        exemplars: with masks.
        layer: the layer.
        grid: cells a side.

    """

    def __init__(self, exemplars: ExemplarSet, layer: str, grid: int) -> None:
        self._exemplars, self._layer, self._grid = exemplars, layer, grid

    def of(self, unit: int) -> dict[int, np.ndarray]:
        """Float32 [cells] by number of the image."""
        side = 4 * self._grid
        masks = self._exemplars.masks(self._layer, side, units=[unit])[0]
        ids = self._exemplars.ids(self._layer)[unit]
        parts = masks.reshape(len(masks), self._grid, 4, self._grid, 4).mean((2, 4))
        flat = parts.reshape(len(parts), -1).astype(np.float32)
        return dict(zip(ids.tolist(), flat, strict=True))


class Look:
    """The judge's view of packets of one unit.

    Args:
        judge: the judge.
        seen: float16 [images, cells, width].
        texts: float32 [candidates, width].
        shares: of the cells of exemplars.

    """

    def __init__(
        self, judge: Judge, seen: np.ndarray, texts: np.ndarray, shares: Mapping[int, np.ndarray]
    ) -> None:
        self._judge, self._seen, self._texts, self._shares = judge, seen, texts, shares

    def __call__(self, positions: np.ndarray, masked: bool) -> np.ndarray:
        """Presence float32 [images, candidates]."""
        if not len(positions):
            return np.zeros((0, len(self._texts)), np.float32)
        whole = np.ones(self._seen.shape[1], np.float32)
        parts = [self._shares.get(int(place), whole) if masked else whole for place in positions]
        return self._judge.presences(self._seen[positions], self._texts, np.stack(parts))


def zoo_rows(seed: int) -> dict[str, np.ndarray]:
    """The same on single units of the zoo, with the truth as judge; whole images only."""
    from milan_core.referee.judges.zoo import ZooOracle

    options = SeveralOptions()
    units, scenes = drawn_units(seed, options), draw_facts(options.images, FIRST + seed)
    facts, texts = Facts(scenes), candidate_texts()
    columns = np.asarray(ZooOracle(scenes).presence(texts), np.float64)
    maxima = np.stack([unit.value(facts) for _, unit in units]).astype(np.float32)
    whole = {name: shown for name, shown in KINDS.items() if not shown.masks}
    whole |= {
        "8 strongest + 8 hard": Shown(_packet(8, 0, 8)),
        "8 strongest + 8 random quiet": Shown(_packet(8, 0, 8), random=True),
        "8 strongest + 8 of the neighbor": Shown(_packet(8, 0, 0, 8)),
    }
    right: dict[str, list[float]] = {}
    for name, shown in whole.items():
        packets = packets_of(maxima, shown, seed)
        for unit, (kind, expression) in enumerate(units):
            if kind != "single":
                continue
            values = scores(packets[unit], lambda at, _: columns[at], masks=False)
            best = np.flatnonzero(values >= values.max() - 1e-9)
            hit = np.mean([texts[place] == text_of(expression) for place in best])
            right.setdefault(name, []).append(float(hit))
    return {name: np.array(values) for name, values in right.items()}


def table(rows: Mapping[str, np.ndarray], base: str) -> str:
    """A line a kind: share right, and the paired difference to `base` over units."""
    lines = []
    rng = generator(0, "packets")
    units = len(rows[base])
    drawn = rng.integers(0, units, (RESAMPLES, units))
    for name, values in rows.items():
        gain = (values - rows[base])[drawn].mean(1)
        low, high = np.percentile(gain, [2.5, 97.5])
        difference = values.mean() - rows[base].mean()
        numbers = [100 * x for x in (values.mean(), difference, low, high)]
        lines.append(" | ".join([name, *(f"{number:.1f}" for number in numbers)]))
    return "\n".join(lines)


def main() -> None:
    """Print a table for each network and for the zoo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--resources", type=Path, default=Path("resources"))
    parser.add_argument("--networks", nargs="*", default=[])
    parser.add_argument("--zoo", nargs="*", type=int, default=[])
    arguments = parser.parse_args()
    for network in arguments.networks:
        print(f"\n{network}")
        print(table(network_rows(arguments.results, arguments.resources, network), "8 strongest"))
    if arguments.zoo:
        every = [zoo_rows(seed) for seed in arguments.zoo]
        joined = {name: np.concatenate([one[name] for one in every]) for name in every[0]}
        print(f"\nzoo, {len(arguments.zoo)} seeds")
        print(table(joined, "8 strongest"))


if __name__ == "__main__":
    main()
