"""Mini judges for tests: small enough to be trained in a second."""

from milan_core.captioner.features.options import JobEncoder
from milan_core.networks.options import Network


def small_encoder():
    """A network with random weights, and the layers that the judge reads."""
    network = Network(
        factory="milan_core.networks.minis.cnn:resnet_mini",
        kwargs={"classes": 4, "widths": [8, 12, 16]},
        weights={"source": "random", "seed": 3},
        input={"size": 64, "mean": [0.5] * 3, "std": [0.25] * 3},
    )
    return JobEncoder(model=network, layers=["blocks.0", "blocks.3"])
