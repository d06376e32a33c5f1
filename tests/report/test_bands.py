"""Bands of activations on a unit's card: their images, their values, and nothing without them."""

import io
import re

import numpy as np
from PIL import Image

from milan_core.core.files import write_csv
from milan_core.exemplars.sheets import TILE, Thumbnails
from milan_core.exemplars.store import load_exemplars
from milan_core.report.bands import bands_picture, unit_bands
from milan_core.report.files import NetworkFiles, ReportFiles
from milan_core.report.options import ReportNetwork, ReportRun
from milan_core.report.pages import build_report
from report.test_report import write_dataset, write_exemplars

IDS = [[[1, 2], [3, -1], [-1, -1]], [[0, 1], [2, 3], [4, 5]]]
VALUES = [[[3.25, 2.0], [-1.5, -np.inf], [-np.inf, -np.inf]], [[0.5, 0.5], [0, 0], [0, 0]]]


def with_bands(path):
    """The exemplars of the made-up report, the first layer with bands."""
    write_exemplars(path)
    found = load_exemplars(path)
    found.layer("conv.1").band_ids = np.array(IDS)
    found.layer("conv.1").band_activations = np.array(VALUES, np.float32)
    found.meta["band_size"] = 2
    found.save(path)
    return load_exemplars(path)


def test_rows_say_ranks_and_values(tmp_path):
    found = with_bands(tmp_path / "e")
    rows = unit_bands(found, "conv.1", 0)
    assert [row.share for row in rows] == ["0–33 %", "33–67 %", "67–100 %"]
    assert [row.values for row in rows] == ["3.25 to 2", "−1.5", "no image"]
    assert [row.values for row in unit_bands(found, "conv.1", 1)] == ["0.5", "0", "0"]
    assert unit_bands(found, "conv.2", 0) == []


def test_the_picture_has_a_row_for_each_band():
    images = np.zeros((6, TILE, TILE, 3), np.uint8)
    images[:] = 40 * np.arange(6)[:, None, None, None]
    data = bands_picture(Thumbnails(images), np.array(IDS[0]))
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    step = TILE + 2
    assert pixels.shape == (3 * step - 2, 2 * step - 2, 3)
    centres = pixels[TILE // 2 :: step, TILE // 2 :: step, 0]
    assert np.abs(centres - [[40, 80], [120, 128], [128, 128]]).max() <= 2


def test_cards_show_them_only_where_they_are(tmp_path):
    results, probe = tmp_path / "results", tmp_path / "probe"
    write_dataset(probe)
    header = ["layer", "unit", "description", "logp", "logp_lm", "score"]
    units = [("conv.1", 0), ("conv.1", 1), ("conv.2", 0)]
    networks = []
    for name, write in (("banded", with_bands), ("plain", write_exemplars)):
        write(results / name / "exemplars/exemplars.safetensors")
        rows = [(*key, "thing", -1, "", -1) for key in units]
        write_csv(results / name / "descriptions.csv", header, rows)
        exemplars = results / name / "exemplars/exemplars.safetensors"
        facts = ReportNetwork(name=name, dataset="probe")
        descriptions = results / name / "descriptions.csv"
        networks.append(NetworkFiles(facts, exemplars, probe, descriptions))
    run = ReportRun(networks=[network.facts for network in networks])
    build_report(run, ReportFiles(networks), tmp_path)
    html = (tmp_path / "banded.html").read_text()
    assert html.count('<figure class="bands">') == 2, "the third unit's layer has none"
    pictures = re.findall(r'src="([^"]*-bands\.webp)"', html)
    assert pictures == ["banded/conv.1/0-bands.webp", "banded/conv.1/1-bands.webp"]
    assert all((tmp_path / path).is_file() for path in pictures)
    assert "<span>0–33 %</span> 3.25 to 2</li>" in html
    plain = (tmp_path / "plain.html").read_text()
    assert "bands" not in plain
    assert not list((tmp_path / "plain").rglob("*-bands.webp"))
