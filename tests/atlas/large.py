"""Measure an atlas of 20,160 units: time, memory and bytes of the build, and the page in Chromium.

    PYTHONPATH=. python -m tests.atlas.large FOLDER    # FOLDER is made; prints the figures

Networks of this size are out of reach of the tests' machines, so the run is made up
(`tests.atlas.made`): 15 exemplars a unit of 8,000 images of 112 pixels, as rough as photographs.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.atlas.pictures import METHOD, QUALITY
from milan_core.exemplars import sheets
from milan_core.exemplars.store import load_exemplars
from milan_core.images.store import open_dataset
from tests.atlas.browser import Browser, Page
from tests.atlas.made import MadeRun

UNITS, IMAGES, SIDE = 20160, 8000, 112
OPENED = 3  # times; the fastest counts, since other processes share the machine of the tests
SAMPLED = 60  # units whose sheets are drawn to estimate the bytes of all
BUILD = """
import json, resource, sys
from milan_core.cli import main
code = main(["atlas", "build", sys.argv[1], "-o", sys.argv[2]])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "memory_mb": used.ru_maxrss / 1024}))
sys.exit(code)
"""


def build(root: Path, units: int = UNITS, images: int = IMAGES) -> dict[str, float]:
    """Make the run and its atlas below `root`; returns seconds, megabytes and bytes."""
    size = {"units": units, "images": images, "side": SIDE}
    made = MadeRun(root, networks=("wide",), layers=6, rough=True, **size)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(made.results), str(root / "atlas")],
        capture_output=True,
        text=True,
        check=True,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    files = [path for path in (root / "atlas").rglob("*") if path.is_file()]
    return {
        "wall_s": time.monotonic() - started,
        **figures,
        "atlas_bytes": sum(path.stat().st_size for path in files),
        "sheets_bytes": sheets_bytes(made, units),
        "files": len(files),
    }


def sheets_bytes(made: MadeRun, units: int) -> float:
    """Bytes that a sheet for every unit would take, dimmed outside its masks.

    Size and quality of the images are those of the atlas.
    """
    from PIL import Image

    exemplars = load_exemplars(made.results / "wide/exemplars/exemplars.safetensors")
    images = open_dataset(made.datasets / "probe").images
    sizes = []
    for place in np.linspace(0, units - 1, SAMPLED).astype(int).tolist():
        layer, unit = made.every_unit()[place]
        tiles = images[exemplars.ids(layer)[unit]]
        masks = exemplars.masks(layer, SIDE, units=[unit])[0]
        picture = Image.fromarray(sheets.sheet(sheets.draw_masks(tiles, masks))[..., :3])
        buffer = io.BytesIO()
        picture.save(buffer, format="WEBP", quality=QUALITY, method=METHOD)
        sizes.append(buffer.tell())
    return float(np.mean(sizes)) * units


def view(atlas: Path, browser: Browser) -> dict[str, Any]:
    """The first view, a list of all units and its filters, as Chromium shows them."""
    first_s = float("inf")
    for _ in range(OPENED):
        started = time.monotonic()
        page = browser.open(atlas / "index.html")
        page.wait("document.querySelectorAll('.card canvas').length > 0")
        first_s = min(first_s, time.monotonic() - started)
    inside = atlas.resolve().as_uri() + "/"
    names = {url.removeprefix(inside) for url in page.requests if url.startswith(inside)}
    first_bytes = sum((atlas / name.partition("?")[0]).stat().st_size for name in names)
    started = time.monotonic()
    page.to("#/wide")
    page.wait("document.querySelectorAll('.found .card').length > 6")
    list_s = time.monotonic() - started
    started = time.monotonic()
    page.wait(f"document.querySelector('#number').value.replace(/\\D/g, '') === '{UNITS}'")
    whole_s = time.monotonic() - started
    nodes = page.count("*")
    page.value("window.scrollTo(0, document.documentElement.scrollHeight / 2)")
    time.sleep(0.5)
    nodes = max(nodes, page.count("*"))
    took = {name: filtered(page, query) for name, query in FILTERS.items()}
    outside = [url for url in page.requests if not url.startswith((inside, "blob:", "data:"))]
    mistakes = page.mistakes
    page.close()
    return {
        "first_s": first_s,
        "first_bytes": first_bytes,
        "list_s": list_s,
        "whole_s": whole_s,
        "filters_ms": took,
        "nodes": nodes,
        "outside": outside,
        "mistakes": mistakes,
    }


FILTERS = {
    "layer": "layer=conv.3",
    "status": "show=reliable",
    "score": "least=0.5",
    "sort": "sort=corr",
    "all": "layer=conv.2&show=described&least=0.3&sort=corr-",
    "search": "q=red%20umbrela",
}


def filtered(page: Page, query: str) -> float:
    """Milliseconds from a change of the filters to the drawn cards, the best of five."""
    took = []
    for _ in range(5):
        page.to(f"#/wide?{query}")
        page.wait("document.querySelectorAll('.found .card').length > 6")
        time.sleep(0.2)
        took.append(float(page.value("Number(document.querySelector('.window').dataset.took)")))
        page.to("#/")
    return min(took)


def main() -> None:
    """Print every figure as JSON."""
    root = Path(sys.argv[1])
    figures: dict[str, Any] = build(root)
    print(json.dumps(figures), flush=True)
    with Browser() as browser:
        print(json.dumps(view(root / "atlas", browser), indent=1))


if __name__ == "__main__":
    main()
