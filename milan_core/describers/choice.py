"""The rule of `auto`: which describer serves a user's images, and why.

The first of these that can be used: a captioner within its domain, a judge choosing among its texts
where there is one (pool and verify); words of an image-text encoder
where the user names one; words from packages. Where the captioner's domain is partly left, an
encoder that was named comes first. A captioner is never taken silently outside its domain, and one
whose domain is unknown only where the user gave it, it is a published one, or nothing else is
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from milan_core.captioner.domain import DomainCheck
from milan_core.core.errors import UserError

AUTO = "auto"
CAPTIONER, POOL, WORDS = "milan", "pool", "words"


@dataclass(frozen=True)
class CaptionerAtHand:
    """A captioner that could be used.

    Attributes:
        path: its folder or file.
        check: of the user's images.
        trusted: the user gave it, or it was published: an unknown domain is no hindrance.

    """

    path: Path
    check: DomainCheck
    trusted: bool


@dataclass(frozen=True)
class AtHand:
    """The describers that are at hand.

    Attributes:
        captioner: None where there is none.
        judge: chooses among the captioner's texts; empty: none does.
        no_judge: why none does.
        clip: image-text encoder that the user names; empty: none.
        no_words: why no words can be looked for in the images; empty: they can.
        force: take the captioner outside its domain too.

    """

    captioner: CaptionerAtHand | None = None
    judge: str = ""
    no_judge: str = "no judge is here"
    clip: str = ""
    no_words: str = ""
    force: bool = False


@dataclass(frozen=True)
class Choice:
    """The describer that was taken.

    Attributes:
        describer: its name.
        why: one line.
        check: of the captioner that is used; None: none is.

    """

    describer: str
    why: str
    check: DomainCheck | None = None

    @property
    def warning(self) -> str:
        """The warning beside every description of the table; empty in an unknown domain too."""
        if self.check is None or self.check.verdict in ("inside", "unknown"):
            return ""
        return self.check.sentence


def choose(at_hand: AtHand) -> Choice:
    """The best describer that is at hand.

    Raises:
        UserError: nothing can be used; says why of each, and what helps.

    """
    captioner = at_hand.captioner
    refusal = _refusal(captioner, force=at_hand.force)
    named_before = at_hand.clip and captioner is not None and captioner.check.verdict == "partly"
    if captioner is not None and not refusal and not named_before:
        return _captioned(at_hand, captioner)
    if named_before and captioner is not None:
        refusal = f"captioner {captioner.path}: {captioner.check.sentence}"
    if not at_hand.no_words:
        source = f"words by the encoder {at_hand.clip}" if at_hand.clip else "words from packages"
        return Choice(WORDS, f"{source}; {refusal}")
    if captioner is not None and captioner.check.verdict == "unknown":
        return _captioned(at_hand, captioner, f"; words: {at_hand.no_words}")
    raise UserError(
        f"no available describer fits these images. Photographs: {at_hand.no_words}. Other "
        f"images: {refusal}"
    )


def _captioned(at_hand: AtHand, captioner: CaptionerAtHand, more: str = "") -> Choice:
    """The captioner's texts, chosen by a judge where one can."""
    why = f"captioner {captioner.path}: {captioner.check.sentence}"
    if at_hand.judge:
        return Choice(POOL, f"{why}; judge {at_hand.judge}{more}", captioner.check)
    why = f"{why}; as published, no judge chooses: {at_hand.no_judge}{more}"
    return Choice(CAPTIONER, why, captioner.check)


def _refusal(captioner: CaptionerAtHand | None, *, force: bool) -> str:
    """Why `auto` does not offer the captioner; empty where it does."""
    if captioner is None:
        return "no captioner is here (`milan fetch milan_base`, or --captioner)"
    verdict = captioner.check.verdict
    if force or verdict in ("inside", "partly") or (verdict == "unknown" and captioner.trusted):
        return ""
    fix = "--force takes it all the same" if verdict == "outside" else "--captioner takes it"
    return f"captioner {captioner.path}: {captioner.check.sentence}; {fix}"


def require_domain(path: Path, check: DomainCheck, *, force: bool) -> None:
    """Refuse a captioner that was asked for by name outside its domain, without `force`."""
    if check.verdict == "outside" and not force:
        raise UserError(
            f"captioner {path}: {check.sentence}; its descriptions would say nothing: leave "
            "--describer out, or take it all the same with --force"
        )
