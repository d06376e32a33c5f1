"""Decoding with re-ranking at the paper's sizes against a plain implementation, on one CPU thread.

    python -m benchmarks.decoding            # 64 units, 5 repetitions, some minutes
    python -m benchmarks.decoding --quick    # 32 units, 3 repetitions

Ours, the plain implementation (on one of its blocks of units) and products of square matrices take
turns.

All times are CPU time of one thread; ratios are taken inside this process. The weights are random
and not fitted to any trained captioner: next words are much less certain (about 5.7 nats) than in
that of the embedded world (1.6), so more hypotheses stay live and fewer have a parent in common.
The shares on which our work depends are printed. In `some end` a part of the beams stops early, in
`none ends` no description ends before 15 words. Leaves with status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

from benchmarks import plain_decoding
from benchmarks.clock import Row, table
from milan_core import ops
from milan_core.captioner.captioner import Captioner
from milan_core.captioner.decoder import Decoder
from milan_core.captioner.descriptions import Descriptions
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary

FEATURES, WORDS, BEAMS, LENGTH, EXEMPLARS = 3904, 5000, 50, 15, 15
HIDDEN, EMBEDDING, ATTENTION = 512, 128, 512
TARGET_SPEEDUP, TARGET_SHARE = 5.0, 0.6


def captioner(stop: float) -> Captioner:
    """The paper's sizes; words are Zipf-like, peaked by context, and end with odds `stop`."""
    torch.manual_seed(0)
    tokenizer = Tokenizer(Vocabulary(tuple(f"w{index}" for index in range(WORDS))))
    size = tokenizer.vocabulary.size
    decoder, model = Decoder(FEATURES, size), LanguageModel(tokenizer)
    # Frequent words first, special ids never, the stop as asked for.
    bias = -torch.log(torch.arange(1, size + 1).float())
    bias[WORDS:] = -50.0
    bias[tokenizer.vocabulary.stop] = stop
    for output, strength in ((decoder.output, 14.0), (model.output, 10.0)):
        output.weight.data *= strength
        output.bias.data = bias.clone()
    decoder.embedding.weight.data *= 2.0
    return Captioner(decoder, model, tokenizer).eval()


@dataclass
class Work:
    """The operations of one search, counted while it ran."""

    hypotheses: int = 0
    parents: int = 0
    prefixes: int = 0

    def flops(self, units: int) -> float:
        """Multiply-adds that are really needed, times two: each distinct thing once."""
        gates = 4 * HIDDEN
        vocabulary = WORDS + 4
        prepare = EXEMPLARS * FEATURES * ATTENTION + 2 * FEATURES * HIDDEN
        parent = HIDDEN * (ATTENTION + FEATURES + gates) + FEATURES * gates
        parent += EXEMPLARS * (ATTENTION + FEATURES)
        child = HIDDEN * vocabulary
        prefix = 3 * HIDDEN * gates + HIDDEN * vocabulary
        return 2.0 * (
            units * prepare
            + self.parents * parent
            + self.hypotheses * child
            + self.prefixes * prefix
        )


class Counting:
    """Counts the rows that a decoder and a language model are asked for."""

    def __init__(self, work: Work, model: Captioner) -> None:
        self._work, self._model = work, model

    def __enter__(self) -> None:
        decoder, work = self._model.decoder, self._work
        attend, logits = decoder.attend, decoder.unbiased_logits

        def counted_attend(exemplars: object, units: Tensor, *rest: object) -> object:
            work.parents += len(units)
            return attend(exemplars, units, *rest)  # type: ignore[arg-type]

        def counted_logits(h: Tensor, weight: Tensor | None = None) -> Tensor:
            work.hypotheses += len(h)
            return logits(h, weight)

        decoder.attend, decoder.unbiased_logits = counted_attend, counted_logits  # type: ignore[method-assign, assignment]

    def __exit__(self, *_: object) -> None:
        del self._model.decoder.attend, self._model.decoder.unbiased_logits


def prefixes(tokens: Tensor, stop: int) -> int:
    """Distinct beginnings that p(d) must read to score beams (U, B, n)."""
    found = set()
    for row in tokens.flatten(0, 1).tolist():
        end = row.index(stop) if stop in row else len(row) - 1
        found.update(tuple(row[:length]) for length in range(end + 1))
    return len(found)


def sgemm_rate(dtype: torch.dtype = torch.float32) -> float:
    """The machine's best rate of square products of this type: FLOP per CPU second."""
    side = 2048
    a, b = torch.randn(2, side, side).to(dtype)
    best = 0.0
    for _ in range(8):
        start = time.thread_time()
        a @ b.t()
        best = max(best, 2.0 * side**3 / (time.thread_time() - start))
    return best


def bfloat16_products() -> bool:
    """Does this processor have instructions for products of bfloat16 (AVX512-BF16 or AMX)?"""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def timed(run: object) -> tuple[float, Descriptions]:
    """CPU seconds of a call, and its result."""
    start = time.thread_time()
    found = run()  # type: ignore[operator]
    return time.thread_time() - start, found


def regime(name: str, stop: float, units: int, repetitions: int) -> Iterator[Row]:
    """Rows of the table for one kind of captioner."""
    model = captioner(stop)
    features = torch.randn(units, EXEMPLARS, FEATURES, generator=torch.Generator().manual_seed(1))
    features = features.relu_()
    work = Work()
    with Counting(work, model):
        found = model.decode(features, "rerank", beam_size=BEAMS, length=LENGTH)
    assert found.beam_tokens is not None
    work.prefixes = prefixes(torch.from_numpy(found.beam_tokens), model.tokenizer.vocabulary.stop)
    block = features[: plain_decoding.UNITS]
    ours, theirs, rates, halves, rough = [], [], [], [], []
    for _ in range(repetitions):
        rates.append(sgemm_rate())
        halves.append(sgemm_rate(torch.bfloat16) if bfloat16_products() else math.nan)
        seconds, found = timed(lambda: model.decode(features, "rerank", beam_size=BEAMS))
        ours.append(seconds / units)
        if bfloat16_products():
            asked = {"beam_size": BEAMS, "precision": "bfloat16"}
            seconds, other = timed(lambda: model.decode(features, "rerank", **asked))  # noqa: B023
            rough.append(seconds / units)
            alike = sum(a == b for a, b in zip(found.captions, other.captions, strict=True))
        seconds, plain = timed(lambda: plain_decoding.decode(model, block, BEAMS, LENGTH))
        theirs.append(seconds / len(block))
        agree = sum(a == b for a, b in zip(found.captions, plain.captions, strict=False))
    middle = statistics.median(ours)
    speedup = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    rate = work.flops(units) / units / middle
    live = units * (1 + BEAMS * (LENGTH - 1))
    print(
        f"{name}: distinct parents {work.parents / work.hypotheses:.2f} of hypotheses, "
        f"hypotheses {work.hypotheses / live:.2f} and prefixes of p(d) "
        f"{work.prefixes / (units * BEAMS * LENGTH):.2f} of the most possible; "
        f"{agree} of {len(block)} descriptions equal those of the plain implementation; "
        f"sgemm {max(rates) / 1e9:.0f} GFLOP/s, bfloat16 products {max(halves) / 1e9:.0f}",
        flush=True,
    )
    yield Row(f"{name}: units per CPU-second", 1 / middle, None)
    yield Row(f"{name}: times faster per unit than plain", speedup, TARGET_SPEEDUP, False)
    share = rate / max(rates)
    yield Row(f"{name}: share of the sgemm rate on needed arithmetic", share, TARGET_SHARE, False)
    if bfloat16_products():
        print(f"{name}: with bfloat16 products {alike} of {units} descriptions are the same")
        faster = statistics.median(a / b for a, b in zip(ours, rough, strict=True))
        yield Row(f"{name}: times faster with bfloat16 products", faster, None)
        share = work.flops(units) / units / statistics.median(rough) / max(halves)
        yield Row(f"{name}: their share of the bfloat16 rate", share, None)


def main() -> int:
    """Print machine, table and verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer units and repetitions")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {ops.facts()}, load {os.getloadavg()[0]:.1f}\n", flush=True)
    units, repetitions = (32, 3) if arguments.quick else (64, 5)
    rows = [
        row
        for name, stop in (("some end", -1.0), ("none ends", -50.0))
        for row in regime(name, stop, units, repetitions)
    ]
    print(table(rows))
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
