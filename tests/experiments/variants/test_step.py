"""Variants beside the main descriptions of one network, from files to the section."""

from milan_core.core.files import read_csv
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.experiments.variants.step import ScoreVariants, VariantTable

from .. import trial_files


def test_scores_beside_the_main_descriptions(tmp_path):
    half = [c if u % 2 else "sky" for u, c in enumerate(trial_files.CONCEPTS)]
    tables = {"main": half, "blip": trial_files.CONCEPTS}
    step = ScoreVariants(
        **trial_files.scored_fields(tmp_path),
        model="net",
        tables=[trial_files.descriptions(tmp_path / f"{n}.csv", t) for n, t in tables.items()],
        names=list(tables),
        scores=tmp_path / "scores.csv",
    )
    step.run(Compute())
    main, blip = read_csv(step.scores)
    assert (float(main["concept_accuracy"]), float(main["gain"])) == (0.5, 0.0)
    assert (float(blip["concept_accuracy"]), float(blip["gain"])) == (1.0, 0.5)
    table = VariantTable(
        scores=[step.scores], table=tmp_path / "table.csv", section=tmp_path / "section.json"
    )
    table.run(Compute())
    assert table.table.read_bytes() == step.scores.read_bytes()
    text = " ".join(read_section(table.section).paragraphs)
    assert "blip names 100.0 % of the concepts, +50.0 points" in text


def test_units_that_show_nothing_are_left_out_and_counted(tmp_path):
    tables = [trial_files.descriptions(tmp_path / f"{name}.csv") for name in ("main", "blip")]
    for table in tables:
        trial_files.silence(table, {2: "dead", 5: "constant"})
    step = ScoreVariants(
        **trial_files.scored_fields(tmp_path),
        model="net",
        tables=tables,
        names=["main", "blip"],
        scores=tmp_path / "scores.csv",
    )
    assert step.run(Compute()) == {"scored": 4, "silent": 2}
    assert {row["n"] for row in read_csv(step.scores)} == {"4"}
    assert {float(row["concept_accuracy"]) for row in read_csv(step.scores)} == {1.0}
