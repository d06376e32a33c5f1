"""The whole line for one network of the user's: mine, encode, describe, browse."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from milan_core.config.networks import network_names
from milan_core.errors import UserError

RELEASED = Path("resources/released")
TRAINED = Path("results/captioners/all")


def find_captioner(choice: str) -> Path:
    """The captioner of `--captioner`.

    `auto` takes published weights that were placed here (milan-base first, a converted folder
    before a .pth file), else the captioner that a run trained here.
    """
    if choice != "auto":
        return Path(choice)
    folders = [path.parent for path in RELEASED.glob("milan-*/config.json")]
    for found in (folders, list(RELEASED.glob("milan-*.pth"))):
        if found:
            return min(found, key=lambda path: (path.stem != "milan-base", path.name))
    trained = sorted(TRAINED.glob("seed*/config.json"))
    if trained:
        return trained[0].parent
    message = (
        f"no captioner here: neither {RELEASED}/milan-*.pth nor {TRAINED}/seed*; place published "
        "weights there, run `make run` in this folder to train one, or give --captioner PATH"
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
    from milan_core.models.zoo import load_network
    from milan_core.runtime.files import write_csv

    captioner = load_captioner(path).to(arguments.device)
    # A wrong encoder is said before the long work.
    encoder = encoder_of(captioner, arguments.device, arguments.encoder_weights)
    spec = {"kind": "folder", "path": str(arguments.images), "size": arguments.size}
    loaded = load_network(_model_spec(arguments))
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
    options = {"legacy": True} if arguments.legacy else {}
    rows = describe_exemplars(captioner, found, dataset.images, options=options, encoder=encoder)
    write_csv(out / "descriptions.csv", COLUMNS, [tuple(row.values()) for row in rows])
    _page(arguments, out)


def _model_spec(arguments: argparse.Namespace) -> dict[str, Any]:
    weights = (
        {"source": "file", "path": arguments.weights}
        if arguments.weights
        else {"source": "factory"}
    )
    if arguments.model in network_names():
        own = {"weights": {"path": arguments.weights, "sha256": None}} if arguments.weights else {}
        return {"extends": arguments.model, "layers": list(arguments.layers), **own}
    view = {"size": arguments.size, "mean": arguments.mean, "std": arguments.std}
    return {
        "factory": arguments.model,
        "weights": weights,
        "input": view,
        "layers": list(arguments.layers),
    }


def _page(arguments: argparse.Namespace, out: Path) -> None:
    from milan_core.report.pages import build_report

    name = Path(arguments.model.rpartition(":")[0] or arguments.model).stem
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
