"""A missing optional package is one sentence; the library needs none of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from milan_core.core.errors import UserError
from milan_core.core.packages import optional

OPTIONAL = ("snakemake", "spacy", "matplotlib", "skimage")

# What the commands for one network import, with the optional packages made absent.
LIBRARY = f"""
import sys
from pathlib import Path
for name in {OPTIONAL!r}:
    sys.modules[name] = None
import milan_core
from milan_core.cli import COMMANDS, build_parser
build_parser(COMMANDS)
import milan_core.cli.mine, milan_core.cli.describe, milan_core.cli.score, milan_core.cli.labels
import milan_core.exemplars.mine, milan_core.describers.driver, milan_core.describers.milan
import milan_core.captioner.captioner, milan_core.referee.score, milan_core.scoring.metrics
"""


@pytest.fixture
def without_spacy(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)


def test_a_package_that_is_there_is_imported():
    assert optional("json.decoder", "workflow", "to test").__name__ == "json.decoder"


def test_a_missing_package_names_its_use_and_its_extra(without_spacy):
    with pytest.raises(UserError, match=r"spacy is needed to split.*milan-workflow\[workflow\]"):
        optional("spacy", "workflow", "to split words")


def test_a_fault_inside_a_package_passes_as_it_is(monkeypatch):
    def broken(name, *rest, **more):
        raise ModuleNotFoundError("No module named 'numpy.gone'", name="numpy.gone")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ModuleNotFoundError, match=r"numpy\.gone"):
        optional("spacy", "workflow", "to split words")


def test_the_library_imports_no_optional_package():
    run = subprocess.run(
        [sys.executable, "-c", LIBRARY], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]


def test_words_cannot_be_split_without_spacy(without_spacy):
    from milan_core.captioner.vocabulary import _spacy_tokenizer

    _spacy_tokenizer.cache_clear()
    with pytest.raises(UserError, match="to split descriptions into words"):
        _spacy_tokenizer()


def test_the_package_looks_for_modules_in_its_own_folders_only():
    """An editable installation once added the folder above the clone."""
    import milan_core

    assert {Path(folder).name for folder in milan_core.__path__} == {"milan_core"}
