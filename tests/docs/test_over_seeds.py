"""Compare the figures over seeds on the page and in the README with the printed tables."""

import re

from docs.test_results_page import NETWORKS, PAGE, README, SEEDS, cells, clear, tables
from milan_core.scoring.verdicts import against_paper

SAID = PAGE.partition("### Five trainings of everything")[2].partition("## Other runs")[0]
METHODS = {
    "MILAN as published": "pmi",
    r"greedy p(d\|E)": "greedy",
    "pool and verify": "pool",
    "re-ranked by the judge": "clip_rerank",
    "retrieval": "retrieval",
    "Comp. Explanations": "compexp",
    "NetDissect": "netdissect",
    "INVERT": "invert",
    "CLIP-Dissect": "clip_dissect",
    "best fixed word": "constant_oracle",
}


def printed():
    """Rows of every printed table by its name and theirs."""
    found = {}
    for part in re.split(r"(?m)^\*\*", SEEDS)[1:]:
        name = part.partition("**")[0]
        for _, rows in tables(part):
            found[name] = {row["what"]: row for row in rows}
    return found


def said(title):
    """The first table by hand with this column."""
    return next(rows for names, rows in tables(SAID.replace(SEEDS, "")) if title in names)


def test_every_claim_has_the_difference_and_the_verdict_of_its_row():
    known = printed()
    rows = said("the paper's claim")
    assert len(rows) > 20
    claim = ""
    for row in rows:
        table, _, name = row["table, row"].rpartition(": ")
        source = known[table][name]
        assert source["difference"] == row["difference"], row
        assert source["p, Holm"] == row["p, Holm"], row
        side = 0
        if clear(row["p, Holm"]):
            side = -1 if row["difference"].startswith("-") else 1
        claim = row["the paper's claim"] or claim
        if claim.startswith("*not in the paper*"):
            assert row["found"] == {1: "above", -1: "below", 0: "not told apart"}[side], row
        else:
            papers = -1 if table.startswith("analysis") and "differ most" not in claim else 1
            verdict = against_paper([side], papers)
            assert row["found"] == re.sub(" with| the paper", "", verdict), row
        if not side:
            seen = re.search(r"not told apart; (\S+) would have been seen", source["verdict"])
            assert seen.group(1) == row["seen from, before adjustment"], row


def test_accuracies_are_those_of_table_2_over_trainings():
    rows = said("re-ranked by the judge")
    assert [row["network"] for row in rows] == [*NETWORKS[:4], "mean over networks"]
    source = printed()["Table 2, concept_accuracy"]
    for row in rows:
        assert source[row["network"]]["runs"] == "5"
        for title, method in METHODS.items():
            given = [float(part) / 100 for part in row[title].split(" ± ")]
            stated = map(float, source[row["network"]][method].split(" ± "))
            assert all(abs(a - b) < 0.0011 for a, b in zip(given, stated, strict=True)), row


def test_the_readme_has_the_means_over_trainings():
    rows = {row["network"]: row for row in said("re-ranked by the judge")}
    line = re.search(
        r"Over five trainings of the networks.*?names ([^%]*) %.*?pool and verify ([^%]*) %",
        README,
        re.DOTALL,
    )
    for text, title in zip(line.groups(), ("MILAN as published", "pool and verify"), strict=True):
        given = re.findall(r"\d+", text)
        expected = [rows[name][title].split(" ±")[0] for name in NETWORKS[:4]]
        assert len(given) == 4
        assert all(abs(int(a) - float(b)) <= 0.5 for a, b in zip(given, expected, strict=True))


def test_cells_of_the_tables_by_hand_are_complete():
    for names, rows in tables(SAID.replace(SEEDS, "")):
        assert all(cell or "claim" in name for row in rows for name, cell in row.items()), names
    assert all(cells(line) for line in SAID.splitlines() if line.startswith("|"))
