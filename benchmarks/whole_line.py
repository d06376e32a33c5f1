"""The whole line over many images: time of each part, peak memory, largest files.

    python -m benchmarks.whole_line --count 50000 --captioner results/captioners/all/seed0 \\
        --weights results/resnet_mini/target/weights.safetensors --folder /scratch/line

Draws `--count` small JPEGs (a part of them is kept between runs), then runs `milan describe` on
them: the folder becomes a data set, `resnet_mini` is mined, the encoder reads the exemplars'
images, the captioner describes. A sampler reads the memory of the process and the size of its
folder every second. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

PER_FOLDER = 1000
SIDE = 64
NETWORK = [
    *("--model", "milan_core.networks.minis.cnn:resnet_mini", "--kwargs", '{"classes": 50}'),
    *("--layers", "blocks.*", "--size", "64"),
    *("--mean", "0.5", "0.5", "0.5", "--std", "0.25", "0.25", "0.25"),
]
BACK, SHAPES = 6, 4  # cells of the background's side, shapes of a picture


def draw(number: int) -> Image.Image:
    """A picture of a smooth background and a few filled shapes; depends on its number alone."""
    rng = np.random.default_rng(number)
    cells = rng.integers(0, 256, (BACK, BACK, 3), dtype=np.uint8)
    picture = Image.fromarray(cells).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for _ in range(SHAPES):
        left, top = (int(x) for x in rng.integers(0, SIDE - 12, 2))
        side = int(rng.integers(8, 28))
        color = tuple(int(x) for x in rng.integers(0, 256, 3))
        shape = pen.ellipse if rng.random() < 0.5 else pen.rectangle
        shape((left, top, left + side, top + side), fill=color)
    return picture


def draw_folder(folder: Path, count: int) -> float:
    """Write the pictures that are missing; returns CPU seconds."""
    start = time.process_time()
    for number in range(count):
        path = folder / f"{number // PER_FOLDER:04d}" / f"{number:07d}.jpg"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draw(number).save(path, quality=85)
    return time.process_time() - start


def resident(pid: int) -> int:
    """Resident bytes of a process without the file pages that it maps; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    values = {line.split(":")[0]: line.split() for line in lines}
    return 1024 * int(values["RssAnon"][1]) if "RssAnon" in values else 0


def sizes(folder: Path) -> dict[str, int]:
    """Bytes on disk of every file below a folder, hidden ones included."""
    found = {}
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                found[str(path.relative_to(folder))] = 512 * path.stat().st_blocks
        except OSError:
            continue
    return found


def watch(words: list[str], folder: Path) -> None:
    """Run a command and print what it took."""
    start = time.monotonic()
    process = subprocess.Popen(words)
    peak, largest = 0, dict[str, int]()
    trace: list[tuple[float, int]] = []
    while process.poll() is None:
        now = resident(process.pid)
        peak = max(peak, now)
        trace.append((time.monotonic() - start, now))
        for name, size in sizes(folder).items():
            # The folder is built under a hidden name: compare files by what follows it.
            key = name.split("/", 1)[-1]
            largest[key] = max(largest.get(key, 0), size)
        time.sleep(1)
    wall = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("| what | measured |\n|---|---|")
    print(f"| exit status | {process.returncode} |")
    print(f"| wall time, s | {wall:.0f} |")
    print(f"| CPU, s | {used.ru_utime + used.ru_stime:.0f} |")
    print(f"| peak memory without mapped files, MiB | {peak / 2**20:.0f} |")
    print(f"| peak resident memory, MiB | {used.ru_maxrss / 1024:.0f} |")
    quarters = [trace[len(trace) * part // 4 : len(trace) * (part + 1) // 4] for part in range(4)]
    peaks = [f"{max((size for _, size in part), default=0) / 2**20:.0f}" for part in quarters]
    print(f"| the same in each quarter of the time, MiB | {', '.join(peaks)} |")
    for name, size in sorted(largest.items(), key=lambda item: -item[1])[:5]:
        print(f"| largest size of {name}, MB | {size / 1e6:.1f} |")


def main() -> None:
    """Draw, describe, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, required=True, help="of pictures and results")
    parser.add_argument("--captioner", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="of resnet_mini")
    parser.add_argument("--encoder-weights", type=Path, help="where the captioner's run is moved")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    pictures = given.folder / f"pictures{given.count}"
    seconds = draw_folder(pictures, given.count)
    print(f"{given.count} pictures drawn in {seconds:.0f} CPU-s", flush=True)
    scratch = given.folder / f"work{given.count}"
    scratch.mkdir(parents=True, exist_ok=True)
    words = [str(Path(sys.executable).with_name("milan")), "describe", *NETWORK]
    words += ["--weights", str(given.weights), "--images", str(pictures)]
    words += ["--describer", "milan", "--force", "--captioner", str(given.captioner)]
    if given.encoder_weights:
        words += ["--encoder-weights", str(given.encoder_weights)]
    words += ["--threads", str(given.threads), "--out", str(scratch / "out")]
    watch(words, scratch)


if __name__ == "__main__":
    main()
