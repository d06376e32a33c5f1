"""Files of one trial with known answers: network `b`, described by a captioner trained on `a`."""

from pathlib import Path

import numpy as np

from milan_core.captioner.features.store import FeatureTable
from milan_core.core.files import write_csv
from milan_core.core.tensors import save_tensors
from milan_core.scoring.options import TrainingSources
from milan_core.scoring.tables import TRUTH, UNITS

CONCEPTS = ("dog", "cat", "dog", "bird", "cat", "bird")
TEXTS = ("a dog", "a cat", "a cat", "my bird", "a cat", "sky")  # four of six are right


def network(folder: Path, model: str) -> dict[str, Path]:
    """Annotations by three annotators, and ground truth, of six units."""
    folder = folder / model / "annotations"
    rows = [("c", u, f"{w} {c}", w) for u, c in enumerate(CONCEPTS) for w in ("a", "the", "my")]
    write_csv(folder / "annotations.csv", ("layer", "unit", "summary", "annotator"), rows)
    rows = [("c", u, c, "object", 0.9, 12, 1, c) for u, c in enumerate(CONCEPTS)]
    write_csv(folder / "truth.csv", TRUTH, rows)
    return {"annotations": folder / "annotations.csv", "truth": folder / "truth.csv"}


def descriptions(path: Path, texts=TEXTS) -> Path:
    rows = [("c", unit, text, "test") for unit, text in enumerate(texts)]
    write_csv(path, ("layer", "unit", "description", "side"), rows)
    return path


def silence(path: Path, states: dict[int, str]) -> None:
    """Give units of a table of `descriptions` a status, and take their texts away."""
    rows = [
        ("c", unit, "" if unit in states else text, "test", states.get(unit, ""))
        for unit, text in enumerate(TEXTS)
    ]
    write_csv(path, ("layer", "unit", "description", "side", "status"), rows)


def methods(path: Path, *names: str, text: str = "dog") -> Path:
    rows = [(name, "c", unit, text) for name in names for unit in range(6)]
    write_csv(path, ("method", "layer", "unit", "description"), rows)
    return path


def beams(path: Path, first: str, texts=TEXTS) -> Path:
    """Two candidates a unit, of which `first` is the likelier, or both equally likely."""
    captions = [[first or text, text if first else "dog"] for text in texts]
    meta = {"captions": captions, "layers": ["c"] * 6, "units": [*range(6)]}
    logp = np.tile(np.array([-1, -2 if first else -1], np.float32), (6, 1))
    arrays = {"logp": logp, "logp_lm": np.zeros((6, 2), np.float32)}
    save_tensors(path, "milan-beams", 1, arrays, meta)
    return path


def captioner_units(path: Path, tested: tuple[int, ...] = ()) -> Path:
    rows = [("a", "c", unit, "test" if unit in tested else "train") for unit in range(6)]
    write_csv(path, UNITS, rows)
    return path


def features(path: Path, encoder: str = "e", seed: int = 0, manifest: str = "manifest-1") -> Path:
    """Features of six units: one direction per concept, and noise."""
    place = {name: i for i, name in enumerate(sorted(set(CONCEPTS)))}
    rows = np.stack([np.eye(3)[place[name]] for name in CONCEPTS])
    noise = np.random.default_rng(seed).normal(0, 0.05, (6, 3, 3))
    meta = {"encoder": encoder, "dataset": manifest, "pooling": {"append_area": True}}
    array = (rows[:, None] + noise).astype(np.float16)
    FeatureTable({"exact": array}, [("c", 6)], meta).save(path)
    return path


def scored_fields(folder: Path, tested: tuple[int, ...] = ()) -> dict:
    """The fields that all steps which score have in common."""
    trained = network(folder, "a")
    return {
        **network(folder, "b"),
        "captioner_units": captioner_units(folder / "units.csv", tested),
        "train_annotations": [trained["annotations"]],
        "train_truth": [trained["truth"]],
        "trained_on": TrainingSources(names=["a"], with_truth=["a"]),
        "options": {"bootstrap": 200},
    }
