"""Compose scenes of a surface, small objects, a portrait, the main object and a word.

They are pasted in this order, portrait and word with a given chance. The instance map gives the
visible thing at each pixel. Scene i depends on (options, seed, i) only.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.images.store import Dataset, Scene
from milan_core.images.writing import finish_folder, new_array, start_folder
from milan_core.world.bank import Art, Bank, Piece
from milan_core.world.options import NOTHING, PERSON, SceneOptions

# Class i is tinted with color i, modulo ten.
TINTS = (
    (20, 20, 20), (245, 245, 245), (210, 40, 40), (240, 140, 40), (250, 220, 60),
    (70, 160, 60), (50, 100, 200), (130, 70, 160), (240, 160, 180), (130, 85, 50),
)  # fmt: skip
MARGIN = 4  # pixels (of 64) that a thing may extend beyond the image


def paste(image: np.ndarray, instances: np.ndarray, piece: Piece, x: int, y: int, i: int) -> None:
    """Blend `piece` into `image` in place, its top left at (x, y); mark opaque pixels with `i`.

    Integer arithmetic gives the same bytes on every machine.
    """
    height, width = piece.pixels.shape[:2]
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, image.shape[1]), min(y + height, image.shape[0])
    if right <= left or bottom <= top:
        return
    part = piece.pixels[top - y : bottom - y, left - x : right - x].astype(np.uint16)
    alpha = part[..., 3:]
    under = image[top:bottom, left:right]
    under[...] = (under * (255 - alpha) + part[..., :3] * alpha + 127) // 255
    instances[top:bottom, left:right][alpha[..., 0] > 127] = i


class Composed(NamedTuple):
    """One scene of size S."""

    image: np.ndarray  # uint8 [S, S, 3]
    instances: np.ndarray  # uint8 [S, S]
    scene: Scene
    main: str  # object, "person" or "nothing"
    label: str  # class


class Composer:
    """Composes scenes by number from a bank.

    The word comes last, and noise and tint have generators of their own: options that differ only
    in these, in style or in blur give the same scenes otherwise.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank, self.spec, self.lexicon = bank, bank.spec, bank.art.lexicon
        self.all_objects = list(self.lexicon.objects)
        self.mains = list(self.spec.objects) or self.all_objects
        self.surfaces = list(self.spec.surfaces) or list(self.lexicon.surfaces)
        self.classes = self.mains if self.spec.label == "object" else self.surfaces

    def _put(
        self, canvas: Composed, piece: Piece, thing: dict[str, str], rng: np.random.Generator
    ) -> None:
        margin = round(MARGIN * self.bank.scale)
        height, width = piece.pixels.shape[:2]
        x = int(rng.integers(-margin, max(1, self.spec.size - width + margin + 1)))
        y = int(rng.integers(-margin, max(1, self.spec.size - height + margin + 1)))
        paste(canvas.image, canvas.instances, piece, x, y, len(canvas.scene))
        canvas.scene.append({**thing, "colour": piece.colour})

    def _object(self, kind: str, name: str) -> dict[str, str]:
        return {"kind": kind, "name": name, "group": self.lexicon.objects[name].group}

    def _word(self, label: str, rng: np.random.Generator) -> str:
        if self.spec.text == "label":
            return label
        pool = self.all_objects
        if self.spec.text == "wrong":
            pool = [name for name in self.classes if name != label]
        return pool[int(rng.integers(len(pool)))]

    def _start(self, rng: np.random.Generator) -> Composed:
        """A scene with its surface only, and the choice of the main object."""
        main = self.mains[int(rng.integers(len(self.mains)))]
        ground = self.surfaces[int(rng.integers(len(self.surfaces)))]
        label = main if self.spec.label == "object" else ground
        piece = self.bank.surface(ground, rng)
        thing = {"kind": "background", "name": ground, "group": "background"}
        instances = np.zeros((self.spec.size, self.spec.size), np.uint8)
        scene = [{**thing, "colour": piece.colour}]
        return Composed(piece.pixels.copy(), instances, scene, main, label)

    def _tint(self, canvas: Composed, number: int) -> None:
        """With chance `p_tint`, blend the surface half and half with a color, in place."""
        rng = generator(self.bank.seed, "tint", number)
        if rng.random() >= self.spec.p_tint:
            return
        index = self.classes.index(canvas.label)
        others = [i for i in range(len(self.classes)) if i % len(TINTS) != index % len(TINTS)]
        pools = {"label": [index], "wrong": others, "any": range(len(TINTS))}
        pool = pools[self.spec.tint]
        colour = np.array(TINTS[pool[int(rng.integers(len(pool)))] % len(TINTS)], np.uint16)
        canvas.image[...] = (canvas.image + colour + 1) // 2
        canvas.scene[0]["colour"] = self.lexicon.colour(canvas.image.mean((0, 1)))

    def compose(self, number: int) -> Composed:
        """Scene `number`; independent of scenes composed before."""
        spec, bank = self.spec, self.bank
        rng = generator(bank.seed, "scene", number)
        canvas = self._start(rng)
        self._tint(canvas, number)
        face = {"kind": "face", "name": "face", "group": PERSON}
        for _ in range(int(rng.integers(spec.distractors + 1))):
            name = self.all_objects[int(rng.integers(len(self.all_objects)))]
            sprite = bank.sprite(name, spec.small_size, rng)
            self._put(canvas, sprite, self._object("object", name), rng)
        if rng.random() < spec.p_face and canvas.main != PERSON:
            self._put(canvas, bank.face(rng), face, rng)
        if canvas.main == PERSON:
            self._put(canvas, bank.face(rng), face, rng)
        elif canvas.main != NOTHING:
            sprite = bank.sprite(canvas.main, spec.main_size, rng)
            self._put(canvas, sprite, self._object("main", canvas.main), rng)
        if rng.random() < spec.p_text:
            word = self._word(canvas.label, rng)
            text = {"kind": "text", "name": word, "group": "text"}
            self._put(canvas, bank.word(word, rng), text, rng)
        return canvas._replace(image=self._noisy(canvas.image, number))

    def _noisy(self, image: np.ndarray, number: int) -> np.ndarray:
        if self.spec.noise == 0:
            return image
        rng = generator(self.bank.seed, "noise", number)
        noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(self.spec.noise)
        return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def build_world(
    name: str, kind: str, spec: SceneOptions, art: Art, out: Path, seed: int
) -> Dataset:
    """Compose `spec.count` scenes into the data set folder `out` and open it."""
    bank = Bank(art, spec, seed)
    if not bank.faces and (spec.p_face > 0 or PERSON in spec.objects):
        msg = f"dataset {name!r}: there are no portraits to draw from; set p_face to 0"
        raise UserError(msg)
    composer = Composer(bank)
    start_folder(out)
    shape = (spec.count, spec.size, spec.size)
    scenes: list[Scene] = []
    names: list[str] = []
    labels = np.empty(spec.count, np.int64)
    number = {label: i for i, label in enumerate(composer.classes)}
    with (
        new_array(out / "images.npy", (*shape, 3), np.uint8) as images,
        new_array(out / "instances.npy", shape, np.uint8) as instances,
    ):
        for i in range(spec.count):
            made = composer.compose(i)
            images[i], instances[i] = made.image, made.instances
            scenes.append(made.scene)
            names.append(f"{made.main} on {made.scene[0]['name']}")
            labels[i] = number[made.label]
    return finish_folder(
        out,
        name=name,
        kind=kind,
        options=spec,
        seed=seed,
        classes=composer.classes,
        labels=labels,
        names=names,
        credits=art.credits,
        scenes=scenes,
        notes={"portraits": bank.faces},
    )
