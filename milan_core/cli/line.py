"""The whole line for one network of the user's: mine, encode, describe, browse."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from milan_core.cli.decoding import captioner_files, decoding_options, find_captioner
from milan_core.cli.own_network import entry_file, network_spec


def describe_model(arguments: argparse.Namespace) -> None:
    """Run the line: descriptions.csv, beams, exemplars and report/index.html in --out."""
    from milan_core.core import provenance
    from milan_core.core.lock import folder_lock

    path = find_captioner(arguments.captioner)
    out: Path = arguments.out
    options = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in vars(arguments).items()
        if key not in ("run", "log")
    }
    inputs = [*captioner_files(path), *filter(None, [entry_file(arguments.model)])]
    with folder_lock(out), provenance.step("describe_run", out, inputs=inputs, options=options):
        _run(arguments, path, out)


def _run(arguments: argparse.Namespace, path: Path, out: Path) -> None:
    from milan_core.core.step import Compute
    from milan_core.describers.describer import Resources
    from milan_core.describers.driver import describe, write_beams, write_descriptions
    from milan_core.describers.milan import Milan
    from milan_core.describers.options import MilanOptions
    from milan_core.describers.sources import ExemplarUnits
    from milan_core.exemplars.mine import mine
    from milan_core.images.kinds.folder import Folder, FolderOptions
    from milan_core.networks.catalog import extended
    from milan_core.networks.zoo import load_network

    compute = Compute(device=arguments.device, threads=arguments.threads)
    resources = Resources(path, arguments.encoder_weights, compute)
    describer = Milan.load(MilanOptions(decoding=decoding_options(arguments)), resources)
    describer.prepare(ExemplarUnits.offers)
    entry = extended(network_spec(arguments))
    loaded = load_network(entry)
    size = loaded.input.size or 224
    images = Folder(options=FolderOptions(path=str(arguments.images), size=size))
    dataset = images.build("images", out / "dataset", {}, arguments.threads)
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
        batch_size=int(entry.get("batch_size", 64)),
        dtype=str(entry.get("dtype", "float32")),
        compiled=bool(entry.get("compile", False)),
        threads=arguments.threads,
        require_k=True,
        progress=sys.stderr.isatty(),
        name=arguments.model,
    )
    found.save(out / "exemplars.safetensors")
    said = describe(describer, ExemplarUnits(found, dataset.images))
    write_descriptions(out / "descriptions.csv", said, describer.form)
    write_beams(out / "beams.safetensors", said)
    _page(arguments, out)


def _page(arguments: argparse.Namespace, out: Path) -> None:
    from milan_core.report.files import NetworkFiles, ReportFiles
    from milan_core.report.options import ReportNetwork, ReportRun
    from milan_core.report.pages import build_report

    factory = arguments.model.removeprefix("@")
    name = Path(factory.rpartition(":")[0] or factory).stem
    network = ReportNetwork(name=name, dataset="dataset")
    run = ReportRun(
        title=f"Units of {name}",
        notice=f"Captioner {arguments.captioner}; there are no references to score against.",
        networks=[network],
    )
    files = NetworkFiles(
        network,
        exemplars=out / "exemplars.safetensors",
        dataset=out / "dataset",
        descriptions=out / "descriptions.csv",
    )
    build_report(run, ReportFiles([files]), out / "report")
    print(f"descriptions: {out / 'descriptions.csv'}\npage: {out / 'report/index.html'}")
