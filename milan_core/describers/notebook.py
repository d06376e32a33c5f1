"""Descriptions of a network's units from Python, as `milan describe` gives them.

said = milan.describe(model, "pictures", ["layer4"], captioner="results/captioners/all/seed0")
said.rows        # a dictionary a unit: layer, unit, description, score, status, ...
said.why         # which describer was taken, and why
said.save("my_net")
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from milan_core.captioner.at_hand import AUTO, find_captioner, is_published, judge_beside
from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.domain import DomainCheck, check_domain, domain_of
from milan_core.captioner.encoder import encoder_of
from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.describers.abstention.options import SHIPPED
from milan_core.describers.abstention.own import Asked, Assessed, assess, can_hold_out
from milan_core.describers.choice import AtHand, CaptionerAtHand, Choice, choose, require_domain
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Cell, Describer, Descriptions, Resources
from milan_core.describers.driver import describe as run_describer
from milan_core.describers.driver import full_table, write_all
from milan_core.describers.options import WordsOptions
from milan_core.describers.pooled import FEWEST, bare_images, load_named
from milan_core.describers.registry import describer_options, find_describer
from milan_core.describers.sources import ExemplarUnits
from milan_core.describers.words import missing_for_words
from milan_core.exemplars.mine import mine_dataset
from milan_core.exemplars.options import MiningOptions, MiningRun, Pool
from milan_core.images.store import Dataset
from milan_core.networks.options import InputSpec, NetworkSpec
from milan_core.referee.call import dataset_of, network_of
from milan_core.referee.judges.mini import Judge as MiniJudge


@dataclass(frozen=True, eq=False)
class Described:
    """Descriptions of a network's units.

    Attributes:
        describer: its name.
        why: how it was chosen.
        said: the descriptions.
        assessed: tests on images that were not used to choose the texts; None: not tested.

    """

    describer: str
    why: str
    said: Descriptions
    assessed: Assessed | None
    _by: Describer

    @property
    def rows(self) -> list[dict[str, Cell]]:
        """A dictionary a unit, with the columns of `descriptions.csv`."""
        columns, rows = full_table(self.said, self._by.form, self._beside())
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def save(self, folder: Path | str) -> list[str]:
        """Write the table and the files that belong to it; returns their names."""
        out = Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        written = write_all(out, self.said, self._by.form, self._beside()) + self._by.save(out)
        return written + (self.assessed.save(out) if self.assessed else [])

    def _beside(self) -> dict[str, Sequence[Cell]]:
        beside: dict[str, Sequence[Cell]] = dict(self._by.columns())
        if self.assessed is not None:
            beside |= self.assessed.columns(self.said.keys, self.said.statuses)
        return beside


def describe(
    model: nn.Module | NetworkSpec | Mapping[str, Any] | str,
    images: Dataset | np.ndarray | Path | str,
    layers: str | Sequence[str],
    *,
    describer: str = AUTO,
    options: Mapping[str, Any] | None = None,
    captioner: Path | str = AUTO,
    judge: Path | str = AUTO,
    clip: str = "",
    force: bool = False,
    calibrate: Path | str | None = None,
    alpha: float | None = None,
    input: InputSpec | Mapping[str, Any] | None = None,
    k: int = 15,
    quantile: float = 0.99,
    batch_size: int = 64,
    device: str | torch.device = "cpu",
    name: str = "",
    axes: Mapping[str, str] | None = None,
) -> Described:
    """Describe the units of a network on a user's images.

    Args:
        model: a module, or a network as `milan_core.networks.zoo.load_network` takes it.
        images: a data set or its folder, a folder of pictures, or uint8 (N, H, W, 3).
        layers: names or patterns.
        describer: `auto` takes the best one available (`describers.choice`); or a name, or the
            `module:Class` or `file.py:Class` of one that reads exemplars or pooled activations.
        options: of the describer, if it is given by name.
        captioner: folder or published file; `auto` chooses as `milan describe` does.
        judge: folder of a mini judge, folder or hub name of a CLIP or SigLIP; `auto`: that of the
            captioner's run, else `clip`.
        clip: CLIP or SigLIP that searches for words.
        force: use a captioner outside its domain as well.
        calibrate: table of 60 or more annotated units (docs/abstention.md).
        alpha: share of units that may be answered wrongly; with `calibrate`.
        input: how pixels become the input of a module; a named network has its own.
        k: exemplars per unit.
        quantile: of a unit's own activations; its masks are above this level.
        batch_size: images per forward pass.
        device: where network, captioner and judge run.
        name: of the network, for tables.
        axes: axes of layers of a module, as `milan.mine` takes them.

    Raises:
        UserError: if no describer fits these images, or the describer refuses them.

    """
    if describer == AUTO and options:
        raise UserError("options are those of a describer; name it with describer=")
    for key, value in {"captioner": captioner, "judge": judge}.items():
        if not isinstance(value, str | Path):
            raise UserError(f"{key}: got {type(value).__name__}; expected its folder or name")
    network, title = network_of(model, layers, input, name, axes)
    asked = _Asked(captioner, judge, clip, force, Compute(device=str(device)))
    with tempfile.TemporaryDirectory() as scratch:
        dataset = dataset_of(images, network, Path(scratch) / "dataset")
        choice = asked.choice(describer, dataset)
        chosen = asked.options(choice.describer, options or {})
        by = find_describer(choice.describer).load(chosen, asked.resources(chosen))
        pools = _pools(chosen)
        mined: frozenset[Any] = ExemplarUnits.offers | (chosen.needs & {"maxima", "means"})
        by.prepare(mined)
        apart = hasattr(by, "ranking") and can_hold_out(dataset)
        if calibrate is not None and not apart:
            raise UserError(
                f"calibrate: describer {choice.describer!r} on {len(dataset)} images leaves none "
                "to test on; give 600 images or more, and a describer that ranks (pool)"
            )
        mining = MiningOptions(
            k=k, quantile=quantile, sample=0, table=pools, heldout="split" if apart else "none"
        )
        run = MiningRun(batch_size=batch_size, device=str(device))
        exemplars = mine_dataset(network, dataset, mining, run, name=title)
        units = ExemplarUnits(exemplars, dataset.images)
        said = run_describer(by, units)
        found = _assessed(by, units, asked, calibrate, alpha) if apart else None
    return Described(choice.describer, choice.why, said, found, by)


@dataclass(frozen=True)
class _Asked:
    """The files that a call names."""

    captioner: Path | str
    judge: Path | str
    clip: str
    force: bool
    compute: Compute

    def choice(self, describer: str, dataset: Dataset) -> Choice:
        """The describer for these images; one that was named keeps to its captioner's domain."""
        if describer != AUTO:
            options = find_describer(describer).Options
            if "captioner" not in options.needs:
                return Choice(describer, "it was named")
            path = find_captioner(str(self.captioner))
            check = self._checked(path, dataset)
            require_domain(path, check, force=self.force)
            return Choice(describer, f"it was named; {check.sentence}", check)
        path_at_hand = self._found()
        at_hand = None
        if path_at_hand is not None:
            trusted = self.captioner != AUTO or is_published(path_at_hand)
            at_hand = CaptionerAtHand(path_at_hand, self._checked(path_at_hand, dataset), trusted)
        judge = self._judge(path_at_hand)
        few = len(dataset) < FEWEST
        return choose(
            AtHand(
                at_hand,
                "" if judge is None or few else str(judge),
                f"{len(dataset)} images, expected {FEWEST} or more" if few else "none is given",
                self.clip,
                missing_for_words(_words(self.clip), len(dataset)),
                self.force,
            )
        )

    def options(self, describer: str, given: Mapping[str, Any]) -> DescriberOptions:
        """The options of the describer."""
        clip = {"clip": self.clip} if describer == "words" and self.clip else {}
        return describer_options(describer, {**given, **clip})

    def resources(self, options: DescriberOptions) -> Resources:
        """The files of the describer."""
        captioner = find_captioner(str(self.captioner)) if options.reads_captioner else None
        judge = self._judge(captioner) if options.reads_judge else None
        return Resources(captioner=captioner or (), compute=self.compute, judge=judge)

    def _found(self) -> Path | None:
        try:
            return find_captioner(str(self.captioner))
        except UserError:
            return None

    def _judge(self, captioner: Path | None) -> Path | None:
        if self.judge != AUTO:
            return Path(self.judge)
        beside = judge_beside(captioner) if captioner is not None else None
        return beside or (Path(self.clip) if self.clip else None)

    def _checked(self, path: Path, dataset: Dataset) -> DomainCheck:
        captioner = load_captioner(path)
        if domain_of(captioner) is None:
            return DomainCheck()
        return check_domain(captioner, encoder_of(captioner, self.compute.device), dataset.images)


def _words(clip: str) -> WordsOptions:
    return WordsOptions(clip=clip) if clip else WordsOptions()


def _pools(options: DescriberOptions) -> tuple[Pool, ...]:
    wanted: tuple[tuple[Pool, str], ...] = (("max", "maxima"), ("mean", "means"))
    return tuple(pool for pool, need in wanted if need in options.needs)


def _assessed(
    by: Describer,
    units: ExemplarUnits,
    asked: _Asked,
    calibrate: Path | str | None,
    alpha: float | None,
) -> Assessed:
    """The test of a ranking on the images held out; a CLIP decides nothing without annotations."""
    judge = load_named(by.judge, asked.compute)  # type: ignore[attr-defined]
    annotations = Path(calibrate) if calibrate is not None else None
    known = isinstance(judge, MiniJudge) or annotations is not None
    settings = Asked(annotations, SHIPPED if known else None, alpha, "milan.describe(calibrate=)")
    ranking = by.ranking  # type: ignore[attr-defined]
    return assess(ranking, units.table, bare_images(units.images), judge, settings)
