"""Held-out scores of anyone's descriptions of a network's units, from Python.

result = milan.score(model, "pictures", ["layer4"], {("layer4", 0): "dogs"}, judge="my_clip")
print(result.summary())
result.save("scores")
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.exemplars.mine import mine_source
from milan_core.exemplars.options import MiningOptions, MiningRun, Pool
from milan_core.exemplars.pooled import pool_dataset
from milan_core.exemplars.sources import open_source
from milan_core.exemplars.splits import heldout_images
from milan_core.images.store import Dataset
from milan_core.networks.options import InputSpec, NetworkSpec
from milan_core.networks.zoo import LoadedModel
from milan_core.referee.board import Board
from milan_core.referee.call import Described, dataset_of, descriptions_of, network_of
from milan_core.referee.fuzzing import IMAGES, MINED, Marks
from milan_core.referee.held_out import HeldOutScores, ScoredImages, score_submitted
from milan_core.referee.judge import Judge
from milan_core.referee.judges.choice import AUTO, named_judge
from milan_core.referee.options import ScoringOptions
from milan_core.referee.random_weights import RANDOM, best_of_texts, randomized, sentence
from milan_core.referee.remembered import Remembered
from milan_core.referee.submitted import Submitted
from milan_core.referee.table import FEWEST, evenly

Seen = Literal["all", "split"]
SMALLEST = 20  # images below which nothing is scored, whatever is allowed


def score(
    model: nn.Module | NetworkSpec | Mapping[str, Any] | str,
    images: Dataset | np.ndarray | Path | str,
    layers: str | Sequence[str],
    descriptions: Described,
    judge: Judge | Path | str = AUTO,
    *,
    input: InputSpec | Mapping[str, Any] | None = None,
    heldout: Seen = "all",
    allow_small: bool = False,
    pool: Pool = "max",
    described_by: str = "",
    alpha: float | None = None,
    batch_size: int = 64,
    device: str | torch.device = "cpu",
    seed: int = 0,
    name: str = "",
    fuzzing: bool = False,
    random_weights: bool = False,
    axes: Mapping[str, str] | None = None,
) -> HeldOutScores:
    """Score descriptions of a network's units on images, with trivial baselines and intervals.

    Args:
        model: a module, or a network as `milan_core.networks.zoo.load_network` takes it.
        images: a data set or its folder, a folder of pictures, or uint8 (N, H, W, 3).
        layers: names or patterns.
        descriptions: text or texts by (layer, unit), rows as those of `milan.describe`, or a CSV
            table (`submitted.read_submitted`).
        judge: a judge, or a name (`judges.choice.named_judge`).
        input: how pixels become the input of a module; a named network has its own.
        heldout: `split` scores on the fifth of the images that mining holds out.
        allow_small: score on fewer than 500 images, whose intervals are wide.
        pool: how a unit's map becomes one number.
        described_by: folder or name of the model that wrote the descriptions; refused as judge.
        alpha: share of the images on which a unit fires, for AUPRC; None: with `heldout="split"` it
            is chosen on the images that do not score (`alpha.choose_alpha`), else 0.02.
        batch_size: images per forward pass.
        device: where network and judge run.
        seed: of resamples and draws.
        name: of the network, for tables.
        fuzzing: also ask the judge whether the marked part of an image is the one that fires.
        random_weights: compare with the same network with random weights.
        axes: axes of layers of a module, as `milan.mine` takes them.

    Raises:
        UserError: for layers that do not exist, too few images, a table that cannot be read, and a
            judge that cannot read these images or that wrote the descriptions itself.

    """
    network, title = network_of(model, layers, input, name, axes)
    given = descriptions_of(descriptions)
    settings = {} if alpha is None else {"alpha": alpha}
    options = ScoringOptions(**settings, fewest=SMALLEST if allow_small else FEWEST)
    compute = Compute(device=str(device))
    with tempfile.TemporaryDirectory() as scratch:
        dataset = dataset_of(images, network, Path(scratch) / "dataset")
        chosen = (
            named_judge(str(judge), dataset, compute, described_by=described_by)
            if isinstance(judge, str | Path)
            else judge
        )
        how = ScoringRun(
            seed=seed,
            passes=MiningRun(batch_size=batch_size, device=str(device)),
            heldout=heldout,
            pool=pool,
            name=title,
            choose_alpha=alpha is None,
            fuzzing=fuzzing,
            random_weights=random_weights,
        )
        return score_network_on(network, dataset, chosen, given, options, how)


@dataclass(frozen=True)
class ScoringRun:
    """How `score_network_on` passes images through a network, and what it adds to the scores.

    Attributes:
        seed: of resamples and draws.
        passes: of the images through the network.
        heldout: `split` scores on the fifth of the images that mining holds out.
        pool: how a unit's map becomes one number.
        name: of the network, for tables.
        choose_alpha: on images that do not score, where there are some.
        fuzzing: look for the units' masks in a second pass, over at most 2,000 images that score.
        random_weights: as a control, pass the images through the network with random weights too.
        tested: run the sanity tests.

    """

    seed: int
    passes: MiningRun
    heldout: Seen = "all"
    pool: Pool = "max"
    name: str = ""
    choose_alpha: bool = False
    fuzzing: bool = False
    random_weights: bool = False
    tested: bool = True


def score_network_on(
    network: LoadedModel,
    dataset: Dataset,
    judge: Judge,
    given: Submitted,
    options: ScoringOptions,
    how: ScoringRun,
) -> HeldOutScores:
    """Pass images through a network and score descriptions of its units on them.

    Raises:
        UserError: for too few images, before the network runs.

    """
    count, split = len(dataset), how.heldout == "split"
    chosen = heldout_images(dataset.fingerprint, count, how.heldout) | (not split)
    positions = np.flatnonzero(chosen)
    if len(positions) < options.fewest:
        more = f" of the {count} that were given" if split else ""
        flag = " (--allow-small, in Python allow_small=True: from 20, wide intervals)"
        allow = "" if options.fewest <= SMALLEST else flag
        raise UserError(
            f"{len(positions)} images{more} to score on, expected {options.fewest} or more; give "
            f"more images{allow}"
        )
    table = pool_dataset(network, dataset, (how.pool,), how.passes, name=how.name)
    scored = ScoredImages(table, dataset, positions, how.pool, split)
    marks = _marks(network, dataset, positions, how.passes) if how.fuzzing else None
    result = score_submitted(
        *(scored, judge, given, options, how.seed),
        choosing=np.flatnonzero(~chosen) if how.choose_alpha else None,
        marks=marks,
        tested=how.tested,
    )
    if how.random_weights:
        settled = options.model_copy(update={"alpha": result.facts["alpha"]})
        result.controls, note = _controls(network, scored, judge, given, settled, how, marks)
        result.notes.append(note)
    return result


def _controls(
    network: LoadedModel,
    scored: ScoredImages,
    judge: Judge,
    given: Submitted,
    options: ScoringOptions,
    how: ScoringRun,
    marks: Marks | None,
) -> tuple[list[Board], str]:
    """The best texts of the table on the network and on it with random weights; a sentence."""
    positions = scored.positions
    other, share = randomized(network, how.seed)
    drawn = pool_dataset(other, scored.dataset, (how.pool,), how.passes, name=how.name)
    other_marks = _marks(other, scored.dataset, positions, how.passes) if how.fuzzing else None
    images, kept = scored.judged(), Remembered(judge)
    boards = [
        best_of_texts(
            *(one, positions, images, kept, given.distinct, options, how.seed, how.pool),
            *(f"{one.facts.model}{suffix}", there),
        )
        for one, suffix, there in (
            (scored.table, "", marks),
            (drawn, f", {RANDOM}", other_marks),
        )
    ]
    return boards, sentence(boards[0], boards[1], share)


def _marks(network: LoadedModel, dataset: Dataset, positions: np.ndarray, run: MiningRun) -> Marks:
    """Masks of every unit in some of the images at `positions`."""
    if network.input.kind == "latents":
        raise UserError(
            "--fuzzing: a generator gets codes, not images, so nothing can be dimmed; leave it out"
        )
    numbers = evenly(positions, MINED)
    options = MiningOptions(k=min(IMAGES, len(numbers)), sample=0)
    source = open_source(np.asarray(dataset.images[numbers]), network.input)
    return Marks(mine_source(network, source, options, run), numbers)
