"""Three programmatic annotators, which describe a unit from the ground truth under its masks.

They replace human annotators and are called programmatic in every table. Each sees two thirds of
the exemplars, the visible pixels only, and has one style:

    A  names the most specific object          puppies
    B  color and super-class                   brown dogs and other animals
    C  place, then object                      on grass: dogs

Synonyms, number and word order vary, and one time in eight the second-best concept is taken, so
that they disagree. The words of a unit depend on (seed, network, layer, unit, annotator) only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations

import numpy as np

from milan_core.core.numbers import added
from milan_core.core.seeding import generator
from milan_core.world.concepts import ConceptTable, Evidence
from milan_core.world.phrases import View
from milan_core.world.truth import judge

ANNOTATORS = ("programmatic-A", "programmatic-B", "programmatic-C")
HEADER = ("layer", "unit", "summary", "annotator")
SHOWN = 2 / 3  # share of the exemplars that an annotator sees
LENIENT = (0.4, 0.45)  # coverage and support that suffice to name a concept
SLIP = 0.12  # chance of describing the second-best concept
EDGES = 0.4  # share of masked pixels at borders from which a unit is one of edges
ALONE = 0.9  # coverage for "and nothing else"
MENTION = 0.15  # coverage from which a further thing is mentioned


def _name(view: View) -> str:
    """A: the most specific name, sometimes with the second one."""
    if view.tier == "group":
        members = view.leading("object", 2, MENTION, within=view.target)
        group = view.plural(view.target)
        if len(members) == 2 and view.chance(0.5):
            return f"{group} such as {view.plural(members[0])} and {view.plural(members[1])}"
        return view.pick(group, f"different {group}")
    second = view.verdict.second
    mentionable = second not in (-1, view.target) and view.verdict.coverage[second] >= MENTION
    if mentionable and view.chance(0.5):
        return f"{view.plural(view.target)} and {view.plural(second)}"
    return view.noun(view.target)


def _classify(view: View) -> str:
    """B: color and super-class, mostly with the name."""
    coloured = view.coloured(view.target, view.plural(view.target))
    if view.tier != "object":
        return coloured
    group = view.group()
    if view.chance(0.2):
        return view.coloured(view.target, group)
    return view.pick(f"{coloured} and other {group}", f"{group}, mostly {coloured}")


def _locate(view: View) -> str:
    """C: the place first, where the masks show one."""
    noun, place = view.plural(view.target), view.place()
    if view.tier == "surface":
        on_top = view.leading("object", 1, MENTION)
        if on_top:
            return f"{noun} around {view.plural(on_top[0])}"
        if view.verdict.coverage[view.target] >= ALONE:
            return view.pick(noun, f"{noun} and nothing else")
        return view.pick(noun, f"areas of {noun}")
    if place:
        return view.pick(f"on {place}: {noun}", f"{noun} on {place}", f"{place} with {noun}")
    return view.pick(noun, f"parts of {noun}", f"{noun} up close")


def _name_vague(view: View) -> str:
    if view.edge_share >= EDGES:
        return view.pick("edges of objects", "outlines of things")
    kind = "surface" if view.table.concepts[view.target].name == "background" else "object"
    leading = view.leading(kind, 2, MENTION)
    if len(leading) == 2:
        return f"{view.plural(leading[0])} {view.pick('and', 'or')} {view.plural(leading[1])}"
    if view.verdict.rank == 2:
        return view.pick(f"various {view.plural(view.target)}", view.plural(view.target))
    return view.pick("various objects", "many different things")


def _classify_vague(view: View) -> str:
    noun = view.plural(view.target) if view.verdict.rank == 2 else view.pick("things", "areas")
    if colour := view.colour():
        return f"{colour} {noun}"
    return view.pick(f"{noun} of many colours", f"colourful {noun}")


def _locate_vague(view: View) -> str:
    surfaces = view.leading("surface", 2, MENTION)
    noun = view.plural(view.target) if view.verdict.rank == 2 else "things"
    if view.edge_share >= EDGES:
        return f"edges on {view.plural(surfaces[0])}" if surfaces else "edges"
    if not surfaces:
        return view.pick(f"different {noun}", f"all kinds of {noun}")
    if view.table.concepts[view.target].name == "background" or len(surfaces) == 2:
        return " and ".join(view.plural(surface) for surface in surfaces)
    return f"{noun} on {view.plural(surfaces[0])}"


Style = Callable[[View], str]
STYLES: dict[str, tuple[Style, Style]] = {  # with a specific concept, without one
    "programmatic-A": (_name, _name_vague),
    "programmatic-B": (_classify, _classify_vague),
    "programmatic-C": (_locate, _locate_vague),
}


def describe_unit(
    table: ConceptTable,
    counts: np.ndarray,
    edges: np.ndarray,
    annotator: str,
    rng: np.random.Generator,
) -> str:
    """One annotator's phrase for one unit.

    Args:
        table: concepts of the world.
        counts: int64 (k, L, K), masked pixels of each exemplar by leaf and color.
        edges: int64 (k,), masked pixels beside a masked pixel of another thing.
        annotator: a key of `STYLES`.
        rng: of this unit and annotator.

    """
    k = len(counts)
    shown = np.sort(rng.choice(k, max(1, round(k * SHOWN)), replace=False))
    counts = counts[shown]
    verdict = judge(table, counts)
    if not verdict.specific:  # a lenient second look before a vague phrase
        verdict = judge(table, counts, *LENIENT)
    if verdict.best < 0:
        return "nothing"
    slip = rng.random() < SLIP and verdict.second >= 0
    target = verdict.second if slip and verdict.specific else verdict.best
    edge_share = float(edges[shown].sum() / counts.sum())
    view = View(table, counts, edge_share, verdict, target, rng)
    clear, vague = STYLES[annotator]
    return clear(view) if verdict.specific else vague(view)


def annotate(
    table: ConceptTable,
    evidence: Evidence,
    units: np.ndarray,
    *,
    seed: int,
    network: str,
    layer: str,
) -> list[tuple[str, int, str, str]]:
    """Rows (layer, unit, summary, annotator) of annotations.csv for the given units."""
    rows = []
    for unit, counts, edges in zip(units.tolist(), evidence.counts, evidence.edges, strict=True):
        for annotator in ANNOTATORS:
            rng = generator(seed, "annotator", network, layer, unit, annotator)
            summary = describe_unit(table, counts, edges, annotator, rng)
            rows.append((layer, unit, summary, annotator))
    return rows


def token_f1(one: str, other: str) -> float:
    """F1 of the word multisets of two phrases; 0 where they share none."""
    left, right = one.split(), other.split()
    shared = sum(min(left.count(word), right.count(word)) for word in set(left))
    return 2 * shared / (len(left) + len(right)) if shared else 0.0


def agreement(rows: Iterable[tuple[str, int, str, str]]) -> dict[str, float]:
    """Agreement of the annotators of a unit, and of annotators of different units.

    `identical` and `token_f1` are means over all pairs of annotators of a unit. The `shuffled` ones
    pair each unit with the next one of the table: agreement by chance.
    """
    units: dict[tuple[str, int], dict[str, str]] = {}
    for layer, unit, summary, annotator in rows:
        units.setdefault((layer, unit), {})[annotator] = summary
    tables = list(units.values())
    following = tables[1:] + tables[:1]
    same = _pairs((table, table) for table in tables)
    mixed = _pairs(zip(tables, following, strict=True)) if len(tables) > 1 else []
    summaries = [summary for table in tables for summary in table.values()]
    return {
        "units": len(tables),
        "annotations": len(summaries),
        "distinct": len(set(summaries)),
        "vocabulary": len({word.strip(",:") for text in summaries for word in text.split()}),
        "identical": _mean([float(a == b) for a, b in same]),
        "token_f1": _mean([token_f1(a, b) for a, b in same]),
        "shuffled_identical": _mean([float(a == b) for a, b in mixed]),
        "shuffled_token_f1": _mean([token_f1(a, b) for a, b in mixed]),
    }


def _pairs(tables: Iterable[tuple[Mapping[str, str], Mapping[str, str]]]) -> list[tuple[str, str]]:
    """(summary in the first table, summary of another annotator in the second)."""
    return [
        (first[a], second[b])
        for first, second in tables
        for a, b in combinations(sorted(first), 2)
        if b in second
    ]


def _mean(values: list[float]) -> float:
    return added(values) / len(values) if values else 0.0
