"""YAML and JSON files."""

from __future__ import annotations

import json
from pathlib import Path

from faults.readers.declare import reader, write

CONFIG = """models: [a]
corpus: [a, b]
dataset_zoo:
  d: {kind: shapes, options: {count: 10, label: object}, seed: 3}
model_zoo:
  a:
    factory: milan_core.networks.minis.cnn:resnet_mini
    kwargs: {classes: 12, widths: [12, 16, 24]}
    weights: {source: train, dataset: d, tests: [d], epochs: 1}
    input: {size: 64, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}
    layers: ["blocks.*"]
    dataset: d
  b: {extends: a}
encoder: {model: a, layers: [blocks.1]}
exemplars: {k: 15, quantile: 0.99, shards: 2}
generalization: {seeds: [0], bootstrap: 100}
"""


@reader(write(c__yaml=CONFIG), c__yaml="yaml")
def configuration(folder: Path) -> object:
    from milan_core.cli.config import load
    from milan_core.plan.checks import parse_config

    return parse_config(load([folder / "c.yaml"]))


ENTRY = (
    "net:\n  factory: torchvision.models:resnet18\n  kwargs: {num_classes: 3}\n  layers: [layer1]\n"
)


@reader(write(e__yaml=ENTRY), e__yaml="yaml")
def network_entry(folder: Path) -> object:
    from milan_core.cli.own_network import _read_entry

    return _read_entry(folder / "e.yaml")


QUESTIONS = """title: a
description: b
keywords: [x]
questions:
  - text: Which?
    answers: [{text: a, correct: true}, {text: b}]
"""


@reader(write(q__yaml=QUESTIONS), q__yaml="yaml")
def qualification(folder: Path) -> object:
    from milan_core.annotations.crowd.qualification import (
        answer_key,
        question_form,
        read_qualification,
    )

    test = read_qualification(folder / "q.yaml")
    return question_form(test), answer_key(test)


@reader(write(r__yaml="w1: [a dog, cats]\nw2: {x: y, z: null}\n"), r__yaml="yaml")
def worker_rules(folder: Path) -> object:
    from milan_core.annotations.crowd.cleaning import read_worker_rules

    return read_worker_rules(folder / "r.yaml")


@reader(write(r__yaml="a: b\n"), r__yaml="yaml")
def yaml_file(folder: Path) -> object:
    from milan_core.core.yaml_files import load_yaml

    return load_yaml(folder / "r.yaml")


def make_records(folder: Path) -> None:
    from milan_core.core.recording import write_record

    (folder / "a.csv").write_text("x\n1\n")
    write_record(
        folder / "provenance.json", "toy", {}, [folder / "a.csv"], {"k": 1}, "c0", {"n": 1}
    )


@reader(make_records, provenance__json="json")
def records(folder: Path) -> object:
    from milan_core.core.records import check_inputs, find_record, lost_files, verify

    lost_files(folder)
    verify(folder)
    find_record(folder / "a.csv")
    return check_inputs([folder, folder / "a.csv"])


@reader(write(**{"_x__json": '[{"wall": 3.5, "cpu": 2.0}]'}), **{"_x__json": "json"})
def attempts(folder: Path) -> object:
    from milan_core.core.attempts import Attempts

    with Attempts(folder / "_x.json") as notes:
        return notes.summary()


def make_section(folder: Path) -> None:
    from milan_core.core.section import Column, Link, Picture, Section, Table, write_section

    (folder / "t.csv").write_text("a,b,l,h\n1,x,0,2\n")
    (folder / "p.svg").write_text("<svg/>")
    columns = [Column("a", "A", "number", 1, "l", "h"), Column("b", "B")]
    items = [Table("t.csv", "T", columns), Picture("p.svg", "P"), Link("t.csv", "L")]
    write_section(folder / "section.json", Section("s", "S", 3, ["p"], items))


@reader(make_section, section__json="json", t__csv="csv")
def section(folder: Path) -> object:
    from milan_core.core.section import read_section

    return read_section(folder / "section.json")


EDIT = {
    "format": 2, "model": "m", "group": "", "before": {
        s: {"value": 0.5, "low": 0.4, "high": 0.6}
        for s in ("test-clean", "test-correct", "test-adversarial")
    }, "conditions": {}, "text_less": {},
}  # fmt: skip


@reader(write(r__json=json.dumps(EDIT)), r__json="json")
def editing_result(folder: Path) -> object:
    from milan_core.experiments.edit.tables import read_result, summarize, summary_rows

    result = read_result(folder / "r.json")
    return summarize([result]), summary_rows([result])


@reader(write(o__json='{"k": 15, "quantile": 0.99, "mode": "top", "bands": 3}'), o__json="json")
def step_options(folder: Path) -> object:
    from milan_core.cli.step import _value
    from milan_core.core.step import find_step, step_fields

    for field in step_fields(find_step("exemplars.scan")):
        if field.role == "option" and field.name == "options":
            return _value(field, f"@{folder / 'o.json'}")
    return None


@reader(write(o__json='{"a": [1, 2.5, "x"]}'), o__json="json")
def command_line_json(folder: Path) -> object:
    import argparse

    from milan_core.cli.common import json_value

    try:
        return json_value(f"@{folder / 'o.json'}")
    except argparse.ArgumentTypeError:
        return None


@reader(
    write(alpha__json='{"format": "milan-alpha", "version": 1, "alpha": 0.05, "lifts": []}'),
    alpha__json="json",
)
def chosen_alpha(folder: Path) -> object:
    """The alpha that a run chose."""
    from milan_core.referee.alpha import read_alpha

    return read_alpha(folder / "alpha.json")
