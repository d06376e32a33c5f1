"""The audit's figure and totals where pairs differ in layers and in what is known of them."""

import re

import pytest

from milan_core.experiments.audit import tables
from milan_core.experiments.audit.figure import change_figure
from milan_core.experiments.audit.options import AuditedNetwork, AuditOptions, Pair

LAYERS = {
    "a": {"one": 4, "two": 6}, "b": {"one": 4, "two": 6}, "c": {"other": 20},
}  # fmt: skip
PAIRS = [Pair(name=f"p{x}", original=x, changed=f"{x}_twin") for x in LAYERS]


def changes():
    layers = LAYERS | {f"{name}_twin": found for name, found in LAYERS.items()}
    found = {}
    for model, own in layers.items():
        layer = next(iter(own))
        units = [(layer, unit) for unit in range(1 if model.endswith("twin") else 3)]
        found[model, "faces", tables.DESCRIPTION] = units
        found[model, "hands", tables.DESCRIPTION] = []
        if model.startswith("a"):
            found[model, "faces", tables.TRUTH] = units
    groups = {
        model: {(layer, unit): unit for layer, count in own.items() for unit in range(count)}
        for model, own in layers.items()
    }
    rows = tables.change_rows(found, groups, PAIRS)
    return [dict(zip(tables.CHANGES, map(str, row), strict=True)) for row in rows]


@pytest.mark.parametrize("cell", ["1e999", "nan", "-inf"])
def test_counts_that_cannot_be_drawn_are_refused(cell):
    options = AuditOptions(
        pairs=PAIRS,
        networks=[AuditedNetwork(name=name, dataset="probe") for name in LAYERS],
        queries={"faces": {"words": ["faces"]}},
    )
    rows = [{**row, "changed": cell} for row in changes()]
    with pytest.raises(ValueError, match=f"no finite number: '{cell}'"):
        change_figure(rows, options)


def test_means_over_pairs_are_of_shared_layers_and_of_mean_sizes():
    rows = {
        (row["query"], row["source"], row["layer"]): row
        for row in changes()
        if row["pair"] == tables.ALL
    }
    whole = rows["faces", tables.DESCRIPTION, tables.ALL]
    assert (whole["original"], whole["changed"]) == ("3.0", "1.0")
    assert float(whole["units"]) == 40 / 3
    assert not [key for key in rows if key[1] == tables.DESCRIPTION and key[2] != tables.ALL]


def test_every_query_has_its_panels_and_unknown_sources_no_line():
    queries = {name: {"words": [name]} for name in ("faces", "hands")}
    networks = [AuditedNetwork(name=name, dataset="probe") for name in LAYERS]
    options = AuditOptions(pairs=PAIRS, networks=networks, queries=queries)
    svg = change_figure(changes(), options)
    said = re.findall(r">([^<>]+)</text>", svg)
    assert "units that answer 'faces'" in said
    assert "units that answer 'hands'" in said
    assert said.count("pa, truth") == 1
    assert "pb, truth" not in said
    assert said.count("pc, description") == 2
    assert any(text.endswith("2 of 3 pairs") for text in said)
