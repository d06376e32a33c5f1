"""From the names of a weight file to the names of a network.

Keys of `weights` in an entry of `model_zoo`, applied in this order: `convert` (a callable of this
package or of yours that sees all that the file holds), `entry` (which of its state dictionaries),
`drop` (glob patterns of tensors to leave out), `keys` (regular expressions and their replacements)
and `match: order`, for files with unrelated names whose tensors come in the order of the network.
Prefixes of wrappers go last (`milan_core.networks.containers`).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from milan_core.core.errors import UserError
from milan_core.networks.containers import COUNTER, best, is_lazy, states_in, without_parallel
from milan_core.networks.weight_options import StoredWeights

if TYPE_CHECKING:
    import torch
    from torch import nn

    State = dict[str, torch.Tensor]


def mapped(value: Any, module: nn.Module, reading: StoredWeights, where: str) -> State:
    """The tensors of a file under the names of `module`.

    Args:
        value: what the file holds.
        module: the network.
        reading: keys of the module's text.
        where: the file, for messages.

    """
    if reading.convert:
        from milan_core.networks.factories import resolve_factory

        value = resolve_factory(reading.convert)(value)
    states = states_in(value, where, reading.entry)
    renamed: dict[str, State] = {}
    for name, state in states.items():
        try:
            renamed[name] = _named(state, module, reading, where)
        except UserError:
            if len(states) == 1:
                raise
    if not renamed:
        msg = f"weights {where}: none of {', '.join(states)} fits; set `weights.entry`"
        raise UserError(msg)
    return best(renamed, module.state_dict(), where)


def _named(state: State, module: nn.Module, reading: StoredWeights, where: str) -> State:
    if not all(key.startswith("module.") for key in module.state_dict()):
        state = without_parallel(state)
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
        if not is_lazy(expected) and tensor.shape != expected.shape:
            msg = (
                f"weights {where}: {old} {tuple(tensor.shape)} comes where {new} "
                f"{tuple(expected.shape)} is due; `match: order` does not apply to this file"
            )
            raise UserError(msg)
    return {new: tensor for (_, tensor), (new, _) in zip(stored, wanted, strict=True)}
