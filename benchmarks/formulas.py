"""Times the search for formulas of concepts against NumPy on the same packed words.

    python -m benchmarks.formulas            # 256 units x 100 concepts, 4,000 images of 64 x 64
    python -m benchmarks.formulas --quick    # 500 images

Every image shows some ten of the concepts as rectangles, and a unit is on in half a percent of the
pixels, most of them on one or two concepts: the sparsity of real scenes, which the native search
uses and the dense NumPy version does not. NumPy runs on a few units and is scaled to all.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.clock import Row, table
from milan_core import ops
from milan_core.ops import formula_reference as reference
from milan_core.ops.formulas import SparseMasks, compose, concept_overlaps, mask_words

UNITS, CONCEPTS, SIDE, SHOWN = 256, 100, 64, 10
TARGET = 50.0


def rectangles(rng: np.random.Generator, count: int, least: int, most: int) -> np.ndarray:
    """Bool [count, SIDE, SIDE]: one rectangle each, sides between `least` and `most`."""
    height, width = rng.integers(least, most + 1, (2, count, 1, 1))
    y, x = rng.integers(0, SIDE - most, (2, count, 1, 1))
    rows, columns = np.arange(SIDE)[None, :, None], np.arange(SIDE)[None, None, :]
    return (rows >= y) & (rows < y + height) & (columns >= x) & (columns < x + width)


def scenes(images: int, seed: int = 0) -> tuple[SparseMasks, SparseMasks]:
    """(units, concepts) with the numbers of this module."""
    rng = np.random.default_rng(seed)
    which = np.stack([np.sort(rng.choice(CONCEPTS, SHOWN, False)) for _ in range(images)])
    masks = rectangles(rng, images * SHOWN, 8, 24)
    words = mask_words(ops.pack_masks(masks))
    concepts = SparseMasks(
        np.arange(images + 1, dtype=np.int64) * SHOWN, which.reshape(-1).astype(np.int64), words
    )
    starts, found, bits = [0], [], []
    for _ in range(UNITS):
        likes = rng.choice(CONCEPTS, 2, False)
        chosen = np.flatnonzero((which[:, :, None] == likes).any((1, 2)))
        chosen = np.union1d(
            rng.choice(chosen, min(len(chosen), images // 25), False),
            rng.choice(images, images // 50, False),
        )
        own = mask_words(ops.pack_masks(rectangles(rng, len(chosen), 12, 22)))
        for row, image in enumerate(chosen):  # mostly on what the unit likes
            there = np.isin(which[image], likes)
            if there.any():
                own[row] &= np.bitwise_or.reduce(words[image * SHOWN + np.flatnonzero(there)], 0)
        keep = own.any(1)
        found.append(chosen[keep])
        bits.append(own[keep])
        starts.append(starts[-1] + int(keep.sum()))
    units = SparseMasks(np.array(starts, np.int64), np.concatenate(found), np.concatenate(bits))
    return units, concepts


def main() -> int:
    """Print the table; 1 when the target is missed or the results differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images")
    images = 500 if parser.parse_args().quick else 4000
    units, concepts = scenes(images)
    share = np.bitwise_count(units.bits).sum() / (UNITS * images * SIDE * SIDE)
    print(f"{ops.facts()}\n{images} images, units on in {100 * share:.2f} % of the pixels\n")
    start = time.thread_time()
    found = compose(units, concepts, CONCEPTS)
    native = time.thread_time() - start
    start = time.thread_time()
    both = concept_overlaps(units, concepts, CONCEPTS)
    overlap = time.thread_time() - start
    few = 2 if images > 1000 else 8
    dense = reference.dense_concepts(concepts, CONCEPTS)
    start = time.thread_time()
    plain = reference.compose_dense(units.select(0, few), dense, images, 5, 3)
    numpy_all = (time.thread_time() - start) * UNITS / few
    same = all(
        (mine[:few] == theirs).all()
        for mine, theirs in zip(
            (found.joins, found.concepts, found.both, found.either), plain, strict=True
        )
    )
    same &= bool(
        (both[0] == reference.concept_overlaps(units.select(0, 1), concepts, CONCEPTS)).all()
    )
    rows = [
        Row("formulas, native, CPU seconds", native, 60.0, True, "s"),
        Row("single concepts, native, CPU seconds", overlap, 10.0, True, "s"),
        Row("formulas, NumPy on packed words (scaled)", numpy_all, 0.0, False, "s"),
        Row("formulas, times faster than NumPy", numpy_all / native, TARGET, False),
    ]
    print(table(rows))
    print(f"\nequal to NumPy on {few} units: {same}")
    return 0 if same and all(row.kept for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
