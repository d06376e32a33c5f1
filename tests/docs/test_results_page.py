"""The page of results: made of a run's sections, and its sentences and figures agree."""

import re
import statistics

import pytest
from paths import ROOT

from benchmarks import results_cells, results_page
from milan_core.cli import seeds
from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.core.section import Column, Section, Table, write_section

PAGE = (ROOT / "docs/results.md").read_text("utf-8")
BLOCK = PAGE.partition(results_page.BEGIN)[2].partition(results_page.END)[0]
SEEDS = PAGE.partition(seeds.BEGIN)[2].partition(seeds.END)[0]
README = (ROOT / "README.md").read_text("utf-8")
TRIALS = (ROOT / "docs/describers.md").read_text("utf-8")
NETWORKS = (
    "resnet_mini",
    "alexnet_mini",
    "alexnet_mini_surfaces",
    "efficientnet_lite0",
    "vit_mini",
)


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def tables(text):
    """Every table: its titles, and its rows as dictionaries; of equal titles the last counts."""
    for found in re.findall(r"((?:^\|.*\n?)+)", text, re.MULTILINE):
        titles, _, *rows = map(cells, found.splitlines())
        yield titles, [dict(zip(titles, row, strict=True)) for row in rows]


def table_with(text, *titles):
    return next(rows for names, rows in tables(text) if set(titles) <= set(names))


def clear(text):
    return text == "< 0.001" or (text != "–" and float(text) < 0.05)


@pytest.fixture
def run(tmp_path):
    """Results of a run with an audit of one pair, two methods, and a trained network."""
    columns = [
        Column("pair", "pair"), Column("layer", "layer"),
        Column("change", "fewer units", "number", 1, "low", "high"), Column("holm", "p", "p"),
    ]  # fmt: skip
    for name, rows in {
        "audit": [("a|b", "l", 9, 1, 2, ""), ("a|b", "all", 8, -1.25, 9, 0.0001)],
        "edit": [],
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        names = ("pair", "layer", "change", "low", "high", "holm")
        write_csv(folder / "changes.csv", names, rows)
        items = [Table("changes.csv", "Twins.", columns)]
        order = {"audit": 60, "edit": 70}[name]
        section = Section(name, name.title(), order, [f"Of {name}.", "Of both."], items)
        write_section(folder / "section.json", section)
    write_csv(
        tmp_path / "net/target/accuracy.csv", ("dataset", "accuracy", "images"), [("d", 0.5, 20)]
    )
    return tmp_path


def test_the_page_has_titles_sentences_and_chosen_rows(run):
    text = results_page.page(run, "commit 0")
    assert text.startswith("Run: commit 0. The records of its 0 jobs")
    assert text.index("## Audit") < text.index("## Edit")
    assert text.count("- Of both.") == 1, "a sentence is said once"
    assert "| a\\|b | all | 8.0 [-1.2, 9.0] | < 0.001 |" in text
    assert "| a\\|b | l |" not in text
    assert "Twins. 1 of 2 rows are shown.\n" in text
    assert "| net | d | 50.0% | 20 |" in text


def test_crossed_tables_have_every_method_and_a_dash_where_nothing_was_measured(run):
    columns = ("model", "method", "trial", "metric", "value", "low", "high", "n", "p")
    rows = [
        ("n", "pmi", 0, "concept_accuracy", 0.75, 0.5, 1, 8, ""),
        ("m", "pmi", 0, "concept_accuracy", "", "", "", 8, ""),
        ("m", "constant_oracle", 0, "concept_accuracy", 0.125, "", "", 8, ""),
    ]
    write_csv(run / "baselines/table.csv", columns, rows)
    write_section(run / "baselines/section.json", Section("baselines", "Table 2", 20, ["T."]))
    text = results_page.page(run, "r")
    assert "| method | n | m |" in text
    assert "| PMI | 75.0 [50.0, 100.0] | – |" in text
    assert "| constant: most often right here | – | 12.5 |" in text
    rows += [("n", "pmi", 1, "concept_accuracy", 0.25, 0.1, 0.4, 8, "")]
    write_csv(run / "baselines/table.csv", columns, rows)
    assert "| PMI | 50.0 [30.0, 70.0] | – |" in results_page.page(run, "r"), "mean over trials"


def test_gains_by_lambda_are_means_over_trials():
    row = {"lambda": "0.2", "concept_accuracy": "0.5", "accuracy_gain": "0.1", "distinct": "9"}
    row |= {"gain_low": "0.0", "gain_high": "0.2"}
    other = row | {"concept_accuracy": "0.7", "accuracy_gain": "0.3", "distinct": "12"}
    assert results_cells.gain([row]) == "50.0; +10.0 [0.0, 20.0]; 9"
    assert results_cells.gain([row, other]) == "60.0; +20.0 [0.0, 20.0]; 10"


def test_what_is_no_run_and_a_page_without_marks_are_refused(tmp_path):
    with pytest.raises(UserError, match="got none of its sections"):
        results_page.page(tmp_path, "r")
    with pytest.raises(UserError, match="expected <!-- results: begin -->"):
        results_page.replaced("text", "block", tmp_path / "page.md")
    page = f"a\n{results_page.BEGIN}\nold\n{results_page.END}\nb"
    new = results_page.replaced(page, "new", tmp_path)
    assert new == f"a\n{results_page.BEGIN}\n\nnew\n\n{results_page.END}\nb"
    assert results_page.replaced(new, "new", tmp_path) == new


def test_counts_of_clear_rows_follow_from_the_tables():
    rows = table_with(BLOCK, "PMI ahead by", "p, Holm")
    ahead = [row for row in rows if clear(row["p, Holm"])]
    found = re.search(
        r"clearly ahead of greedy p\(d\|E\) in concept accuracy in (\d+) of (\d+) rows, "
        r"clearly behind in (\d+)",
        BLOCK,
    )
    signs = [row["PMI ahead by"].startswith("-") for row in ahead]
    assert [*map(int, found.groups())] == [signs.count(False), len(rows), signs.count(True)]
    costs = table_with(BLOCK, "Cost", "Holm")
    found = re.search(r"costs accuracy clearly in (\d+) of (\d+) rows", BLOCK)
    assert [*map(int, found.groups())] == [sum(clear(r["Holm"]) for r in costs), len(costs)]


def test_means_over_some_units_say_how_many_have_no_text():
    """Of 2,728 units the rows "answered only" and "known concept" are means over some."""
    rows = {row["describer"]: row for row in table_with(BLOCK, "describer", "abstained")}
    assert int(rows["pool and verify, answered only"]["abstained"]) > 1000
    assert int(rows["name of the unit's known concept"]["abstained"]) > 1000
    assert rows["pool and verify"]["abstained"] == "0"


def test_one_pair_and_one_network_have_no_p():
    (pair,) = {row["pair"] for row in table_with(BLOCK, "pair", "decided by")}
    assert f"({pair}). One pair of networks is a demonstration, no test." in BLOCK
    titles = next(names for names, _ in tables(BLOCK) if "decided by" in names)
    assert not [name for name in titles if name.startswith("p ")]
    assert "One network is a demonstration" in BLOCK


def test_no_p_is_printed_as_zero_and_every_method_stands_once():
    assert not re.search(r"\bp 0\.000\b|\| 0\.000 \|(?=[^\n]*Holm)", PAGE)
    for titles, rows in tables(BLOCK):
        if titles[0] == "method":
            methods = [row["method"] for row in rows]
            assert len(methods) == len(set(methods))
            assert any(name.startswith("constant") for name in methods), "trivial rows beside"


def test_no_word_of_evidence_stands_outside_of_what_rules_write():
    """Sentences by hand claim nothing: "clearly" is theirs only where it is explained."""
    by_hand = PAGE.replace(BLOCK, "").replace(SEEDS, "")
    lines = [line for line in by_hand.splitlines() if re.search(r"\bclear(ly)?\b", line)]
    assert all("**clearly**" in line or "is clear" in line for line in lines), lines


def test_every_other_run_is_named_with_its_commit():
    others = PAGE.partition("## Other runs")[2]
    parts = re.split(r"\n\n(?=\*\*)", others)[1:]
    assert len(parts) > 4
    for part in parts:
        assert re.search(r"\bcommits? [0-9a-f]{7}\b|with that recipe", part), part[:80]


def test_means_and_deviations_are_those_of_the_trials():
    """In README and page, of the trials that docs/describers.md lists."""
    listed = TRIALS.partition("**Five trials.**")[2]
    shown = table_with(PAGE, "MILAN as published, %")
    readme = table_with(README, "MILAN as published", "pool and verify")
    places = {"accuracy, MILAN as published": 1, "accuracy, pool": 2}
    for title, column in places.items():
        line = next(row for row in listed.splitlines() if row.startswith(f"| {title}"))
        for place, network in enumerate(NETWORKS):
            values = re.search(r"\((.*)\)", cells(line)[place + 1]).group(1).split("; ")
            values = [float(value) for value in values]
            mean, spread = statistics.mean(values), statistics.stdev(values)
            texts = [[*shown[place].values()][column]]
            assert shown[place]["network"] == readme[place]["network"] == network
            name = "MILAN as published" if column == 1 else "pool and verify"
            texts.append(re.sub(r"[*%]", "", readme[place][name]))
            for text, width in zip(texts, (0.11, 0.51), strict=True):
                found = [float(part) for part in text.split("±")]
                assert abs(found[0] - mean) <= width, (title, network, text)
                assert abs(found[1] - spread) <= 0.06, (title, network, text)


def test_the_readme_has_the_figures_of_the_run():
    accuracy = {
        row["method"]: row
        for row in table_with(BLOCK, "method", "resnet_mini")
        if "[" in row["resnet_mini"]
    }
    for row in table_with(README, "MILAN as published", "pool and verify")[:4]:
        names = ("NetDissect", "Compositional Explanations")
        expected = [float(accuracy[name][row["network"]].split()[0]) for name in names]
        found = re.findall(r"\d+", row["NetDissect, Compositional Explanations"])
        assert [abs(float(a) - b) <= 0.5 for a, b in zip(found, expected, strict=True)] == [
            True
        ] * 2
