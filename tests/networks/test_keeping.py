"""Networks whose modules keep something from pass to pass, or set it while they run."""

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from milan_core.networks.kept import eval_mode
from milan_core.networks.trace import Trace

IMAGES = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5


def seeded(make):
    torch.manual_seed(1)
    return make().eval()


def largest(make, layer):
    """Largest activations (units, 4) by a hook of its own on a new network, whole passes."""
    model, kept = seeded(make), []
    hook = model.get_submodule(layer).register_forward_hook(
        lambda module, args, out: kept.append(out.detach().clone())
    )
    with torch.no_grad():
        for begin in range(0, len(IMAGES), 8):
            model(IMAGES[begin : begin + 8].clone())
    hook.remove()
    return torch.cat(kept).amax((2, 3)).topk(4, 0).values.T.numpy()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.c = nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x):
        return self.c(self.b(self.a(x)))


class Queue(Net):
    """Skip connections wait in a list, and the first one in is taken first."""

    def __init__(self):
        super().__init__()
        self.waiting = []

    def forward(self, x):
        for layer in (self.a, self.b):
            x = layer(x)
            self.waiting.append(x)
        x = self.c(x + self.waiting.pop(0))
        return x + self.waiting.pop(0)


class Counting(Net):
    """Counts its layers in an attribute, and sets it to 0 behind the last."""

    def __init__(self):
        super().__init__()
        self.turn = 0

    def forward(self, x):
        for layer in (self.a, self.b, self.c):
            self.turn += 1
            x = layer(x * self.turn)
        self.turn = 0
        return x


class Catching(Net):
    """Falls back to something else, whatever the reason."""

    def forward(self, x):
        x = self.a(x)
        try:
            y = self.b(x)
        except:  # noqa: E722 - as networks have it
            y = self.b(x.contiguous())
        return self.c(y)


class Gradients(Net):
    """Makes gradients in its forward, as networks of energies do."""

    def forward(self, x):
        with torch.enable_grad():
            return self.c(self.b(self.a(x)))


@pytest.mark.parametrize("batch_size", [8, 40])
@pytest.mark.parametrize(
    ("make", "layer"), [(Queue, "c"), (Counting, "b"), (Catching, "b"), (Gradients, "b")]
)
def test_passes_that_end_early_leave_nothing(make, layer, batch_size):
    model = seeded(make)
    found = mine(model, IMAGES, layer, k=4, batch_size=batch_size)
    assert np.allclose(found.activations(layer), largest(make, layer), atol=1e-5)
    assert getattr(model, "waiting", []) == []
    assert getattr(model, "turn", 0) == 0


def test_what_is_set_while_a_pass_ends_early_is_put_back():
    class Averages(Net):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(()))
            self.by_name, self.last = {"n": 0}, None

        def forward(self, x):
            self.mean = 0.9 * self.mean + x.mean()
            self.by_name["n"] += 1
            self.last = self.new = x
            return super().forward(x)

    model = seeded(Averages)
    with torch.no_grad(), Trace(model, "a", lambda *_: None) as trace:
        trace(IMAGES)
        mean, last = float(model.mean), model.last
        for _ in range(3):
            assert trace(IMAGES) is None, "ends early"
    assert float(model.mean) == mean
    assert model.by_name == {"n": 1}
    assert model.last is model.new is last


def test_an_error_that_the_network_catches_is_raised():
    class Later(Catching):
        def forward(self, x):
            return super().forward(x if len(x) < 8 else x.repeat(2, 1, 1, 1))

    with pytest.raises(UserError, match="'b' gives 16 rows for 8 images"):
        mine(seeded(Later), IMAGES, "b", k=4, batch_size=8)


class Drifting(Net):
    """Scales with the number of batches that it has seen, slowly."""

    def __init__(self):
        super().__init__()
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x):
        self.batches += 1
        return super().forward(x) * (1 + self.batches / 8000)


def test_answers_that_drift_are_refused_at_the_end():
    model = nn.Sequential(seeded(Drifting))
    assert mine(model, IMAGES, "0", k=4, batch_size=20).units == {"0": 6}, "within the tolerance"
    with pytest.raises(UserError, match=r"'0' .*other values at the end.*running average.*factory"):
        mine(model, IMAGES, "0", k=4, batch_size=2)


@pytest.mark.filterwarnings("ignore")  # of a deprecated part of torch
def test_observers_of_quantization():
    quantization = torch.ao.quantization
    model = nn.Sequential(quantization.QuantStub(), nn.Conv2d(3, 6, 3), nn.Conv2d(6, 4, 3)).train()
    model.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    model = quantization.prepare_qat(model)
    with pytest.raises(UserError, match=r"answers differently.*observers of quantization"):
        mine(model, IMAGES, "2", k=4)
    model.apply(quantization.disable_observer)
    assert mine(model, IMAGES, "2", k=4).units == {"2": 4}


def test_maps_whose_size_depends_on_the_images():
    class Sizes(Net):
        def forward(self, x):
            x = self.a(x)
            return self.c(x if len(x) < 8 or torch.equal(x[0], self.first) else x[:, :, :4, :4])

    model = seeded(Sizes)
    model.first = model.a(IMAGES)[0]
    form = r"layer 'c' gives maps .* \(6, 4, 4\) for some images and \(6, 8, 8\) for others"
    with pytest.raises(UserError, match=form):
        mine(model, IMAGES, "c", k=4, batch_size=8)


class FromImages(Net):
    """Takes its scale from the first images; that it has done so is no part of its weights."""

    def __init__(self):
        super().__init__()
        self.scale, self.ready = nn.Parameter(torch.ones(1, 6, 1, 1)), False

    def forward(self, x):
        x = self.a(x)
        if not self.ready:
            self.scale.data.copy_(1 / x.std((0, 2, 3), keepdim=True))
            self.ready = True
        return self.b(x * self.scale)


def test_parameters_that_are_taken_from_the_first_images_are_refused():
    model = seeded(FromImages)
    for _ in range(2):
        with pytest.raises(UserError, match=r"FromImages changes its own parameters.*ActNorm"):
            mine(model, IMAGES, "b", k=4)
    with torch.no_grad():
        model(IMAGES)
    assert mine(model, IMAGES, "b", k=4).units == {"b": 6}


class Merging(nn.Linear):
    """Adds an update to its weight for evaluation, as layers of LoRA do."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.update, self.merged = nn.Parameter(torch.ones(sizes[1], sizes[0])), False

    def train(self, mode=True):
        super().train(mode)
        if self.merged == mode:
            self.weight.data += -self.update.data if mode else self.update.data
            self.merged = not mode
        return self

    def forward(self, x):
        return super().forward(x) if self.merged else super().forward(x) + x @ self.update.T


def test_modules_with_a_mode_of_their_own_come_back_to_it():
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(Merging(4, 2), Merging(2, 2)))
    model.train()
    model[1][1].eval()
    with eval_mode(model):
        assert model[1][0].merged
        assert not model[1][0].training
    assert [module.merged for module in model[1]] == [False, True]
    assert [module.training for module in model.modules()] == [True, True, True, True, False]
    model(torch.rand(2, 3)).sum().backward()
    assert model[1][0].update.grad is not None


def test_pairs_of_images_get_a_sentence():
    class Pairs(Net):
        def forward(self, x):
            one, two = x.chunk(2)
            return super().forward(one - two)

    with pytest.raises(UserError, match=r"ran on 2 images .* fails on 5: .*such as pairs"):
        mine(seeded(Pairs), IMAGES, "b", k=4)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (lambda x: ([x], x), "tuple that starts with a list of tensors"),
        (lambda x: {"all": {"x": x}, "mask": x}, "dict that starts with a dict of tensors"),
    ],
)
def test_a_tensor_behind_a_list_of_tensors_is_not_taken_for_the_output(form, words):
    class Several(nn.Module):
        def __init__(self):
            super().__init__()
            self.odd = nn.Identity()
            self.odd.forward = form

        def forward(self, x):
            return self.odd(x)

    with pytest.raises(UserError, match=words):
        mine(Several(), IMAGES, "odd", k=4)
