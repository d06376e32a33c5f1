"""Make the small run: every kind of artifact that a step declares, with stand-ins for the rest."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import yaml
from paths import TESTS
from website import Site

from faults import standins
from faults.run import SmallRun, content, execute, plan

CONFIG = ("config/quick.yaml", str(TESTS / "faults/small.yaml"))
TARGETS = (
    "all",
    "variants",
    "resources/small/datasets/shapes_drawn",
    "resources/small/datasets/codes",
    "resources/small/weights/w.pth",
    "results/small/own_set/features/features.safetensors",
    "results/small/own_set/labels/labels.csv",
    "results/small/shapes_resnet/features/parts/1-of-2.safetensors",  # of `encoder.maps: passing`
)


@contextlib.contextmanager
def small_run(folder: Path) -> Iterator[SmallRun]:
    """Make the undisturbed run in a new folder, stand-ins beside it; weights are served meanwhile.

    Its answers of people are written once its questions are known.
    """
    beside, site = folder.with_name(f"{folder.name}-standins"), Site()
    folder.mkdir()
    beside.mkdir()
    more = beside / "more.yaml"
    more.write_text(yaml.safe_dump(standins.make(beside, site)))
    brought = {"MILAN_DOWNLOADS": str(beside / "downloads"), "NO_PROXY": "127.0.0.1"}
    try:
        with patch.dict(os.environ, brought):
            warm()
            jobs, seconds = plan((*CONFIG, str(more)), TARGETS), {}
            for job in jobs:
                if job.name == "audit.recount":
                    standins.answer(beside, folder / "results/small/audit/units.csv")
                begin = time.monotonic()
                outcome = execute(job, folder)
                if outcome.code:
                    raise RuntimeError(f"{job.name}: {outcome.sentence or outcome.log[-2000:]}")
                seconds[job] = time.monotonic() - begin
            yield SmallRun(folder, jobs, seconds, content(folder))
    finally:
        site.close()


def warm() -> None:
    """Load once, before the first fork, what most jobs load: a run costs a third of its time."""
    import matplotlib.figure
    import spacy  # noqa: F401
    import torch
    import transformers  # noqa: F401

    import milan_core.captioner.training.train
    import milan_core.networks.training.train
    import milan_core.report.pages
    import milan_core.scoring.metrics  # noqa: F401
    from milan_core.captioner.vocabulary import tokenize

    torch.set_num_threads(1)
    tokenize("a word")
    matplotlib.figure.Figure().subplots()
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.AdamW([weight])
    torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=2)
    weight.sum().backward()
    optimizer.step()
