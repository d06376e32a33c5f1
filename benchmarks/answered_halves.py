"""How much too high are scores of answered units, which are decided on the images that score?

    python -m benchmarks.answered_halves RUN

RUN is the folder of a default run, with its results and resources. The held-out images are halved
at random, 6 times. On each half the mini judge gives the evidence and `abstention` decides which
units are answered; the oracle scores these units on the same half and on the other one, which
decided nothing. Prints one row a network; takes about 1 CPU-minute.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.trial_files import RESULTS, SCORED, SPLITS
from milan_core.core.seeding import generator
from milan_core.core.step import Compute
from milan_core.describers.abstention.calibration import load_calibration
from milan_core.describers.abstention.evaluation import decide_network
from milan_core.describers.abstention.evidence import gather_evidence, held_out
from milan_core.describers.abstention.measure import Looked, look
from milan_core.describers.abstention.tables import Measured, read_evidence
from milan_core.describers.ranking import read_ranking
from milan_core.exemplars.table import open_table
from milan_core.images.store import open_dataset
from milan_core.referee.judge import JudgedImages, JudgeResources, load_judge
from milan_core.referee.judges.mini import Judge
from milan_core.referee.judges.oracle import Judge as Oracle
from milan_core.referee.metrics import correlation
from milan_core.referee.options import MiniOptions
from milan_core.referee.seen import recall
from milan_core.scoring.tables import read_silent

ALPHA, HALVINGS, RANDOM = 0.05, 6, "resnet_random"
HEAD = ("network", "answered, %", "over answered units", "on images that decided nothing")


def mini_judge() -> Judge:
    """The judge of the run, with what it saw in the held-out images."""
    resources = JudgeResources(folder=RESULTS / "judge", compute=Compute(threads=1))
    judge = load_judge(MiniOptions(), resources)
    recall(judge, RESULTS / f"referee/mini/{SCORED}.safetensors")
    assert isinstance(judge, Judge)
    return judge


class Network:
    """A network of the run on its held-out images."""

    def __init__(self, name: str, evidence: Mapping[str, Measured], judge: Judge) -> None:
        self.name, self._evidence = name, evidence
        self._ranking = read_ranking(RESULTS / name / "pool/ranking.csv")
        self._silent = read_silent(RESULTS / name / "pool/descriptions.csv")
        table = open_table(RESULTS / name / "referee/activations.safetensors")
        images = open_dataset(Path("resources/datasets") / SCORED)
        self._looked = look(self._ranking, table, images, judge)
        texts = self._looked.texts
        words = sorted(set(texts))
        columns = Oracle().columns(JudgedImages(images, table.ids), words)
        place = dict(zip(words, columns.T, strict=True))
        self._seen = np.stack([place[text] for text in texts], 1).astype(np.float64)

    @property
    def images(self) -> int:
        """How many score."""
        return len(self._looked.activations)

    def answered(self, images: np.ndarray) -> np.ndarray:
        """Bool [units]: which are answered by the evidence of some images."""
        looked = on_images(self._looked, images)
        tested = held_out(looked.keys, looked.texts, looked.activations, looked.presence)
        evidence = gather_evidence({key: self._ranking[key] for key in looked.keys}, tested)
        mine = replace(self._evidence[self.name], evidence=evidence)
        decided = decide_network(
            self.name, {**self._evidence, self.name: mine}, load_calibration(), ALPHA, self._silent
        )
        return np.array([one.answered for one in decided.decisions])

    def score(self, units: np.ndarray, images: np.ndarray) -> float:
        """Mean correlation of some units by the oracle on some images."""
        activations = self._looked.activations[images][:, units].astype(np.float64)
        return float(np.nanmean(correlation(activations, self._seen[images][:, units])))


def on_images(looked: Looked, images: np.ndarray) -> Looked:
    """The same units on some of the images."""
    presence = {text: column[images] for text, column in looked.presence.items()}
    return replace(looked, activations=looked.activations[images], presence=presence)


def row(network: Network) -> list[float]:
    """Share answered and mean scores over halves: on the same images, and on the others."""
    found = []
    for halving in range(HALVINGS):
        order = generator(0, "halves", network.name, halving).permutation(network.images)
        halves = np.array_split(order, 2)
        for mine, other in (halves, halves[::-1]):
            units = network.answered(mine)
            found.append([units.mean(), network.score(units, mine), network.score(units, other)])
    return [float(value) for value in np.mean(found, 0)]


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    os.chdir(parser.parse_args().run)
    names = [name for name in SPLITS if name != RANDOM]
    evidence = {name: read_evidence(RESULTS / name / "abstention/evidence.csv") for name in names}
    judge = mini_judge()
    print(f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|")
    for name in names:
        share, same, other = row(Network(name, evidence, judge))
        print(f"| {name} | {100 * share:.0f} | {same:.4f} | {other:.4f} |", flush=True)


if __name__ == "__main__":
    main()
