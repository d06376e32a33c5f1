"""Networks of other kinds and inputs: they work, or one sentence says what to do."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from milan_core.cli import main
from milan_core.core.errors import UserError
from milan_core.core.options import parse
from milan_core.exemplars.mine import mine
from milan_core.exemplars.store import load_exemplars
from milan_core.networks.inputs import prepare
from milan_core.networks.options import InputSpec
from milan_core.networks.weights import load_weights
from milan_core.networks.zoo import load_network, model_hash
from networks.outputs import layer_outputs

IMAGES = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))


def quantized():
    """Static: the outputs of its convolution are quantized tensors themselves."""
    from torch.ao import quantization

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stubs = quantization.QuantStub(), quantization.DeQuantStub()
        net = nn.Sequential(stubs[0], nn.Conv2d(3, 4, 3), stubs[1]).eval()
        net.qconfig = quantization.get_default_qconfig("fbgemm")
        quantization.prepare(net, inplace=True)
        net(IMAGES)
        return quantization.convert(net, inplace=True)


def dynamic():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(small(), {nn.Linear})


class Partly(nn.Module):
    """A compiled part inside a module that is not."""

    def __init__(self):
        super().__init__()
        self.part = torch.compile(small()[:2], backend="eager")

    def forward(self, x):
        return self.part(x) * 2


@pytest.mark.parametrize("layer", ["0", "_orig_mod.0"])
def test_a_compiled_network_is_mined_as_its_module_is(layer):
    expected = mine(small(), IMAGES, ["0"], k=3)
    got = mine(torch.compile(small(), backend="eager"), IMAGES, [layer], k=3)
    assert np.array_equal(got.ids("0"), expected.ids("0"))
    assert got.levels("0") == pytest.approx(expected.levels("0"))


def test_compiled_parts_and_methods():
    expected = mine(small(), IMAGES, ["0"], k=3)
    model = Partly()
    model(IMAGES)  # the program is there already
    got = mine(model, IMAGES, ["part._orig_mod.0"], k=3)
    assert np.array_equal(got.ids(got.layers[0]), expected.ids("0"))
    model = small()
    model.compile(backend="eager")
    assert np.array_equal(mine(model, IMAGES, ["0"], k=3).ids("0"), expected.ids("0"))


def test_quantized_networks(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = quantized()
        found = mine(model, IMAGES, ["1"], k=3)
        values = layer_outputs(model, "1", IMAGES)["1"]
    assert values.dtype == torch.float32
    best = values.flatten(2).amax(2).argmax(0)
    assert [found.ids("1")[u][0] for u in range(4)] == best.tolist()
    assert mine(dynamic(), IMAGES, ["0", "3"], k=3).units == {"0": 4, "3": 2}
    assert model_hash(dynamic()) == model_hash(dynamic()) != model_hash(small())
    torch.save(small().state_dict(), tmp_path / "w.pt")
    with pytest.raises(UserError, match="is quantized"):
        load_weights(dynamic(), tmp_path / "w.pt")


def test_tensors_without_numbers_until_weights_are_read(tmp_path):
    torch.save(small().state_dict(), tmp_path / "w.pt")
    with torch.device("meta"):
        meta = small()
    lazy = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    for model, sentence in ((meta, "on the meta device"), (lazy, "takes its shape from the first")):
        with pytest.raises(UserError, match=sentence):
            mine(model, IMAGES, ["0"], k=3)
        load_weights(model, tmp_path / "w.pt")
        assert np.array_equal(
            mine(model, IMAGES, ["0"], k=3).ids("0"), mine(small(), IMAGES, ["0"], k=3).ids("0")
        )


def test_half_precision_behind_a_parameter_in_full():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.conv = nn.Conv2d(3, 4, 3).bfloat16()

        def forward(self, x):
            return self.conv(x)

    assert mine(Mixed(), IMAGES, ["conv"], k=3).units == {"conv": 4}


class TwoInputs(nn.Sequential):
    def forward(self, x, mask):
        return super().forward(x)


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3)), r"takes 1 channels: set `input: \{channels: 1"),
        (nn.Sequential(nn.Conv2d(4, 2, 3)), r"takes 4 channels: set `input: \{channels: 4"),
        (nn.Sequential(nn.Conv2d(6, 2, 3)), r"takes 6 channels, .* ready-made tensors"),
        (TwoInputs(nn.Conv2d(3, 2, 3)), "its forward also wants 'mask': wrap it"),
        (
            nn.Sequential(nn.Conv2d(3, 2, 3), nn.Conv2d(2, 2, 3).double()),
            r"parameters are float32 and float64: give it one type",
        ),
        (nn.Sequential(nn.Flatten(), nn.Linear(7, 2)), r"check the input size .*input\.size"),
        (nn.Sequential(nn.Conv2d(3, 2, 9)), r"check the input size"),
        (nn.Module(), "its forward raised NotImplementedError"),
    ],
)
def test_the_hint_names_what_is_wrong(model, hint):
    model.last = nn.Identity()
    with pytest.raises(UserError, match=hint) as error:
        layer_outputs(model, "last", IMAGES)
    assert "\n" not in str(error.value)


def test_gray_alpha_and_rectangles():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    gray = prepare(pixels, InputSpec(size=None, channels=1, mean=[0.5], std=[0.25])).numpy()
    luma = pixels @ np.array([0.299, 0.587, 0.114]) / 255
    assert gray.shape == (2, 1, 8, 8)
    assert np.allclose(gray[:, 0], (luma - 0.5) / 0.25, atol=1e-5)
    four = InputSpec(size=None, channels=4, mean=[0, 0, 0, 0.5], std=[1, 1, 1, 0.5])
    assert np.allclose(prepare(pixels, four)[:, 3], 1)
    assert np.allclose(prepare(pixels, four)[:, :3], pixels.transpose(0, 3, 1, 2) / 255, atol=1e-6)
    wide = InputSpec(height=4, width=12, mean=(0, 0, 0), std=(1, 1, 1))
    got = prepare(pixels, wide)
    plain = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    assert torch.allclose(
        got, nn.functional.interpolate(plain, (4, 12), mode="bilinear", antialias=True)
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"height": 8}, "height and width go together"),
        ({"channels": 1}, "mean is ImageNet's, with 3 numbers, channels is 1"),
        ({"channels": 1, "mean": [0.5]}, "std is ImageNet's, with 3 numbers"),
        ({"mean": [0.5, 0.5]}, "mean has 2 numbers, channels is 3"),
        ({"channels": 2}, r"channels is 1 \(gray\), 3 \(RGB\) or 4"),
    ],
)
def test_impossible_inputs(given, sentence):
    with pytest.raises(UserError, match=sentence):
        parse(InputSpec, given, "input")


def test_new_keys_leave_records_as_they_were():
    plain = InputSpec(size=np.int64(32), mean=np.float32([0.5] * 3), std=(np.float64(0.5),) * 3)
    assert plain.facts() == {"size": 32, "mean": [0.5] * 3, "std": [0.5] * 3}
    full = InputSpec(channels=1, height=4, width=6, mean=[0.5], std=[1])
    assert InputSpec(**full.facts()) == full


def test_numbers_of_numpy():
    found = mine(
        small(), IMAGES, ["0"], k=np.int64(3), quantile=np.float64(0.9), batch_size=np.int8(4)
    )
    assert found.ids("0").shape == (4, 3)
    mine(small(), IMAGES, ["0"], k=3, shard=(np.int64(0), np.int64(2)))


def test_a_gray_rectangular_network_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def build(width=2):\n"
        "    return nn.Sequential(nn.Conv2d(1, width, 3), nn.Flatten(), nn.Linear(width * 84, 2))\n"
    )
    (tmp_path / "pics").mkdir()
    for i in range(6):
        pixels = np.random.default_rng(i).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"pics/{i}.png")
    form = ["--channels", "1", "--height", "8", "--width", "16"]
    assert main(["networks", "inspect", "--factory", "net.py:build", *form]) == 0
    entry = capsys.readouterr().out
    assert "input: {channels: 1, height: 8, width: 16, mean: [0.5], std: [0.5]}" in entry
    words = ["mine", "--model", "net.py:build", "--kwargs", '{"width": 3}', "--images", "pics"]
    words += ["--layers", "0", "--k", "2", "--out", "out", "--mean", "0.4", "--std", "0.3", *form]
    assert main(words) == 0
    assert load_exemplars(tmp_path / "out/exemplars.safetensors").units == {"0": 3}
    spec = {"factory": "net.py:build", "layers": ["0"]}
    view = {"channels": 1, "height": 8, "width": 16, "mean": [0.5], "std": [0.5]}
    assert load_network({**spec, "input": view}).input.shape() == (1, 8, 16)
