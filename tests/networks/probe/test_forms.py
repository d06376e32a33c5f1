"""What users met: rows that are not images, channels last, answers that change, dead layers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from milan_core.networks.axes import Axes
from milan_core.networks.inputs import prepare
from milan_core.networks.layouts import Layout
from milan_core.networks.options import InputSpec, Tokens
from milan_core.networks.probe.places import in_place
from networks.probe.oracle import right

SPEC = InputSpec(size=32)
PIXELS = np.random.default_rng(0).integers(0, 255, (30, 32, 32, 3), dtype=np.uint8)
PIXELS[15:] = PIXELS[15:, :1, :1]  # plain colors
INPUTS = prepare(PIXELS, SPEC).contiguous()


def seeded(make):
    torch.manual_seed(0)
    return make().eval()


def mined(model, layer, **options):
    return mine(model, PIXELS, [layer], **{"k": 5, "batch_size": 16, "input": SPEC, **options})


class Transformer(nn.Module):
    """`nn.TransformerEncoder` on patches; `first` says whether images or tokens come first."""

    def __init__(self, images_first):
        super().__init__()
        self.images_first = images_first
        self.patch = nn.Conv2d(3, 32, 8, 8)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=images_first)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        return self.encoder(tokens if self.images_first else tokens.transpose(0, 1))


class FixedTransformer(Transformer):
    """The same with position embeddings, so that it takes one size of input only."""

    def __init__(self, images_first):
        super().__init__(images_first)
        self.places = nn.Parameter(torch.randn(16, 32))

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2) + self.places
        return self.encoder(tokens if self.images_first else tokens.transpose(0, 1))


class Windows(nn.Module):
    """Four windows of an image are rows of their own, as in the attention of Swin."""

    def __init__(self):
        super().__init__()
        self.patch, self.mlp = nn.Conv2d(3, 32, 4, 4), nn.Linear(32, 32)

    def forward(self, x):
        a = self.patch(x)
        b, _, h, w = a.shape
        rows = a.reshape(b, 32, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1)
        return self.mlp(rows.reshape(-1, 16, 32))


class WindowTokens(Windows):
    """Tokens of an image in the order of its windows, as in Hiera."""

    def forward(self, x):
        rows = self.patch(x).unfold(2, 4, 4).unfold(3, 4, 4)  # (b, 32, 2, 2, 4, 4)
        return self.mlp(rows.permute(0, 2, 3, 4, 5, 1).flatten(1, 4))


@pytest.mark.parametrize("kind", [Transformer, FixedTransformer])
@pytest.mark.parametrize("images_first", [True, False])
def test_tokens_first_are_mined_by_images(kind, images_first):
    model = seeded(lambda: kind(images_first))
    found = mined(model, "encoder.layers.0")
    to_units = (lambda o, n: o) if images_first else (lambda o, n: o.transpose(0, 1))
    assert right(found.ids("encoder.layers.0"), model, "encoder.layers.0", INPUTS, to_units) == 1
    axes = found.probe["layers"]["encoder.layers.0"]["axes"]
    assert axes == ("b t c" if images_first else "t b c")
    assert found.layer("encoder.layers.0").maps.shape[-2:] == (4, 4)


def test_windows_are_refused_or_named():
    model = seeded(Windows)
    with pytest.raises(
        UserError, match=r"shape \(8, 16, 32\) for 2 images.* 4 rows an image.*`axes"
    ):
        mined(model, "mlp")
    found = mined(model, "mlp", axes={"mlp": "(b y x) (h w) c"})
    assert right(found.ids("mlp"), model, "mlp", INPUTS, lambda o, n: o.reshape(n, 64, 32)) == 1
    with torch.inference_mode():
        patches = F.linear(
            model.patch(INPUTS).movedim(1, 3), model.mlp.weight, model.mlp.bias
        ).movedim(3, 1)
    best = found.ids("mlp")[3, 0]
    expected = patches[best, 3].numpy()
    assert np.allclose(found.layer("mlp").maps[3, 0], expected, atol=1e-5), "rows of the image"


def test_tokens_in_another_order_are_refused_or_named():
    model = seeded(WindowTokens)
    with pytest.raises(UserError, match=r"not in the order of the image.*`axes"):
        mined(model, "mlp")
    found = mined(model, "mlp", axes={"m*": "b (y=2 x=2 h w) c"})
    assert found.layer("mlp").maps.shape[-2:] == (8, 8)


class Blocks(nn.Module):
    """Maps (b, C, h, w) and (b, h, w, C) in one network, as in ConvNeXt."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 12, 4, 4), nn.LayerNorm(12)
        self.up, self.down = nn.Linear(12, 8), nn.Linear(8, 12)

    def forward(self, x):
        x = self.stem(x)
        return x + self.down(F.gelu(self.up(self.norm(x.movedim(1, 3))))).movedim(3, 1)


@pytest.mark.parametrize("channels_last", [False, True])
def test_one_entry_mixes_layers(channels_last):
    """`up` gives (b, 8, 8, 8): lengths alone tell nothing."""
    model = seeded(Blocks)
    layout = Layout(channels_last=channels_last)
    found = mine(model, PIXELS, ["stem", "up", "down"], k=5, input=SPEC, layout=layout)
    assert found.units == {"stem": 12, "up": 8, "down": 12}
    assert right(found.ids("up"), model, "up", INPUTS, lambda o, n: o.flatten(1, 2)) == 1
    assert right(found.ids("stem"), model, "stem", INPUTS, lambda o, n: o.flatten(2).mT) == 1
    assert found.layer("up").maps.shape[-2:] == (8, 8)


class Scores(nn.Module):
    """One number for each of 16 tokens: (b, 16, 1), or (b, 1, 16)."""

    def __init__(self, channel_first, fixed):
        super().__init__()
        self.patch, self.score = nn.Conv2d(3, 16, 8, 8), nn.Linear(16, 1)
        self.inner, self.channel_first = nn.Identity(), channel_first
        self.places = nn.Parameter(torch.randn(16, 16)) if fixed else 0

    def forward(self, x):
        scores = self.score(self.patch(x).flatten(2).mT + self.places)
        return self.inner(scores.mT if self.channel_first else scores)


@pytest.mark.parametrize(("channel_first", "fixed"), [(False, False), (False, True), (True, False)])
def test_a_score_of_each_token_is_one_unit(channel_first, fixed):
    model = seeded(lambda: Scores(channel_first, fixed))
    found = mined(model, "inner")
    assert found.units == {"inner": 1}
    to_units = (lambda o, n: o.mT) if channel_first else (lambda o, n: o)
    assert right(found.ids("inner"), model, "inner", INPUTS, to_units) == 1
    assert found.layer("inner").maps.shape[-2:] == (4, 4)


def test_one_token_is_no_unit():
    class Pooled(Scores):
        def forward(self, x):
            return self.inner(self.patch(x).flatten(2).mT.mean(1, keepdim=True))

    assert mined(seeded(lambda: Pooled(False, False)), "inner").units == {"inner": 16}


def test_a_layer_that_changes_its_form_later_is_refused():
    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.inner = nn.Conv2d(3, 4, 3), nn.Identity()

        def forward(self, x):
            x = self.a(x)
            return self.inner(x if len(x) < 8 else x.reshape(-1, 4, 30, 15))

    with pytest.raises(UserError, match="'inner' gives 32 rows for 16 images"):
        mined(seeded(Late), "inner")


@pytest.mark.parametrize("sizes", ["any", "one"])
def test_attention_weights_are_refused(sizes):
    class Weights(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch, self.scores = nn.Conv2d(3, 16, 8, 8), nn.Softmax(-1)
            self.norm = nn.LayerNorm(16)

        def forward(self, x):
            assert sizes == "any" or x.shape[2:] == (32, 32)
            tokens = self.norm(self.patch(x).flatten(2).mT)
            heads = tokens.reshape(len(x), -1, 4, 4).transpose(1, 2)
            return self.scores(heads @ heads.mT) @ heads

    with pytest.raises(UserError, match=r"'scores'.*attention.*axes"):
        mined(seeded(Weights), "scores")


@pytest.mark.parametrize(
    ("text", "shape", "parts"),
    [
        ("t b c", (16, 2, 5), (2, 16, 5)),
        ("b h w c", (2, 3, 4, 5), (2, 5, 3, 4)),
        ("b c t c", (2, 4, 9, 8), (2, 9, 32)),
        ("(b y x) (h w) c", (8, 16, 5), (2, 5, 8, 8)),
        ("(b y=1 x=4) h w c", (8, 3, 3, 5), (2, 5, 3, 12)),
        ("c b", (7, 2), (2, 7)),
    ],
)
def test_axes_bring_outputs_into_one_form(text, shape, parts):
    axes = Axes.parse(text)
    assert axes.text == text
    assert axes.sized(shape, 2, "x").split(torch.rand(shape), "x").shape == parts


@pytest.mark.parametrize(
    "text", ["", "b", "b c h", "b c c2", "b b c", "b t h w c", "(c c) b", "b y x c"]
)
def test_wrong_axes_get_a_sentence(text):
    with pytest.raises(UserError, match="axes"):
        Axes.parse(text)


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        ({"mlp": "b t c"}, "8 rows for 2 images"),
        ({"mlp": "(b y x) h w c"}, "gives 3 axes"),
        ({"mlq": "b t c"}, "unknown layer 'mlq'"),
    ],
)
def test_declared_axes_must_fit(axes, sentence):
    with pytest.raises(UserError, match=sentence):
        mined(seeded(Windows), "mlp", axes=axes)


def test_registers_and_shares_of_tokens():
    found = mined(
        seeded(lambda: FixedTransformer(True)), "encoder", layout=Layout(Tokens(grid=(2, 8)))
    )
    assert found.layer("encoder").maps.shape[-2:] == (2, 8)


class Unseen(nn.Module):
    """Maps (b, h, w, C) of one size, by functions only, that answer nowhere in particular."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Identity()
        self.weight = nn.Parameter(torch.randn(3 * 32 * 32, 4 * 4 * 6, generator=seed()))

    def forward(self, x):
        return self.inner((x.reshape(-1, 3 * 32 * 32) @ self.weight).reshape(-1, 4, 4, 6))


def seed():
    return torch.Generator().manual_seed(0)


def test_what_nothing_tells_is_refused_or_said():
    with pytest.raises(UserError, match=r"cannot be seen.*`axes"):
        mined(Unseen().eval(), "inner")
    for options in ({"layout": Layout(channels_last=True)}, {"axes": {"inner": "b h w c"}}):
        assert mined(Unseen().eval(), "inner", **options).units == {"inner": 6}


def test_complex_numbers_are_refused():
    class Waves(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Identity()

        def forward(self, x):
            return self.inner(torch.fft.rfft2(x)).real

    with pytest.raises(UserError, match="complex numbers"):
        mined(Waves(), "inner")


@pytest.mark.parametrize(("side", "judged"), [(4, None), (8, 1.0)])
def test_places_of_few_cells_are_not_judged(side, judged):
    maps = torch.zeros(5, 1, side, side)
    half = side // 2
    for row in (0, 1):
        for column in (0, 1):
            rows, columns = (slice(half * i, half * (i + 1)) for i in (row, column))
            maps[1 + 2 * row + column, :, rows, columns] = 1
    assert in_place(maps) == judged
    assert judged is None or in_place(maps.flip(2)) == 0
