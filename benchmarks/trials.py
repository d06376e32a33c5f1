"""Repeat pool and verify with other captioners, judges and choosers, beside a finished run.

    python -m benchmarks.trials RUN OUT --seeds 1 2 3 4

RUN is the folder of a default run, with its results and resources: trial 0. For every further seed
the captioners that describe networks they have not seen, the judge and its chooser are trained anew
with all settings of RUN; then every network is described, its texts are chosen and tested. The
networks, their activations and annotations are those of RUN. What is there already is not made
again. A trial takes about 12 CPU-minutes. `--masks 0.6` lets the masks of exemplars count in the
choice (`describe.pool.masks`), in trial 0 as well; captioners and judges are the same ones.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trial_files import MINED, RESULTS, SCORED, SPLITS, Trial
from milan_core.cli.step import execute
from milan_core.core.seeding import generator
from milan_core.core.step import Compute, find_step
from milan_core.core.units import UnitKey
from milan_core.exemplars.table import open_table
from milan_core.images.store import open_dataset
from milan_core.referee.judge import JudgedImages
from milan_core.referee.judges.oracle import Judge as Oracle
from milan_core.referee.metrics import correlation
from milan_core.referee.scored import Explanation
from milan_core.referee.submitted import read_submitted
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.tables import Truth, read_descriptions, read_truth

COVERAGE = {"efficientnet_lite0": "at_70"}  # of the others: at_80
RESAMPLES = 2000


def recorded(place: str) -> dict[str, Any]:
    """The settings of a step of the run."""
    options: dict[str, Any] = json.loads((RESULTS / place).read_text())["options"]
    return options


def run(name: str, done: Path, **given: Any) -> None:
    """Run a step, unless its record is there."""
    record = done.with_name(f"{done.name}.record.json")
    if record.exists():
        return
    done.parent.mkdir(parents=True, exist_ok=True)
    execute(find_step(name)(record=record, **given), Compute(threads=1))
    print(done, json.loads(record.read_text())["cpu_seconds"], flush=True)


def train(trial: Trial) -> None:
    """The captioners and the judge of a seed, and what the judge sees."""
    for split in dict.fromkeys(SPLITS.values()):
        settings = recorded(f"captioners/{split}/seed0/provenance.json")
        folder = trial.folder / "captioners" / split
        networks = [RESULTS / name for name in settings["split"]["train"]]
        names = ["config.json", "vocabulary.json", "weights.safetensors", "history.csv"]
        names += ["domain.safetensors", "units.csv"]
        run(
            "captioner.train",
            folder / "units.csv",
            **{**settings, "seed": trial.seed},
            features=[name / "features/features.safetensors" for name in networks],
            annotations=[name / "annotations/annotations.csv" for name in networks],
            **{Path(name).stem: folder / name for name in names},
        )
    settings, judge = recorded("judge/provenance.json"), trial.judge
    run(
        "referee.train_judge",
        judge,
        **{**settings, "seed": trial.seed, "judge": judge},
        weights=Path("resources/assets/efficientnet_lite0"),
        dataset=Path("resources/datasets/stickers_train"),
        text=Path("resources/assets/minilm"),
    )
    for dataset in (MINED, SCORED):
        seen = trial.seen(dataset)
        images = Path("resources/datasets") / dataset
        run("referee.look", seen, judge={"kind": "mini"}, trained=judge, dataset=images, seen=seen)


def describe(trial: Trial, network: str) -> None:
    """The texts of a network, chosen and tested."""
    files, there = trial.of(network), RESULTS / network
    if trial.seed:
        propose(trial, network)
    settings = recorded(f"{network}/pool/provenance.json")
    if trial.masks:
        settings["options"] = {**settings["options"], "masks": trial.masks}
        settings["exemplars"] = there / "exemplars/exemplars.safetensors"
    run(
        "describers.pool",
        files["pool"],
        **settings,
        table=there / "exemplars/activations.safetensors",
        dataset=Path("resources/datasets") / MINED,
        beams=files["beams"],
        descriptions=files["milan"],
        judge=trial.judge,
        seen=trial.seen(MINED),
        pooled=files["pool"],
        ranking=files["ranking"],
        linear=files["linear"],
    )
    run(
        "abstention.measure",
        files["evidence"],
        **recorded(f"{network}/abstention/evidence.provenance.json"),
        ranking=files["ranking"],
        table=there / "referee/activations.safetensors",
        dataset=Path("resources/datasets") / SCORED,
        truth=there / "annotations/truth.csv",
        trained=trial.judge,
        seen=trial.seen(SCORED),
        evidence=files["evidence"],
    )


def propose(trial: Trial, network: str) -> None:
    """The texts of a trial's own captioner, and its beams."""
    split, files = SPLITS[network], trial.of(network)
    captioner = trial.folder / "captioners" / split
    names = ("config.json", "vocabulary.json", "weights.safetensors")
    run(
        "describers.units",
        files["milan"],
        **recorded(f"{network}/describe/{split}/seed0/provenance.json"),
        captioner=[captioner / name for name in names],
        units=captioner / "units.csv",
        features=RESULTS / network / "features/features.safetensors",
        descriptions=files["milan"],
        beams=files["beams"],
        baselines=trial.folder / network / "baselines.csv",
    )


def decide(trial: Trial) -> None:
    """Confidence and status of all networks, each by the annotated others."""
    from milan_core.describers.abstention.options import SHIPPED

    out, files = trial.reliable, {name: trial.of(name) for name in SPLITS}
    names = ("summary.csv", "coverage.csv", "calibration.json", "section.json")
    run(
        "abstention.table",
        out / "summary.csv",
        networks=list(SPLITS),
        images=[SCORED] * len(SPLITS),
        options=recorded("abstention/provenance.json")["options"],
        evidence=[one["evidence"] for one in files.values()],
        descriptions=[one["pool"] for one in files.values()],
        shipped=SHIPPED,
        **{Path(name).stem: out / name for name in names},
    )


class Scorer:
    """Figures of texts, by the truth of a network's units and by the oracle on held-out scenes."""

    def __init__(self, network: str) -> None:
        self.truth: Mapping[UnitKey, Truth] = read_truth(
            RESULTS / network / "annotations/truth.csv"
        )
        self._table = open_table(RESULTS / network / "referee/activations.safetensors")
        images = open_dataset(Path("resources/datasets") / SCORED)
        self._images, self._oracle = JudgedImages(images, self._table.ids), Oracle()

    def right(self, said: Mapping[UnitKey, str], keys: Sequence[UnitKey]) -> np.ndarray:
        """Whether the text of each unit names its concept: float64 [units]."""
        return np.array([self.truth[key].named_by(said[key]) for key in keys], np.float64)

    def correlation(self, said: Mapping[UnitKey, Explanation]) -> float:
        """Mean over the units whose texts the oracle reads."""
        words = sorted({text for one in said.values() for text in one.texts})
        columns = self._oracle.columns(self._images, words).astype(np.float64)
        column = dict(zip(words, columns.T, strict=True))
        found = []
        for key, one in said.items():
            weights = one.weights or [1 / len(one.texts)] * len(one.texts)
            pairs = zip(weights, one.texts, strict=True)
            seen = np.sum([weight * column[text] for weight, text in pairs], 0)
            if not np.isnan(seen).any():
                row = self._table.rows_of([key])
                a = self._table.block(row).T.astype(np.float64)
                found.append(float(correlation(a, seen[:, None])[0]))
        return float(np.nanmean(found))


def figures(trial: Trial, network: str, scorer: Scorer) -> dict[str, float]:
    """Figures of one trial for the tables of docs/describers.md and docs/abstention.md."""
    files = trial.of(network)
    milan, pool = read_descriptions(files["milan"]), read_descriptions(files["pool"])
    keys = [key for key in pool if pool[key] and scorer.truth.get(key) is not None]
    keys = [key for key in keys if scorer.truth[key].specific]
    before, after = scorer.right(milan, keys), scorer.right(pool, keys)
    drawn = generator(0, "trials").integers(0, len(keys), (RESAMPLES, len(keys)))
    low, high = np.percentile((after - before)[drawn].mean(1), [2.5, 97.5])
    concepts = np.unique([scorer.truth[key].concept for key in keys], return_inverse=True)[1]
    ends = Bootstrap().paired(after, before, "trials", clusters=concepts)[1:]
    texts = sorted(set(pool.values()))
    constant = max(scorer.right(dict.fromkeys(keys, text), keys).mean() for text in texts)
    shifted = dict(zip(keys, [pool[key] for key in [*keys[1:], keys[0]]], strict=True))
    out = {
        "units": float(len(keys)),
        "milan %": 100 * before.mean(),
        "pool %": 100 * after.mean(),
        "gain": 100 * (after - before).mean(),
        "gain low": 100 * float(low),
        "gain high": 100 * float(high),
        "gain low by concept": 100 * ends[0],
        "gain high by concept": 100 * ends[1],
        "best constant %": 100 * float(constant),
        "next unit's text %": 100 * scorer.right(shifted, keys).mean(),
    }
    for name in ("milan", "pool", "linear"):
        said = read_submitted(files[name]).explanations
        out[f"r {name}"] = scorer.correlation({key: one for key, one in said.items() if one.texts})
    return {**out, **_reliable(trial, network)}


def _reliable(trial: Trial, network: str) -> dict[str, float]:
    """Right among answered at a coverage and at the threshold, and answers to shuffled images."""
    rows: dict[str, dict[str, str]] = {}
    for name in ("coverage.csv", "summary.csv"):
        with (trial.reliable / name).open(newline="") as handle:
            for row in csv.DictReader(handle):
                rows[row["model"]] = {**rows.get(row["model"], {}), **row}
    row, at = rows[network], COVERAGE.get(network, "at_80")
    kept = ("coverage", "right_answered", "wrong", "shuffled")
    values = {f"right at {at[3:]} %": row[at], **{name: row[name] for name in kept}}
    return {name: 100 * float(value) for name, value in values.items()}


def main() -> None:
    """Run the trials, and print every figure by network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--masks", type=float, default=0.0)
    arguments = parser.parse_args()
    out = arguments.out.absolute()
    os.chdir(arguments.run)
    Compute(threads=1).start()
    trials = [Trial(out, seed, arguments.masks) for seed in (0, *arguments.seeds)]
    for trial in trials if arguments.masks else trials[1:]:
        if trial.seed:
            train(trial)
        for network in SPLITS:
            describe(trial, network)
        decide(trial)
    for network in SPLITS:
        scorer = Scorer(network)
        every = [figures(trial, network, scorer) for trial in trials]
        print(f"\n{network}")
        for name in every[0]:
            values = np.array([one[name] for one in every])
            shown = " ".join(f"{value:.3f}" for value in values)
            spread = f"mean {values.mean():.3f}, {values.min():.3f} to {values.max():.3f}"
            print(f"  {name}: {shown}; {spread}")


if __name__ == "__main__":
    main()
