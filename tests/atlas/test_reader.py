"""An atlas read in Python: units, searches, scores, and what notebooks show of them."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

import milan_core as milan
from milan_core.atlas.reader import Atlas
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from tests.atlas.made import HOSTILE, MadeRun


@pytest.fixture(scope="module")
def opened(atlas: Path) -> Atlas:
    return milan.open_atlas(atlas)


class Tags(HTMLParser):
    """Counts elements, and whether all are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def shown(value: object) -> tuple[str, Tags]:
    text = value._repr_html_()  # type: ignore[attr-defined]
    tags = Tags(text)
    assert tags.open == []
    assert set(tags.found) <= {"div", "b", "img", "table", "thead", "tbody", "tr", "th", "td"}
    return text, tags


def test_units_are_those_of_the_tables(made: MadeRun, opened: Atlas) -> None:
    assert list(opened) == ["net_a", "net_b"]
    rows = read_csv(made.results / "net_a/descriptions.csv")
    units = opened["net_a"].units
    assert [(one.layer, str(one.unit)) for one in units] == [(r["layer"], r["unit"]) for r in rows]
    one = opened["net_a"]["conv.1", 3]
    assert one in opened["net_a"]["conv.1"]
    assert one.texts["netdissect"] == "netdissect text"
    (row,) = [
        row
        for row in read_csv(made.results / "net_a/referee/oracle/scores.csv")
        if (row["describer"], row["layer"], row["unit"]) == ("milan", "conv.1", "3")
    ]
    found = one.scores["milan"]["oracle"]
    assert found["correlation"] == pytest.approx(float(row["correlation"]))
    assert found["low"] <= found["correlation"] <= found["high"]


def test_lambda_ranks_the_stored_candidates(opened: Atlas) -> None:
    one = opened["net_a"]["conv.0", 10]
    for weight in (0.0, 0.3, 1.0):
        scores = [score for _, score in one.ranked(weight)]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == 12
    assert one.ranked(0) != one.ranked(1)


def test_search_finds_words_and_their_beginnings(opened: Atlas) -> None:
    found = opened.search("umbr", limit=500)
    assert len(found) > 0
    for one in found:
        assert "umbrella" in " ".join([one.description, one.concept, *one.texts.values()])
    assert len(opened.search("umbrella truck")) == 0
    assert len(opened.search("")) == 0


def test_search_forgives_a_typo_and_says_so(opened: Atlas) -> None:
    exact, typed = opened.search("umbrella", limit=500), opened.search("umbrlela", limit=500)
    assert [(u.network, u.layer, u.unit) for u in typed] == [
        (u.network, u.layer, u.unit) for u in exact
    ]
    assert exact.note == ""
    assert "umbrella in place of umbrlela" in repr(typed)
    nothing = opened.search("umbxxela")
    assert len(nothing) == 0
    assert "nothing matches 'umbxxela', nearest words: umbrella" in repr(nothing)


def test_search_ranks_own_texts_first_and_says_what_a_limit_cuts(opened: Atlas) -> None:
    found = opened.search("dog", limit=500)
    own = ["dog" in one.description for one in found]
    assert own == sorted(own, reverse=True)
    assert True in own
    assert False in own
    cut = opened.search("dog", limit=3)
    assert f"3 of {len(found)} units" in repr(cut)
    assert f"3 of {len(found)} units" in shown(cut)[0]


def test_texts_that_look_at_no_unit_are_not_searched(opened: Atlas) -> None:
    one = opened["net_a"]["conv.1", 3]
    assert one.texts["constant"] == "constant text"
    assert len(opened.search("constant")) == 0
    assert len(opened.search("netdissect", limit=500)) == 80


def test_what_is_not_there_is_said(opened: Atlas, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="net_a"):
        opened["net_c"]
    with pytest.raises(UserError, match=r"conv\.1"):
        opened["net_a"]["conv.7"]
    with pytest.raises(UserError, match="has no unit 99"):
        opened["net_a"]["conv.1", 99]
    unit = opened["net_a"]["conv.1", 3]
    with pytest.raises(UserError, match="did you mean 'pool'"):
        unit.scores["poool"]
    with pytest.raises(UserError, match="did you mean 'oracle'"):
        unit.scores["pool"]["orakle"]
    with pytest.raises(UserError, match="did you mean 'netdissect'"):
        unit.texts["netdisect"]
    assert "net_c" not in opened
    assert opened.get("net_c") is None
    with pytest.raises(UserError, match="is no atlas"):
        milan.open_atlas(tmp_path)


def test_the_folder_around_an_atlas_is_told_from_it(atlas: Path) -> None:
    with pytest.raises(UserError, match=f"did you mean {atlas}"):
        milan.open_atlas(atlas.parent)


def test_notebooks_show_pictures_and_escaped_texts(opened: Atlas) -> None:
    for unit, hostile in enumerate(HOSTILE):
        one = opened["net_a"]["conv.0", unit]
        assert one.description == hostile
        text, tags = shown(one)
        assert tags.found.count("img") == 1
        assert "<script" not in text
    with Image.open(io.BytesIO(one.picture(4, 2))) as picture:
        assert picture.size == (2 * 64 + 2, 2 * 64 + 2)
    _, tags = shown(opened["net_a"].units)
    assert tags.found.count("img") == 24
    assert "and 16 more" in shown(opened["net_a"].units)[0]
    assert "net_b" in shown(opened)[0]
    assert shown(opened["net_b"])[1].found.count("tr") == 3
