"""The part of the decoder that must run step by step, written to be fast on one CPU core.

`attend` and `lstm_cell` are one step for any number of hypotheses per unit (search): the matrix
products by torch, the rest in one native pass where nothing is differentiated
(`milan_core.ops.recurrent`).
`run_sequence` is the whole recurrence under teacher forcing (training), with a hand-written
derivative: automatic differentiation would add every weight's gradient once per step, while here
each weight gets a single matrix product over all steps. Shape symbols as in `decoder`.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from milan_core.captioner.waiting import apart
from milan_core.ops import recurrent
from milan_core.ops.backend import native

_ATTENTION_BLOCK = 1 << 20
"""Numbers in one block of the attention layer: small enough to stay in the processor's cache."""
_DEVICE_BLOCK = 1 << 26
"""The same on a GPU: bounds memory."""


class HiddenWeights(NamedTuple):
    """Weights that act on h_{t-1} and on the context vector; the matrices perhaps in bfloat16."""

    recurrent: Tensor  # [A + F + 4H, H] rows of W_q, W_g and the LSTM's W_hh
    gate_bias: Tensor  # [F]
    energy: Tensor  # [A] w_a
    context: Tensor  # [4H, F] the context columns of the LSTM's W_ih


@functools.cache
def native_core() -> bool:
    """Is the native core built and not switched off?"""
    return importlib.util.find_spec("milan_core._core") is not None and native() is not None


def _fused(x: Tensor) -> bool:
    """Can native code stand in for torch here?"""
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled()
    return plain and native_core()


def product(x: Tensor, weight: Tensor) -> Tensor:
    """Rows (R, n) times the transpose of a weight (m, n), in the weight's type: float32 (R, m)."""
    if weight.dtype == x.dtype:
        return x @ weight.t()
    return (x.to(weight.dtype) @ weight.t()).float()


def attend(
    features: Tensor,  # [U, k, F]
    keys: Tensor,  # [U, k, A]
    units: Tensor,  # [R] ascending, the unit of every hypothesis
    h: Tensor,  # [R, H]
    weights: HiddenWeights,
) -> tuple[Tensor, Tensor]:
    """The LSTM's gates without their word part (R, 4H), and the attention weights (R, k)."""
    width, size = keys.shape[-1], features.shape[-1]
    query, gate, gates = torch.split(
        product(h, weights.recurrent), [width, size, 4 * h.shape[-1]], dim=-1
    )
    if _fused(h):
        attention, gated = h.new_empty(len(h), keys.shape[1]), h.new_empty(len(h), size)
        given = (query, gate, units, keys, features, weights.energy, weights.gate_bias)
        recurrent.attend(
            *(x.detach().numpy() for x in given),
            weights=attention.numpy(),
            gated=gated.numpy(),
            threads=torch.get_num_threads(),
        )
        return _plus_product(gates, gated, weights.context), attention
    attention = torch.softmax(_energies(keys, units, query, weights.energy), dim=-1)
    gated = torch.sigmoid(gate + weights.gate_bias).mul_(_contexts(attention, features, units))
    if weights.context.dtype == gated.dtype:
        return torch.addmm(gates, gated, weights.context.t()), attention
    return gates + product(gated, weights.context), attention


def _plus_product(total: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """The sum of `total`, which is overwritten, and a product."""
    if weight.dtype == x.dtype:
        return total.addmm_(x, weight.t())
    return total.add_(product(x, weight))


def _energies(keys: Tensor, units: Tensor, query: Tensor, energy: Tensor) -> Tensor:
    """w_a . tanh(key + query) for every hypothesis and exemplar: (R, k)."""
    if apart(query):  # as many for every unit
        each = len(query) // len(keys)
        rows = max(1, _DEVICE_BLOCK // (each * keys[0].numel()))
        pairs = zip(keys.split(rows), query.split(rows * each), strict=True)
        found = [
            (key.unsqueeze(1) + q.view(len(key), each, 1, -1)).tanh_() @ energy for key, q in pairs
        ]
        return torch.cat(found).flatten(0, 1)
    rows = max(1, _ATTENTION_BLOCK // keys[0].numel())
    blocks = [
        keys[unit].add_(q.unsqueeze(1)).tanh_() @ energy
        for unit, q in zip(units.split(rows), query.split(rows), strict=True)
    ]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks)


def _contexts(attention: Tensor, features: Tensor, units: Tensor) -> Tensor:
    """Attention-weighted sums of the features of every hypothesis' unit: (R, F)."""
    if apart(units):
        return torch.bmm(attention.view(len(features), -1, attention.shape[1]), features).flatten(
            0, 1
        )
    counts = torch.bincount(units, minlength=len(features))
    widest = int(counts.max())
    if len(units) == widest * len(features):  # as many for every unit
        return torch.bmm(attention.view(len(features), widest, -1), features).flatten(0, 1)
    first = counts.cumsum(0) - counts
    place = torch.arange(len(units), device=units.device) - first[units] + units * widest
    table = attention.new_zeros(len(features) * widest, attention.shape[1])
    table[place] = attention
    contexts = torch.bmm(table.view(len(features), widest, -1), features)
    return contexts.flatten(0, 1)[place]


def lstm_cell(
    left: Tensor,  # [P, 4H]
    left_row: Tensor,  # [R]
    right: Tensor,  # [Q, 4H]
    right_row: Tensor,  # [R]
    c: Tensor,  # [S, H]
    c_row: Tensor,  # [R]
) -> tuple[Tensor, Tensor]:
    """New h and c (R, H) from the gates left[left_row] + right[right_row] and the state c[c_row].

    Gates stand in torch's order: input, forget, cell, output.
    """
    if _fused(left):
        new_h, new_c = left.new_empty(2, len(c_row), c.shape[-1])
        recurrent.lstm_cell(
            *(x.detach().numpy() for x in (left, left_row, right, right_row, c, c_row)),
            new_h=new_h.numpy(),
            new_c=new_c.numpy(),
            threads=torch.get_num_threads(),
        )
        return new_h, new_c
    i, f, g, o = (left[left_row] + right[right_row]).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c[c_row] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def run_sequence(
    features: Tensor,  # [N, k, F]
    keys: Tensor,  # [N, k, A]
    h: Tensor,  # [N, H]
    c: Tensor,  # [N, H]
    word_inputs: Tensor,  # [N, T, 4H]
    weights: HiddenWeights,
) -> tuple[Tensor, Tensor]:
    """Hidden states (N, T, H) and attention weights (N, T, k) of the whole sequence.

    Never in half precision: 15 steps of rounding would add up, and the steps write in place.
    """
    inputs = (features, keys, h, c, word_inputs, *weights)
    with torch.autocast(features.device.type, enabled=False):
        return _Sequence.apply(*(x.float() if x.itemsize < 4 else x for x in inputs))


class _Sequence(torch.autograd.Function):
    """The recurrence and its derivative; the features are data and get no gradient."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        features, keys, h, c, words, recurrent, gate_bias, energy, context_weight = inputs
        rows, steps, four = words.shape
        (k, width), size, new = keys.shape[1:], features.shape[-1], words.new_empty
        hidden, cells = new(2, steps + 1, rows, four // 4)
        layer, alpha = new(steps, rows, k, width), new(steps, rows, k)
        contexts, gate, gated = new(3, steps, rows, size)
        gates = new(steps, rows, four)
        hidden[0], cells[0] = h, c
        recurrent_t, context_t = recurrent.t(), context_weight.t()
        for t in range(steps):
            query, gate_in, gates_in = (hidden[t] @ recurrent_t).split([width, size, four], dim=-1)
            torch.add(keys, query.unsqueeze(1), out=layer[t]).tanh_()
            torch.softmax(layer[t] @ energy, dim=-1, out=alpha[t])
            torch.bmm(alpha[t].unsqueeze(1), features, out=contexts[t].unsqueeze(1))
            torch.sigmoid(gate_in + gate_bias, out=gate[t])
            torch.mul(gate[t], contexts[t], out=gated[t])
            torch.add(gates_in, words[:, t], out=gates[t]).addmm_(gated[t], context_t)
            i, f, g, o = gates[t].chunk(4, dim=-1)
            gates[t, :, : four // 2].sigmoid_()
            g.tanh_()
            o.sigmoid_()
            torch.mul(f, cells[t], out=cells[t + 1]).addcmul_(i, g)
            torch.mul(o, torch.tanh(cells[t + 1]), out=hidden[t + 1])
        ctx.save_for_backward(
            *(features, recurrent, energy, context_weight, hidden, cells),
            *(layer, alpha, contexts, gate, gated, gates),
        )
        return hidden[1:].transpose(0, 1), alpha.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        features, recurrent, energy, context_weight, hidden, cells, *rest = ctx.saved_tensors
        layer, alpha, contexts, gate, gated, gates = rest
        d_hidden, d_alpha = (grad.transpose(0, 1) for grad in grads)
        sizes = [layer.shape[-1], features.shape[-1], gates.shape[-1]]
        # One row per (step, sample): derivatives of query, gate and LSTM gates before W h_{t-1}.
        d_projected = gates.new_empty(*gates.shape[:2], sum(sizes))
        d_keys, d_energy = torch.zeros_like(layer[0]), torch.zeros_like(energy)
        d_h, d_c = torch.zeros_like(hidden[0]), torch.zeros_like(cells[0])
        for t in reversed(range(len(gates))):
            d_query, d_gate, d_gates = d_projected[t].split(sizes, dim=-1)
            d_c = _lstm_backward(gates[t], cells[t], cells[t + 1], d_h + d_hidden[t], d_c, d_gates)
            d_gated = d_gates @ context_weight
            torch.mul(d_gated * contexts[t], gate[t] * (1 - gate[t]), out=d_gate)
            d_context = d_gated.mul_(gate[t])
            d_a = torch.bmm(features, d_context.unsqueeze(2)).squeeze(2) + d_alpha[t]
            d_e = alpha[t] * (d_a - (alpha[t] * d_a).sum(-1, keepdim=True))
            slope = 1 - layer[t] * layer[t]
            d_keys.addcmul_(slope, d_e.unsqueeze(2))
            torch.mul(torch.bmm(d_e.unsqueeze(1), slope).squeeze(1), energy, out=d_query)
            d_energy += d_e.flatten() @ layer[t].flatten(0, 1)
            d_h = d_projected[t] @ recurrent
        rows = d_projected.flatten(0, 1)
        _, d_gate, d_gates = rows.split(sizes, dim=-1)
        return (
            *(None, d_keys.mul_(energy), d_h, d_c),
            d_gates.unflatten(0, gates.shape[:2]).transpose(0, 1),
            rows.t() @ hidden[:-1].flatten(0, 1),
            *(d_gate.sum(0), d_energy, d_gates.t() @ gated.flatten(0, 1)),
        )


def _lstm_backward(
    gates: Tensor, c_old: Tensor, c_new: Tensor, d_h: Tensor, d_c: Tensor, out: Tensor
) -> Tensor:
    """Write the derivative before the non-linearities to `out` (N, 4H); return that of `c_old`."""
    i, f, g, o = gates.chunk(4, dim=-1)
    d_i, d_f, d_g, d_o = out.chunk(4, dim=-1)
    tanh_c = torch.tanh(c_new)
    torch.mul(d_h * tanh_c, o * (1 - o), out=d_o)
    d_c = torch.addcmul(d_c, d_h * o, 1 - tanh_c * tanh_c)
    torch.mul(d_c * g, i * (1 - i), out=d_i)
    torch.mul(d_c * c_old, f * (1 - f), out=d_f)
    torch.mul(d_c * i, 1 - g * g, out=d_g)
    return d_c.mul_(f)
