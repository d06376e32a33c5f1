"""Networks whose code minds the memory of its inputs, writes into them, or keeps tensors."""

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from milan_core.networks.ablation.engine import AblationEngine
from milan_core.networks.calling import forward
from milan_core.networks.inspect import inspect_layers
from networks.outputs import layer_outputs

IMAGES = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def strongest(model, layer, images):
    """Ids (units, 2) by a hook of its own, batches of four as they are indexed."""
    kept = []
    module = model.get_submodule(layer)
    hook = module.register_forward_hook(lambda _, args, out: kept.append(out.detach().clone()))
    with torch.no_grad():
        for begin in range(0, len(images), 4):
            model.eval()(images[begin : begin + 4].clone(memory_format=torch.contiguous_format))
    hook.remove()
    output = torch.cat(kept)
    largest = output.flatten(2).amax(2) if output.ndim > 2 else output
    return largest.topk(2, 0).indices.T.numpy()


class Viewing(nn.Module):
    """Takes its maps apart by `view`, as networks were written for long."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 5), nn.Linear(4 * 36, 3)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv(x), 2)
        return self.fc(x.view(-1, 4 * 36))


class Writing(nn.Module):
    """Normalizes its input in place where it is told to."""

    def __init__(self, channels, in_place=True):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(channels, 8, 3), nn.Linear(8, 3)
        self.in_place = in_place

    def forward(self, x):
        x = x.sub_(0.4).mul_(4) if self.in_place else (x - 0.4) * 4
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))


@pytest.mark.parametrize("channels", [1, 3])
def test_networks_that_read_their_input_by_view(channels):
    torch.manual_seed(0)
    model = Viewing()
    if channels == 1:
        model.conv = nn.Conv2d(1, 4, 5)
    images = IMAGES[:, :channels].contiguous(memory_format=torch.channels_last)
    found = mine(model, images, ["conv", "fc"], k=2, batch_size=4)
    for layer in ("conv", "fc"):
        assert np.array_equal(found.ids(layer), strongest(model, layer, images))


def test_every_first_call_of_such_a_network():
    images = IMAGES.contiguous(memory_format=torch.channels_last)
    assert inspect_layers(Viewing(), images)["conv"].runs == 1
    labels = np.zeros(12, np.int64)
    assert len(AblationEngine(Viewing(), ["conv"], images, labels).single([("conv", 0)])) == 1
    with pytest.raises(UserError, match=r"view size .*its forward reads a tensor by `view`"):
        layer_outputs(Viewing(), "fc", images)


def test_one_call_more_is_given_to_such_a_network_only():
    calls = []

    class Failing(nn.Module):
        def forward(self, x):
            calls.append(x)
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(UserError, match="cannot be multiplied"):
        inspect_layers(Failing(), IMAGES)
    assert len(calls) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_images_stay_what_they_are(channels):
    torch.manual_seed(0)
    model = Writing(channels)
    images = IMAGES[:, :channels].contiguous(memory_format=torch.channels_last)
    before = images.clone()
    found = mine(model, images, "conv", k=2, batch_size=4)
    assert torch.equal(images, before)
    assert np.array_equal(found.ids("conv"), strongest(model, "conv", before))
    forward(model, images)
    assert torch.equal(images, before)


def test_ablations_of_a_network_that_writes_into_its_input():
    torch.manual_seed(1)
    writing, other = Writing(3), Writing(3, in_place=False)
    other.load_state_dict(writing.state_dict())
    images = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    labels = other.eval()(images).argmax(1).numpy()
    engines = [AblationEngine(m, ["conv"], images, labels, 16) for m in (writing, other)]
    one, two = (engine.single(engine.units) for engine in engines)
    assert one.tolist() == two.tolist()
    assert one.min() < 1


class Keeping(nn.Module):
    """Makes a tensor when it first runs, and assigns another each time."""

    def __init__(self):
        super().__init__()
        self.conv, self.factor = nn.Conv2d(3, 4, 3), nn.Parameter(torch.ones(1))
        self.ramp, self.mean = None, torch.zeros(())

    def forward(self, x):
        x = self.conv(x)
        if self.ramp is None:
            self.ramp = torch.linspace(0, 1, x.shape[-1])
        self.mean = 0.9 * self.mean + x.detach().mean()
        return x + self.ramp * self.factor


def test_a_network_that_was_mined_can_be_trained():
    model = Keeping()
    mine(model, IMAGES, "conv", k=2, batch_size=4)
    model.mean.mul_(0)
    model(IMAGES).sum().backward()
    assert model.factor.grad is not None


class Scripted(nn.Module):
    """A part of it is code of TorchScript."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)
        self.part = torch.jit.script(nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 3)))

    def forward(self, x):
        return self.fc(self.part(self.conv(x)).mean((2, 3)))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_scripted_parts():
    model = Scripted()
    found = mine(model, IMAGES, "conv", k=2, batch_size=4)
    assert np.array_equal(found.ids("conv"), strongest(model, "conv", IMAGES))
    assert inspect_layers(model, IMAGES)["part"].runs == 0
    labels = np.zeros(12, np.int64)
    assert len(AblationEngine(model, ["conv"], IMAGES, labels).single([("conv", 0)])) == 1
    for layer in ("part", "part.1"):
        with pytest.raises(UserError, match=rf"layer '{layer}' is code of TorchScript"):
            mine(model, IMAGES, layer, k=2)


class Form(nn.Module):
    """A convolution whose output takes another form."""

    def __init__(self, form):
        super().__init__()
        self.conv, self.odd = nn.Conv2d(3, 4, 3), nn.Identity()
        self.odd.forward = form

    def forward(self, x):
        return self.odd(self.conv(x))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_outputs_in_other_storage():
    torch.manual_seed(0)
    model = Form(lambda x: torch.relu(x).to_sparse())
    dense = Form(torch.relu)
    dense.load_state_dict(model.state_dict())
    found = [mine(m, IMAGES, "odd", k=2, batch_size=4).activations("odd") for m in (model, dense)]
    assert np.array_equal(*found)
    for form, words in (
        (lambda x: torch.nested.nested_tensor(list(x)), "gives a nested tensor"),
        (lambda x: x[:, :, :0], r"gives an empty tensor of shape \(2, 4, 0, 14\)"),
    ):
        with pytest.raises(UserError, match=words):
            mine(Form(form), IMAGES, "odd", k=2)


def test_half_precision_that_overflows():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))
    with torch.no_grad():
        model[1].weight.mul_(3e5)
    assert np.isfinite(mine(model, IMAGES, "1", k=2).activations("1")).all()
    with pytest.raises(UserError, match=r"units reach infinity.*`.float\(\)`"):
        mine(model.half(), IMAGES, "1", k=2)
