"""The encoders of the published captioners (spec 4.1), built around weights that came with one.

A published container names its encoder (`resnet101`) and holds its weights under the names of
torchvision with something in front. Only the weights are read; the network is torchvision's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from milan_core.captioner.features.encoder import Encoder
from milan_core.core.errors import UserError, unknown
from milan_core.networks.options import InputSpec, NetworkSpec

if TYPE_CHECKING:
    from torch import Tensor

MASK_SIZE = 224  # pixels of the published images and masks
_RESNET = ("conv1", "layer1", "layer2", "layer3", "layer4")
_ALEXNET = ("features.0", "features.3", "features.6", "features.8", "features.10")


@dataclass(frozen=True)
class Published:
    """A published encoder: torchvision's network, and the layers whose maps are read."""

    factory: str
    layers: tuple[str, ...]
    post_relu: tuple[str, ...] = ()


PUBLISHED = {
    # The published hooks kept a reference that torchvision's in-place ReLU then overwrote (2.6).
    "alexnet": Published("torchvision.models:alexnet", _ALEXNET, _ALEXNET),
    "resnet18": Published("torchvision.models:resnet18", _RESNET),
    "resnet50": Published("torchvision.models:resnet50", _RESNET),
    "resnet101": Published("torchvision.models:resnet101", _RESNET),
}
CLASSES = {"PyramidConvEncoder": "pyramid", "SpatialConvEncoder": "spatial"}
"""Names of the published classes, as containers give them, and our kinds."""


def encoder_spec(config: str) -> NetworkSpec:
    """The network of a published encoder, without weights."""
    if config not in PUBLISHED:
        raise unknown("published encoder", config, PUBLISHED)
    published = PUBLISHED[config]
    return NetworkSpec(
        factory=published.factory,
        kwargs={"weights": None},
        layers=list(published.layers),
        post_relu=list(published.post_relu),
        input=InputSpec(size=MASK_SIZE),
    )


def published_encoder(
    config: str,
    state: Mapping[str, Tensor],
    where: Path | str,
    *,
    kind: str = "pyramid",
    device: str = "cpu",
) -> Encoder:
    """The encoder of a published captioner.

    Args:
        config: alexnet, resnet18, resnet50 or resnet101.
        state: its weights under torchvision's names, with any common prefix; others are ignored.
        where: the file they came from, for messages.
        kind: pyramid or spatial.
        device: where it runs.

    """
    from milan_core.networks.zoo import load_network

    model = load_network(encoder_spec(config))
    model.module.load_state_dict(_matching(model.module.state_dict(), state, config, where))
    layers = model.layers if kind == "pyramid" else model.layers[-1:]
    return Encoder(model, layers, kind=kind, device=device, dtype="float32")


def _matching(
    wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], config: str, where: Path | str
) -> dict[str, Tensor]:
    """The tensors of `state` under torchvision's names."""
    first = next(iter(wanted))
    prefixes = [name.removesuffix(first) for name in state if name.endswith(first)]
    for prefix in sorted(prefixes, key=len):
        stored = {name: state[prefix + name] for name in wanted if prefix + name in state}
        # Old checkpoints have no counters of BatchNorm; they play no part in inference.
        lacking = [n for n in wanted if n not in stored and not n.endswith("num_batches_tracked")]
        wrong = [name for name, tensor in stored.items() if tensor.shape != wanted[name].shape]
        if not lacking and not wrong:
            return {**wanted, **stored}
    message = (
        f"{where} does not hold the weights of {config}, which the captioner's encoder is; give "
        "them with --encoder-weights (a state dictionary with torchvision's names)"
    )
    raise UserError(message)
