"""Against what the published implementation computed (tests/data/golden/exemplars)."""

import numpy as np
import torch

from milan_core import ops
from ops.support import level_error

LAYERS = (0, 1, 4, 5)


def network(folder):
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(24, 32, 3, stride=2, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )
    with np.load(folder / "weights.npz") as weights:
        model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights})
    return model.eval()


def scan_layers(model, images, ids, total):
    """{layer: state} and {layer: activations (U, N * h * w)} of one pass, batches of 64."""
    mean, std = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)
    states, seen = {}, {}
    with torch.inference_mode():
        for start in range(0, len(images), 64):
            x = images[start : start + 64].astype(np.float32) / 255
            x = torch.from_numpy((x - mean[:, None, None]) / std[:, None, None])
            for number, module in enumerate(model[:6]):
                x = module(x)
                if number in LAYERS:
                    if number not in states:
                        shape = tuple(x.shape[2:])
                        states[number] = ops.ScanState(x.shape[1], shape, 10, 0.99, total)
                    states[number].update(x, ids[start : start + 64])
                    seen.setdefault(number, []).append(x.transpose(0, 1).flatten(1).numpy())
    return states, {number: np.concatenate(parts, 1) for number, parts in seen.items()}


def check_exemplars(state, ids, activations, levels, masks, units):
    """Ids equal, activations within 1e-4, masks at the given level at least 99.9 % equal."""
    got_ids, got, maps = state.topk()
    assert (got_ids[:units] == ids).all()
    np.testing.assert_allclose(got[:units], activations, rtol=1e-4, atol=1e-6)
    flat = maps[:units].reshape(-1, *maps.shape[2:])
    packed = ops.masks(flat, np.repeat(levels.astype(np.float32), 10), 56)
    assert (ops.unpack_masks(packed, 56).reshape(masks.shape) == masks).mean() >= 0.999


def test_whole_set(root):
    folder = root / "tests/data/golden/exemplars"
    with np.load(folder / "images.npz") as data:
        images = data["images"]
    states, seen = scan_layers(network(folder), images, np.arange(len(images)), len(images))
    for layer, state in states.items():
        with np.load(folder / f"layer{layer}.npz") as data:
            golden = {name: data[name] for name in data}
        shape = golden["masks_shape"]
        masks = np.unpackbits(golden["masks_packed"])[: np.prod(shape)].reshape(shape)[:, :, 0]
        levels = golden["quantiles_reference"][:, 2]
        check_exemplars(
            state, golden["ids"], golden["activations"], levels, masks.astype(bool), len(levels)
        )
        got, resolved = state.levels()
        assert resolved.all()
        exact = ops.exact_levels(seen[layer], 0.99)
        assert max(map(level_error, got, exact)) <= 2.0**-10
        # numpy interpolates between neighbouring ranks, of which ours is one.
        ranked = np.sort(seen[layer], axis=1)
        below = int(0.99 * (ranked.shape[1] - 1))
        wanted = golden["quantiles_exact"][:, 2]
        assert (wanted >= ranked[:, below] - 1e-5).all()
        assert (wanted <= ranked[:, below + 1] + 1e-5).all()
        assert ((exact == ranked[:, below]) | (exact == ranked[:, below + 1])).all()
