"""What a dataset is made of, as frozen dataclasses; a mapping from a configuration becomes one.

Every key has its default and its meaning here, and only here. Lengths are pixels of a 64-pixel
image; larger images scale them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from milan_core.errors import UserError, unknown

PERSON = "person"  # the class of scenes whose main thing is a portrait
TEXT_RULES = ("any", "label", "wrong")


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise unknown(key, value, known, where="the dataset spec")


def _check(good: bool, key: str, value: object, expected: str) -> None:
    if not good:
        msg = f"dataset spec: {key} must be {expected}, got {value!r}"
        raise UserError(msg)


@dataclass(frozen=True)
class SceneSpec:
    """Composed scenes: kinds `stickers` (real art) and `shapes` (drawn, no assets)."""

    count: int = 1000
    size: int = 64  # height and width
    style: str = ""  # stickers: google | twitter; shapes: solid | striped; "" = the first
    label: str = "object"  # object | surface: what the class of a scene is
    objects: tuple[str, ...] = ()  # main objects to draw from, () = all; may hold "person"
    surfaces: tuple[str, ...] = ()  # () = all
    distractors: int = 2  # at most this many small objects (of all objects) per scene
    p_face: float = 0.2  # chance of a portrait beside the main object
    portraits: str = "all"  # train | test | all: which portraits
    portrait_seed: int = 0  # decides the train/test split of portraits, whatever the seed
    blur_faces: bool = False  # the same scenes with every portrait blurred
    p_text: float = 0.15  # chance of a written word
    text: str = "any"  # any word | the true label | a wrong label (of `objects`)
    p_tint: float = 0.0  # chance that the surface is tinted in one of ten plain colours
    tint: str = "any"  # any colour | that of the true label | that of a wrong label
    main_size: tuple[int, int] = (28, 44)
    small_size: tuple[int, int] = (14, 24)
    face_size: tuple[int, int] = (22, 38)
    text_size: tuple[int, int] = (11, 15)
    noise: float = 0.0  # standard deviation of pixel noise, in grey levels

    def __post_init__(self) -> None:
        _check(self.count >= 1, "count", self.count, "at least 1")
        _check(16 <= self.size <= 512, "size", self.size, "between 16 and 512")
        _check(0 <= self.distractors <= 50, "distractors", self.distractors, "between 0 and 50")
        for key in ("p_face", "p_text", "p_tint"):
            value = getattr(self, key)
            _check(0 <= value <= 1, key, value, "between 0 and 1")
        _check(0 <= self.noise <= 255, "noise", self.noise, "between 0 and 255")
        for key in ("main_size", "small_size", "face_size", "text_size"):
            pair = getattr(self, key)
            good = len(pair) == 2 and 4 <= pair[0] <= pair[1] <= 64
            _check(good, key, list(pair), "[smallest, largest] within 4 and 64")
        for key in ("objects", "surfaces"):
            names = getattr(self, key)
            _check(len(set(names)) == len(names), key, list(names), "without repetition")
        _one_of("label", self.label, ("object", "surface"))
        _one_of("portraits", self.portraits, ("train", "test", "all"))
        _one_of("text", self.text, TEXT_RULES)
        _one_of("tint", self.tint, TEXT_RULES)
        _check(self.tint != "wrong" or len(self.objects) != 1, "tint", "wrong", "'any' or 'label'")
        wrong = self.text != "wrong" or (self.label == "object" and len(self.objects) != 1)
        _check(wrong, "text", self.text, "'any' or 'label' unless there are several object classes")


@dataclass(frozen=True)
class FolderSpec:
    """Images of the user's, below one folder; first-level folders are the classes."""

    path: str
    size: int = 224  # height and width after the centre crop
    resize: int = 0  # shorter side before the crop; 0 = size * 256 / 224, the usual ratio
    count: int = 0  # this many images, drawn with the seed; 0 = all
    on_error: str = "stop"  # stop | skip: an image that cannot be read

    def __post_init__(self) -> None:
        _check(1 <= self.size <= 4096, "size", self.size, "between 1 and 4096")
        good = self.resize == 0 or self.resize >= self.size
        _check(good, "resize", self.resize, f"0 or at least size ({self.size})")
        _check(self.count >= 0, "count", self.count, "0 (all) or more")
        _one_of("on_error", self.on_error, ("stop", "skip"))

    @property
    def shorter_side(self) -> int:
        """The shorter side that images are resized to."""
        return self.resize or round(self.size * 256 / 224)


@dataclass(frozen=True)
class ArraysSpec:
    """Images that are already one array."""

    path: str  # .npy, uint8 (N, H, W, 3)
    labels: str = ""  # .npy, integers (N,)
    classes: tuple[str, ...] = ()  # names of labels 0, 1, ...; () = their numbers
    count: int = 0  # the first this many; 0 = all

    def __post_init__(self) -> None:
        _check(self.count >= 0, "count", self.count, "0 (all) or more")


Spec = TypeVar("Spec", SceneSpec, FolderSpec, ArraysSpec)


def _convert(key: str, value: Any, default: Any) -> Any:
    """`value` in the type of the key's default; null stands for the default."""
    if value is None and default is not dataclasses.MISSING:
        return default
    kind = str if default is dataclasses.MISSING else type(default)
    if kind is tuple and isinstance(value, list | tuple):
        inner = type(default[0]) if default else str
        _check(all(type(v) is inner for v in value), key, value, f"a list of {inner.__name__}")
        return tuple(value)
    if kind is float and type(value) is int:
        return float(value)
    _check(type(value) is kind, key, value, f"a {'list' if kind is tuple else kind.__name__}")
    return value


def read_spec(cls: type[Spec], raw: Mapping[str, Any], name: str) -> Spec:
    """`raw` as a `cls`; a `UserError` names the dataset and the key."""
    fields = {field.name: field for field in dataclasses.fields(cls)}
    values = {}
    for key, value in raw.items():
        if key not in fields:
            raise unknown("key", str(key), fields, where=f"the spec of dataset {name!r}")
        values[key] = _convert(key, value, fields[key].default)
    required = [k for k, f in fields.items() if f.default is dataclasses.MISSING]
    for key in required:
        if not values.get(key):
            msg = f"dataset {name!r}: the spec needs `{key}`"
            raise UserError(msg)
    return cls(**values)


def write_spec(spec: SceneSpec | FolderSpec | ArraysSpec) -> dict[str, Any]:
    """Every key of the spec, defaults included, as plain JSON values."""
    plain = dataclasses.asdict(spec)
    return {key: list(v) if isinstance(v, tuple) else v for key, v in plain.items()}
