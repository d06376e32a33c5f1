"""BERTScore (Zhang et al. 2020, arXiv 1904.09675) with any transformers encoder in a local folder.

Greedy matching of token vectors by cosine: precision is the weighted mean over the prediction's
tokens of the best match in the reference, recall the other way round, F their harmonic mean. The
start and end tokens may be matched but carry no weight. Raw values (no baseline rescaling); no
network is ever used. Agrees with the package bert_score 0.3.13 to 1e-5 (see the tests).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import file_sha256, text_hash
from milan_core.core.numbers import added
from milan_core.core.progress import tracked
from milan_core.scoring.text_encoder import TextEncoder, load_text_encoder, padded

if TYPE_CHECKING:
    import torch

_IDENTITY_FILES = ("config.json", "tokenizer.json", "vocab.txt", "model.safetensors")
_MAX_TOKENS = 128


def model_hash(folder: Path) -> str:
    """12 hexadecimal digits that name the encoder: its weights, configuration and vocabulary."""
    present = [name for name in _IDENTITY_FILES if (folder / name).is_file()]
    return text_hash("".join(f"{name}:{file_sha256(folder / name)}\n" for name in present))


class BertScorer:
    """BERTScore over hidden layer `layer` of the encoder in `folder`.

    Texts are encoded once in the life of the scorer, whatever the number of calls.

        scorer = BertScorer(folder, layer=5)
        scores = scorer.score(["a red dog"], [["a dog", "the red cat"]])   # float64 [1, 3]: P, R, F
    """

    def __init__(
        self, folder: Path | str, layer: int, idf: bool = True, batch_size: int = 64
    ) -> None:
        self.folder, self.layer, self.idf = Path(folder), layer, idf
        self.batch_size = batch_size
        if not (self.folder / "config.json").is_file():
            message = (
                f"BERTScore: no transformers model in {self.folder} (config.json missing); "
                "run the assets stage or name the folder that holds config.json"
            )
            raise UserError(message)
        self._encoder: TextEncoder | None = None
        self._ids: dict[str, list[int]] = {}
        self._vectors: dict[str, torch.Tensor] = {}

    @property
    def fingerprint(self) -> str:
        """The settings that the values depend on, to be printed beside them."""
        weights = "idf-of-references" if self.idf else "no-idf"
        return f"bertscore_model={model_hash(self.folder)}_L{self.layer}_{weights}_raw"

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[Sequence[str]],
        idf_from: Sequence[str] | None = None,
    ) -> np.ndarray:
        """Precision, recall and F of each prediction: float64 [U, 3].

        With several references each value is the maximum over them. An empty prediction or
        reference scores 0. `idf_from` is the list of texts whose document frequencies weight the
        tokens; by default all references of this call. Give the same list to scores that will be
        compared.
        """
        if len(predictions) != len(references) or not all(references):
            raise ValueError("BERTScore needs one non-empty list of references per prediction")
        flat = [text.strip() for texts in references for text in texts]
        texts = [text.strip() for text in predictions]
        pairs = [
            (text, reference.strip())
            for text, group in zip(texts, references, strict=True)
            for reference in group
        ]
        self._encode([*texts, *flat, *(idf_from or ())])
        idf = self._document_weights(flat if idf_from is None else idf_from)
        distinct = sorted(set(pairs))
        values = self._match(distinct, idf)
        row = {pair: index for index, pair in enumerate(distinct)}
        scores = values[[row[pair] for pair in pairs]] if pairs else np.zeros((0, 3))
        starts = np.cumsum([0, *(len(group) for group in references)])[:-1]
        return np.maximum.reduceat(scores, starts, axis=0) if len(starts) else np.zeros((0, 3))

    def _load(self) -> TextEncoder:
        encoder = load_text_encoder(self.folder, "BERTScore")
        if not 0 <= self.layer <= encoder.layers:
            message = (
                f"BERTScore: layer {self.layer} of {self.folder}, which has layers 0 to "
                f"{encoder.layers}"
            )
            raise UserError(message)
        return encoder

    def _encode(self, texts: Sequence[str]) -> None:
        """Fill the cache of token ids and unit-length vectors [tokens, D] for every new text."""
        import torch

        new = sorted({text.strip() for text in texts} - self._ids.keys())
        if not new:
            return
        if self._encoder is None:
            self._encoder = self._load()
        encoder = self._encoder
        limit = min(_MAX_TOKENS, encoder.longest)
        for text in new:
            self._ids[text] = encoder.ids(text, limit)
        new.sort(key=lambda text: (len(self._ids[text]), text))
        with torch.inference_mode():
            for start in tracked(range(0, len(new), self.batch_size), "reading texts", "batch"):
                batch = new[start : start + self.batch_size]
                ids, mask = padded([self._ids[text] for text in batch], encoder.pad)
                hidden = encoder.states(ids, mask)[self.layer]
                vectors = torch.nn.functional.normalize(hidden, dim=-1)
                for text, row, length in zip(batch, vectors, mask.sum(1).tolist(), strict=True):
                    self._vectors[text] = row[:length].clone()

    def _document_weights(self, documents: Sequence[str]) -> dict[int, float] | None:
        """Inverse document frequency per token id; `None` when all tokens weigh the same."""
        if not self.idf:
            return None
        counts = Counter(i for text in documents for i in set(self._ids[text.strip()]))
        size = len(documents) + 1
        weights = {token: math.log(size / (count + 1)) for token, count in counts.items()}
        weights[-1] = math.log(size)  # tokens of no document
        return weights

    def _weights(self, text: str, idf: dict[int, float] | None) -> torch.Tensor:
        """Weights of a text's tokens, float32 [tokens]; they sum to 1, or to 0 if it is empty."""
        import torch

        ids = self._ids[text]
        special = self._encoder.special if self._encoder else frozenset()
        content = [token not in special for token in ids]
        raw = [(1.0 if idf is None else idf.get(t, idf[-1])) * c for t, c in zip(ids, content)]  # noqa: B905
        if added(raw) <= 0:  # every token is in every document: let them weigh the same
            raw = [float(c) for c in content]
        total = added(raw) or 1.0
        return torch.tensor([value / total for value in raw], dtype=torch.float32)

    def _match(self, pairs: Sequence[tuple[str, str]], idf: dict[int, float] | None) -> np.ndarray:
        """P, R, F of (prediction, reference) pairs: float64 [pairs, 3]."""
        import torch

        pad = torch.nn.utils.rnn.pad_sequence
        weights = {text: self._weights(text, idf) for text in {t for pair in pairs for t in pair}}
        order = sorted(range(len(pairs)), key=lambda i: [len(self._ids[t]) for t in pairs[i]])
        scores = np.zeros((len(pairs), 3))
        step = 8 * self.batch_size
        for start in range(0, len(order), step):
            index = order[start : start + step]
            left, right = ([pairs[i][side] for i in index] for side in (0, 1))
            text, truth = (pad([self._vectors[t] for t in side], True) for side in (left, right))
            text_weight, truth_weight = (pad([weights[t] for t in s], True) for s in (left, right))
            cosine = text @ truth.transpose(1, 2)  # [B, prediction tokens, reference tokens]
            real = text.any(2)[:, :, None] & truth.any(2)[:, None, :]
            cosine = cosine.masked_fill(~real, -1.0)  # padding never wins: no batch dependence
            scores[index, 0] = (cosine.amax(2) * text_weight).sum(1).numpy()
            scores[index, 1] = (cosine.amax(1) * truth_weight).sum(1).numpy()
            scores[index] *= (text_weight.any(1) & truth_weight.any(1))[:, None].numpy()  # empty: 0
        total = scores[:, 0] + scores[:, 1]
        scores[:, 2] = 2 * scores[:, 0] * scores[:, 1] / np.where(total == 0, 1.0, total)
        return scores
