"""Measure the describer `words` on photographs whose ImageNet class is known.

    python -m benchmarks.photographs PHOTOS WORK efficientnet_lite2 --layers _blocks.14 _blocks.19

PHOTOS holds one photograph a class, `Class_name.jpg`. Words are chosen on a part of them and tested
on the others. r is the correlation of a unit's largest activation with the true class of the
photograph (of an attribute: with the attribute); "top" is the share of the 15 strongest tested
photographs that show the word. `--folds 0` splits them into halves, twice; a number of 5 or more
chooses on all but one of so many parts. `--random` gives the network random weights. `--layers` may
name modules inside blocks. Activations are kept in WORK.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from milan_core.core.devices import start_device
from milan_core.core.seeding import generator
from milan_core.describers.grading import STRONGEST, GradingRule, grade_layer
from milan_core.describers.options import WordsOptions
from milan_core.exemplars.options import MiningRun
from milan_core.exemplars.pooled import pool_dataset
from milan_core.networks.zoo import LoadedModel, load_network
from milan_core.referee.call import folder_dataset
from milan_core.referee.photographs.evidence import Evidence, lite0_weights, photograph_evidence
from milan_core.referee.photographs.vocabulary import class_names, membership, vocabulary

RESAMPLES = 500
Activations = dict[str, tuple[np.ndarray, np.ndarray]]
"""Largest and mean activation [U, n] by layer."""


def measured(network: LoadedModel, name: str, photos: Path, work: Path) -> tuple[Activations, Path]:
    """Activations of the network on the photographs, and the folder of the data set."""
    folder = work / "images"
    if not (folder / "manifest.json").is_file():
        folder_dataset(photos, network, folder)
    found: Activations = {}
    for layer in network.layers:
        file = work / f"{name}-{layer}.npz"
        if not file.is_file():
            one = LoadedModel(network.module, network.input, [layer], [], network.layout)
            images = folder_dataset(folder, network, folder)
            table = pool_dataset(one, images, ("max", "mean"), MiningRun(batch_size=25))
            every = np.arange(table.shape[0])
            np.savez(file, max=table.block(every, pool="max"), mean=table.block(every, pool="mean"))
        with np.load(file) as arrays:
            found[layer] = arrays["max"], arrays["mean"]
    return found, folder


def seen(folder: Path, network: LoadedModel, work: Path) -> tuple[Evidence, np.ndarray]:
    """Evidence of every word, and the truth: the class of a photograph, or the attribute."""
    images, words, file = folder_dataset(folder, network, folder), vocabulary(), work / "seen.npy"
    if not file.is_file():
        weights = lite0_weights(WordsOptions(describer="words").weights)
        np.save(file, photograph_evidence(images.images, weights).columns)
    evidence = Evidence(words, np.load(file))
    place = {plain(name): number for number, name in enumerate(class_names())}
    classes = np.array([place[plain(Path(name).stem)] for name in images.names])
    named = [word for word in words if word.kind != "attribute"]
    truth = np.array(evidence.columns, np.float64)
    truth[:, : len(named)] = membership(named)[classes]
    return evidence, truth


def plain(name: str) -> str:
    """A class name without case, marks and hyphens."""
    return name.lower().replace("'", "").translate(str.maketrans("_-/", "   "))


def parts(images: int, folds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Photographs that choose, and those that test."""
    if folds:
        order = generator(0, "photographs").permutation(images)
        for tested in np.array_split(order, folds):
            yield np.setdiff1d(order, tested), np.sort(tested)
        return
    for seed in (0, 1):
        order = generator(seed, "photographs").permutation(images)
        yield np.sort(order[: images // 2]), np.sort(order[images // 2 :])


def rows(
    maxima: np.ndarray, means: np.ndarray, evidence: Evidence, truth: np.ndarray, folds: int
) -> dict[str, float]:
    """The figures of one layer, means over the splits."""
    options, found = WordsOptions(describer="words"), []
    rule = GradingRule(options.share, options.lift, options.rate)
    column = {word.text: number for number, word in enumerate(evidence.words)}
    for chosen, tested in parts(maxima.shape[1], folds):
        part = Evidence(evidence.words, evidence.columns[chosen])
        graded = grade_layer(maxima[:, chosen], part, rule, means[:, chosen])
        grades: list[str] = [one.grade for one in graded]
        shares = {grade: 100 * grades.count(grade) / len(grades) for grade in "ABC"}
        units = [number for number, one in enumerate(graded) if one.grade == "A"]
        words = [column[graded[number].word] for number in units]
        rest = Evidence(evidence.words, evidence.columns[tested])
        values = _held_out(maxima[units][:, tested], words, truth[tested], rest)
        texts = len({graded[number].text for number in units})
        found.append({**shares, **values, "texts": float(texts)})
    return {key: _mean([one[key] for one in found]) for key in found[0]}


def _mean(values: Sequence[float]) -> float:
    """Mean of the numbers that are there; nan where there are none."""
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else float("nan")


def _held_out(
    a: np.ndarray, words: Sequence[int], truth: np.ndarray, evidence: Evidence
) -> dict[str, float]:
    """Correlations and shares of A units [U, n] on the photographs that test."""
    names = ("r", "low", "high", "another's", "top", "all")
    if len(words) < 2:
        return dict.fromkeys(names, np.nan)
    drawn = generator(0, "photographs drawn").integers(0, a.shape[1], (RESAMPLES, a.shape[1]))
    low, high = np.nanpercentile(
        [np.nanmean(_paired(a[:, one], truth[one][:, words])) for one in drawn], [2.5, 97.5]
    )
    shifted = [*words[1:], words[0]]
    strongest = np.argsort(-a, axis=1, kind="stable")[:, :STRONGEST]
    presence = evidence.presence()
    shown = [presence[top, word].mean() for top, word in zip(strongest, words, strict=True)]
    values = (
        *(np.nanmean(_paired(a, truth[:, words])), low, high),
        *(np.nanmean(_paired(a, truth[:, shifted])), np.mean(shown), presence[:, words].mean()),
    )
    return dict(zip(names, map(float, values), strict=True))


def _paired(a: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Correlation of each row of `a` with its column; nan where one is constant."""
    x, y = a - a.mean(1, keepdims=True), (columns - columns.mean(0)).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1)))


def main() -> None:
    """Print a line for each layer."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("network")
    parser.add_argument("--layers", nargs="+")
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--random", action="store_true")
    arguments = parser.parse_args()
    start_device("cpu", 1)
    changes = {"layers": arguments.layers} if arguments.layers else {}
    if arguments.random:
        changes["weights"] = {"source": "random"}
    network = load_network(arguments.network, input={"size": 224}, **changes)
    arguments.work.mkdir(parents=True, exist_ok=True)
    name = f"{arguments.network}{'-random' if arguments.random else ''}"
    activations, folder = measured(network, name, arguments.photos, arguments.work)
    evidence, truth = seen(folder, network, arguments.work)
    for layer, (maxima, means) in activations.items():
        values = rows(maxima, means, evidence, truth, arguments.folds)
        print(layer, len(maxima), *(f"{key} {value:.3f}" for key, value in values.items()))


if __name__ == "__main__":
    main()
