"""Measure how often the interval of a costly judge's correlation covers, on a finished run.

python -m benchmarks.sampling --results results --resources resources alexnet_mini vit_mini

Every `--every`-th unit with a text that the oracle reads and that is neither in all images nor in
none gives a pair. The oracle is the costly judge, the mini judge of the run the cheap one: 1,000
times 180 of the scored images are drawn, and the interval is compared with the correlation over all
of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from milan_core.core.devices import start_device
from milan_core.core.seeding import generator
from milan_core.core.step import Compute
from milan_core.exemplars.table import open_table
from milan_core.images.store import open_dataset
from milan_core.referee.importance import (
    IMAGES,
    Rule,
    draw,
    estimate,
    estimate_known,
    proposal,
    standardized,
)
from milan_core.referee.judge import JudgedImages, JudgeResources, load_judge
from milan_core.referee.judges.oracle import Judge as Oracle
from milan_core.referee.options import MiniOptions
from milan_core.referee.seen import recall
from milan_core.referee.table import dead_units
from milan_core.scoring.tables import read_descriptions

DRAWS = 1000
RULES: tuple[Rule, ...] = ("product", "influence")


def pairs(
    model: str, results: Path, resources: Path, dataset: str, every: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Activation, oracle's and mini judge's presence, float [n] each, of some units."""
    images = open_dataset(resources / "datasets" / dataset)
    table = open_table(results / model / "referee/activations.safetensors")
    said = read_descriptions(results / model / "descriptions.csv")
    keys = [key for key in table.keys[::every] if said.get(key, "").strip()]
    judge = load_judge(MiniOptions(), JudgeResources(folder=results / "judge", compute=Compute()))
    recall(judge, results / f"referee/mini/{dataset}.safetensors")
    texts = list(dict.fromkeys(said[key] for key in keys))
    shown = JudgedImages(images, table.ids)
    true, cheap = Oracle().columns(shown, texts), judge.columns(shown, texts)
    row_of, found = {key: row for row, key in enumerate(table.keys)}, []
    for key in keys:
        place = texts.index(said[key])
        a = table.block(slice(row_of[key], row_of[key] + 1))
        v = true[:, place]
        if not np.isnan(v).any() and v.min() < v.max() and not dead_units(a)[0]:
            found.append((a[0].astype(np.float64), v.astype(np.float64), cheap[:, place]))
    return found


def covered(
    a: np.ndarray, v: np.ndarray, c: np.ndarray, rule: Rule, rng: np.random.Generator
) -> np.ndarray:
    """Coverage and bias: with exact standardized verdicts, then from the draws alone; float [4]."""
    q, full = proposal(a, c, rule), float((standardized(a) * standardized(v)).mean())
    z, hits, values = standardized(v), np.zeros((DRAWS, 2)), np.zeros((DRAWS, 2))
    for number in range(DRAWS):
        drawn = draw(q, rng)
        for kind, one in enumerate(
            (estimate_known(a, q, drawn, z[drawn]), estimate(a, q, drawn, v[drawn]))
        ):
            hits[number, kind] = one.low <= full <= one.high  # False where it is undefined
            values[number, kind] = one.value - full
    bias = np.nanmean(values, 0)
    return np.array([*hits.mean(0), *bias])


def main() -> None:
    """Print a line for each network and rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--resources", type=Path, default=Path("resources"))
    parser.add_argument("--dataset", default="stickers_heldout")
    parser.add_argument("--every", type=int, default=20)
    arguments = parser.parse_args()
    start_device("cpu", 1)
    print(f"{DRAWS} times {IMAGES} draws; coverage mean (lowest pair), pairs below 93 %, bias")
    for model in arguments.models:
        ones = pairs(
            model, arguments.results, arguments.resources, arguments.dataset, arguments.every
        )
        for rule in RULES:
            rng = generator(0, "benchmark of sampling", model, rule)
            got = np.array([covered(*one, rule, rng) for one in ones])
            for kind, name in enumerate(("exact standardized", "draws alone")):
                hits, bias = got[:, kind], got[:, 2 + kind]
                print(
                    f"{model}, {len(ones)} pairs, {rule}, {name}: {100 * hits.mean():.1f} "
                    f"({100 * hits.min():.1f}), {int((hits < 0.93).sum())}, mean bias "
                    f"{bias.mean():+.4f}, mean size {np.abs(bias).mean():.4f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
