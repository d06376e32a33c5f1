"""A dual encoder of `transformers` as judge: any CLIP or SigLIP, from a folder or by hub name (S1).

    p(text in image) = sigmoid(A (cos(image, text) + B))

The bare text is read, without a template. A and B are published for three checkpoints; for another
they are fitted to the labels of the images (logistic regression on their class names), or, without
labels, A is 50 and -B the .995 quantile of the cosines of images and random words. `calibration`
says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import file_sha256, text_hash
from milan_core.core.progress import tracked
from milan_core.core.seeding import generator
from milan_core.networks.checkpoints import Checkpoint
from milan_core.referee.judge import JudgedImages, JudgeResources
from milan_core.referee.options import DualEncoderOptions
from milan_core.world.lexicon import load_lexicon

PUBLISHED = {  # scale, bias of Linear Explanations' simulators
    "google/siglip-so400m-patch14-384": (58.0, -0.13),
    "google/siglip-large-patch16-384": (60.0, -0.09),
    "openai/clip-vit-large-patch14-336": (58.0, -0.25),
}
KINDS = ("clip", "siglip")
SCALE, QUANTILE = 50.0, 0.995  # without labels
CALIBRATED = 500  # images that a calibration looks at
IMAGES, TEXTS = 32, 16  # in one pass; constant, so that a text's bits do not depend on the others
_FILES = (
    "config.json, model.safetensors, the tokenizer's files and preprocessor_config.json "
    "(the save_pretrained folder of a CLIPModel or SiglipModel)"
)


def model_identity(source: str) -> str:
    """Identity of a model's files: a digest of a folder's configuration and weights, or a name.

    Two folders with the same weights are the same model.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return source
    parts = sorted(
        path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".gguf")
    )
    if not parts:
        return str(folder.resolve())
    return "weights " + text_hash(" ".join(file_sha256(path) for path in parts), 16)


class Judge:
    """A dual encoder.

    Args:
        model: a CLIPModel or SiglipModel.
        tokenizer: of the model.
        processor: its image processor.
        source: folder or hub name, for tables.
        constants: scale and bias; None: calibrated on the first images that it is shown.

    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        processor: Any,
        source: str,
        constants: tuple[float, float] | None = None,
    ) -> None:
        self.name, self.model = f"dual encoder {Path(source).name}", model_identity(source)
        self._model, self._tokenizer, self._processor = model, tokenizer, processor
        self._constants = constants
        self.calibration = "as given" if constants else ""
        """The method that gave scale and bias; empty until images were seen."""
        self.cut: set[str] = set()
        """Texts that are longer than the model reads."""
        self._last: tuple[JudgedImages, np.ndarray] | None = None

    @classmethod
    def load(cls, options: DualEncoderOptions, resources: JudgeResources) -> Judge:
        """Read a checkpoint; raises `UserError` where it is missing or of another kind."""
        if (options.scale is None) != (options.bias is None):
            raise UserError("judge dual_encoder: give both scale and bias, or neither")
        checkpoint = Checkpoint("CLIP or SigLIP", options.source, _FILES, options.download)
        checkpoint.check()
        from transformers import (
            AutoConfig,
            AutoImageProcessor,
            AutoTokenizer,
            CLIPModel,
            SiglipModel,
        )

        kind = checkpoint.part(AutoConfig).model_type
        if kind not in KINDS:
            raise checkpoint.refusal(f"it holds a {kind!r} model, expected {' or '.join(KINDS)}")
        loader = CLIPModel if kind == "clip" else SiglipModel
        constants = PUBLISHED.get(options.source.partition("@")[0])
        if options.scale is not None and options.bias is not None:
            constants = options.scale, options.bias
        judge = cls(
            checkpoint.model(loader, resources.compute.device),
            checkpoint.part(AutoTokenizer),
            checkpoint.part(AutoImageProcessor),
            options.source,
            constants,
        )
        if options.scale is None and constants:
            judge.calibration = "published"
        return judge

    def columns(self, images: JudgedImages, texts: Sequence[str]) -> np.ndarray:
        """Presence of each text in each image: float32 [images, texts], 0 to 1."""
        vectors = self.image_vectors(images)
        if self._constants is None:
            self._constants, self.calibration = self._calibrated(images, vectors)
        scale, bias = self._constants
        # In float64, so that a column does not depend on how many texts are asked for.
        cosines = vectors.astype(np.float64) @ self.embed(texts).T.astype(np.float64)
        logits = scale * (cosines + bias)
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -80, 80))), np.float32)

    def image_vectors(self, images: JudgedImages) -> np.ndarray:
        """Unit vectors of whole images: float32 [images, d]."""
        if self._last is None or self._last[0] is not images:
            self._last = images, self.encode(images.dataset.images, images.ids)
        return self._last[1]

    @property
    def sharpness(self) -> float:
        """The factor that the model was trained to multiply cosines with."""
        return float(self._model.logit_scale.detach().exp())

    def encode(self, images: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Unit vectors of some of the images uint8 (N, H, W, 3): float32 [ids, d]."""
        import torch

        parts = []
        with torch.inference_mode():
            rows = [ids[start : start + IMAGES] for start in range(0, len(ids), IMAGES)]
            for part in tracked(rows, "looking", "image", total=len(ids), size=len):
                pictures = list(np.asarray(images[part]))
                pixels = self._processor(images=pictures, return_tensors="pt")["pixel_values"]
                pooled = self._model.vision_model(
                    pixel_values=pixels.to(self._model.device)
                ).pooler_output
                parts.append(_unit(pooled, getattr(self._model, "visual_projection", None)))
        return np.concatenate(parts)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of texts: float32 [texts, d]; what the model cannot read is cut off."""
        import torch

        config = self._model.config
        limit = int(config.text_config.max_position_embeddings)
        self.cut |= {text for text in texts if len(self._tokenizer(text)["input_ids"]) > limit}
        parts = [np.zeros((0, self._width()), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(texts), TEXTS):
                part = list(texts[start : start + TEXTS])
                ids = self._tokenizer(
                    part + part[:1] * (TEXTS - len(part)),
                    padding="max_length",
                    truncation=True,
                    max_length=limit,
                    return_tensors="pt",
                ).to(self._model.device)
                # SigLIP was trained on padded texts without a mask.
                mask = ids["attention_mask"] if config.model_type == "clip" else None
                pooled = self._model.text_model(
                    input_ids=ids["input_ids"], attention_mask=mask
                ).pooler_output
                vectors = _unit(pooled, getattr(self._model, "text_projection", None))
                parts.append(vectors[: len(part)])
        return np.concatenate(parts)

    def _width(self) -> int:
        config = self._model.config
        named = getattr(config, "projection_dim", None) if config.model_type == "clip" else None
        return int(named or config.text_config.hidden_size)

    def _calibrated(
        self, images: JudgedImages, vectors: np.ndarray
    ) -> tuple[tuple[float, float], str]:
        """Scale and bias, and how they were found."""
        dataset = images.dataset
        rows = np.arange(len(images))
        if len(rows) > CALIBRATED:
            rows = np.sort(generator(0, "calibration", len(rows)).permutation(rows)[:CALIBRATED])
        labels = dataset.labels[images.ids[rows]]
        shown = np.unique(labels[labels >= 0])
        if len(shown) >= 2:
            labeled = rows[labels >= 0]
            cosines = vectors[labeled] @ self.embed([dataset.classes[k] for k in shown]).T
            truth = labels[labels >= 0][:, None] == shown
            if (fitted := fit_logistic(cosines.ravel(), truth.ravel())) is not None:
                return fitted, f"fitted to {len(shown)} class names of {len(labeled)} images"
        lexicon = load_lexicon("stickers")
        words = [entry.plural for entry in (*lexicon.objects.values(), *lexicon.surfaces.values())]
        cosines = vectors[rows] @ self.embed(words).T
        bias = -float(np.quantile(cosines, QUANTILE))
        return (SCALE, bias), f"{QUANTILE} quantile of {len(words)} words and {len(rows)} images"


def _unit(pooled: Any, projection: Any) -> np.ndarray:
    from torch.nn import functional

    projected = pooled if projection is None else projection(pooled)
    return np.asarray(functional.normalize(projected.float(), dim=-1).cpu().numpy(), np.float32)


def fit_logistic(cosines: np.ndarray, truth: np.ndarray) -> tuple[float, float] | None:
    """(A, B) of sigmoid(A (cos + B)) with the least log loss, by damped Newton steps.

    None where a larger cosine does not mean a larger chance, or all answers are alike.
    """
    x, y = cosines.astype(np.float64), truth.astype(np.float64)
    if not 0 < y.mean() < 1 or x.std() == 0:
        return None
    middle, spread = x.mean(), x.std()
    design = np.stack([(x - middle) / spread, np.ones_like(x)], 1)
    weights = np.array([1.0, np.log(y.mean() / (1 - y.mean()))])

    def loss(w: np.ndarray) -> float:
        scores = design @ w
        # A weak pull to 0 keeps the scale finite where the classes separate.
        return float((np.logaddexp(0, scores) - y * scores).mean() + 1e-6 * w @ w)

    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -40, 40)))
        slope = design.T @ (p - y) / len(y) + 2e-6 * weights
        curve = (design * (p * (1 - p))[:, None]).T @ design / len(y) + 2e-6 * np.eye(2)
        step, size = np.linalg.solve(curve, slope), 1.0
        while size > 1e-9 and loss(weights - size * step) > loss(weights):
            size /= 2
        weights = weights - size * step
        if np.abs(slope).max() < 1e-9:
            break
    scale = float(weights[0] / spread)
    return (scale, float(weights[1] / scale - middle)) if scale > 0 else None
