"""Published weights are fetched by the workflow, and belong to the user from then on."""

import io

import pytest
import torch
from website import Site, Step

from .conftest import QUICK, snakemake
from .plans import job_counts

pytestmark = pytest.mark.workflow


def test_weights_are_fetched_once_and_never_deleted(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(9)}, buffer)
    site = Site()
    site.files["/w.pth"] = buffer.getvalue()
    site.scripts["/w.pth"] = [Step(status=503), Step(cut=99)]
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(
        "model_zoo: {shapes_other: {extends: shapes_resnet, weights: "
        f"{{source: download, url: '{site.url('/w.pth')}'}}}}}}\n"
    )
    file = checkout / "resources/quick/weights/w.pth"
    command = [str(file.relative_to(checkout)), *QUICK, str(overlay), "--cores", "1"]
    try:
        first = snakemake(checkout, *command)
        assert first.returncode == 0, first.stdout
        assert file.read_bytes() == buffer.getvalue()
        assert [asked[1] for asked in site.asked] == [None, None, "bytes=99-"]
    finally:
        site.close()
    described = ["results/quick/shapes_other/exemplars/exemplars.safetensors", "-n", "--forceall"]
    again = snakemake(checkout, *described, *QUICK, str(overlay))
    assert again.returncode == 0, again.stdout
    counts = job_counts(again.stdout)
    assert counts["exemplars_merge"] == 1
    assert "fetch_weights" not in counts, "a run that is forced would delete the file first"
