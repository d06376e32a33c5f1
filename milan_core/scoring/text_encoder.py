"""The encoder of texts in a local folder: token ids, and the vectors of every layer.

BERT (Devlin et al. 2019, arXiv 1810.04805, section 3) is read here from `config.json`,
`tokenizer.json` and `model.safetensors`, so that a job starts without `transformers`, whose import
takes 3 to 4 CPU-seconds. The operations are those of `transformers`, in their order: the vectors
have the same bits. Any other encoder is read by `transformers`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from milan_core.core.errors import reading
from milan_core.core.hub import lacking

if TYPE_CHECKING:
    import torch

_ENDLESS = 2**31
_SPECIAL = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_PLAIN = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "is_decoder": False,
    "position_embedding_type": "absolute",
}  # of config.json, where they are given
_TOKENIZER = {
    "do_lower_case": True,
    "tokenize_chinese_chars": True,
    "strip_accents": None,
}  # of tokenizer_config.json, with what counts where they are not given
_NORMALIZER = {
    "do_lower_case": "lowercase",
    "tokenize_chinese_chars": "handle_chinese_chars",
    "strip_accents": "strip_accents",
}  # the same settings in tokenizer.json


class TextEncoder(Protocol):
    """The part of an encoder that scores and judges read."""

    layers: int
    width: int
    longest: int  # tokens
    pad: int
    special: frozenset[int]
    """Ids of the special tokens, without that of unknown words."""

    def ids(self, text: str, most: int) -> list[int]:
        """Token ids of a text, at most `most`, with the special ones."""

    def states(self, ids: torch.Tensor, mask: torch.Tensor) -> Sequence[torch.Tensor]:
        """Vectors float32 (n, t, width) after 0, 1, ... layers for ids and mask int64 (n, t)."""


def load_text_encoder(folder: Path, what: str) -> TextEncoder:
    """The encoder in a folder; `what` begins the sentence of an error.

    Raises:
        UserError: where the folder holds no encoder.

    """
    with reading(folder, f"an encoder of texts for {what}", "fetch the asset again"):
        return Bert(folder) if _is_bert(folder) else _Transformers(folder)


def _is_bert(folder: Path) -> bool:
    """Whether `Bert` reads all that the files of a folder say."""
    if not all((folder / name).is_file() for name in ("model.safetensors", "tokenizer.json")):
        return False
    config = _read(folder / "config.json")
    return (
        all(config.get(name, value) == value for name, value in _PLAIN.items())
        and _reads_tokens(_read(folder / "tokenizer_config.json"), _read(folder / "tokenizer.json"))
        and _reads_weights(folder / "model.safetensors", int(config["num_hidden_layers"]))
    )


def _reads_tokens(config: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Whether tokens are those of the published BERT, by its two files."""
    normalizer, model = (stored.get(part) or {} for part in ("normalizer", "model"))
    asked = {_NORMALIZER[name]: config.get(name, default) for name, default in _TOKENIZER.items()}
    return (
        config.get("tokenizer_class") in ("BertTokenizer", "BertTokenizerFast")
        and [config.get(name) for name in _SPECIAL] == list(_SPECIAL.values())
        and {one["content"] for one in stored.get("added_tokens", ())} <= set(_SPECIAL.values())
        and normalizer.get("type") == "BertNormalizer"
        and normalizer.get("clean_text", True) is True
        and {name: normalizer.get(name) for name in asked} == asked
        and (stored.get("pre_tokenizer") or {}).get("type") == "BertPreTokenizer"
        and model.get("type", "WordPiece") == "WordPiece"
        and model.get("continuing_subword_prefix") == "##"
        and model.get("max_input_chars_per_word") == 100
    )


def _reads_weights(path: Path, layers: int) -> bool:
    """Whether a file has the weights of that many layers by their present names, in float32."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        names = [name for name in file.keys() if name != "embeddings.position_ids"]  # noqa: SIM118
        single = all(file.get_slice(name).get_dtype() == "F32" for name in names)
    last = f"encoder.layer.{layers - 1}.output.LayerNorm.weight"
    return single and last in names and "embeddings.LayerNorm.weight" in names


def _read(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return value if isinstance(value, dict) else {}


class Bert:
    """BERT in float32 on the processor."""

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        config, said = _read(folder / "config.json"), _read(folder / "tokenizer_config.json")
        self.layers, self.width = int(config["num_hidden_layers"]), int(config["hidden_size"])
        self._heads = int(config["num_attention_heads"])
        self._eps = float(config.get("layer_norm_eps", 1e-12))
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self.longest = int(min(said.get("model_max_length", _ENDLESS), _ENDLESS))
        ids: dict[str, Any] = {
            name: self._tokenizer.token_to_id(text) for name, text in _SPECIAL.items()
        }
        self.pad = int(ids["pad_token"])
        self.special = frozenset(map(int, ids.values())) - {int(ids["unk_token"])}
        self._weights = load_file(folder / "model.safetensors")

    def ids(self, text: str, most: int) -> list[int]:
        """See `TextEncoder`."""
        self._tokenizer.enable_truncation(most)
        return list(self._tokenizer.encode(text).ids)

    def states(self, ids: torch.Tensor, mask: torch.Tensor) -> Sequence[torch.Tensor]:
        """See `TextEncoder`."""
        hidden = self._embedded(ids)
        allowed = None
        if not bool(mask.all()):
            allowed = mask.bool()[:, None, None, :].expand(-1, 1, ids.shape[1], -1)
        states = [hidden]
        for layer in range(self.layers):
            states.append(self._layer(f"encoder.layer.{layer}.", states[-1], allowed))
        return states

    def _embedded(self, ids: torch.Tensor) -> torch.Tensor:
        names = ("word", "token_type", "position")
        words, kinds, places = (self._weights[f"embeddings.{n}_embeddings.weight"] for n in names)
        total = words[ids] + kinds[0] + places[: ids.shape[1]]
        return self._normalized(total, "embeddings.LayerNorm")

    def _layer(self, name: str, x: torch.Tensor, allowed: torch.Tensor | None) -> torch.Tensor:
        from torch.nn import functional

        heads = (*x.shape[:2], self._heads, -1)
        query, key, value = (
            self._dense(x, f"{name}attention.self.{part}").view(heads).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        scale = query.shape[-1] ** -0.5
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=allowed, scale=scale
        )
        attended = attended.transpose(1, 2).reshape(x.shape)
        attended = self._dense(attended, f"{name}attention.output.dense")
        x = self._normalized(attended + x, f"{name}attention.output.LayerNorm")
        wide = functional.gelu(self._dense(x, f"{name}intermediate.dense"))
        return self._normalized(
            self._dense(wide, f"{name}output.dense") + x, f"{name}output.LayerNorm"
        )

    def _dense(self, x: torch.Tensor, name: str) -> torch.Tensor:
        from torch.nn import functional

        return functional.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _normalized(self, x: torch.Tensor, name: str) -> torch.Tensor:
        from torch.nn import functional

        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return functional.layer_norm(x, (self.width,), weight, bias, self._eps)


class _Transformers:
    """Any encoder that `transformers` reads."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, facts = AutoModel.from_pretrained(
                folder, local_files_only=True, output_loading_info=True
            )
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()
        if reason := lacking(facts):
            raise ValueError(reason)
        self._model: Any = model.eval()
        self.layers = int(self._model.config.num_hidden_layers)
        self.width = int(self._model.config.hidden_size)
        self.longest = int(min(self._tokenizer.model_max_length, _ENDLESS))
        self.pad = int(self._tokenizer.pad_token_id or 0)
        self.special = frozenset(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id}

    def ids(self, text: str, most: int) -> list[int]:
        """See `TextEncoder`."""
        return list(self._tokenizer.encode(text, truncation=True, max_length=most))

    def states(self, ids: torch.Tensor, mask: torch.Tensor) -> Sequence[torch.Tensor]:
        """See `TextEncoder`."""
        output = self._model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        return list(output.hidden_states)


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids side by side and their mask: int64 (n, longest)."""
    import torch

    tensors = [torch.tensor(row) for row in rows]
    ids = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(row) for row in rows])
    return ids, (torch.arange(ids.shape[1]) < lengths[:, None]).long()
