"""A new kind of data set is one module and its lines in the union, as CONTRIBUTING says."""

import json

import pytest
from copies import copy_repository, milan

MODULE = '''
"""`noise`: random pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from milan_core.core.arrays import write_npy
from milan_core.core.seeding import generator
from milan_core.images.kind import DatasetKind
from milan_core.images.options import KindOptions
from milan_core.images.store import Dataset
from milan_core.images.writing import finish_folder, start_folder


class NoiseOptions(KindOptions):
    """Options of `kind: noise`."""

    count: int = Field(10, ge=1, description="Images")
    size: int = Field(8, ge=1, description="Height and width")


class Noise(DatasetKind):
    """Random pixels."""

    kind: Literal["noise"] = Field("noise", description="Random pixels")
    options: NoiseOptions = Field(NoiseOptions(), description="How many, and how large")
    seed: int = Field(0, description="Seed of the pixels")

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Draw the pixels into the data set folder `out`."""
        count, size = self.options.count, self.options.size
        pixels = generator(self.seed, "noise").integers(0, 256, (count, size, size, 3))
        start_folder(out)
        write_npy(out / "images.npy", pixels.astype(np.uint8))
        return finish_folder(
            out, name=name, kind=self.kind, options=self.options, seed=self.seed, classes=[],
            labels=np.full(count, -1), names=[str(i) for i in range(count)], credits=[],
        )
'''
IMPORT = "from milan_core.images.kinds.webdataset import WebDataset\n"


@pytest.fixture(scope="module")
def package(root, tmp_path_factory):
    """A copy of the package with the new kind."""
    folder = copy_repository(root, tmp_path_factory.mktemp("package"))
    (folder / "milan_core/images/kinds/noise.py").write_text(MODULE)
    union = folder / "milan_core/images/spec.py"
    text = union.read_text()
    line = "from milan_core.images.kinds.noise import Noise\n"
    assert IMPORT in text
    text = text.replace(IMPORT, line + IMPORT).replace(
        "    | HuggingFace", "    | HuggingFace | Noise"
    )
    union.write_text(text)
    return folder


def test_a_job_builds_it(package, tmp_path):
    spec = json.dumps({"kind": "noise", "options": {"count": 3}, "seed": 5})
    flags = ["--dataset", "n", "--spec", spec, "--folder", str(tmp_path / "n"), "--code", "c0de"]
    built = milan(package, "step", "images.build", *flags)
    assert built.returncode == 0, built.stderr
    manifest = json.loads((tmp_path / "n/manifest.json").read_text())
    assert manifest["spec"] == {"kind": "noise", "options": {"count": 3, "size": 8}}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{kind: noise, options: {count: 3}}", "ok: "),
        (
            "{kind: noise, options: {cout: 3}}",
            "dataset_zoo.n.options.cout: unknown key; did you mean",
        ),
        ("{kind: nois}", "dataset_zoo.n.kind: unknown kind 'nois'; did you mean noise"),
    ],
)
def test_the_configuration_knows_it(package, root, tmp_path, entry, words):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"dataset_zoo: {{n: {entry}}}\n")
    checked = milan(package, "check", "--alone", str(root / "config/quick.yaml"), str(overlay))
    assert words in checked.stdout + checked.stderr
