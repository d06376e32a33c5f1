"""What a dataset is made of, as frozen dataclasses; a mapping from a configuration becomes one.

Every key has its default and its meaning here, and only here. Lengths are pixels of a 64-pixel
image; larger images scale them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from milan_core.core.errors import UserError, unknown

PERSON = "person"  # the class of scenes whose main thing is a portrait
NOTHING = "nothing"  # the class of scenes without a main thing
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
    objects: tuple[
        str, ...
    ] = ()  # main objects to draw from, () = all; may hold "person", "nothing"
    surfaces: tuple[str, ...] = ()  # () = all
    distractors: int = 2  # at most this many small objects (of all objects) per scene
    p_face: float = 0.2  # chance of a portrait beside the main object
    portraits: str = "all"  # train | test | all: which portraits
    portrait_seed: int = 0  # decides the train/test split of portraits, whatever the seed
    blur_faces: bool = False  # the same scenes with every portrait blurred
    p_text: float = 0.15  # chance of a written word
    text: str = "any"  # any word | the true label | a wrong label (of `objects`)
    lettering: int = -1  # seed of how the words look; -1 = as the scenes, else shared by data sets
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
        _check(self.lettering >= -1, "lettering", self.lettering, "-1 or a seed")
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


@dataclass(frozen=True, kw_only=True)
class PictureSpec:
    """What all kinds share whose pictures are read: how they come to one size.

    `crop` and `squash` are the two published ways: Resize 256 of the shorter side and CenterCrop
    224, and Resize (224, 224) (paper, probe data sets).
    """

    size: int = 224  # height and width as stored
    resize: int = 0  # side before the centre crop; 0 = size * 256 / 224, the usual ratio, or size
    geometry: str = "crop"  # crop | squash | keep (all pictures have one size, which stays)
    upright: bool = True  # EXIF rotation applied, alpha over white; false: neither, as published
    count: int = 0  # this many images, drawn with the seed; 0 = all
    on_error: str = "stop"  # stop | skip: an image that cannot be read

    def __post_init__(self) -> None:
        _check(1 <= self.size <= 4096, "size", self.size, "between 1 and 4096")
        good = self.resize == 0 or self.resize >= self.size
        _check(good, "resize", self.resize, f"0 or at least size ({self.size})")
        _check(self.count >= 0, "count", self.count, "0 (all) or more")
        _one_of("on_error", self.on_error, ("stop", "skip"))
        _one_of("geometry", self.geometry, ("crop", "squash", "keep"))

    @property
    def before_crop(self) -> int:
        """The shorter side, or with `squash` both sides, that images are resized to."""
        usual = self.size if self.geometry == "squash" else round(self.size * 256 / 224)
        return self.resize or usual


@dataclass(frozen=True, kw_only=True)
class FolderSpec(PictureSpec):
    """Images of the user's, below one folder; first-level folders are the classes."""

    path: str


@dataclass(frozen=True, kw_only=True)
class PublishedSpec(PictureSpec):
    """ImageNet or Places365 as they are unpacked: class folders, or one flat folder and lists."""

    path: str
    split: str = "val"  # subfolder, where there is one
    truth: str = ""  # flat: the class of every image; "" = the published names are looked for
    classes: str = ""  # flat: what the numbers in `truth` stand for; "" as above
    expect: int = 0  # how many images there must be; 0 = any number
    upright: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.expect >= 0, "expect", self.expect, "0 (any number) or more")


CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")


@dataclass(frozen=True, kw_only=True)
class SpuriousSpec(PictureSpec):
    """Images of some classes with a cue in a corner that gives the class away, or lies about it.

    The seed decides which images are taken, which of them carry the cue and what it says, and
    nothing else does: versions that differ in `share` or in the look of the cue are twins, and the
    carriers of a smaller share are among those of a larger one.
    """

    path: str  # class folders, or a flat folder of ImageNet with its list
    classes: tuple[str, ...] = ()  # names of classes
    words: tuple[str, ...] = ()  # what is written for each class; () = the names of the folders
    per_class: int = 1000  # images of each class
    offset: int = 0  # passed over first: sets with other offsets share no image
    share: float = 0.5  # of each class carries the cue
    says: str = "label"  # label | random (any class) | wrong (any other class)
    cue: str = "text"  # text | colour (a square in the class's colour)
    corner: str = "top-left"
    margin: int = 4  # pixels between the box and the edges
    font: str = "DejaVuSans-Bold.ttf"  # of the fonts that come with matplotlib, or a file
    font_size: int = 24  # pixels; also the side of the coloured square
    colour: str = "white"  # of the text: a name or #rrggbb
    box: str = "black"  # behind the text
    box_opacity: float = 0.5  # 0 = no box
    colours: tuple[str, ...] = (
        "red", "yellow", "green", "blue", "cyan", "purple", "brown", "black", "white", "gray",
    )  # fmt: skip
    geometry: str = "squash"
    upright: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        count = len(self.classes)
        good = count >= 2 and len(set(self.classes)) == count
        _check(good, "classes", list(self.classes), "at least two different class folders")
        good = not self.words or len(set(self.words)) == count == len(self.words)
        _check(good, "words", list(self.words), f"{count} different words, or none")
        _check(0 <= self.share <= 1, "share", self.share, "between 0 and 1")
        _check(0 <= self.box_opacity <= 1, "box_opacity", self.box_opacity, "between 0 and 1")
        for key, least in (("per_class", 1), ("offset", 0), ("margin", 0), ("font_size", 4)):
            _check(getattr(self, key) >= least, key, getattr(self, key), f"at least {least}")
        _one_of("says", self.says, ("label", "random", "wrong"))
        _one_of("cue", self.cue, ("text", "colour"))
        _one_of("corner", self.corner, CORNERS)
        for key in ("count", "on_error"):
            default = PictureSpec.__dataclass_fields__[key].default
            _check(getattr(self, key) == default, key, getattr(self, key), f"{default} here")
        _check(self.geometry != "keep", "geometry", self.geometry, "crop or squash")
        if self.cue == "colour":
            good = len(set(self.colours)) == len(self.colours) >= count
            _check(good, "colours", list(self.colours), f"{count} different colours or more")

    @property
    def says_by_class(self) -> tuple[str, ...]:
        """What the cue of each class says: its word, or the name of its colour."""
        if self.cue == "colour":
            return self.colours[: len(self.classes)]
        return self.words or tuple(name.replace("_", " ") for name in self.classes)


@dataclass(frozen=True, kw_only=True)
class TarsSpec(PictureSpec):
    """WebDataset: tar files in which the files of one sample share the name before the suffix."""

    path: str  # a tar file, a folder of them, or a pattern such as shards/*.tar
    labels: str = "cls"  # suffix of the file with the class's number or name; "" = none
    classes: tuple[str, ...] = ()  # names of the numbers


@dataclass(frozen=True, kw_only=True)
class HubSpec(PictureSpec):
    """A data set of the Hugging Face hub, or a folder that `save_to_disk` wrote."""

    path: str  # OWNER/NAME, or a folder
    name: str = ""  # configuration of the data set
    split: str = "validation"
    revision: str = ""  # a commit: what the name stands for may change
    image: str = "image"  # column
    label: str = "label"  # column; "" = none


@dataclass(frozen=True, kw_only=True)
class LatentsSpec:
    """Codes for a generator, and the images that it draws from them (paper: 100,000)."""

    count: int = 100_000
    size: int = 224  # side of the stored images; nearest pixels of what the generator draws
    path: str = ""  # folder with z.pth and y.pth as published, instead of the seed

    def __post_init__(self) -> None:
        _check(self.count >= 1, "count", self.count, "at least 1")
        _check(1 <= self.size <= 4096, "size", self.size, "between 1 and 4096")


@dataclass(frozen=True)
class ArraysSpec:
    """Images that are already one array."""

    path: str  # .npy, uint8 (N, H, W, 3)
    labels: str = ""  # .npy, integers (N,)
    classes: tuple[str, ...] = ()  # names of labels 0, 1, ...; () = their numbers
    count: int = 0  # the first this many; 0 = all

    def __post_init__(self) -> None:
        _check(self.count >= 0, "count", self.count, "0 (all) or more")


Spec = TypeVar("Spec")


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
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
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


def write_spec(spec: Any) -> dict[str, Any]:
    """Every key of the spec, defaults included, as plain JSON values."""
    plain = dataclasses.asdict(spec)
    return {key: list(v) if isinstance(v, tuple) else v for key, v in plain.items()}
