"""The whole line for one network of the user's: mine, encode, describe, browse."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from milan_core.errors import UserError

TRAINED = Path("results/captioners/all")


def find_captioner(choice: str) -> Path:
    """The captioner of `--captioner`; `auto` takes the one that a run trained here.

    Published captioners load, but their encoders are not built in yet, so `auto` cannot use them.
    """
    if choice != "auto":
        return Path(choice)
    trained = sorted(TRAINED.glob("seed*/config.json"))
    if trained:
        return trained[0].parent
    message = (
        f"no captioner here: no {TRAINED}/seed*; run `make run` in this folder to train one, or "
        "give --captioner PATH"
    )
    raise UserError(message)


def describe_model(arguments: argparse.Namespace) -> None:
    """Run the line and write descriptions.csv, exemplars.safetensors and index.html to --out."""
    from milan_core.runtime import provenance
    from milan_core.runtime.lock import folder_lock

    path = find_captioner(arguments.captioner)
    out: Path = arguments.out
    options = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in vars(arguments).items()
        if key not in ("run", "log")
    }
    with folder_lock(out), provenance.step("describe_run", out, inputs=[path], options=options):
        _run(arguments, path, out)


def _run(arguments: argparse.Namespace, path: Path, out: Path) -> None:
    from milan_core.data.build import build_dataset
    from milan_core.describe.checkpoint import load_captioner
    from milan_core.describe.encoding import describe_exemplars, encoder_of
    from milan_core.describe.stage import COLUMNS
    from milan_core.exemplars.mine import mine
    from milan_core.models.zoo import load_model
    from milan_core.runtime.files import write_csv

    captioner = load_captioner(path).to(arguments.device)
    encoder_of(captioner, arguments.device)  # a wrong encoder is said before the long work
    spec = {"kind": "folder", "path": str(arguments.images), "size": arguments.size}
    loaded = load_model(_model_spec(arguments))
    dataset = build_dataset("images", spec, {}, out / "dataset", 0)
    found = mine(
        loaded.module,
        dataset,
        loaded.layers,
        k=arguments.k,
        quantile=arguments.quantile,
        device=arguments.device,
        input=loaded.input,
        post_relu=loaded.post_relu,
        layout=loaded.layout,
        threads=arguments.threads,
        require_k=True,
        progress=sys.stderr.isatty(),
        name=arguments.model,
    )
    found.save(out / "exemplars.safetensors")
    rows = describe_exemplars(captioner, found, dataset.images, device=arguments.device)
    write_csv(out / "descriptions.csv", COLUMNS, [tuple(row.values()) for row in rows])
    _page(arguments, out)


def _model_spec(arguments: argparse.Namespace) -> dict[str, Any]:
    weights = (
        {"source": "file", "path": arguments.weights}
        if arguments.weights
        else {"source": "factory"}
    )
    view = {"size": arguments.size, "mean": arguments.mean, "std": arguments.std}
    return {
        "factory": arguments.model,
        "weights": weights,
        "input": view,
        "layers": list(arguments.layers),
    }


def _page(arguments: argparse.Namespace, out: Path) -> None:
    from milan_core.report.pages import build_report

    name = Path(arguments.model.rpartition(":")[0]).stem
    model = {
        "exemplars": out / "exemplars.safetensors",
        "dataset": out / "dataset",
        "descriptions": out / "descriptions.csv",
        "annotations": None,
        "truth": None,
        "accuracy": None,
        "factory": arguments.model,
        "is_encoder": False,
    }
    run = {
        "title": f"Units of {name}",
        "notice": f"Captioner {arguments.captioner}; there are no references to score against.",
        "lambda": 0.2,
        "models": {name: model},
        "tables": dict.fromkeys(("generalization", "baselines", "lambda")),
        "figures": dict.fromkeys(("accuracy", "lambda")),
        "provenance": [],
        "assets": [],
    }
    build_report(run, out / "report")
    print(f"descriptions: {out / 'descriptions.csv'}\npage: {out / 'report/index.html'}")
