"""Tasks and tests for crowd workers: exact tables, XML that parses back, nothing unescaped."""

from xml.etree import ElementTree as ET

import pytest
from website import Site

from milan_core.annotations.crowd.qualification import (
    ANSWERS_NAMESPACE,
    QUESTIONS_NAMESPACE,
    answer_key,
    mock_up,
    question_form,
    read_qualification,
    write_qualification,
)
from milan_core.annotations.crowd.tables import hit_rows, opens, write_hits
from milan_core.core.errors import UserError
from milan_core.images.fetch.attempt import Patience
from milan_core.images.fetch.web import answers

YAML = """
title: 'Regions & <b>words</b>'
description: Two questions
instructions: Pick "the best" <one>
questions:
  - text: What is <common>?
    images: ['https://example.org/a.png?&"x.png', https://example.org/b.jpg]
    answers: [{text: dogs & cats, correct: true}, {text: <script>alert(1)</script>}]
  - text: And here?
    answers: [{text: sky}, {text: 12, correct: true}]
"""


@pytest.fixture
def test_file(tmp_path):
    path = tmp_path / "test.yaml"
    path.write_text(YAML)
    return path


def test_hits(tmp_path):
    rows = hit_rows([("conv 1", 2), ("7", 0), ("7", 1)], "https://e.org/v/", images=2, limit=2)
    write_hits(tmp_path / "hits.csv", rows)
    assert (tmp_path / "hits.csv").read_text() == (
        "layer,unit,image_url_1,image_url_2\n"
        "conv 1,2,https://e.org/v/conv%201/unit_2/image_0.png,"
        "https://e.org/v/conv%201/unit_2/image_1.png\n"
        "7,0,https://e.org/v/7/unit_0/image_0.png,https://e.org/v/7/unit_0/image_1.png\n"
    )
    assert len(hit_rows([("a", 0)], "x")[0]) == 17
    with pytest.raises(UserError, match="limit must be at least 1"):
        hit_rows([("a", 0)], "x", limit=0)
    with pytest.raises(UserError, match="no units"):
        write_hits(tmp_path / "none.csv", [])


def test_hits_check_their_addresses(tmp_path):
    picture = tmp_path / "conv 1/unit_0/image_0.png"
    picture.parent.mkdir(parents=True)
    picture.touch()
    one = hit_rows([("conv 1", 0)], tmp_path.as_uri(), images=1)
    write_hits(tmp_path / "hits.csv", one, opens)
    two = hit_rows([("conv 1", 0)], tmp_path.as_uri(), images=2)
    with pytest.raises(UserError, match=r"1 of 2 images cannot be opened.*image_1\.png"):
        write_hits(tmp_path / "other.csv", two, opens)
    assert not (tmp_path / "other.csv").exists()
    with pytest.raises(UserError, match="only http://, https:// and file"):
        write_hits(tmp_path / "other.csv", hit_rows([("a", 0)], "ftp://e.org"), opens)


def test_questions_parse_back(test_file):
    form = ET.fromstring(question_form(read_qualification(test_file)))
    space = {"q": QUESTIONS_NAMESPACE}
    assert form.tag == f"{{{QUESTIONS_NAMESPACE}}}QuestionForm"
    assert form.findtext("q:Overview/q:Title", "", space) == "Regions & <b>words</b>"
    first, second = form.findall("q:Question", space)
    assert first.findtext("q:QuestionContent/q:Text", "", space) == "What is <common>?"
    urls = [node.text for node in first.iterfind(".//q:DataURL", space)]
    assert urls == ['https://example.org/a.png?&"x.png', "https://example.org/b.jpg"]
    assert [n.text for n in first.iterfind(".//q:SubType", space)] == ["png", "jpeg"]
    texts = [node.text for node in first.iterfind(".//q:Selection/q:Text", space)]
    assert texts == ["dogs & cats", "<script>alert(1)</script>"]
    assert [n.text for n in second.iterfind(".//q:Selection/q:Text", space)] == ["sky", "12"]


def test_answers_point_at_the_questions(test_file):
    test = read_qualification(test_file)
    form, key = ET.fromstring(question_form(test)), ET.fromstring(answer_key(test))
    space = {"q": QUESTIONS_NAMESPACE, "a": ANSWERS_NAMESPACE}
    scores = {
        node.findtext("a:SelectionIdentifier", "", space): node.findtext("a:AnswerScore", "", space)
        for node in key.iterfind(".//a:AnswerOption", space)
    }
    known = [node.text for node in form.iterfind(".//q:SelectionIdentifier", space)]
    assert list(scores) == known
    assert list(scores.values()) == ["1", "0", "0", "1"]
    assert key.findtext(".//a:MaximumSummedScore", "", space) == "2"


def test_mock_up_escapes_everything(test_file, tmp_path):
    test = read_qualification(test_file)
    page = mock_up(test)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert 'src="https://example.org/a.png?&amp;&quot;x.png"' in page
    assert page.count('type="radio"') == 4
    write_qualification(test, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "answers.xml",
        "mockup.html",
        "questions.xml",
        "settings.json",
    ]
    assert test.settings() == {
        "title": "Regions & <b>words</b>",
        "description": "Two questions",
        "keywords": "image, summarization",
        "retry_seconds": 120,
        "duration_seconds": 1800,
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title:", "titel:", "missing or unknown titel, title"),
        ("correct: true}, {text: <", "correct: false}, {text: <", "question 1: exactly one answer"),
        ("correct: true", "correct: 1", "question 1, answer 1: correct must be true or false"),
        ("https://example.org/b.jpg", "javascript:b.jpg", "question 1: expected http"),
        ("https://example.org/b.jpg", "https://example.org/b.exe", "question 1: expected http"),
        ("Two questions", "''", "description: expected a text"),
        ("Two questions", '"a\\x08b"', "cannot stand in XML"),
        ("questions:", "retry_seconds: soon\nquestions:", "retry_seconds must be a number"),
        ("And here?", "[a]", "question 2: expected a text"),
        ("questions:", "questions: [", "is not valid YAML"),
    ],
)
def test_mistakes_are_named(test_file, old, new, message):
    test_file.write_text(YAML.replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        read_qualification(test_file)


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_qualification(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").touch()
    with pytest.raises(UserError, match="missing or unknown description, questions, title"):
        read_qualification(tmp_path / "empty.yaml")


def test_hits_ask_servers_for_their_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = Site()
    try:
        for rank in range(3):
            site.files[f"/v/conv%201/unit_0/image_{rank}.png"] = b"picture"
        rows = hit_rows([("conv 1", 0)], site.url("/v"), images=3)
        write_hits(tmp_path / "hits.csv", rows, opens)
        assert site.asked == [], "heads only"
        rows = hit_rows([("conv 1", 0)], site.url("/v"), images=4)
        with pytest.raises(UserError, match=r"1 of 4 images cannot be opened.*image_3\.png"):
            write_hits(tmp_path / "other.csv", rows, opens)
        quick = Patience(connect=1, read=1, attempts=2, pause=0.01)
        url = site.url("/v/conv%201/unit_0/image_0.png")
        site.heads["/v/conv%201/unit_0/image_0.png"] = [405, 503, 405]
        assert answers(url, quick), "a server that knows no HEAD gives one byte"
        assert site.asked == [("/v/conv%201/unit_0/image_0.png", "bytes=0-0", None)]
        assert answers(url, quick), "a busy server is asked again"
    finally:
        site.close()
    assert not answers(url, quick), "nobody is there"
