"""The chooser of names: a mini judge of whole images, learned from captions of their main object.

    p(text in image) = sigmoid(A (cos(image, text) + B))

Images are means over positions of the mini judge's vectors, texts its sentence vectors; linear maps
bring both to one space by a contrastive loss (as CLIP's). The captions speak of the main object, as
the texts of top images do, so it chooses names better than the mini judge and is a poor referee: it
never scores anything. It lies in the judge's folder (`chooser.safetensors`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError, reading, reads
from milan_core.core.files import read_json
from milan_core.core.seeding import generator, seed_torch, torch_generator
from milan_core.core.shapes import check_arrays
from milan_core.core.tensors import map_tensors, save_tensors
from milan_core.images.store import Dataset, Scene
from milan_core.referee.judges.dual_encoder import fit_logistic
from milan_core.referee.judges.frozen import TextEncoder
from milan_core.referee.judges.mini import RECORD
from milan_core.referee.judges.oracle import Scenes
from milan_core.referee.judges.reading import Leaf
from milan_core.world.lexicon import Lexicon, load_lexicon

NAME, KIND, VERSION = "chooser.safetensors", "milan-chooser", 1
CAPTIONS = 3  # of a scene
WIDTH, STEPS, BATCH, RATE, DECAY = 128, 600, 256, 2e-3, 0.1
LOG_SCALE = 2.6  # of the cosines, at the start
FORMS = ("a {color} {main} on {surface}", "a {main}", "{surface} with a {main}",
         "a {main} and a {other}", "a {color} {main}")  # fmt: skip
PLAIN = (1.0, 0.0)  # A and B where nothing can be fitted


ARRAYS = {
    "mean": "float32 F",
    "deviation": "float32 F",
    "image_weight": "float32 width F",
    "image_bias": "float32 width",
    "text_weight": "float32 width d",
    "text_bias": "float32 width",
    "sigmoid": "float32 2",
}
"""Types and axes of the arrays of a `Chooser`."""


@dataclass(frozen=True, eq=False)
class Chooser:
    """The trained parts, float32.

    Attributes:
        mean, deviation: of the F numbers of an image.
        image_weight, image_bias: [width, F] and [width].
        text_weight, text_bias: [width, d] and [width].
        sigmoid: A and B.

    """

    mean: np.ndarray
    deviation: np.ndarray
    image_weight: np.ndarray
    image_bias: np.ndarray
    text_weight: np.ndarray
    text_bias: np.ndarray
    sigmoid: np.ndarray

    def of_images(self, means: np.ndarray) -> np.ndarray:
        """Unit vectors float32 [n, width] of the judge's means float32 [n, F]."""
        scaled = (means - self.mean) / self.deviation
        return unit_length(scaled @ self.image_weight.T + self.image_bias)

    def of_texts(self, vectors: np.ndarray) -> np.ndarray:
        """Unit vectors float32 [T, width] of text vectors [T, d]."""
        return unit_length(vectors @ self.text_weight.T + self.text_bias)

    def columns(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """Presence float32 [n, T] of unit vectors of images [n, width] and of texts [T, width]."""
        scale, offset = self.sigmoid
        return 1 / (1 + np.exp(-np.clip(scale * (images @ texts.T + offset), -30, 30)))

    def arrays(self) -> dict[str, np.ndarray]:
        """As stored, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def unit_length(rows: np.ndarray) -> np.ndarray:
    """Rows of length one; a row of zeros stays."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-12), np.float32)


def save_chooser(folder: Path, chooser: Chooser) -> None:
    """Write a chooser into the folder of its judge."""
    save_tensors(folder / NAME, KIND, VERSION, chooser.arrays(), _judge(folder))


@reads("the chooser of a mini judge", "train the judge again")
def load_chooser(folder: Path) -> Chooser:
    """The chooser in the folder of a judge; refuses one of another judge, and damage."""
    if not (folder / NAME).is_file():
        raise UserError(
            f"{folder} holds a judge without a chooser of names ({NAME}); train the judge again"
        )
    arrays, meta = map_tensors(folder / NAME, KIND, dict[str, str], (VERSION,))
    if meta != _judge(folder):
        raise UserError(f"{folder / NAME} belongs to another judge; train the judge again")
    check_arrays(arrays, ARRAYS)
    return Chooser(**{name: np.array(arrays[name]) for name in ARRAYS})


def _judge(folder: Path) -> dict[str, str]:
    with reading(folder / RECORD, "a mini judge", "train it again"):
        return {"judge": str(read_json(folder / RECORD, "mini judge")["weights"])}


def train_chooser(means: np.ndarray, texts: TextEncoder, dataset: Dataset, seed: int) -> Chooser:
    """Train on the first scenes of a world.

    Args:
        means: float32 [n, F], the judge's vectors of the first n images, their means over cells.
        texts: the encoder of texts.
        dataset: with scenes.
        seed: of captions, weights and batches.

    Raises:
        UserError: for images without ground truth, or without a main object.

    """
    scenes = dataset.require_world("the chooser of names")[1][: len(means)]
    lexicon = load_lexicon(dataset.world_kind)
    with_main = [place for place, scene in enumerate(scenes) if _named(scene, "main")]
    if not with_main:
        raise UserError(f"no scene of {dataset.name!r} has a main object to learn names from")
    rng = generator(seed, "chooser captions")
    captions = [
        [caption(scenes[place], lexicon, rng) for _ in range(CAPTIONS)] for place in with_main
    ]
    distinct = sorted({text for one in captions for text in one})
    place_of = {text: place for place, text in enumerate(distinct)}
    chosen = np.array([[place_of[text] for text in one] for one in captions])
    mean, deviation = means.mean(0), means.std(0) + 1e-6
    scaled = (means - mean) / deviation
    parts = _fit(scaled[with_main], texts.embed(distinct), chosen, seed)
    raw = Chooser(mean, deviation, *parts, sigmoid=np.array(PLAIN, np.float32))
    names, labels = _visible(dataset, lexicon, len(means))
    cosines = raw.of_images(means) @ raw.of_texts(texts.embed(names)).T
    fitted = fit_logistic(cosines.ravel(), labels.ravel()) or PLAIN
    return replace(raw, sigmoid=np.array(fitted, np.float32))


def caption(scene: Scene, lexicon: Lexicon, rng: np.random.Generator) -> str:
    """A random caption of a scene's main object."""
    main = _named(scene, "main")[0]
    others, surfaces = _named(scene, "object"), _named(scene, "background")
    form = FORMS[rng.integers(len(FORMS))]
    other = others[rng.integers(len(others))] if others else None
    if other is None and "{other}" in form:
        form = "a {main}"
    if not surfaces:
        form = form.replace(" on {surface}", "").replace("{surface} with ", "")

    def word(thing: dict[str, str] | None) -> str:
        return lexicon.entry(thing["name"]).singular if thing else ""

    return form.format(
        color=main["colour"],
        main=word(main),
        surface=word(surfaces[0] if surfaces else None),
        other=word(other),
    )


def _named(scene: Scene, kind: str) -> list[dict[str, str]]:
    return [thing for thing in scene if thing["kind"] == kind]


def _visible(dataset: Dataset, lexicon: Lexicon, count: int) -> tuple[list[str], np.ndarray]:
    """Names of things and surfaces, and whether each scene shows them: float64 [n, names]."""
    scenes = Scenes(dataset, np.arange(count))
    concepts = [*lexicon.objects, "text", "face", *lexicon.surfaces]
    labels = np.stack([scenes.presence(Leaf(None, name)) for name in concepts], 1)
    return [lexicon.entry(name).plural for name in concepts], labels.astype(np.float64)


def _fit(
    images: np.ndarray, vectors: np.ndarray, captions: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weights and biases of images and texts after the contrastive loss over random batches."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    seen, said = torch.from_numpy(images), torch.from_numpy(vectors)
    texts, count = torch.from_numpy(captions), min(BATCH, len(images))
    with torch.random.fork_rng(devices=[]):
        seed_torch(seed, "chooser")
        image_map = torch.nn.Linear(images.shape[1], WIDTH)
        text_map = torch.nn.Linear(vectors.shape[1], WIDTH)
    log_scale = torch.nn.Parameter(torch.tensor(LOG_SCALE))
    learned = [*image_map.parameters(), *text_map.parameters(), log_scale]
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=DECAY)
    rng, own = torch_generator(seed, "chooser batches"), torch.arange(count)
    for _ in range(STEPS):
        rows = torch.randint(len(seen), (count,), generator=rng)
        which = torch.randint(texts.shape[1], (count,), generator=rng)
        a = normalize(image_map(seen[rows]), dim=1)
        b = normalize(text_map(said[texts[rows, which]]), dim=1)
        logits = log_scale.exp() * a @ b.T
        loss = (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    image, text = image_map.requires_grad_(False), text_map.requires_grad_(False)
    return image.weight.numpy(), image.bias.numpy(), text.weight.numpy(), text.bias.numpy()
