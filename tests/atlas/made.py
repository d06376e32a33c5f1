"""A made-up run: networks with exemplars, texts, scores, candidates and an experiment.

    made = MadeRun(root, units=24)      # root/results and root/resources/datasets/probe

Numbers are drawn, texts are given: those of `HOSTILE` first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.files import write_csv, write_json, write_text
from milan_core.core.options import Section as Options
from milan_core.core.section import Column, Picture, Section, Table, write_section
from milan_core.describers.ranking import Ranked, write_ranking
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.sample import Distribution
from milan_core.exemplars.store import ExemplarSet
from milan_core.exemplars.table import ActivationTable, TableFacts
from milan_core.images.store import Dataset
from milan_core.images.writing import finish_folder, new_array, start_folder
from milan_core.referee.network import SCORES

HOSTILE = (
    "<script>window.hurt = 1</script>",
    "\"quotes\" and 'apostrophes' & <b>bold</b>",
    "كلب أحمر على يمين الصورة",
    "a dog 🐶 and a cat 🐱 of one family 👨‍👩‍👧‍👦",
    "letters " * 250,
    "<img src=x onerror='window.hurt = 1'>",
    "\u2028 a line end of scripts \u2029 </script>",
    "=cmd|' /C calc'!A0",
)
WORDS = ("red", "green", "blue", "striped", "dotted", "small", "large", "yellow")
THINGS = (
    "dog",
    "cat",
    "circle",
    "triangle",
    "brick wall",
    "wheel",
    "umbrella",
    "banana",
    "letters",
)


def texts(count: int, rng: np.random.Generator) -> list[str]:
    """Two words each."""
    drawn = rng.integers(len(WORDS), size=count), rng.integers(len(THINGS), size=count)
    pairs = zip(*drawn, strict=True)
    return [f"{WORDS[a]} {THINGS[b]}" for a, b in pairs]


def write_images(folder: Path, count: int, side: int, rough: bool = False) -> Dataset:
    """Drawn images: a disk over a gradient each; `rough` ones take as many bytes as photographs."""
    start_folder(folder)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    with new_array(folder / "images.npy", (count, side, side, 3), np.uint8) as array:
        for index in range(count):
            back, front = rng.integers(0, 255, (2, 3)).astype(np.float32)
            cx, cy, r = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.35)
            inside = ((x - cx) ** 2 + (y - cy) ** 2 < r * r)[..., None]
            ramp = back * (0.5 + 0.5 * x[..., None])
            grain = rng.normal(0, 6, (side, side, 1))
            drawn = texture(side, rng) if rough else np.where(inside, front, ramp) + grain
            array[index] = np.clip(drawn, 0, 255).astype(np.uint8)
    return finish_folder(
        folder,
        name="probe",
        kind="folder",
        options=Options(),
        seed=0,
        classes=["thing"],
        credits=[],
        labels=np.zeros(count, int),
        names=[f"picture {index}" for index in range(count)],
    )


def texture(side: int, rng: np.random.Generator) -> np.ndarray:
    """Noise [side, side, 3] whose amplitude falls with the frequency to the power of 1.4.

    At 112 pixels WebP takes 3.6 kB for it, about as much as for a photograph.
    """
    waves = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    waves[0, 0] = 1
    noise = np.fft.rfft2(rng.standard_normal((3, side, side))) / waves**1.4
    drawn = np.fft.irfft2(noise, s=(side, side)).transpose(1, 2, 0)
    return np.asarray(128 + 50 * drawn / drawn.std((0, 1)))


def blobs(tops: np.ndarray, cells: int, rng: np.random.Generator) -> np.ndarray:
    """Maps float32 [..., cells, cells] with one bump each, as high as `tops` says."""
    y, x = np.mgrid[:cells, :cells].astype(np.float32)
    shape = (*tops.shape, 1, 1)
    cx, cy = (rng.uniform(0, cells, shape).astype(np.float32) for _ in range(2))
    wide = rng.uniform(0.8, cells / 4, shape).astype(np.float32)
    bump = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * wide**2))
    bump /= bump.max((-2, -1), keepdims=True)
    return np.maximum(tops[..., None, None] * bump - 0.3, 0).astype(np.float32)


@dataclass
class MadeRun:
    """Write a run below `root`; every number of `units` is spread over `layers`."""

    root: Path
    networks: Sequence[str] = ("net_a", "net_b")
    layers: int = 2
    units: int = 40
    images: int = 120
    side: int = 64
    k: int = 15
    cells: int = 7
    candidates: int = 12
    rough: bool = False

    def __post_init__(self) -> None:
        self.results = self.root / "results"
        self.datasets = self.root / "resources" / "datasets"
        self.dataset = write_images(self.datasets / "probe", self.images, self.side, self.rough)
        for number, name in enumerate(self.networks):
            self._network(name, np.random.default_rng(number + 1))
        self._section()

    def every_unit(self) -> list[tuple[str, int]]:
        """(layer, unit) of every unit."""
        each = self.units // self.layers
        return [(f"conv.{layer}", unit) for layer in range(self.layers) for unit in range(each)]

    def _network(self, name: str, rng: np.random.Generator) -> None:
        folder, keys = self.results / name, self.every_unit()
        said = texts(len(keys), rng)
        said[: len(HOSTILE)] = HOSTILE[: len(said)]
        self._exemplars(folder, name, rng)
        header = ["layer", "unit", "description", "logp", "logp_lm", "score"]
        more = ["status", "describer", "description_milan", "linear", "confidence", "likely"]
        status = ["described", "several", "unreliable", "described"]
        rows = []
        for place, (key, text) in enumerate(zip(keys, said, strict=True)):
            state = "dead" if place == len(keys) - 1 else status[place % 4 if place > 8 else 0]
            shown = "" if state == "dead" else text
            likely = f"{shown} | red dog" if state == "several" else ""
            numbers = [-1.5, -4.0, 0.4]
            rows.append((*key, shown, *numbers, state, "pool", "dogs", "+1 dog", 0.8, likely))
        write_csv(folder / "descriptions.csv", header + more, rows)
        self._judged(folder, keys, said, rng)
        self._candidates(folder, keys, said, rng)

    def _exemplars(self, folder: Path, name: str, rng: np.random.Generator) -> None:
        layers, each = {}, self.units // self.layers
        for layer in range(self.layers):
            ids = np.stack([rng.choice(self.images, self.k, replace=False) for _ in range(each)])
            tops = -np.sort(-rng.uniform(2, 9, (each, self.k)), axis=1).astype(np.float32)
            maps = blobs(tops, self.cells, rng)
            counts = {part: np.full(each, 100, np.uint64) for part in ("values",)}
            counts |= {part: np.zeros(each, np.uint64) for part in ("zeros", "negatives", "nan")}
            layers[f"conv.{layer}"] = LayerExemplars(
                ids=ids,
                activations=tops,
                levels=np.full(each, 1.9, np.float32),
                resolved=np.ones(each, bool),
                maps=maps,
                counts=counts,
                band_ids=rng.integers(0, self.images, (each, 2, 3)),
                band_activations=np.ones((each, 2, 3), np.float32),
                distribution=_distribution(each, rng),
            )
        meta = {"dataset": self.dataset.fingerprint, "quantile": 0.99, "mode": "top"}
        ExemplarSet(layers, meta).save(folder / "exemplars/exemplars.safetensors")
        facts = TableFacts(
            model=name,
            model_hash="0",
            dataset=self.dataset.fingerprint,
            images=self.images,
            layers=tuple((layer, each) for layer in layers),
        )
        total = each * self.layers
        values = rng.standard_normal((total, self.images), np.float32).astype(np.float16)
        table = ActivationTable(
            facts,
            np.arange(self.images),
            np.zeros(self.images, bool),
            {"max": values},
            {"max": np.ones(total, np.float32)},
        )
        table.save(folder / "exemplars/activations.safetensors")

    def _judged(self, folder: Path, keys: Any, said: list[str], rng: np.random.Generator) -> None:
        notes = [(*key, f"note {who}", who) for key in keys for who in "AB"]
        header = ["layer", "unit", "summary", "annotator"]
        write_csv(folder / "annotations/annotations.csv", header, notes)
        truth = [
            (*key, "dog", "object", 0.9, 4, int(i % 2 == 0), "dog") for i, key in enumerate(keys)
        ]
        header = ["layer", "unit", "concept", "tier", "coverage", "support", "specific", "accept"]
        write_csv(folder / "annotations/truth.csv", header, truth)
        for judge in ("oracle", "mini"):
            rows = []
            for name in ("milan", "pool", "netdissect", "constant", "truth"):
                for place, key in enumerate(keys):
                    text = said[place] if name == "pool" else f"{name} text"
                    if name == "pool" and judge == "mini":
                        rows.append((name, *key, text, "own judge", *[""] * 6, *[""] * 30))
                        continue
                    r = float(np.round(rng.uniform(-0.1, 0.9), 4))
                    score = [r, r - 0.08, r + 0.08, r / 2, r / 2 - 0.1, r / 2 + 0.1]
                    rows.append((name, *key, text, "scored", *score, *[""] * 30))
            rows = [row[: len(SCORES)] for row in rows]
            write_csv(folder / f"referee/{judge}/scores.csv", SCORES, rows)

    def _candidates(self, folder: Path, keys: Any, said: list[str], rng: Any) -> None:
        ranking = {}
        for place, key in enumerate(keys):
            drawn = texts(self.candidates, rng)
            drawn[0] = said[place]
            logp, prior = -rng.uniform(1, 9, len(drawn)), -rng.uniform(2, 20, len(drawn))
            ranking[key] = [
                Ranked(text, "milan", float(a), float(b), 0.3, 0.2, 0.1, 0.3, 0.2, 0.5)
                for text, a, b in zip(drawn, logp, prior, strict=True)
            ]
        write_ranking(folder / "pool/ranking.csv", ranking)

    def _section(self) -> None:
        folder = self.results / "scores"
        write_csv(folder / "table.csv", ["name", "n", "low", "high"], [["<b>x</b>", 7, 6, 8]])
        drawing = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9"/></svg>'
        )
        write_text(folder / "figure.svg", drawing)
        columns = [Column("name", "Name"), Column("n", "Units", "integer", low="low", high="high")]
        items = [Table("table.csv", "All", columns), Picture("figure.svg", "A line")]
        paragraphs = ["All `n` units.", HOSTILE[0]]
        write_section(folder / "section.json", Section("scores", "Scores", 1, paragraphs, items))
        write_json(folder / "unrelated.json", {})


def _distribution(units: int, rng: np.random.Generator) -> Distribution:
    """Values in four bins of each unit."""
    bins = np.tile(np.array([2147483648 + (127 << 2) + i for i in range(4)], np.uint32), units)
    counts = rng.integers(1, 99, 4 * units).astype(np.uint64)
    total = counts.reshape(units, 4).sum(1).astype(np.uint64)
    cells = np.full(units, 4, np.uint32)
    return Distribution(50, total + np.uint64(9), np.full(units, 9, np.uint64), cells, bins, counts)
