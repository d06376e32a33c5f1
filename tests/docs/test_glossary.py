"""Words of tables, pages and commands are explained in docs/glossary.md."""

import re

import pytest
from paths import ROOT

from milan_core.exemplars.status import SILENT

PAGE = (ROOT / "docs/glossary.md").read_text("utf-8")
# Words that a first-time user met without an explanation, and those of the tables since.
WORDS = (
    *("unit", "layer", "exemplar", "level", "mask", "encoder", "captioner", "prior", "lambda"),
    *("beam", "candidate", "description", "describer", "judge", "leaderboard", "label"),
    *("held-out", "confidence", "split", "shard"),
)


def explained():
    """Words of the first column, and those set in code in the explanations."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    firsts = " ".join(row.split(" | ")[0] for row in rows).lower()
    return set(re.findall(r"[\w-]+", firsts)) | set(re.findall(r"`(\w+)`", PAGE))


@pytest.mark.parametrize("word", [*WORDS, *SILENT, "described", "several", "unknown"])
def test_a_word_is_explained(word):
    assert word in explained()


def test_the_readme_leads_to_the_glossary():
    assert "docs/glossary.md" in (ROOT / "README.md").read_text("utf-8")
