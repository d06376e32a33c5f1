"""`exemplars.mode` of the configuration: what counts as strong."""

import numpy as np
import pytest
import torch
from torch import nn

from exemplars.test_mine import BYTES, SPEC, net
from milan_core.exemplars.mine import mine
from milan_core.exemplars.options import ExemplarsSpec


class Changed(nn.Module):
    """A function of the activations as a layer of its own."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(x)


@pytest.mark.parametrize(("mode", "change"), [("bottom", torch.neg), ("magnitude", torch.abs)])
def test_a_mode_is_the_top_of_changed_activations(mode, change):
    section = ExemplarsSpec(mode=mode, k=4, quantile=0.9, sample=20, bands=2)
    # what the rule hands to the command
    options = section.model_dump(exclude={"shards", "unit_shards", "half"})
    found = mine(net(), BYTES, "0", input=SPEC, **options)
    plain = nn.Sequential(net()[0], Changed(change))
    wanted = mine(plain, BYTES, "1", input=SPEC, **{**options, "mode": "top"})
    for part in ("ids", "activations", "levels", "maps", "band_ids"):
        got, want = getattr(found.layer("0"), part), getattr(wanted.layer("1"), part)
        np.testing.assert_array_equal(got, want)
    assert (found.meta["mode"], wanted.meta["mode"]) == (mode, "top")
    assert (found.masks("0", 16) == wanted.masks("1", 16)).all()


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"top.*bottom.*magnitude"):
        ExemplarsSpec(mode="middle")
