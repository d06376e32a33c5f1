"""From the names of a weight file to the names of a network.

Keys of `weights` in an entry of `model_zoo`, applied in this order: `convert` (a callable of this
package or of yours, for layouts that no renaming reaches), `drop` (glob patterns of tensors to
leave out), `keys` (regular expressions and their replacements) and `match: order`, for files with
unrelated names whose tensors come in the order of the network.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from milan_core.core.errors import UserError
from milan_core.networks.weight_options import StoredWeights

if TYPE_CHECKING:
    import torch
    from torch import nn

    State = dict[str, torch.Tensor]

COUNTER = "num_batches_tracked"


def mapped(state: State, module: nn.Module, reading: StoredWeights, where: str) -> State:
    """The tensors of a file under the names of `module`; `where` names the file in errors."""
    if reading.convert:
        from milan_core.networks.factories import resolve_factory

        state = resolve_factory(reading.convert)(state)
    state = {
        key: tensor
        for key, tensor in state.items()
        if not any(fnmatch.fnmatchcase(key, pattern) for pattern in reading.drop)
    }
    state = _renamed(state, reading.keys, where)
    return _in_order(state, module, where) if reading.match == "order" else state


def _renamed(state: State, keys: Mapping[str, str], where: str) -> State:
    result: State = {}
    for old, tensor in state.items():
        new = old
        for pattern, replacement in keys.items():
            try:
                new = re.sub(pattern, replacement, new)
            except re.error as error:
                msg = f"weights.keys: {pattern!r} is not a regular expression: {error}"
                raise UserError(msg) from None
        if new in result:
            msg = f"weights {where}: `keys` gives two tensors the name {new!r}; make it exact"
            raise UserError(msg)
        result[new] = tensor
    return result


def _in_order(state: State, module: nn.Module, where: str) -> State:
    """The n-th stored tensor is the n-th of the network; every shape must agree."""
    stored = [(key, t) for key, t in state.items() if not key.endswith(COUNTER)]
    wanted = [(key, t) for key, t in module.state_dict().items() if not key.endswith(COUNTER)]
    if len(stored) != len(wanted):
        msg = (
            f"weights {where} hold {len(stored)} tensors, {type(module).__name__} has "
            f"{len(wanted)}; `match: order` needs the same number"
        )
        raise UserError(msg)
    for (old, tensor), (new, expected) in zip(stored, wanted, strict=True):
        if tensor.shape != expected.shape:
            msg = (
                f"weights {where}: {old} {tuple(tensor.shape)} comes where {new} "
                f"{tuple(expected.shape)} is due; `match: order` does not apply to this file"
            )
            raise UserError(msg)
    return {new: tensor for (_, tensor), (new, _) in zip(stored, wanted, strict=True)}
