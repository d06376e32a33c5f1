"""The describer of `milan describe`: the one that is asked for, or the choice of `auto`."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from milan_core.captioner.at_hand import find_captioner, is_published, judge_beside
from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.domain import DomainCheck, check_domain, domain_of
from milan_core.captioner.encoder import encoder_of
from milan_core.cli.decoding import decoding_options
from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.describers.choice import (
    AUTO,
    CAPTIONER,
    POOL,
    WORDS,
    AtHand,
    CaptionerAtHand,
    Choice,
    choose,
    require_domain,
)
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Describer, Resources
from milan_core.describers.options import WordsOptions
from milan_core.describers.pooled import FEWEST
from milan_core.describers.registry import describer_options, find_describer
from milan_core.describers.words import missing_for_words
from milan_core.images.store import Dataset

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """A describer that is ready, and how it was chosen."""

    name: str
    options: DescriberOptions
    describer: Describer
    resources: Resources
    choice: Choice | None = None

    @property
    def beside(self) -> str:
        """The warning beside every description of the table; empty: none."""
        return self.choice.warning if self.choice else ""


def asked_for(arguments: argparse.Namespace, name: str, choice: Choice | None = None) -> Chosen:
    """The describer of that name with its options and files; refuses what is missing."""
    options = _options(arguments, name)
    resources = _resources(arguments, options)
    describer = find_describer(name).load(options, resources)
    return Chosen(name, options, describer, resources, choice)


def chosen_for(arguments: argparse.Namespace, images: Dataset) -> Chosen:
    """The choice of `auto` for a user's images, said in the log."""
    captioner = _captioner(arguments, images)
    judge, no_judge = judge_at_hand(arguments, captioner.path if captioner else None)
    if judge is not None and len(images) < FEWEST:
        no_judge = f"{len(images)} images, expected {FEWEST} or more"
    at_hand = AtHand(
        captioner,
        "" if no_judge else str(judge),
        no_judge,
        arguments.clip or "",
        missing_for_words(_words(arguments), len(images)),
        arguments.force,
    )
    choice = choose(at_hand)
    _log.warning("auto takes describer %s: %s", choice.describer, choice.why)
    return asked_for(arguments, choice.describer, choice)


def within_domain(arguments: argparse.Namespace, chosen: Chosen, images: Dataset) -> Chosen:
    """A describer that was asked for by name, its captioner within its domain or forced."""
    path = chosen.resources.captioner
    if not chosen.options.reads_captioner or not isinstance(path, Path):
        return chosen
    check = _checked(arguments, path, images)
    require_domain(path, check, force=arguments.force)
    choice = Choice(chosen.name, check.sentence, check)
    if choice.warning:
        _log.warning("captioner %s: %s", path, choice.warning)
    return replace(chosen, choice=choice)


def _captioner(arguments: argparse.Namespace, images: Dataset) -> CaptionerAtHand | None:
    if (path := captioner_at_hand(arguments)) is None:
        return None
    trusted = arguments.captioner != "auto" or is_published(path)
    return CaptionerAtHand(path, _checked(arguments, path, images), trusted)


def _checked(arguments: argparse.Namespace, path: Path, images: Dataset) -> DomainCheck:
    captioner = load_captioner(path)
    if domain_of(captioner) is None:
        return DomainCheck()
    encoder = encoder_of(captioner, arguments.device, arguments.encoder_weights, arguments.trust)
    return check_domain(captioner, encoder, images.images)


def _options(arguments: argparse.Namespace, name: str) -> DescriberOptions:
    """The options of the describer; flags of decoding are laid over those of its captioner."""
    given = arguments.options
    if name in (CAPTIONER, POOL):
        decoding = decoding_options(arguments, given.get("decoding"))
        given = {**given, "decoding": decoding.model_dump(exclude_unset=True)}
    elif decoding_options(arguments).model_fields_set:
        raise UserError(
            "flags of decoding are for describers milan and pool; give the options of "
            f"{name!r} with --options"
        )
    if name == WORDS and arguments.clip:
        given = {**given, "clip": arguments.clip}
    return describer_options(name, given)


def _words(arguments: argparse.Namespace) -> WordsOptions:
    return WordsOptions(clip=arguments.clip) if arguments.clip else WordsOptions()


def _resources(arguments: argparse.Namespace, options: DescriberOptions) -> Resources:
    compute = Compute(device=arguments.device, threads=arguments.threads)
    needed = options.reads_captioner or arguments.captioner != "auto"
    captioner = find_captioner(arguments.captioner) if needed else ()
    judge = None
    if options.reads_judge:
        judge, _ = judge_at_hand(arguments, captioner if isinstance(captioner, Path) else None)
    elif arguments.judge != AUTO and arguments.describer != AUTO:
        raise UserError(
            f"--judge: describer {arguments.describer!r} reads no judge; leave it out, or take pool"
        )
    return Resources(
        captioner,
        arguments.encoder_weights,
        trust=arguments.trust,
        compute=compute,
        judge=judge,
        download=arguments.download,
    )


def judge_at_hand(arguments: argparse.Namespace, captioner: Path | None) -> tuple[Path | None, str]:
    """The judge that chooses among a captioner's texts, or why there is none.

    `--judge` names it; else it is the one that the captioner's run has trained, else the encoder
    of `--clip`.
    """
    if arguments.judge != AUTO:
        return Path(arguments.judge), ""
    if captioner is not None and (beside := judge_beside(captioner)) is not None:
        return beside, ""
    if arguments.clip:
        return Path(arguments.clip), ""
    return None, "the captioner's run has none, and none is given (--judge)"


def judge_files(path: Path | None) -> list[Path]:
    """The files of a judge's folder that descriptions depend on; none of a name on the hub."""
    if path is None or not path.is_dir():
        return []
    return sorted(file for file in path.iterdir() if file.suffix in (".json", ".safetensors"))


def check_auto(arguments: argparse.Namespace) -> None:
    """Refuse options without the describer that they are for."""
    if arguments.describer == AUTO and arguments.options:
        raise UserError("--options are those of a describer; name it with --describer")
    if arguments.clip and arguments.describer not in (AUTO, WORDS, POOL):
        raise UserError(
            f"--clip is for describers auto, words and pool, not {arguments.describer!r}"
        )


def described_by(name: str) -> list[str]:
    """Modules of the describer as roots of the code; none for one of another package."""
    if name == AUTO:
        return [f"describers.{one}" for one in (CAPTIONER, POOL, WORDS)]
    return [] if ":" in name else [f"describers.{name}"]


def captioner_at_hand(arguments: argparse.Namespace) -> Path | None:
    """The captioner that `auto` looks at; None where there is none."""
    if arguments.captioner != "auto":
        return find_captioner(arguments.captioner)
    try:
        return find_captioner("auto")
    except UserError:
        return None
