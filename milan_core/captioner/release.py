"""Captioners published by the authors: `milan-*.pth` files.

One dictionary {properties, children, state_dict} holds the vocabulary, the settings of the
tokenizer (as spaCy data, which is not read: only the rules matter, and they are those of
`text.vocabulary`), the weights of the decoder and the language model, and the frozen encoder. Sizes
are read off the weights, so that no number in the file can ask for more memory than it brings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from milan_core.captioner.decoder import Decoder
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.torch_zip import read_checkpoint
from milan_core.captioner.vocabulary import SPECIALS, Tokenizer, Vocabulary
from milan_core.core.errors import UserError

Module = TypeVar("Module", bound=nn.Module)

_DECODER_NAMES = {
    "init_h.0.": "init_h.",
    "init_c.0.": "init_c.",
    "embedding.": "embedding.",
    "attend.query_to_hidden.": "query.",
    "attend.key_to_hidden.": "key.",
    "attend.output.0.weight": "energy.weight",
    "feature_gate.0.": "gate.",
    "lstm.": "lstm.",
    "output.1.": "output.",
}
"""Published name to ours. The bias of the energies cancels in the softmax and is dropped."""

_LANGUAGE_MODEL_NAMES = {"embedding.": "embedding.", "lstm.": "lstm.", "output.0.": "output."}


@dataclass(frozen=True)
class Release:
    """The content of a published container, as plain data."""

    path: Path
    properties: Mapping[str, Any]
    state: Mapping[str, Tensor]
    children: Any = None

    @property
    def encoder_class(self) -> str:
        """Name of the published class of the encoder; older files do not give it."""
        children = self.children if isinstance(self.children, Mapping) else {}
        return str(children.get("encoder", "PyramidConvEncoder"))

    @property
    def is_captioner(self) -> bool:
        """Whether it holds a decoder; otherwise a language model alone."""
        return "encoder" in self.properties

    def encoder_state(self) -> dict[str, Tensor]:
        """Weights of the frozen encoder, under the names the published code gave them."""
        return {
            name.removeprefix("encoder."): tensor
            for name, tensor in self.state.items()
            if name.startswith("encoder.")
        }


def read_release(path: Path | str) -> Release:
    """Read a published container without running anything in it."""
    path, value = Path(path), read_checkpoint(path)
    content = value if isinstance(value, dict) else {}
    properties, state = content.get("properties"), content.get("state_dict")
    if not isinstance(properties, dict) or "indexer" not in properties:
        properties = None
    if not isinstance(state, dict) or not all(isinstance(x, Tensor) for x in state.values()):
        state = None
    if properties is not None and state is not None:
        return Release(path, properties, state, content.get("children"))
    message = f"{path} is a torch checkpoint but not a published MILAN captioner"
    raise UserError(message)


class CaptionerParts(NamedTuple):
    """The models of a published captioner, and what its file says about it."""

    decoder: Decoder
    language_model: LanguageModel | None
    tokenizer: Tokenizer
    meta: dict[str, Any]


def captioner_parts(release: Release) -> CaptionerParts:
    """The models of a published container; `meta` holds its encoder's name and its defaults."""
    if not release.is_captioner:
        message = f"{release.path} holds a language model alone; give a milan-*.pth captioner"
        raise UserError(message)
    properties = release.properties
    with _explained(release):
        tokenizer = _tokenizer(release, properties["indexer"])
        decoder = _decoder(release, tokenizer)
        language_model = None
        if (child := properties.get("lm")) is not None:
            language_model = _language_model(release, child["properties"], "lm.", tokenizer)
        meta = {
            "source": "release",
            "encoder": {
                **properties["encoder"].get("properties", {}),
                "class": release.encoder_class,
            },
            "defaults": {
                name: properties.get(name)
                for name in ("strategy", "temperature", "beam_size", "length")
            },
        }
    return CaptionerParts(decoder, language_model, tokenizer, meta)


def language_model_from_release(release: Release) -> LanguageModel:
    """The language model of a published container, which may hold nothing else."""
    with _explained(release):
        properties, prefix = release.properties, ""
        if release.is_captioner:
            properties, prefix = release.properties["lm"]["properties"], "lm."
        tokenizer = _tokenizer(release, properties["indexer"])
        return _language_model(release, properties, prefix, tokenizer).eval()


@contextlib.contextmanager
def _explained(release: Release) -> Iterator[None]:
    """Turn whatever a container with missing or wrong parts runs into into one sentence."""
    try:
        for name, tensor in release.state.items():
            if not torch.isfinite(tensor).all():
                raise ValueError(f"numbers of {name} are NaN or infinite")
        yield
    except UserError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        message = f"{release.path} is not a whole MILAN captioner ({reason}); fetch it again"
        raise UserError(message) from None


def filled(build: Callable[[], Module], weights: Mapping[str, Tensor]) -> Module:
    """A module with these weights, all of which must be there and of its sizes.

    Sizes are compared before any memory is taken: a few small tensors could ask for huge others.
    """
    with torch.device("meta"), _NoValues():
        build().load_state_dict(weights, assign=True)
    module = build()
    module.load_state_dict(weights)
    return module


class _NoValues(TorchFunctionMode):
    """Leaves initial values out: torch draws those of "meta" tensors through its compiler.

    Importing that takes 1 to 2 CPU-seconds, for values that are never read.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if func in (Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_):
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def _decoder(release: Release, tokenizer: Tokenizer) -> Decoder:
    weights = _renamed(release.state, "", _DECODER_NAMES)
    attention, hidden = weights["query.weight"].shape
    feature_size = weights["key.weight"].shape[1]
    # The released captioners read raw features: the scaling is the identity.
    scaling = {
        "feature_mean": torch.zeros(feature_size),
        "feature_scale": torch.ones(feature_size),
    }
    return filled(
        lambda: Decoder(
            feature_size,
            tokenizer.vocabulary.size,
            embedding=weights["embedding.weight"].shape[1],
            hidden=hidden,
            attention=attention,
            dropout=float(release.properties["dropout"]),
        ),
        weights | scaling,
    )


def _language_model(
    release: Release, properties: Mapping[str, Any], prefix: str, tokenizer: Tokenizer
) -> LanguageModel:
    if _tokenizer(release, properties["indexer"]) != tokenizer:
        message = f"{release.path}: decoder and language model have different vocabularies"
        raise UserError(message)
    weights = _renamed(release.state, prefix, _LANGUAGE_MODEL_NAMES)
    return filled(
        lambda: LanguageModel(
            tokenizer,
            embedding=weights["embedding.weight"].shape[1],
            hidden=weights["output.weight"].shape[1],
            layers=sum(name.startswith("lstm.weight_ih_l") for name in weights),
            dropout=float(properties["dropout"]),
        ),
        weights,
    )


def _tokenizer(release: Release, indexer: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of an indexer's properties, refused where its rules are not ours."""
    settings = indexer["properties"]
    rules = settings["tokenize"]["properties"]
    words = settings["vocab"]["properties"]["tokens"]
    changes = any(rules[name] for name in ("lemmatize", "ignore_stop", "ignore_punct"))
    specials = all(settings[name] for name in ("start", "stop", "pad", "unk"))
    if changes or not rules["lowercase"] or not specials:
        message = f"{release.path}: its tokenizer removes or changes words; such files are not read"
        raise UserError(message)
    if not all(isinstance(word, str) for word in words):
        message = f"{release.path}: its vocabulary holds something else than words"
        raise UserError(message)
    return Tokenizer(Vocabulary(tuple(word for word in words if word not in SPECIALS)))


def _renamed(
    state: Mapping[str, Tensor], prefix: str, names: Mapping[str, str]
) -> dict[str, Tensor]:
    """The tensors whose name starts with prefix + a key of `names`, under our names."""
    renamed = {}
    for name, tensor in state.items():
        for old, new in names.items():
            if name.startswith(prefix + old):
                renamed[new + name.removeprefix(prefix + old)] = tensor.to(torch.float32)
    return renamed
