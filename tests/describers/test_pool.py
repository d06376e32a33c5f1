"""Pool and verify, end to end on drawn shapes: choice, ranking, linear explanation, publishing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from datasets_made import build_dataset
from judges_made import small_encoder

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.core.step import Compute
from milan_core.core.tensors import save_tensors
from milan_core.describers.backends.judge import cell_shares
from milan_core.describers.linear import lexicon_words
from milan_core.describers.options import PoolOptions
from milan_core.describers.publish import publish_table
from milan_core.describers.ranking import read_ranking
from milan_core.describers.sources import ExemplarImages
from milan_core.describers.step import PoolCandidates
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.store import ExemplarSet, load_exemplars
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables, open_table
from milan_core.images.store import Dataset
from milan_core.referee.judge import JudgedImages, JudgeResources
from milan_core.referee.judges.chooser import NAME, load_chooser
from milan_core.referee.judges.mini import load_folder
from milan_core.referee.judges.oracle import Judge as Oracle
from milan_core.referee.options import MiniTraining
from milan_core.referee.step import LookAtImages, TrainJudge
from milan_core.referee.submitted import read_submitted
from milan_core.world.lexicon import load_lexicon

COLORS = ["red areas", "blue areas", "green areas", "yellow areas"]
OPTIONS = MiniTraining(scenes=400, width=24, steps=200, batch=64, rate=1e-2)
Made = dict[str, Path]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A judge with its chooser, scenes to mine, and what the judge sees there."""
    folder = tmp_path_factory.mktemp("pool")
    made = [
        build_dataset(name, {"kind": "shapes", "count": count}, {}, folder / name, seed)
        for name, count, seed in (("train", 400, 1), ("probe", 300, 2))
    ]
    TrainJudge(
        encoder=small_encoder(), dataset=made[0].folder, options=OPTIONS, judge=folder / "judge"
    ).run(Compute())
    files = {"judge": folder / "judge", "probe": made[1].folder, "seen": folder / "seen"}
    LookAtImages(
        judge={"kind": "mini"}, trained=files["judge"], dataset=files["probe"], seen=files["seen"]
    ).run(Compute())
    return files


@pytest.fixture(scope="module")
def asked(judge: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Units that follow how much of a color an image shows; beams whose first text is wrong."""
    folder, probe = tmp_path_factory.mktemp("asked"), _open(judge["probe"])
    shown = Oracle(graded=True).columns(JudgedImages(probe, np.arange(len(probe))), COLORS)
    values = np.concatenate([shown.T, np.zeros((1, len(probe)))]).astype(np.float32)
    facts = TableFacts(
        model="net", model_hash="h", dataset="d", images=len(probe), layers=(("a", 5),)
    )
    ids, apart = np.arange(len(probe)), np.zeros(len(probe), bool)
    merge_tables([ActivationTable(facts, ids, apart, {"max": values})]).save(folder / "table")
    texts = [[COLORS[(unit + 1 + place) % 4] for place in range(4)] for unit in range(5)]
    arrays = {"logp": np.tile(np.array([-1, -2, -3, -4], np.float32), (5, 1))}
    arrays["logp_lm"] = np.full((5, 4), -5, np.float32)
    meta = {"captions": texts, "layers": ["a"] * 5, "units": list(range(5))}
    save_tensors(folder / "beams", "milan-beams", 1, arrays, meta)
    rows = [["a", unit, texts[unit][0], -1, -5, 0, "" if unit < 4 else "dead"] for unit in range(5)]
    header = ("layer", "unit", "description", "logp", "logp_lm", "score", "status")
    write_csv(folder / "milan.csv", header, rows)
    return {"table": folder / "table", "beams": folder / "beams", "milan": folder / "milan.csv"}


def _open(folder: Path) -> Dataset:
    from milan_core.images.store import open_dataset

    return open_dataset(folder)


def run(judge: Made, asked: Made, out: Path, **changes: object) -> Made:
    """The step's files."""
    written = {name: out / f"{name}.csv" for name in ("pooled", "ranking", "linear")}
    given = {
        "table": asked["table"],
        "dataset": judge["probe"],
        "beams": asked["beams"],
        "descriptions": asked["milan"],
        "judge": judge["judge"],
        "seen": judge["seen"],
        "options": PoolOptions(),
        **written,
        **changes,
    }
    PoolCandidates(**given).run(Compute())
    return written


def test_the_text_that_the_images_show_is_chosen(judge: Made, asked: Made, tmp_path: Path) -> None:
    """The likeliest beam is wrong; the color that a unit follows wins."""
    files = run(judge, asked, tmp_path)
    rows = read_csv(files["pooled"])
    assert [row["description"] for row in rows] == [*COLORS, ""]
    assert rows[4]["status"] == "dead"
    ranking = read_ranking(files["ranking"])
    assert list(ranking) == [("a", unit) for unit in range(4)]
    for unit, ranked in enumerate(ranking.values()):
        assert ranked[0].text == COLORS[unit]
        assert ranked[0].score == pytest.approx(
            ranked[0].fit + 0.02 * (ranked[0].logp - 0.5 * ranked[0].logp_lm), abs=1e-5
        )
        assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
        assert sum(one.wins for one in ranked) == pytest.approx(1)
        assert float(rows[unit]["score"]) == ranked[0].score
    listed = read_submitted(files["linear"]).explanations
    words = set(lexicon_words(load_lexicon("shapes")))
    for unit in range(4):
        one = listed["a", unit]
        assert 1 <= len(one.texts) <= 5
        assert set(one.texts) <= words
        assert rows[unit]["linear"].lstrip("'").split("; ")[0].endswith(one.texts[0])


def test_the_same_bytes_with_and_without_what_the_judge_saw(
    judge: Made, asked: Made, tmp_path: Path
) -> None:
    """The stored view of the images changes nothing, nor does a second run."""
    one = run(judge, asked, tmp_path / "one")
    other = run(judge, asked, tmp_path / "other", seen=None)
    for name, path in one.items():
        assert path.read_bytes() == other[name].read_bytes(), name


def exemplars_file(asked: Made, path: Path) -> Path:
    """The three strongest images of each unit, with masks of the upper left quarter."""
    strongest = np.argsort(-open_table(asked["table"]).block(slice(0, 5)), 1, kind="stable")[:, :3]
    maps = np.zeros((5, 3, 2, 2), np.float32)
    maps[:, :, 0, 0] = 1
    layer = LayerExemplars(
        *(strongest, maps.max((2, 3)), np.full(5, 0.5, np.float32), np.ones(5, bool)),
        maps=maps,
        counts={name: np.full(5, 1, np.uint64) for name in ("values", "zeros")},
    )
    ExemplarSet({"a": layer}, {}).save(path)
    return path


def test_masks_count_where_they_are_asked_for(judge: Made, asked: Made, tmp_path: Path) -> None:
    """A text's presence under the masks less that in quiet images is added to its score."""
    exemplars = exemplars_file(asked, tmp_path / "exemplars")
    files = run(judge, asked, tmp_path, options=PoolOptions(masks=3), exemplars=exemplars)
    mini, probe = load_folder(judge["judge"], JudgeResources()), _open(judge["probe"])
    table, images = open_table(asked["table"]), JudgedImages(probe, np.arange(len(probe)))
    vectors, shown = (
        mini.vectors(images),
        ExemplarImages(load_exemplars(exemplars), probe.images, [("a", unit) for unit in range(5)]),
    )
    differs = False
    for unit, ranked in enumerate(read_ranking(files["ranking"]).values()):
        texts, activations = [one.text for one in ranked], table.block([unit])[0]
        quiet = mini.columns(images, texts)[activations <= np.median(activations)].mean(0)
        masks = shown[unit].masks
        shares = cell_shares(masks, round(vectors.shape[1] ** 0.5))
        under = mini.presences(vectors[shown[unit].ids], mini.embed_texts(texts), shares).mean(0)
        for one, more in zip(ranked, 3 * (under - quiet), strict=True):
            plain = one.fit + 0.02 * (one.logp - 0.5 * one.logp_lm)
            assert one.score == pytest.approx(plain + more, abs=1e-4)
        assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
        differs |= abs(under - quiet).max() > 0.05
    assert differs
    other = run(
        *(judge, asked, tmp_path / "looked"),
        options=PoolOptions(masks=3),
        exemplars=exemplars,
        seen=None,
    )
    assert files["ranking"].read_bytes() == other["ranking"].read_bytes()


def test_texts_of_others_are_candidates(judge: Made, asked: Made, tmp_path: Path) -> None:
    """A method's text enters with its name; one that the captioner has too keeps its beam."""
    rows = [
        ["theirs", "a", unit, f"{COLORS[unit]}, mostly" if unit else COLORS[0]] for unit in range(4)
    ]
    write_csv(tmp_path / "methods.csv", ("method", "layer", "unit", "description"), rows)
    files = run(judge, asked, tmp_path, methods=[tmp_path / "methods.csv"], chosen=["theirs"])
    ranking = read_ranking(files["ranking"])
    assert {one.source for one in ranking["a", 0]} == {"milan"}
    (theirs,) = (one for one in ranking["a", 1] if one.source == "theirs")
    assert theirs.logp != theirs.logp
    assert len(ranking["a", 1]) == 5
    with pytest.raises(UserError, match=r"unknown describer 'thiers'.*did you mean 'theirs'"):
        run(judge, asked, tmp_path, methods=[tmp_path / "methods.csv"], chosen=["thiers"])


def test_a_chooser_of_another_judge_is_refused(judge: Made, tmp_path: Path) -> None:
    """It names the judge that it was trained with; a judge without one says so."""
    import shutil

    shutil.copytree(judge["judge"], tmp_path / "judge")
    record = (tmp_path / "judge/judge.json").read_text()
    weights = load_folder(judge["judge"], JudgeResources()).model
    assert weights.startswith("mini judge")
    other = record.replace('"weights": "', '"weights": "0', 1)
    (tmp_path / "judge/judge.json").write_text(other)
    with pytest.raises(UserError, match="belongs to another judge"):
        load_chooser(tmp_path / "judge")
    (tmp_path / "judge" / NAME).unlink()
    with pytest.raises(UserError, match="without a chooser"):
        load_chooser(tmp_path / "judge")


def test_the_published_table_keeps_both_texts(judge: Made, asked: Made, tmp_path: Path) -> None:
    """The pool's text is the description, MILAN's stands beside it; without a pool, as before."""
    files = run(judge, asked, tmp_path)
    publish_table(asked["milan"], None, tmp_path / "d.csv", files["pooled"])
    rows = read_csv(tmp_path / "d.csv")
    assert [row["description"] for row in rows] == [*COLORS, ""]
    assert rows[0]["description_milan"] == COLORS[1]
    assert {row["describer"] for row in rows} == {"pool"}
    assert list(rows[0])[:6] == ["layer", "unit", "description", "logp", "logp_lm", "score"]
    publish_table(asked["milan"], None, tmp_path / "plain.csv")
    assert "describer" not in read_csv(tmp_path / "plain.csv")[0]
    short = [row for row in read_csv(files["pooled"]) if row["unit"] != "2"]
    write_csv(tmp_path / "short.csv", list(short[0]), [list(row.values()) for row in short])
    with pytest.raises(UserError, match="lacks unit 2 of a"):
        publish_table(asked["milan"], None, tmp_path / "d.csv", tmp_path / "short.csv")
