"""State dictionaries inside what a weight file holds, told by content.

Trainers store a state dictionary bare or under a name of theirs (`model_ema`, `net`, `teacher`),
beside optimizers and counts; compilers, wrappers and profilers put prefixes and counters into the
names. Each mapping of names to tensors is a candidate; that one is read whose tensors fit the
network. Where several fit, `weights.entry` has to say which.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from milan_core.core.errors import UserError, unknown
from milan_core.core.names import items_below

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]

_log = logging.getLogger(__name__)

COUNTER = "num_batches_tracked"
PREFERRED = ("state_dict", "model_state_dict", "model", "")
_DEPTH = 3  # mappings inside each other that are looked into
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "module")
_PROFILED = ("total_ops", "total_params")  # counters of profilers, one of each a module
_SHOWN = 3
_PARTS = 8


def states_in(value: Any, where: str, entry: str | None = None) -> dict[str, State]:
    """The state dictionaries in the content of a file, by the path of their names; not empty.

    Args:
        value: what the file holds.
        where: the file, for messages.
        entry: name or dotted path of the one to take; None: all.

    Raises:
        UserError: where there is none, or no such entry; the sentence lists what the file holds.

    """
    found = dict(_states(value, "", 0))
    if entry is not None:
        if entry not in found:
            raise unknown("weights.entry", entry, found, where)
        return {entry: found[entry]}
    if not found:
        msg = (
            f"weights {where} hold no state dictionary: {contents(value)}; expected a state "
            "dictionary (names and tensors), bare or under a name; `weights: {convert: "
            "package.module:callable}` takes one out of anything"
        )
        raise UserError(msg)
    return found


def _states(value: Any, path: str, depth: int) -> Iterator[tuple[str, State]]:
    import torch

    if not isinstance(value, Mapping) or "optim" in path.rpartition(".")[2]:
        return
    tensors = {str(key): item for key, item in value.items() if isinstance(item, torch.Tensor)}
    if tensors:
        yield path, tensors
    if depth < _DEPTH:
        for key, item in value.items():
            yield from _states(item, f"{path}.{key}" if path else str(key), depth + 1)


def plain_state(value: Any, where: str) -> State:
    """The one state dictionary of a file that is read without a network to compare it with."""
    found = states_in(value, where)
    name = next((name for name in PREFERRED if name in found), None)
    if name is None and len(found) > 1:
        raise _ambiguous(where, list(found), "are several state dictionaries")
    return without_parallel(found[name if name is not None else next(iter(found))])


def without_parallel(state: State) -> State:
    """Names without the `module.` of DataParallel, where all begin with it."""
    whole = all(key.startswith("module.") for key in state)
    return items_below(state, "module.") if whole else state


def contents(value: Any) -> str:
    """Describe a file's content in a few words for a message."""
    import torch

    if not isinstance(value, Mapping):
        return type(value).__name__
    parts = []
    for key, item in list(value.items())[:_PARTS]:
        if isinstance(item, torch.Tensor):
            parts.append(f"{key} {tuple(item.shape)}")
        elif isinstance(item, Mapping):
            names = ", ".join(map(str, list(item)[:_SHOWN]))
            parts.append(f"{key} ({len(item)} items: {names}{', ...' * (len(item) > _SHOWN)})")
        else:
            parts.append(f"{key} ({type(item).__name__})")
    return ", ".join(parts) + (f" and {len(value) - _PARTS} more" if len(value) > _PARTS else "")


def best(states: Mapping[str, State], expected: Mapping[str, Any], where: str) -> State:
    """The state that fits a network, with the names of the network; else the likeliest.

    Args:
        states: renamed candidates, by the path of their names.
        expected: the network's tensors by name.
        where: the file, for messages.

    Raises:
        UserError: where several fit that are not equal.

    """
    settled = {name: _settled(state, expected, where) for name, state in states.items()}
    fitting = [name for name in settled if _fits(settled[name], expected)]
    preferred = [name for name in PREFERRED if name in fitting]
    if len(fitting) > 1 and not preferred and not _equal([settled[name] for name in fitting]):
        raise _ambiguous(where, fitting, "fit the network all")
    if fitting:
        name = (preferred or fitting)[0]
        _say_left_out(settled[name], states[name], where)
        return settled[name]
    counts = {name: sum(key in expected for key in state) for name, state in settled.items()}
    ranked = [name for name in PREFERRED if name in settled] + list(settled)
    return settled[max(ranked, key=lambda name: counts[name])]


def _say_left_out(read: State, stored: State, where: str) -> None:
    taken = {id(tensor) for tensor in read.values()}
    beside = [
        key
        for key, tensor in stored.items()
        if id(tensor) not in taken and key.rpartition(".")[2] not in _PROFILED
    ]
    if beside:
        _log.warning(
            "weights %s: left out %s tensors that are not in the network (%s)",
            *(where, len(beside), ", ".join(beside[:_SHOWN]) + ", ..." * (len(beside) > _SHOWN)),
        )


def _ambiguous(where: str, names: list[str], what: str) -> UserError:
    shown = ", ".join(name or "the tensors at the top" for name in names)
    return UserError(
        f"weights {where}: {shown} {what}; say which: `weights: {{source: file, path: ..., "
        f"entry: {names[0] or names[-1]}}}`"
    )


def _settled(state: State, expected: Mapping[str, Any], where: str) -> State:
    """Without what wrappers put around names and profilers beside them, where the network has none.

    Names below one prefix that holds the whole network (`module.backbone.`) lose it, and what lies
    beside them is left out.
    """
    state = {
        key: tensor
        for key, tensor in state.items()
        if key in expected or key.rpartition(".")[2] not in _PROFILED
    }
    if _fits(state, expected):
        return state
    for wrapper in _WRAPPERS:
        if not any(wrapper in key.split(".") for key in expected):
            state = _without(state, wrapper)
    if _fits(state, expected) or not expected:
        return state
    longest = max(expected, key=len)
    prefixes = {key.removesuffix(longest) for key in state if key.endswith(f".{longest}")}
    below = {prefix: items_below(state, prefix) for prefix in sorted(prefixes)}
    fitting = [prefix for prefix, part in below.items() if _fits(part, expected)]
    if len(fitting) > 1 and not _equal([below[prefix] for prefix in fitting]):
        raise UserError(
            f"weights {where}: the tensors below {' and below '.join(map(repr, fitting))} fit the "
            f"network; choose with `weights: {{keys: {{'^{fitting[0]}': ''}}, drop: "
            f"['{fitting[1]}*']}}`"
        )
    return below[fitting[0]] if fitting else state


def _without(state: State, wrapper: str) -> State:
    """Names without the part `wrapper`."""
    short = {".".join(p for p in key.split(".") if p != wrapper): t for key, t in state.items()}
    return short if len(short) == len(state) else state


def _fits(state: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether every tensor of the network is there, in its shape, or one that it is shared with."""
    twins = shared(expected)
    return all(
        any(
            name in state and _has_shape(state[name], tensor) for name in (key, *twins.get(key, ()))
        )
        for key, tensor in expected.items()
        if not key.endswith(COUNTER)
    )


def shared(expected: Mapping[str, Any]) -> dict[str, list[str]]:
    """The other names of each tensor that the network holds under several, such as tied weights.

    Some writers store such a tensor once.
    """
    import torch

    places: dict[Any, list[str]] = {}
    for key, tensor in expected.items():
        held = isinstance(tensor, torch.Tensor) and not is_lazy(tensor) and not tensor.is_meta
        if held and tensor.layout == torch.strided and tensor.numel():
            place = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride())
            places.setdefault(place, []).append(key)
    return {
        key: [name for name in names if name != key]
        for names in places.values()
        if len(names) > 1
        for key in names
    }


def is_lazy(tensor: Any) -> bool:
    """Whether a parameter or buffer has no shape before the first input."""
    import torch

    return bool(torch.nn.parameter.is_lazy(tensor))


def _has_shape(tensor: Any, expected: Any) -> bool:
    if is_lazy(expected):
        return True
    return bool(tensor.shape == expected.shape or tensor.numel() == expected.numel() == 1)


def _equal(states: list[State]) -> bool:
    first = states[0]
    return all(
        other.keys() == first.keys() and all(other[k].equal(first[k]) for k in first)
        for other in states[1:]
    )
