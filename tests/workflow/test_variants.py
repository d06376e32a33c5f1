"""Variants through the workflow: CLIP after the beams, scored, the main descriptions untouched."""

import csv

import pytest
import yaml

from .conftest import QUICK, snakemake

pytestmark = pytest.mark.workflow


def test_clip_reranks_beside_the_main_descriptions(quick_run, root):
    from tiny_checkpoints import save_clip

    clip = {"source": save_clip(quick_run / "tiny_clip"), "weight": 0.5}
    variant = {"models": ["shapes_alexnet"], "beam_size": 5, "clip": clip}
    (quick_run / "clip.yaml").write_text(yaml.safe_dump({"variants": {"tiny_clip": variant}}))
    results = quick_run / "results/quick"
    main = (results / "shapes_alexnet/descriptions.csv").read_bytes()
    asked = ["--configfile", QUICK[1], "clip.yaml"]
    done = snakemake(quick_run, "variants", *asked, "--cores", "2")
    assert done.returncode == 0, done.stdout[-3000:]
    assert (results / "shapes_alexnet/descriptions.csv").read_bytes() == main
    with (results / "variants/table.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    mine = [row["variant"] for row in rows if row["model"] == "shapes_alexnet"]
    assert mine == ["main", "tiny_clip"]
    folder = results / "shapes_alexnet/variants/tiny_clip"
    assert (folder / "descriptions.csv").is_file()
    assert (folder / "provenance.json").is_file()
    assert snakemake(quick_run, *QUICK, "--cores", "2").returncode == 0  # its own variants again
    assert "Nothing to be done" in snakemake(quick_run, "-n", *QUICK).stdout
