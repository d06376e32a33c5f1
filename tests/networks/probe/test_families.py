"""Exemplars of many families of networks, compared with a hook that knows nothing of ours.

`python tests/networks/probe/test_families.py [START STOP]` prints the table of all, or some.
"""

import sys
import warnings

import numpy as np
import pytest
import torch

from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from milan_core.networks.inputs import prepare
from milan_core.networks.layouts import Layout
from milan_core.networks.options import InputSpec, Tokens
from networks.probe.families import OPEN_CLIP, TIMM, TORCHVISION, TRANSFORMERS, Case, maps
from networks.probe.oracle import right

ALL = [*TORCHVISION, *TIMM, *TRANSFORMERS, *OPEN_CLIP]
GATE = {  # quick ones, one of each kind of output
    "torchvision resnet18-layer2",
    "torchvision resnet18-fc",
    "torchvision convnext_tiny-features.3.1.block.3",
    "timm vit_tiny_patch16_224-blocks.3.attn.q_norm",
    "timm mobilevit_xxs-stages.2.1.transformer.0.mlp.fc1",
    "timm mixer_s16_224-blocks.1",
    "transformers ViTModel-layers.1",
    "transformers ViTMAEModel-layers.1",
}
KEYS = ("axes", "tokens", "kwargs")


def pictures(side, count=10):
    """Noise, each of another strength and color, with one bright quarter."""
    rng = np.random.default_rng(0)
    made = rng.integers(0, 256, (count, side, side, 3)) * rng.random((count, 1, 1, 3))
    for index, image in enumerate(made):
        row, column = (index // 2 % 2) * side // 2, (index % 2) * side // 2
        image[row : row + side // 2, column : column + side // 2] += 90
    return made.clip(0, 255).astype(np.uint8)


def outcome(case: Case) -> tuple[str, str]:
    """`right`, `refused` with the sentence, or `wrong` with the share of units that are right."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = case.build().eval()
        images, view = pictures(case.side), InputSpec(size=case.side)
        layout = Layout(Tokens(**case.tokens))
        try:
            found = mine(
                *(model, images, [case.layer]), k=3, batch_size=5, input=view, layout=layout
            )
        except UserError as error:
            return "refused", str(error)
    if case.to_units is None:
        return "wrong", "mined although its rows are not images or not in place"
    inputs = prepare(images, view).contiguous()
    share = right(found.ids(case.layer), model, case.layer, inputs, case.to_units)
    facts = found.probe["layers"][case.layer]
    told = f"{facts['axes']} by {facts['by']}, in place {facts.get('in_place', '-')}"
    return ("right", told) if share == 1 else ("wrong", f"{share:.2f} of units; {told}")


def check(case: Case) -> None:
    for library in ("timm", "transformers", "open_clip"):
        if case.name.startswith(library):
            pytest.importorskip(library)
    result, sentence = outcome(case)
    assert result == ("right" if case.to_units else "refused"), sentence
    assert result == "right" or any(key in sentence for key in KEYS), sentence


@pytest.mark.parametrize("case", [case for case in ALL if str(case) in GATE], ids=str)
def test_some_families(case):
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in ALL if str(case) not in GATE], ids=str)
def test_all_families(case):
    check(case)


PATCHES = {  # rows are places within patches, or patches are the last axis: what the hint says
    "mobilevit_xxs": ("(b h=2 w=2) (y x) c", lambda out, n: out.reshape(n, -1, out.shape[-1])),
    "mobilevitv2_050": ("b c (h=2 w=2) (y x)", maps),
}


@pytest.mark.parametrize("name", PATCHES)
def test_patches_get_a_hint_that_mines_them_right(name):
    timm = pytest.importorskip("timm")
    hint, to_units = PATCHES[name]
    layer = "stages.2.1.transformer.0.mlp.fc1"
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False).eval()
    images, view = pictures(64), InputSpec(size=64)
    with pytest.raises(UserError, match="axes:") as refusal:
        mine(model, images, [layer], k=3, batch_size=5, input=view)
    assert f'`axes: {{"{layer}": "{hint}"}}`' in str(refusal.value)
    found = mine(model, images, [layer], k=3, batch_size=5, input=view, axes={layer: hint})
    inputs = prepare(images, view).contiguous()
    assert right(found.ids(layer), model, layer, inputs, to_units) == 1


if __name__ == "__main__":
    counts: dict[str, int] = {}
    bounds = [int(text) for text in sys.argv[1:3]] or [0, len(ALL)]
    for case in ALL[slice(*bounds)]:
        try:
            result, sentence = outcome(case)
        except Exception as error:
            result, sentence = "error", f"{type(error).__name__}: {error}"
        counts[result] = counts.get(result, 0) + 1
        expected = "right" if case.to_units else "refused"
        mark = "" if result == expected else f"  <<< expected {expected}"
        print(f"{case!s:75} {result}{mark}: {sentence[:400]}", file=sys.stdout, flush=True)
    print(counts)
