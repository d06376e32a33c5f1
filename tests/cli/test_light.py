"""The command line is read without torch, so help and mistakes come at once."""

import subprocess
import sys

HEAVY = {"torch", "transformers", "spacy", "matplotlib", "snakemake"}


def test_no_command_imports_a_heavy_package_to_read_its_flags():
    code = (
        "import sys; from milan_core.cli import build_parser; build_parser();"
        f"print(*sorted({HEAVY!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
