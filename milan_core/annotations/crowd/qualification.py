"""The test workers take before they describe units: YAML to the platform's XML, and a mock-up.

    title: Describing image regions        keywords: [image, summarization]
    description: Two short questions.      retry_seconds: 120   duration_seconds: 1800
    instructions: Pick the best description of the lit regions.
    questions:
      - text: What do the lit regions have in common?
        images: [https://example.org/conv1/unit_0/image_0.png]
        answers:
          - {text: dogs, correct: true}
          - {text: the sky}

Every text is escaped; the mock-up shows what workers will see and runs no script.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from milan_core.core.errors import UserError
from milan_core.core.files import write_json, write_text
from milan_core.core.yaml_files import load_yaml

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas"
QUESTIONS_NAMESPACE = f"{SCHEMAS}/2005-10-01/QuestionForm.xsd"
ANSWERS_NAMESPACE = f"{SCHEMAS}/2005-10-01/AnswerKey.xsd"
MIME = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".webp": "webp"}
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DEFAULTS: dict[str, Any] = {
    "instructions": "",
    "keywords": ["image", "summarization"],
    "retry_seconds": 120,
    "duration_seconds": 1800,
}


@dataclass(frozen=True)
class Question:
    """A multiple-choice question about the images of a unit."""

    text: str
    images: tuple[str, ...]
    answers: tuple[tuple[str, bool], ...]  # text, whether it is right


@dataclass(frozen=True)
class Qualification:
    """A test; the score is the share of right answers in per cent."""

    title: str
    description: str
    questions: tuple[Question, ...]
    instructions: str
    keywords: tuple[str, ...]
    retry_seconds: int
    duration_seconds: int

    def settings(self) -> dict[str, Any]:
        """The platform's fields beside the two XML texts."""
        return {
            "title": self.title,
            "description": self.description,
            "keywords": ", ".join(self.keywords),
            "retry_seconds": self.retry_seconds,
            "duration_seconds": self.duration_seconds,
        }


def read_qualification(path: Path | str) -> Qualification:
    """Read the YAML file shown above; a sentence says which part of it does not fit."""
    path = Path(path)
    data = load_yaml(path)
    required = {"title", "description", "questions"}
    where = str(path)
    data = {**DEFAULTS, **_mapping(data, where, required, required | DEFAULTS.keys())}
    for key in ("retry_seconds", "duration_seconds"):
        if not isinstance(data[key], int) or data[key] < 1:
            msg = f"{where}: {key} must be a number of seconds, got {data[key]!r}"
            raise UserError(msg)
    questions = [
        _question(item, f"{where}, question {number}")
        for number, item in enumerate(_list(data["questions"], f"{where}: questions"), 1)
    ]
    return Qualification(
        _text(data["title"], f"{where}: title"),
        _text(data["description"], f"{where}: description"),
        tuple(questions),
        _text(data["instructions"], f"{where}: instructions", empty=True),
        tuple(_text(word, f"{where}: keywords") for word in _words(data["keywords"], where)),
        data["retry_seconds"],
        data["duration_seconds"],
    )


def _question(item: Any, where: str) -> Question:
    data = _mapping(item, where, {"text", "answers"}, {"text", "images", "answers"})
    answers = []
    for number, entry in enumerate(_list(data["answers"], f"{where}: answers"), 1):
        label = f"{where}, answer {number}"
        parts = _mapping(entry, label, {"text"}, {"text", "correct"})
        if not isinstance(parts.get("correct", False), bool):
            msg = f"{label}: correct must be true or false, got {parts['correct']!r}"
            raise UserError(msg)
        answers.append((_text(parts["text"], label), parts.get("correct", False)))
    if sum(right for _, right in answers) != 1:
        msg = f"{where}: exactly one answer must have `correct: true`"
        raise UserError(msg)
    images = [_image(url, where) for url in data.get("images") or ()]
    return Question(_text(data["text"], where), tuple(images), tuple(answers))


def _mapping(value: Any, where: str, required: set[str], allowed: set[str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        msg = f"{where}: expected a map with {', '.join(sorted(required))}, got {value!r}"
        raise UserError(msg)
    if wrong := (required - value.keys()) | (value.keys() - allowed):
        problem = "missing or unknown" if required - value.keys() else "unknown"
        keys = ", ".join(sorted(map(str, wrong)))
        msg = f"{where}: {problem} {keys}; known: {', '.join(sorted(allowed))}"
        raise UserError(msg)
    return dict(value)


def _words(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise UserError(f"{where}: keywords must be a list of words, got {value!r:.60}")
    return list(value)


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        msg = f"{where} must be a list with at least one entry, got {value!r}"
        raise UserError(msg)
    return value


def _text(value: Any, where: str, empty: bool = False) -> str:
    text = str(value)
    if value is None or isinstance(value, list | dict) or not (text.strip() or empty):
        msg = f"{where}: expected a text, got {value!r}"
        raise UserError(msg)
    if found := NOT_XML.search(text):
        msg = f"{where}: character {found[0]!r} cannot stand in XML"
        raise UserError(msg)
    return text


def _image(url: Any, where: str) -> str:
    text = _text(url, where)
    if not text.startswith(("https://", "http://")) or Path(text).suffix.lower() not in MIME:
        msg = f"{where}: expected http(s)://... ending in {', '.join(MIME)}, got {text!r}"
        raise UserError(msg)
    return text


def question_form(test: Qualification) -> str:
    """The questions as the platform's QuestionForm XML."""
    form = ET.Element("QuestionForm", xmlns=QUESTIONS_NAMESPACE)
    overview = ET.SubElement(form, "Overview")
    ET.SubElement(overview, "Title").text = test.title
    if test.instructions:
        ET.SubElement(overview, "Text").text = test.instructions
    for number, question in enumerate(test.questions, 1):
        node = ET.SubElement(form, "Question")
        ET.SubElement(node, "QuestionIdentifier").text = f"question-{number}"
        ET.SubElement(node, "DisplayName").text = f"Question {number}"
        ET.SubElement(node, "IsRequired").text = "true"
        content = ET.SubElement(node, "QuestionContent")
        ET.SubElement(content, "Text").text = question.text
        for rank, url in enumerate(question.images, 1):
            binary = ET.SubElement(content, "Binary")
            mime = ET.SubElement(binary, "MimeType")
            ET.SubElement(mime, "Type").text = "image"
            ET.SubElement(mime, "SubType").text = MIME[Path(url).suffix.lower()]
            ET.SubElement(binary, "DataURL").text = url
            ET.SubElement(binary, "AltText").text = f"Image {rank}"
        choice = ET.SubElement(ET.SubElement(node, "AnswerSpecification"), "SelectionAnswer")
        ET.SubElement(choice, "StyleSuggestion").text = "radiobutton"
        selections = ET.SubElement(choice, "Selections")
        for position, (text, _) in enumerate(question.answers, 1):
            selection = ET.SubElement(selections, "Selection")
            ET.SubElement(selection, "SelectionIdentifier").text = f"answer-{number}-{position}"
            ET.SubElement(selection, "Text").text = text
    return _xml(form)


def answer_key(test: Qualification) -> str:
    """The right answers as the platform's AnswerKey XML: one point each, score in per cent."""
    key = ET.Element("AnswerKey", xmlns=ANSWERS_NAMESPACE)
    for number, question in enumerate(test.questions, 1):
        node = ET.SubElement(key, "Question")
        ET.SubElement(node, "QuestionIdentifier").text = f"question-{number}"
        for position, (_, right) in enumerate(question.answers, 1):
            option = ET.SubElement(node, "AnswerOption")
            ET.SubElement(option, "SelectionIdentifier").text = f"answer-{number}-{position}"
            ET.SubElement(option, "AnswerScore").text = str(int(right))
    mapping = ET.SubElement(ET.SubElement(key, "QualificationValueMapping"), "PercentageMapping")
    ET.SubElement(mapping, "MaximumSummedScore").text = str(len(test.questions))
    return _xml(key)


def _xml(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def mock_up(test: Qualification) -> str:
    """A page that looks like the test, to be read before it is uploaded."""
    parts = [f"<h1>{html.escape(test.title)}</h1>", f"<p>{html.escape(test.instructions)}</p>"]
    for number, question in enumerate(test.questions, 1):
        images = "".join(
            f'<img src="{html.escape(url)}" alt="Image {rank}">'
            for rank, url in enumerate(question.images, 1)
        )
        answers = "".join(
            f'<label><input type="radio" name="question-{number}"> {html.escape(text)}</label>'
            for text, _ in question.answers
        )
        parts.append(
            f"<fieldset><legend>Question {number}</legend><p>{html.escape(question.text)}</p>"
            f"<div>{images}</div>{answers}</fieldset>"
        )
    style = "body{font:16px sans-serif;max-width:60em;margin:2em auto}label{display:block}"
    style += "img{width:9em;margin:.2em}fieldset{margin:1em 0}"
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>{html.escape(test.title)}</title><style>{style}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def write_qualification(test: Qualification, folder: Path | str) -> None:
    """Write questions.xml, answers.xml, settings.json and mockup.html."""
    folder = Path(folder)
    write_text(folder / "questions.xml", question_form(test))
    write_text(folder / "answers.xml", answer_key(test))
    write_json(folder / "settings.json", test.settings())
    write_text(folder / "mockup.html", mock_up(test))
