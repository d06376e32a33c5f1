"""Times the search for formulas of concepts against NumPy on the same packed words.

    python -m benchmarks.formulas            # 256 units x 100 concepts, 4,000 images of 64 x 64
    python -m benchmarks.formulas --quick    # 500 images

Every image shows some ten of the concepts as rectangles, and a unit is on in half a percent of the
pixels at most, mainly on one or two concepts: the sparsity of real scenes, which the native search
uses and the dense NumPy version does not. A second run has every concept in every image, where
nothing is gained by that. NumPy runs on a few units and is scaled to all.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.clock import Row, interleaved, table
from milan_core import ops
from milan_core.ops.formulas import SparseMasks, compose, concept_overlaps, mask_words
from milan_core.ops.reference import formulas as reference

UNITS, CONCEPTS, SIDE, SHOWN = 256, 100, 64, 10
TARGET = 50.0
DENSE_TARGET = 20.0  # where every concept is in every image


def rectangles(rng: np.random.Generator, count: int, least: int, most: int) -> np.ndarray:
    """Bool [count, SIDE, SIDE]: one rectangle each, sides between `least` and `most`."""
    height, width = rng.integers(least, most + 1, (2, count, 1, 1))
    y, x = rng.integers(0, SIDE - most, (2, count, 1, 1))
    rows, columns = np.arange(SIDE)[None, :, None], np.arange(SIDE)[None, None, :]
    return (rows >= y) & (rows < y + height) & (columns >= x) & (columns < x + width)


def scenes(images: int, shown: int, seed: int = 0) -> tuple[SparseMasks, SparseMasks]:
    """(units, concepts) with the numbers of this module."""
    rng = np.random.default_rng(seed)
    which = np.stack([np.sort(rng.choice(CONCEPTS, shown, False)) for _ in range(images)])
    masks = rectangles(rng, images * shown, 8, 24)
    words = mask_words(ops.pack_masks(masks))
    concepts = SparseMasks(
        np.arange(images + 1, dtype=np.int64) * shown, which.reshape(-1).astype(np.int64), words
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
                own[row] &= np.bitwise_or.reduce(words[image * shown + np.flatnonzero(there)], 0)
        keep = own.any(1)
        found.append(chosen[keep])
        bits.append(own[keep])
        starts.append(starts[-1] + int(keep.sum()))
    units = SparseMasks(np.array(starts, np.int64), np.concatenate(found), np.concatenate(bits))
    return units, concepts


def measure(images: int, shown: int, few: int, repetitions: int) -> tuple[list[Row], bool]:
    """Rows for scenes of `shown` concepts, and whether NumPy found the same on `few` units."""
    units, concepts = scenes(images, shown)
    dense, part = reference.dense_concepts(concepts, CONCEPTS), units.select(0, few)
    results: dict[str, Any] = {}
    works = {
        "formulas": lambda: compose(units, concepts, CONCEPTS),
        "overlaps": lambda: concept_overlaps(units, concepts, CONCEPTS),
        "numpy": lambda: reference.compose_dense(part, dense, images, 5, 3),
    }
    seconds = interleaved(
        {name: lambda n=name, w=work: results.update({n: w()}) for name, work in works.items()},
        repetitions,
    )
    native, overlap, numpy_all = (seconds[name] for name in works)
    numpy_all *= UNITS / few
    found, both, plain = (results[name] for name in works)
    ours = (found.joins, found.concepts, found.both, found.either)
    same = all((mine[:few] == theirs).all() for mine, theirs in zip(ours, plain, strict=True))
    first = reference.concept_overlaps(units.select(0, 1), concepts, CONCEPTS)
    least = TARGET if shown < CONCEPTS else DENSE_TARGET
    where = f"{images} images, {shown} concepts in each"
    rows = [
        Row(f"formulas, native: {where}", native, 60.0, True, "s"),
        Row(f"single concepts, native: {where}", overlap, 10.0, True, "s"),
        Row(f"formulas, NumPy on packed words, scaled: {where}", numpy_all, None, unit="s"),
        Row(f"formulas, times faster than NumPy: {where}", numpy_all / native, least, False),
    ]
    return rows, same and bool((both[0] == first).all())


def main() -> int:
    """Print the table; 1 when a target is missed or results differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images")
    quick = parser.parse_args().quick
    repetitions = 3 if quick else 5
    real, same = measure(500 if quick else 4000, SHOWN, 8 if quick else 2, repetitions)
    full, equal = measure(100 if quick else 500, CONCEPTS, 4, repetitions)
    print(f"{ops.facts()}\n\n{table(real + full)}\n\nequal to NumPy: {same and equal}")
    return 0 if same and equal and all(row.kept for row in real + full) else 1


if __name__ == "__main__":
    raise SystemExit(main())
