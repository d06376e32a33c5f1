"""From a source of units to their descriptions, for one command of the user's."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from milan_core.annotations.images import SetImages
from milan_core.annotations.released import open_set
from milan_core.atlas.build import AtlasFiles, Heading, build_atlas
from milan_core.atlas.found import described_folder
from milan_core.captioner.features.store import load_features
from milan_core.cli.choosing import (
    Chosen,
    asked_for,
    captioner_at_hand,
    check_auto,
    chosen_for,
    described_by,
    judge_at_hand,
    judge_files,
    within_domain,
)
from milan_core.cli.common import recorded_flags
from milan_core.cli.decoding import captioner_files
from milan_core.cli.mine import image_facts, mine_own, open_own, own_images
from milan_core.cli.outcome import outcome
from milan_core.cli.own_network import (
    display_name,
    entry_file,
    network_facts,
    own_network,
    require_layers,
)
from milan_core.cli.reliability import assessed, check_reliability, holds_out
from milan_core.core.folders import new_folder
from milan_core.core.identity import step_code
from milan_core.core.recording import recorded_command
from milan_core.core.records import NAME
from milan_core.core.step import Compute
from milan_core.describers.abstention.tables import counts_of
from milan_core.describers.activations import NetworkUnits
from milan_core.describers.choice import AUTO, CAPTIONER
from milan_core.describers.concept_sources import concept_masks
from milan_core.describers.concepts import ConceptMasks
from milan_core.describers.describer import Cell, Describer
from milan_core.describers.driver import describe, write_all
from milan_core.describers.label_options import ConceptsOptions
from milan_core.describers.options import MilanOptions
from milan_core.describers.sources import ExemplarUnits, FeatureUnits, SetUnits
from milan_core.describers.units import Units
from milan_core.exemplars.options import Pool
from milan_core.exemplars.status import status_counts, status_sentence
from milan_core.networks.zoo import load_network


def describe_source(arguments: argparse.Namespace) -> None:
    """Describe the units that the flags name; the folder --out appears when all is written."""
    check_auto(arguments)
    name = arguments.describer
    if name == AUTO and not arguments.model:
        name = CAPTIONER  # a set or features bring no images that a describer could be chosen by
    chosen = None if name == AUTO else asked_for(arguments, name)
    settings = recorded_flags(arguments)
    inputs = list(_inputs(arguments, chosen))
    code = step_code("describers.driver:describe", *described_by(name))
    with (
        new_folder(arguments.out) as out,
        recorded_command(
            "describe", out / NAME, inputs=inputs, options=settings, code=code
        ) as record,
    ):
        chosen, units = _ready(arguments, chosen, out, record)
        _record_choice(chosen, record)
        said = describe(chosen.describer, units)
        beside: dict[str, Sequence[Cell]] = dict(chosen.describer.columns())
        if chosen.beside:
            beside["domain"] = [chosen.beside] * len(said.keys)
        found = assessed(arguments, chosen.describer, chosen.resources, units)
        if found is not None:
            beside |= found.columns(said.keys, said.statuses)
            record["reliable"] = counts_of(found.decisions)
        written = write_all(out, said, chosen.describer.form, beside)
        written += chosen.describer.save(out)
        record["units"], record["status"] = len(said.keys), status_counts(said.statuses)
        if isinstance(units, SetUnits) and units.table is not None:
            record["fingerprint"] = units.table.meta["dataset"]
            if arguments.keep_features:
                units.table.save(out / "features.safetensors")
        written += found.save(out) if found else []
        if isinstance(units, ExemplarUnits):
            _atlas(arguments, chosen, out)
            written.append("atlas/index.html")
    for name in written:
        print(arguments.out / name)
    print(outcome(said, record.get("reliable")))
    if sentence := status_sentence(list(filter(None, said.statuses)), len(said.keys)):
        print(sentence)


def _record_choice(chosen: Chosen, record: dict[str, Any]) -> None:
    record["describer"] = chosen.options.model_dump(mode="json")
    if isinstance(chosen.resources.captioner, Path):
        record["captioner"] = str(chosen.resources.captioner)
    if chosen.resources.judge is not None:
        record["judge"] = str(chosen.resources.judge)
    if chosen.choice is not None:
        record["choice"] = {"describer": chosen.name, "why": chosen.choice.why}
        if chosen.choice.check is not None:
            record["domain"] = {
                **dataclasses.asdict(chosen.choice.check),
                "verdict": chosen.choice.check.verdict,
            }


def _inputs(arguments: argparse.Namespace, chosen: Chosen | None) -> Iterator[Path]:
    """Files that the record names; of `auto` the captioner and the judge that it looks at."""
    captioner = chosen.resources.captioner if chosen else captioner_at_hand(arguments)
    if isinstance(captioner, Path):
        yield from captioner_files(captioner)
    if chosen:
        judge = chosen.resources.judge
    else:
        judge, _ = judge_at_hand(arguments, captioner if isinstance(captioner, Path) else None)
    yield from judge_files(judge)
    if arguments.model and (entry := entry_file(arguments.model)):
        yield entry
    if arguments.features:
        yield arguments.features


def _ready(
    arguments: argparse.Namespace, chosen: Chosen | None, out: Path, record: dict[str, Any]
) -> tuple[Chosen, Units]:
    """The describer, chosen by the images where `auto` is to choose, and the units."""
    if chosen is not None and (arguments.features or arguments.set):
        check_reliability(arguments, chosen.describer)
    if chosen is not None and arguments.features:
        return chosen, FeatureUnits(load_features(arguments.features), arguments.features)
    if chosen is not None and arguments.set:
        chosen.describer.prepare(SetUnits.offers)
        return chosen, _set_units(arguments, out)
    if chosen is not None and "activations" in chosen.options.needs:
        units = _network_units(arguments, chosen.describer, chosen.resources.compute, out, record)
        return chosen, units
    if chosen is not None:
        _prepare(arguments, chosen)
    opened = open_own(arguments, out)
    if chosen is not None:
        chosen = within_domain(arguments, chosen, opened.images)
    else:
        chosen = chosen_for(arguments, opened.images)
        _prepare(arguments, chosen)
    heldout = holds_out(chosen.describer, opened.images)
    exemplars = mine_own(arguments, opened, out, _pools(chosen), heldout=heldout)
    record["network"] = network_facts(opened.network)
    record["images"], record["probe"] = image_facts(opened.images), exemplars.probe
    return chosen, ExemplarUnits(exemplars, opened.images.images)


def _prepare(arguments: argparse.Namespace, chosen: Chosen) -> None:
    check_reliability(arguments, chosen.describer)
    mined = chosen.options.needs & {"maxima", "means"}
    chosen.describer.prepare(ExemplarUnits.offers | mined)


def _pools(chosen: Chosen) -> tuple[Pool, ...]:
    """Pooled values of every image that mining keeps for the describer."""
    needed: dict[Pool, bool] = {
        "max": "maxima" in chosen.options.needs,
        "mean": "means" in chosen.options.needs,
    }
    return tuple(pool for pool, wanted in needed.items() if wanted)


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


def _atlas(arguments: argparse.Namespace, chosen: Chosen, out: Path) -> None:
    """Write the atlas of the units into `out`, beside their tables."""
    described = f"Describer {chosen.name}"
    if chosen.name == MilanOptions.describer_name():
        described = f"Captioner {arguments.captioner}"
    if chosen.choice is not None and arguments.describer == AUTO:
        described = f"Describer {chosen.name}, chosen by auto: {chosen.choice.why}"
    elif chosen.choice is not None:
        described = f"{described}: {chosen.choice.why}"
    name = display_name(arguments.model)
    heading = Heading(
        title=f"Units of {name}",
        notice=f"{described}; there are no references to score against.",
    )
    decoding = getattr(chosen.options, "decoding", None)
    network = dataclasses.replace(
        described_folder(out, name), **({"weight": decoding.temperature} if decoding else {})
    )
    build_atlas(AtlasFiles([network]), out / "atlas", heading)
