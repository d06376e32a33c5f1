"""Gathering over seeds, from made-up results whose means are known."""

import numpy as np
import pytest

from milan_core.cli import main
from milan_core.cli.seeds import BEGIN, END
from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.experiments.audit.tables import CHANGES
from milan_core.experiments.replicates.gathered import Gathered
from milan_core.experiments.replicates.spreads import compare, spread
from milan_core.scoring.tables import TRUTH, Score, write_scores


def captioner(folder, split, seed, right, greedy=0.5):
    rows = [
        Score("pmi", "concept_accuracy", right, n=100),
        Score("greedy", "concept_accuracy", greedy, n=100),
    ]
    write_scores(folder / f"generalization/{split}_net/net/seed{seed}/scores.csv", rows)


def test_captioners_of_one_run_are_its_replicates(tmp_path):
    for seed, right in enumerate((0.6, 0.7, 0.8)):
        captioner(tmp_path, "without", seed, right)
    gathered = Gathered([tmp_path])
    ours = gathered.spreads()["concept_accuracy"]["without → net"]["pmi"]
    assert (ours.runs, ours.count) == (1, 3)
    assert ours.mean == pytest.approx(0.7)
    assert ours.deviation == pytest.approx(0.1)
    [lead] = gathered.compared()["pmi less greedy, concept_accuracy"]
    assert lead.difference.value == pytest.approx(0.2)
    assert lead.difference.p == pytest.approx(0.0742, abs=1e-4), "Student's t of 0.1, 0.2, 0.3"


def test_runs_are_the_replicates_where_there_are_several(tmp_path):
    """Captioners of one run share its targets: their spread is no spread over targets."""
    for run, base in enumerate((0.5, 0.9)):
        for seed in range(5):
            captioner(tmp_path / str(run), "without", seed, base + 0.01 * seed)
    found = Gathered([tmp_path / "0", tmp_path / "1"]).spreads()["concept_accuracy"]
    row = found["without → net"]["pmi"]
    assert (row.runs, row.count) == (2, 10)
    assert row.deviation == pytest.approx(np.std([0.52, 0.92], ddof=1))


def test_within_and_controls_are_compared_with_the_network_left_out(tmp_path):
    for seed in range(3):
        captioner(tmp_path, "without", seed, 0.6)
        captioner(tmp_path, "unmasked", seed, 0.2 + 0.01 * seed)
    found = Gathered([tmp_path]).compared()
    [row] = found["unmasked less without, concept_accuracy"]
    assert row.difference.value == pytest.approx(-0.39)
    assert row.difference.side == -1
    [mean] = found["captioners compared, mean over networks, concept_accuracy"]
    assert (mean.name, mean.difference) == ("unmasked less without", row.difference)


def test_within_and_without_are_compared_on_the_units_that_within_kept(tmp_path):
    """Within is right on 1 of its 2 tested units, without on none of them and on all others."""
    concepts = [("l", unit, "dog", "object", 0.9, 12, int(unit < 9), "dog") for unit in range(10)]
    write_csv(tmp_path / "net/annotations/truth.csv", TRUTH, concepts)
    texts = {
        "within": [("l", unit, "dog" if unit else "cat", "test") for unit in (0, 1, 9)],
        "without": [("l", unit, "cat" if unit < 2 else "dog", "test") for unit in range(10)],
    }
    texts["within"] += [("l", unit, "dog", "train") for unit in range(2, 9)]
    for kind, rows in texts.items():
        captioner(tmp_path, kind, 0, {"within": 1 / 2, "without": 7 / 9}[kind])
        path = tmp_path / f"net/describe/{kind}_net/seed0/descriptions.csv"
        write_csv(path, ("layer", "unit", "description", "side"), rows)
    [row] = Gathered([tmp_path]).compared()["within less others, concept_accuracy"]
    assert row.name == "without → net"
    assert row.difference.value == pytest.approx(0.5), "not 1/2 - 7/9, which is of other units"
    assert (row.count, row.difference.side) == (1, 0), "one value is no test"
    path.unlink()
    assert "within less others, concept_accuracy" not in Gathered([tmp_path]).compared()


def test_methods_of_table_2_are_compared_over_runs(tmp_path):
    """Leads are paired by unit in the run; here they are averaged over networks, then tested."""
    table = ("model", "method", "trial", "metric", "value")
    for run, lead in enumerate((0.1, 0.2, 0.3)):
        folder = tmp_path / str(run) / "baselines"
        shown = [("a", "pmi", "", ""), ("a", "greedy", 0.4, ""), ("a", "constant", "", "")]
        names = ("model", "method", "accuracy_lead_holm", "bert_lead_holm")
        write_csv(folder / "table2.csv", names, shown)
        rows = [
            (model, "greedy", 0, "concept_accuracy:lead-of-pmi", lead + more)
            for model, more in (("a", -0.05), ("b", 0.05))
        ]
        rows += [
            ("a", "pmi", 0, "concept_accuracy", 0.5 + lead),
            ("b", "pmi", 0, "concept_accuracy", 0.3 + lead),
            ("a", "constant", 0, "concept_accuracy", 0.25),
            ("a", "constant", 0, "concept_accuracy:lead-of-pmi", 0.25 + lead),
            ("a", "annotators", 0, "concept_accuracy", 0.9),
            ("a", "pmi", 0, "bleu", 30.0),
        ]
        write_csv(folder / "table.csv", table, rows)
    gathered = Gathered([tmp_path / str(run) for run in range(3)])
    rows = gathered.spreads()["Table 2, concept_accuracy"]
    assert {name: round(one.mean, 9) for name, one in rows["a"].items()} == {
        "pmi": 0.7,
        "constant": 0.25,
    }
    assert list(rows["mean over networks"]) == ["pmi"], "the constant is known of one network"
    assert rows["mean over networks"]["pmi"].mean == pytest.approx(0.6)
    assert rows["mean over networks"]["pmi"].deviation == pytest.approx(0.1), "over runs"
    tables = gathered.compared()
    assert list(tables) == ["Table 2, pmi less others, mean over networks, concept_accuracy"]
    [row] = next(iter(tables.values()))
    assert (row.name, row.runs, row.count) == ("greedy", 3, 3), "a constant is not compared"
    assert row.difference.value == pytest.approx(0.2)
    assert row.difference.p == pytest.approx(0.0742, abs=1e-4), "Student's t of 0.1, 0.2, 0.3"


def test_areas_of_the_analysis_are_compared_over_runs(tmp_path):
    """A criterion that no unit of one network meets has no mean over networks."""
    names = ("model", "criterion", "area", "random_difference", "layer_matched_difference")
    for run, lead in enumerate((0.1, 0.2, 0.3)):
        rows = [
            ("a", "nouns", 0.4 + lead, lead - 0.05, ""),
            ("b", "nouns", 0.6, lead + 0.05, 0.1),
            ("a", "verbs", 0.6, 0.1, 0.1),
        ]
        write_csv(tmp_path / str(run) / "analyze/summary.csv", names, rows)
    gathered = Gathered([tmp_path / str(run) for run in range(3)])
    area = gathered.spreads()["analysis, area"]["a"]["nouns"]
    assert (area.runs, area.mean, area.deviation) == (3, pytest.approx(0.6), pytest.approx(0.1))
    tables = gathered.compared()
    assert list(tables) == ["analysis, area less random orders, mean over networks"]
    [row] = next(iter(tables.values()))
    assert (row.name, row.difference.value) == ("nouns", pytest.approx(0.2))
    assert row.difference.p == pytest.approx(0.0742, abs=1e-4), "Student's t of 0.1, 0.2, 0.3"


def test_captioners_of_one_size_are_compared_on_the_units_that_within_kept(tmp_path):
    concepts = [("l", unit, "dog", "object", 0.9, 12, 1, "dog") for unit in range(2)]
    write_csv(tmp_path / "net/annotations/truth.csv", TRUTH, concepts)
    for kind, words in {"within": "dog dog", "matched": "dog cat", "unmasked": "cat cat"}.items():
        captioner(tmp_path, kind, 0, 0.5)
        path = tmp_path / f"net/describe/{kind}_net/seed0/descriptions.csv"
        rows = [("l", unit, text, "test") for unit, text in enumerate(words.split())]
        write_csv(path, ("layer", "unit", "description", "side"), rows)
    compared = Gathered([tmp_path]).compared()
    [row] = compared["within less matched, concept_accuracy"]
    assert (row.name, row.difference.value) == ("matched → net", pytest.approx(0.5))
    assert not any(name.startswith("within less others") for name in compared)
    [mean] = compared["captioners compared, mean over networks, concept_accuracy"]
    assert (mean.name, mean.difference.value) == ("within less matched", pytest.approx(0.5))


def test_pairs_of_the_audit_are_replicates(tmp_path):
    rows = []
    for pair, change in (("seed0", 8), ("seed1", 10), ("seed2", 12), ("all", 10)):
        values = {"pair": pair, "query": "faces", "source": "description", "layer": "all"}
        values |= {"original": change, "changed": 0, "change": change}
        rows.append([values.get(name, "") for name in CHANGES])
    write_csv(tmp_path / "audit/changes.csv", CHANGES, rows)
    gathered = Gathered([tmp_path])
    [row] = gathered.compared()["audit, fewer units"]
    assert (row.count, row.difference.value) == (3, 10.0)
    assert row.difference.side == 1
    units = gathered.spreads()["audit, units"]["faces by description"]
    assert (units["original"].mean, units["changed"].mean) == (10.0, 0.0)


def test_equal_or_few_values_are_no_test():
    same, two = compare({"same": {0: [0.1, 0.1, 0.1]}, "two": {0: [0.1, 0.2]}})
    assert np.isnan(same.difference.p)
    assert np.isnan(two.difference.p)
    assert same.difference.side == two.difference.side == 0
    assert np.isnan(spread({0: [1.0]}).deviation)


def test_the_command_replaces_its_part_of_a_page(tmp_path, capsys):
    for seed, right in enumerate((0.6, 0.7, 0.8)):
        captioner(tmp_path / "r", "without", seed, right)
    page = tmp_path / "page.md"
    page.write_text(f"above\n{BEGIN}\nbefore this\n{END}\nbelow\n")
    assert main(["seeds", str(tmp_path / "r"), "--into", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "before this" not in text
    assert "| without → net | 1 | 3 | 0.700 ± 0.100 | 0.500 ± 0.000 |" in text
    assert "| without → net | 1 | 3 | +0.200 [-0.048, +0.448] | 0.074 | not told apart; " in text
    assert " would have been seen before adjustment |" in text
    assert "p is over their training alone" in text, "what captioners of one run can tell"
    page.write_text("nothing")
    assert main(["seeds", str(tmp_path / "r"), "--into", str(page)]) == 2
    assert "add both lines where tables go" in capsys.readouterr().err


def test_folders_without_results_are_refused(tmp_path):
    with pytest.raises(UserError, match="holds no results that are gathered over seeds"):
        Gathered([tmp_path])
    with pytest.raises(UserError, match="is not a folder"):
        Gathered([tmp_path / "none"])


def test_one_run_under_two_names_is_refused(tmp_path):
    """It would be two seeds: three copies of two runs make a test of what two runs cannot show."""
    for run, right in enumerate((0.6, 0.7)):
        captioner(tmp_path / str(run), "without", 0, right)
    (tmp_path / "link").symlink_to(tmp_path / "0")
    with pytest.raises(UserError, match=r"link is the run that .*0 is; give every run once"):
        Gathered([tmp_path / "0", tmp_path / "1", tmp_path / "link"])
    captioner(tmp_path / "copy", "without", 0, 0.6)
    captioner(tmp_path / "copy", "without", 1, 0.5)
    with pytest.raises(UserError, match=r"have the very same generalization/without_net/net/seed0"):
        Gathered([tmp_path / "0", tmp_path / "1", tmp_path / "copy"])
