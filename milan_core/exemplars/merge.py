"""Join sets of exemplars that were mined from shards of images and blocks of units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.exemplars.blocks import joined_layers
from milan_core.exemplars.state import (
    Header,
    MiningState,
    check_blocks,
    check_images,
    check_twice,
    merge_states,
)
from milan_core.exemplars.store import ExemplarSet, load_exemplars


def merge(sets: Sequence[ExemplarSet]) -> ExemplarSet:
    """Merge sets that were mined from shards; associative and commutative.

    Once all shards are merged, the result is complete and equals that of one run byte for byte.
    """
    if len(sets) == 1:
        return sets[0]
    if any(part._state is None for part in sets):
        msg = "one of the sets to merge is whole already; merge takes sets mined with shard=(i, n)"
        raise UserError(msg)
    blocks: dict[int, list[MiningState]] = {}
    for part in sets:
        if part._state is not None:
            blocks.setdefault(part._state.header.block, []).append(part._state)
    merged = [merge_states(blocks[block]) for block in sorted(blocks)]
    return ExemplarSet.from_state(merged[0]) if len(blocks) == 1 else _joined_blocks(merged)


def _joined_blocks(states: Sequence[MiningState]) -> ExemplarSet:
    """The whole set from the states of all blocks of units, each with all its images."""
    check_blocks([state.header for state in states])
    parts = [ExemplarSet.from_state(state) for state in states]
    layers = {name: joined_layers([part.layer(name) for part in parts]) for name in parts[0].layers}
    return ExemplarSet(layers, states[0].header.provenance())


def merge_files(paths: Sequence[Path]) -> ExemplarSet:
    """As `merge`, from files that are read one at a time; refuses a set that is not complete.

    Holds the state of one block of units and one shard where the files of a block follow each
    other, and the finished exemplars of all.
    """
    waiting: dict[int, MiningState] = {}
    finished: dict[int, tuple[Header, ExemplarSet]] = {}
    for path in paths:
        state = load_exemplars(path)._state
        if state is None:
            return merge([load_exemplars(one) for one in paths])
        block = state.header.block
        if block in finished:
            check_twice(state.header, finished[block][0])
        if block in waiting:
            state = merge_states([waiting.pop(block), state])
        if state.header.all_images:
            part = ExemplarSet.from_state(state)
            finished[block] = state.header, ExemplarSet(part._layers, part.meta)
        else:
            waiting[block] = state
    for state in waiting.values():
        check_images(state.header)
    blocks = [finished[block] for block in sorted(finished)]
    check_blocks([header for header, _ in blocks])
    first = blocks[0][1]
    if len(blocks) == 1:
        return first
    return ExemplarSet(
        {name: joined_layers([part.layer(name) for _, part in blocks]) for name in first.layers},
        first.meta,
    )
