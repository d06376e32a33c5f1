"""Names of the axes of a layer's output, as one line of text: the key `axes` of an entry.

`b h w c` names each axis by a letter: `b` images, `c` channels (the units), `t` tokens, `h` and `w`
rows and columns of the map, `y` and `x` rows and columns of a grid of windows. Axes that lie inside
one another stand in brackets, the outer first: `(b y x) (h w) c` are windows that are rows of their
own. A length may be given, `(b y=8 x=8) (h w) c`; without one, grids are square.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from milan_core.core.errors import UserError

if TYPE_CHECKING:
    import torch

LETTERS = "b: images, c: channels, t: tokens, h w: rows and columns, y x: those of windows"
_TERM = re.compile(r"\(([^()]*)\)|(\S+)")
_PART = re.compile(r"([bcthwyx])(?:=([1-9]\d*))?")
_PAIRS = (("y", "x"), ("h", "w"))

Part = tuple[str, int | None]


@dataclass(frozen=True)
class Axes:
    """The axes of a tensor: for each, the parts that lie in it, with their lengths where given."""

    terms: tuple[tuple[Part, ...], ...]

    @classmethod
    def parse(cls, text: str, where: str = "axes") -> Axes:
        """Read a line such as `t b c`; whatever does not name the axes once is a `UserError`."""
        terms = []
        for group, single in _TERM.findall(text):
            parts = []
            for word in (group or single).split():
                named = _PART.fullmatch(word)
                if named is None:
                    msg = f"{where}: {text!r} holds {word!r}; expected letters such as 'b h w c'"
                    raise UserError(f"{msg} ({LETTERS})")
                parts.append((named[1], int(named[2]) if named[2] else None))
            terms.append(tuple(parts))
        axes = cls(tuple(terms))
        axes._check(text, where)
        return axes

    def _check(self, text: str, where: str) -> None:
        letters = [letter for term in self.terms for letter, _ in term]
        positions = {letter for letter in letters if letter not in "bc"}
        pairs = all((a in positions) == (b in positions) for a, b in _PAIRS)
        wrong = (
            letters.count("b") != 1
            or "c" not in letters
            or any(letters.count(letter) > 1 for letter in positions)
            or any(sum(letter == "c" for letter, _ in term) > 1 for term in self.terms)
            or not pairs
            or ("t" in positions and len(positions) > 1)
            or ("y" in positions and "h" not in positions)
        )
        if wrong:
            msg = (
                f"{where}: {text!r} does not name axes; expected b once, c, and t or h with w (and "
                f"y with x) once, such as 'b t c', 'b h w c' or '(b y x) (h w) c'"
            )
            raise UserError(msg)

    @cached_property
    def text(self) -> str:
        """The line that `parse` reads."""
        groups = []
        for term in self.terms:
            words = " ".join(letter + (f"={n}" if n else "") for letter, n in term)
            groups.append(f"({words})" if len(term) != 1 else words)
        return " ".join(groups)

    @property
    def images_axis(self) -> int:
        """The axis that counts the images, alone or with what lies inside it."""
        return next(i for i, term in enumerate(self.terms) if ("b", None) in term)

    @property
    def channel_axis(self) -> int | None:
        """The axis of the channels, where it is one axis and holds nothing else."""
        places = [i for i, term in enumerate(self.terms) for letter, _ in term if letter == "c"]
        alone = len(places) == 1 and len(self.terms[places[0]]) == 1
        return places[0] if alone else None

    def sized(self, shape: tuple[int, ...], images: int, layer: str) -> Axes:
        """The same axes with the lengths of everything that shares an axis with another.

        Args:
            shape: of the output for `images` images.
            images: number of images.
            layer: name for error messages.

        """
        if len(shape) != len(self.terms):
            msg = (
                f"layer {layer!r} gives {len(shape)} axes, {shape}, and axes names "
                f"{len(self.terms)}: {self.text!r}"
            )
            raise UserError(msg)
        return Axes(
            tuple(
                _sized(term, length, images, f"layer {layer!r}: axes {self.text!r} on {shape}")
                for term, length in zip(self.terms, shape, strict=True)
            )
        )

    def split(self, output: torch.Tensor, layer: str) -> torch.Tensor:
        """The output as (b, C), (b, T, C) or (b, C, h, w); a view where its memory allows.

        Raises:
            UserError: for an output that has not these axes.

        """
        if output.ndim != len(self.terms):
            msg = (
                f"layer {layer!r} gives a tensor of shape {tuple(output.shape)}, and its axes were "
                f"{self.text!r}: its form changes from batch to batch; choose another layer"
            )
            raise UserError(msg)
        lengths, letters = [], []
        for term, length in zip(self.terms, output.shape, strict=True):
            inner = math.prod(n or 1 for _, n in term)
            open_parts = sum(n is None for _, n in term)
            if open_parts > 1 or length % inner or (not open_parts and inner != length):
                msg = (
                    f"layer {layer!r} gives a tensor of shape {tuple(output.shape)}, which does "
                    f"not have the axes {self.text!r}; set `axes` for this layer"
                )
                raise UserError(msg)
            lengths += [n or length // inner for _, n in term]
            letters += [letter for letter, _ in term]
        order = [
            i for wanted in _order(letters) for i, letter in enumerate(letters) if letter == wanted
        ]
        parts = output.reshape(lengths).permute(order)
        return parts.reshape(_joined(letters, dict(zip(letters, lengths, strict=True)), parts))


def _order(letters: list[str]) -> str:
    if "t" in letters:
        return "btc"
    return "bcyhxw"


def _joined(letters: list[str], sizes: Mapping[str, int], parts: torch.Tensor) -> list[int]:
    channels = parts.numel()
    for letter, size in sizes.items():
        channels //= 1 if letter == "c" else max(size, 1)
    if "t" in letters:
        return [sizes["b"], sizes["t"], channels]
    if "h" not in letters:
        return [sizes["b"], channels]
    return [
        sizes["b"],
        channels,
        sizes.get("y", 1) * sizes["h"],
        sizes.get("x", 1) * sizes["w"],
    ]


def _sized(term: tuple[Part, ...], length: int, images: int, where: str) -> tuple[Part, ...]:
    """The parts of one axis with their lengths; `b` stays open, since batches differ."""
    if len(term) == 1:
        if term[0][0] == "b" and length != images:
            msg = f"{where}: {length} rows for {images} images; name what else lies in that axis"
            raise UserError(msg)
        return ((term[0][0], None),)
    lengths = dict(term)
    rest, left = divmod(length, math.prod(n or 1 for n in lengths.values()))
    if "b" in lengths:
        rest, left = divmod(rest, images) if not left else (rest, left)
    unknown = [letter for letter, n in lengths.items() if n is None and letter != "b"]
    if not left and len(unknown) == 1:
        lengths[unknown[0]], rest = rest, 1
    elif not left and len(unknown) == 2 and math.isqrt(rest) ** 2 == rest:
        lengths.update(dict.fromkeys(unknown, math.isqrt(rest)))
        rest = 1
    if left or rest != 1 or any(n is None for letter, n in lengths.items() if letter != "b"):
        msg = f"{where}: an axis of {length} is not that; give lengths, such as (b y=8 x=8)"
        raise UserError(msg)
    return tuple((letter, lengths[letter]) for letter, _ in term)
