"""What a run uses of another is compared with what it asks for; what it makes itself is not."""

from types import SimpleNamespace

import pytest

from milan_core.core.errors import UserError
from milan_core.plan.trained import _compare


def test_a_run_inside_the_other_runs_folder_makes_its_own_files():
    config = SimpleNamespace(trained="results", pathvars=SimpleNamespace(results="results/my_net"))
    _compare(config, "results/my_net/alexnet_mini/target", {"seed": 0}, "seed")
    with pytest.raises(UserError, match="record not found: results/alexnet_mini/target"):
        _compare(config, "results/alexnet_mini/target", {"seed": 0}, "seed")
