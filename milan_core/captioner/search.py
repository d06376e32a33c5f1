"""Search over words: greedy, sampled, and beam search (Hernandez et al. 2022, section 3.4).

The contract of the beam search, batched over units:

* Step 0 expands the start token once; step t expands every beam and keeps the best B of all B * V.
* A beam whose last token is the stop can only be continued by another stop at no cost, so its score
  is frozen.
* The search ends when every beam has stopped, or after `length` tokens. Beams that have not stopped
  by then stay as they are. Scores are plain sums: no length normalization, no penalty.
* Equal scores: the lower `beam * V + token` wins, so that the result is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from milan_core.captioner.recurrence import native_core
from milan_core.captioner.stepping import NextWords, Scores
from milan_core.captioner.waiting import Reports, apart
from milan_core.ops import beam_topk

_DEAD = float("-inf")


class Beams(NamedTuple):
    """The best hypotheses of every unit, best first."""

    tokens: Tensor  # int64 [U, B, n], without the start token; after a stop only stops
    scores: Tensor  # float32 [U, B]


class Paths(NamedTuple):
    """One hypothesis per unit, step by step."""

    tokens: Tensor  # int64 [U, n]
    scores: Tensor  # float32 [U] sum of the chosen scores over all n steps
    logp: Tensor  # float32 [U] sum of log p(w|E) through the first stop
    predictions: Tensor | None  # float32 [U, n, V] scores of every word at every step
    attentions: Tensor | None  # float32 [U, n, k]


def _native_topk() -> Callable[..., Any] | None:
    """The compiled step of the search, or None where it is not built or switched off."""
    return beam_topk if native_core() else None


def best_continuations(
    scores: Tensor,  # [U, B]
    next_words: Scores,  # of the unfinished beams, in order
    finished: Tensor,  # bool [U, B]
    stop: int,
    count: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """The `count` best of all (beam, token) pairs: scores, beams and tokens, each (U, count)."""
    size = next_words.logits.shape[-1]
    # A beam no wider than the vocabulary always has enough live continuations for the native step.
    if scores.device.type == "cpu" and count <= size and (native := _native_topk()) is not None:
        plain = next_words.prior is None
        costs, bias = next_words.unbiased, next_words.bias
        if not plain:
            costs, bias = next_words.score, None
        threads = torch.get_num_threads()
        beams, tokens, values = native(
            scores, costs, finished, stop, count, threads, normalise=plain, bias=bias
        )
        return torch.from_numpy(values), torch.from_numpy(beams), torch.from_numpy(tokens)
    steps = scores.new_full((*finished.shape, size), _DEAD)
    steps[~finished] = next_words.score
    steps[..., stop].masked_fill_(finished, 0.0)
    values, flat = top_stable((scores.unsqueeze(2) + steps).flatten(1), count)
    return values, flat // size, flat % size


def top_stable(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest of every row (R, n), largest first, ties by lower index.

    `torch.topk` leaves ties undefined, in order and in membership; rows with a tie at the last kept
    value are rare and are sorted in full. On a GPU, where asking for them would wait, all values
    become different whole numbers instead.
    """
    if apart(values):
        return _top_numbers(values, count)
    top, index = torch.topk(values, count, dim=1)
    last = top[:, -1:]
    doubtful = (values == last).sum(dim=1) > (top == last).sum(dim=1)
    index = index.sort(dim=1).values
    if doubtful.any():
        full = torch.sort(values[doubtful], dim=1, descending=True, stable=True).indices
        index[doubtful] = full[:, :count].sort(dim=1).values
    top, order = torch.sort(values.gather(1, index), dim=1, descending=True, stable=True)
    return top, index.gather(1, order)


def _top_numbers(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """`top_stable` of float32 values by int64 numbers: the value, and below it the place."""
    bits = (values.float() + 0.0).contiguous().view(torch.int32).long()  # -0 becomes 0
    ordered = torch.where(bits < 0, ~bits & 0x7FFFFFFF | -(2**31), bits)
    place = torch.arange(values.shape[1], device=values.device)
    found = torch.topk(ordered * 2**32 + (2**32 - 1 - place), count, dim=1)[0]
    index = 2**32 - 1 - (found & (2**32 - 1))
    return values.gather(1, index), index


def beam_search(
    stepper: NextWords, units: int, start: int, stop: int, size: int, length: int
) -> Beams:
    """The `size` best descriptions of every unit, by the contract in the module's docstring.

    A beam wider than the vocabulary is filled with dead beams (score -inf) until enough hypotheses
    exist, so that a wide enough beam is an exhaustive search. On a GPU beams that have ended are
    continued too, and left out of the choice.
    """
    first = stepper.advance(torch.full((units,), start, device=stepper.device)).score
    scores, tokens = top_stable(first, min(size, first.shape[1]))
    missing = size - tokens.shape[1]
    if missing > 0:
        scores = torch.cat([scores, scores.new_full((units, missing), _DEAD)], dim=1)
        tokens = torch.cat([tokens, tokens.new_full((units, missing), stop)], dim=1)
    history = tokens.unsqueeze(2)
    # The stepper's row of every beam's parent; meaningless where the beam has finished.
    parents = torch.arange(units, device=tokens.device).unsqueeze(1).expand_as(tokens)
    if apart(tokens):
        return _search_apart(stepper, history, scores, parents, stop, length)
    for _ in range(length - 1):
        last = history[..., -1]
        finished = last == stop
        if finished.all():
            break
        live = ~finished
        rows = live.flatten().cumsum(0).view_as(live) - 1
        next_words = stepper.advance(last[live], parents[live])
        scores, beams, tokens = best_continuations(scores, next_words, finished, stop, size)
        parents = rows.gather(1, beams)
        kept = history.gather(1, beams.unsqueeze(2).expand(-1, -1, history.shape[2]))
        history = torch.cat([kept, tokens.unsqueeze(2)], dim=2)
    return Beams(history, scores)


def _search_apart(
    stepper: NextWords, history: Tensor, scores: Tensor, parents: Tensor, stop: int, length: int
) -> Beams:
    """The search after its first step, in equally large steps, of which the host waits for none."""
    units, size = scores.shape
    first_row = size * torch.arange(units, device=scores.device).unsqueeze(1)
    ended = Reports()
    for _ in range(length - 1):
        last = history[..., -1]
        finished = last == stop
        ended.add(finished.all())
        if ended.known:
            break
        words = stepper.advance(last.flatten(), parents.flatten()).score.unflatten(0, (units, size))
        steps = words.masked_fill(finished.unsqueeze(2), _DEAD)
        steps[..., stop] = torch.where(finished, 0.0, words[..., stop])
        scores, flat = top_stable((scores.unsqueeze(2) + steps).flatten(1), size)
        beams, tokens = flat // words.shape[2], flat % words.shape[2]
        parents = first_row + beams
        kept = history.gather(1, beams.unsqueeze(2).expand(-1, -1, history.shape[2]))
        history = torch.cat([kept, tokens.unsqueeze(2)], dim=2)
    words_said = int((history != stop).any(0).any(0).sum())  # waits, once for all steps
    return Beams(history[..., : words_said + 1], scores)


def rescored(stepper: NextWords, beams: Beams, start: int, stop: int) -> Beams:
    """The same hypotheses as another stepper scores them, best first; ties keep their order.

    Every distinct beginning of a unit's hypotheses is read once.

    Args:
        stepper: fresh, one hypothesis per unit.
        beams: of the search.
        start: id read first.
        stop: id after which scores no longer grow.
    """
    if apart(beams.tokens):
        return _by_score(_scores_apart(stepper, beams, start, stop), beams.tokens)
    device = beams.tokens.device
    units, size, length = beams.tokens.shape
    scores = torch.where(beams.scores == _DEAD, _DEAD, torch.zeros_like(beams.scores))
    live = beams.scores != _DEAD
    rows = torch.arange(units, device=device).unsqueeze(1).repeat(1, size)  # of the stepper
    words, parents = torch.full((units,), start, device=device), None
    for place in range(length):
        if not live.any():
            break
        following = stepper.advance(words, parents).score
        targets = beams.tokens[..., place]
        scores[live] += following[rows[live], targets[live]]
        live = live & (targets != stop)
        beginnings = rows[live] * following.shape[1] + targets[live]
        distinct, rows[live] = torch.unique(beginnings, return_inverse=True)
        words, parents = distinct % following.shape[1], distinct // following.shape[1]
    return _by_score(scores, beams.tokens)


def _by_score(scores: Tensor, tokens: Tensor) -> Beams:
    """Hypotheses (U, B, n), best first; ties keep their order."""
    scores, order = torch.sort(scores, dim=1, descending=True, stable=True)
    return Beams(tokens.gather(1, order.unsqueeze(2).expand_as(tokens)), scores)


def _scores_apart(stepper: NextWords, beams: Beams, start: int, stop: int) -> Tensor:
    """Scores (U, B) of hypotheses that are all read to their ends."""
    units, size, length = beams.tokens.shape
    every = torch.arange(units * size, device=beams.tokens.device).view(units, size)
    words, parents, rows = torch.full_like(every[:, 0], start), None, every // size
    live = beams.scores != _DEAD
    scores = torch.where(live, 0.0, _DEAD)
    for place in range(length):
        following = stepper.advance(words, parents).score
        targets = beams.tokens[..., place]
        scores = scores + torch.where(live, following[rows, targets], 0.0)
        live = live & (targets != stop)
        words, parents, rows = targets.flatten(), rows.flatten(), every
    return scores


def follow(
    stepper: NextWords,
    units: int,
    start: int,
    stop: int,
    length: int,
    *,
    sampler: torch.Generator | None = None,
    forced: Tensor | None = None,
    details: bool = False,
    early: bool = False,
) -> Paths:
    """One word per step: the best one, one drawn in proportion to exp(score), or the one given.

    Args:
        stepper: fresh, one hypothesis per unit.
        units: how many.
        start: id read first.
        stop: id after which `logp` no longer grows.
        length: steps at most.
        sampler: draw words with this generator; None takes the best word (ties: lower id).
        forced: int64 (U, L) the words to take; L is then the number of steps.
        details: also return the scores of every word and the attention weights.
        early: end when every unit has stopped, if that can be known without waiting; otherwise all
            `length` steps are made and enter `scores`, as in the published code.
    """
    last = torch.full((units,), start, device=stepper.device)
    alive = torch.ones(units, dtype=torch.bool, device=stepper.device)
    tokens, chosen, logp, predictions, attentions = [], [], [], [], []
    for place in range(length if forced is None else forced.shape[1]):
        step = stepper.advance(last)
        last = _choose(step.score, sampler) if forced is None else forced[:, place]
        chosen.append(step.score.gather(1, last.unsqueeze(1))[:, 0])
        logp.append(step.logp.gather(1, last.unsqueeze(1))[:, 0] * alive)
        tokens.append(last)
        if details:
            predictions.append(step.score)
            attentions.append(step.attention)
        alive = alive & (last != stop)
        if early and not apart(alive) and not alive.any():
            break
    return Paths(
        torch.stack(tokens, 1),
        torch.stack(chosen, 1).sum(1),
        torch.stack(logp, 1).sum(1),
        torch.stack(predictions, 1) if details else None,
        torch.stack(attentions, 1) if details else None,
    )


def _choose(scores: Tensor, sampler: torch.Generator | None) -> Tensor:
    """One token per row of scores (U, V): (U,). Drawn on the CPU, so equal on all devices."""
    if sampler is None:
        return scores.argmax(dim=1)
    drawn = torch.multinomial(torch.softmax(scores, dim=1).cpu(), 1, generator=sampler)
    return drawn[:, 0].to(scores.device)
