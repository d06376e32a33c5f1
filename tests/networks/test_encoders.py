"""Encoders of sparse autoencoders by library, against plain NumPy; made-up files of each form."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from milan_core.core.errors import UserError
from milan_core.networks import directions
from milan_core.networks.zoo import load_network, model_hash
from networks.outputs import layer_outputs

from .test_directions import BATCH, SPEC

UNITS, CHANNELS, K = 11, 8, 3
RNG = np.random.default_rng(5)


def numbers(*shape):
    return RNG.normal(size=shape).astype(np.float32)


E, B, C, D = numbers(UNITS, CHANNELS), numbers(UNITS), numbers(CHANNELS), numbers(UNITS, CHANNELS)
LIMITS = np.abs(numbers(UNITS)) + np.float32(0.1)
TURNED = {"W_enc": E.T.copy(), "b_enc": B, "W_dec": D, "b_dec": C}
LINEAR = {"encoder.weight": E, "encoder.bias": B, "decoder.weight": D.T.copy()}
NORM = {"weight": numbers(UNITS), "bias": numbers(UNITS), "running_mean": numbers(UNITS)}
NORM["running_var"] = np.abs(numbers(UNITS)) + np.float32(0.1)
BLOCK = {
    "encoder.final_block.0.weight": E,
    "encoder.final_block.0.bias": B,
    "dictionary._weights": D,
}
NORMED = BLOCK | {f"encoder.final_block.1.{name}": array for name, array in NORM.items()}
COUNT = {"k": np.array(K, np.int32), "threshold": np.array(0.4, np.float32)}


def codes(x, center=0.0):
    return (x - center) @ E.T + B


def normed(x):
    scale = NORM["weight"] / np.sqrt(NORM["running_var"] + np.float32(1e-5))
    return (codes(x) - NORM["running_mean"]) * scale + NORM["bias"]


def relu(values):
    return np.maximum(values, 0)


def topk(values):
    limit = np.sort(values, axis=-1)[..., -K][..., None]
    return np.where(values >= limit, values, 0)


def above(values, limits):
    return np.where(values > limits, values, 0)


CASES = {
    "saev relu": (TURNED, {"dictionary": "saev"}, lambda x: relu(codes(x))),
    "saev topk": (TURNED, {"dictionary": "saev", "top_k": K}, lambda x: topk(codes(x))),
    "saev, first versions": (
        *(TURNED, {"dictionary": "saev", "center": "b_dec"}),
        lambda x: relu(codes(x, C)),
    ),
    "prisma relu": (TURNED, {"dictionary": "vit-prisma"}, lambda x: relu(codes(x, C))),
    "prisma topk": (
        *(TURNED, {"dictionary": "vit-prisma", "top_k": K}),
        lambda x: topk(relu(codes(x, C))),
    ),
    "overcomplete relu": (BLOCK, {"dictionary": "overcomplete"}, lambda x: relu(codes(x))),
    "overcomplete topk, normalized": (
        *(NORMED, {"dictionary": "overcomplete", "top_k": K}),
        lambda x: topk(relu(normed(x))),
    ),
    "overcomplete jumprelu": (
        *(NORMED | {"thresholds": np.log(LIMITS)}, {"dictionary": "overcomplete"}),
        lambda x: above(relu(normed(x)), LIMITS),
    ),
    "dictionary_learning relu": (
        *(LINEAR | {"bias": C}, {"dictionary": "dictionary_learning"}),
        lambda x: relu(codes(x, C)),
    ),
    "dictionary_learning, decoder with bias": (
        *(LINEAR | {"decoder.bias": C}, {"dictionary": "dictionary_learning"}),
        lambda x: relu(codes(x)),
    ),
    "dictionary_learning topk": (
        *(LINEAR | COUNT | {"b_dec": C}, {"dictionary": "dictionary_learning", "top_k": K}),
        lambda x: topk(relu(codes(x, C))),
    ),
    "dictionary_learning batchtopk": (
        LINEAR | COUNT | {"b_dec": C},
        {"dictionary": "dictionary_learning", "threshold": "threshold"},
        lambda x: above(relu(codes(x, C)), np.float32(0.4)),
    ),
    "dictionary_learning jumprelu": (
        *(TURNED | {"threshold": LIMITS}, {"dictionary": "dictionary_learning"}),
        lambda x: above(relu(codes(x)), LIMITS),
    ),
    "names of one's own": (
        {"w": E, "b": B, "t": LIMITS},
        {"matrix": "w", "bias": "b", "relu": True, "threshold": "t"},
        lambda x: above(relu(codes(x)), LIMITS),
    ),
}


def network(tmp_path, arrays, entry, spec=SPEC):
    save_file(arrays, tmp_path / "d.safetensors")
    entry = {"layer": "blocks.4", "path": str(tmp_path / "d.safetensors"), **entry}
    return load_network(spec, directions={"sae": entry})


@pytest.mark.parametrize("piece", [4096, 4])
@pytest.mark.parametrize("case", CASES)
def test_codes_are_those_of_the_library(tmp_path, monkeypatch, case, piece):
    monkeypatch.setattr(directions, "PIECE", piece)
    arrays, entry, reference = CASES[case]
    found = layer_outputs(network(tmp_path, arrays, entry).module, ["blocks.4", "sae"], BATCH)
    expected = reference(found["blocks.4"].numpy().transpose(0, 2, 3, 1))
    got = found["sae"].numpy().transpose(0, 2, 3, 1)
    assert 0 < (expected != 0).mean() < 1
    np.testing.assert_allclose(got, expected, atol=1e-4)
    assert ((got != 0) == (expected != 0)).mean() > 0.999


def test_a_block_of_units_is_a_part_of_all(tmp_path, monkeypatch):
    """Also for TopK, where all units compete."""
    monkeypatch.setattr(directions, "PIECE", 4)
    for case in ("saev topk", "dictionary_learning jumprelu"):
        module = network(tmp_path, *CASES[case][:2]).module
        whole = layer_outputs(module, "sae", BATCH)["sae"]
        assert module.sae.take_block(0, 2)
        first = layer_outputs(module, "sae", BATCH)["sae"]
        module.sae.take_block(1, 2)
        assert torch.equal(torch.cat([first, layer_outputs(module, "sae", BATCH)["sae"]], 1), whole)
        assert not module.sae.take_block(0, 9), "it has three pieces"


def test_random_weights_are_a_control(tmp_path):
    """The same dictionary on the same network with other random weights: other units."""
    arrays, entry, reference = CASES["saev topk"]
    here = network(tmp_path, arrays, entry)
    there = network(tmp_path, arrays, entry, {**SPEC, "weights": {"source": "random", "seed": 7}})
    assert model_hash(here.module) != model_hash(there.module)
    one, other = (layer_outputs(n.module, ["blocks.4", "sae"], BATCH) for n in (here, there))
    assert not torch.equal(one["sae"], other["sae"])
    expected = reference(other["blocks.4"].numpy().transpose(0, 2, 3, 1))
    np.testing.assert_allclose(other["sae"].numpy().transpose(0, 2, 3, 1), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("arrays", "entry", "sentence"),
    [
        (TURNED, {"dictionary": "sae_lens"}, "dictionary"),
        (TURNED, {"dictionary": "saev", "relu": True}, "names the tensors; leave out `relu`"),
        (LINEAR, {"dictionary": "saev"}, "unknown tensor 'W_enc'"),
        (TURNED | {"b_enc": C}, {"dictionary": "saev"}, r"b_enc has shape \(8,\); expected \(11\)"),
        (
            LINEAR | COUNT,
            {"dictionary": "dictionary_learning"},
            "trained with k = 3; set `top_k: 3`",
        ),
        (
            *(LINEAR | COUNT, {"dictionary": "dictionary_learning", "top_k": 4}),
            "trained with k = 3",
        ),
        (LINEAR | {"r_mag": B}, {"dictionary": "dictionary_learning"}, "gated"),
        (
            *(BLOCK | {"encoder.final_block.1.weight": B}, {"dictionary": "overcomplete"}),
            "LayerNorm",
        ),
        (
            *(BLOCK | {"encoder.mlp_blocks.0.0.weight": E}, {"dictionary": "overcomplete"}),
            "hidden layers",
        ),
        (TURNED | {"b_enc": B * np.nan}, {"dictionary": "saev"}, "not finite"),
    ],
)
def test_other_files_get_a_sentence(tmp_path, arrays, entry, sentence):
    with pytest.raises(UserError, match=sentence):
        network(tmp_path, arrays, entry)


@pytest.mark.parametrize("name", ["sae.pt", "sae.pkl.gz", "SAE.PTH"])
def test_pickles_are_refused(tmp_path, name):
    torch.save({"W_enc": torch.ones(2, 2)}, tmp_path / name)
    entry = {"layer": "blocks.4", "path": str(tmp_path / name), "dictionary": "saev"}
    with pytest.raises(UserError, match="is a pickle, which can run code when it is read"):
        load_network(SPEC, directions={"sae": entry})
