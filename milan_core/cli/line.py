"""From a source of units to their descriptions, for one command of the user's."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from milan_core.annotations.images import SetImages
from milan_core.annotations.released import open_set
from milan_core.captioner.features.store import load_features
from milan_core.cli.decoding import captioner_files, decoding_options, find_captioner
from milan_core.cli.mine import image_facts, mine_own, own_images
from milan_core.cli.own_network import (
    display_name,
    entry_file,
    network_facts,
    own_network,
    require_layers,
)
from milan_core.core.errors import UserError
from milan_core.core.folders import new_folder
from milan_core.core.identity import step_code
from milan_core.core.records import NAME, recorded_command
from milan_core.core.step import Compute
from milan_core.describers.activations import NetworkUnits
from milan_core.describers.concept_sources import concept_masks
from milan_core.describers.concepts import ConceptMasks
from milan_core.describers.describer import Describer, Resources
from milan_core.describers.driver import describe, write_all
from milan_core.describers.options import ConceptsOptions, DescriberOptions, MilanOptions
from milan_core.describers.registry import describer_options, find_describer
from milan_core.describers.sources import ExemplarUnits, FeatureUnits, SetUnits
from milan_core.describers.units import Units
from milan_core.exemplars.status import status_counts, status_sentence
from milan_core.networks.zoo import load_network
from milan_core.report.files import NetworkFiles, ReportFiles
from milan_core.report.options import ReportNetwork, ReportRun
from milan_core.report.pages import build_report


def describe_source(arguments: argparse.Namespace) -> None:
    """Describe the units that the flags name; the folder --out appears when all is written."""
    options = _options(arguments)
    resources = _resources(arguments, options)
    settings = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in vars(arguments).items()
        if key not in ("run", "log")
    }
    inputs = list(_inputs(arguments, resources))
    code = step_code("describers.driver:describe", *_described_by(arguments.describer))
    with (
        new_folder(arguments.out) as out,
        recorded_command(
            "describe", out / NAME, inputs=inputs, options=settings, code=code
        ) as record,
    ):
        describer = find_describer(arguments.describer).load(options, resources)
        record["describer"] = options.model_dump(mode="json")
        if isinstance(resources.captioner, Path):
            record["captioner"] = str(resources.captioner)
        units = _units(arguments, describer, resources.compute, out, record)
        said = describe(describer, units)
        written = write_all(out, said, describer.form)
        record["units"], record["status"] = len(said.keys), status_counts(said.statuses)
        if isinstance(units, SetUnits) and units.table is not None:
            record["fingerprint"] = units.table.meta["dataset"]
            if arguments.keep_features:
                units.table.save(out / "features.safetensors")
        if isinstance(units, ExemplarUnits):
            _page(arguments, out)
            written.append("report/index.html")
    for name in written:
        print(arguments.out / name)
    if sentence := status_sentence(list(filter(None, said.statuses)), len(said.keys)):
        print(sentence)


def _options(arguments: argparse.Namespace) -> DescriberOptions:
    """The options of the describer; flags of decoding are laid over those of milan."""
    given = arguments.options
    if arguments.describer == MilanOptions.describer_name():
        decoding = decoding_options(arguments, given.get("decoding"))
        given = {**given, "decoding": decoding.model_dump(exclude_unset=True)}
    elif decoding_options(arguments).model_fields_set:
        raise UserError(
            "flags of decoding are for describer milan; give the options of "
            f"{arguments.describer!r} with --options"
        )
    return describer_options(arguments.describer, given)


def _resources(arguments: argparse.Namespace, options: DescriberOptions) -> Resources:
    compute = Compute(device=arguments.device, threads=arguments.threads)
    needed = options.reads_captioner or arguments.captioner != "auto"
    captioner = find_captioner(arguments.captioner) if needed else ()
    return Resources(captioner, arguments.encoder_weights, trust=arguments.trust, compute=compute)


def _inputs(arguments: argparse.Namespace, resources: Resources) -> Iterator[Path]:
    """Files that the record names."""
    if isinstance(resources.captioner, Path):
        yield from captioner_files(resources.captioner)
    if arguments.model and (entry := entry_file(arguments.model)):
        yield entry
    if arguments.features:
        yield arguments.features


def _described_by(describer: str) -> list[str]:
    """The describer's module as a root of the code; none for one of another package."""
    return [] if ":" in describer else [f"describers.{describer}"]


def _units(
    arguments: argparse.Namespace,
    describer: Describer,
    compute: Compute,
    out: Path,
    record: dict[str, Any],
) -> Units:
    if arguments.features:
        return FeatureUnits(load_features(arguments.features), arguments.features)
    if arguments.set:
        describer.prepare(SetUnits.offers)
        return _set_units(arguments, out)
    if "activations" in describer.Options.needs:
        return _network_units(arguments, describer, compute, out, record)
    table = "maxima" in describer.Options.needs
    describer.prepare(ExemplarUnits.offers | ({"maxima"} if table else set()))
    exemplars, dataset, network = mine_own(arguments, out, table=table)
    record["network"], record["images"] = network_facts(network), image_facts(dataset)
    record["probe"] = exemplars.probe
    return ExemplarUnits(exemplars, dataset.images)


def _set_units(arguments: argparse.Namespace, out: Path) -> SetUnits:
    annotations = open_set(arguments.set, arguments.count or None)
    images = SetImages(
        *(annotations, arguments.images, arguments.transform),
        expected=arguments.expect or None,
        threads=arguments.threads,
    )
    return SetUnits(annotations, images, every=not arguments.count, scratch=out)


def _network_units(
    arguments: argparse.Namespace,
    describer: Describer,
    compute: Compute,
    out: Path,
    record: dict[str, Any],
) -> NetworkUnits:
    """The units of a network with their activations on all images."""
    network = require_layers(own_network(arguments))
    loaded = load_network(network)
    dataset = own_images(arguments, loaded, out)
    record["network"], record["images"] = network_facts(loaded), image_facts(dataset)
    concepts = None
    if arguments.concepts is not None and arguments.concepts.is_dir():
        source = ConceptsOptions(source="folder", path=str(arguments.concepts))
        concepts = concept_masks(dataset, source)
    elif arguments.concepts is not None:
        concepts = ConceptMasks.load(arguments.concepts)
    return NetworkUnits(
        *(loaded, dataset, concepts, describer.quantiles, out),
        batch_size=network.batch_size,
        compute=compute,
    )


def _page(arguments: argparse.Namespace, out: Path) -> None:
    name = display_name(arguments.model)
    network = ReportNetwork(name=name, dataset="dataset")
    described = f"Describer {arguments.describer}"
    if arguments.describer == MilanOptions.describer_name():
        described = f"Captioner {arguments.captioner}"
    run = ReportRun(
        title=f"Units of {name}",
        notice=f"{described}; there are no references to score against.",
        networks=[network],
    )
    files = NetworkFiles(
        network,
        exemplars=out / "exemplars.safetensors",
        dataset=out / "dataset",
        descriptions=out / "descriptions.csv",
    )
    build_report(run, ReportFiles([files]), out / "report")
