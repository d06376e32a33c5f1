"""What passes set in a network comes back: flags, weights that merge, where its tensors are."""

import pytest
import torch

from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from networks.test_keeping import IMAGES, FromImages, seeded


class Flagged(FromImages):
    """Notes in a buffer that its scale was taken, in place."""

    def __init__(self):
        super().__init__()
        del self.ready
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    def forward(self, x):
        x = self.a(x)
        if not self.ready:
            self.scale.data.copy_(1 / x.std((0, 2, 3), keepdim=True))
            self.ready.fill_(True)
        return self.b(x * self.scale)


def test_a_flag_that_is_set_in_place_comes_back():
    model = seeded(Flagged)
    for _ in range(2):
        with pytest.raises(UserError, match=r"Flagged changes its own parameters.*ActNorm"):
            mine(model, IMAGES, "b", k=4)
    assert not model.ready
    assert bool((model.scale == 1).all())
