"""`snakemake --lint` finds nothing but the one departure that docs/architecture.md explains."""

import re
import subprocess

import pytest
from copies import SNAKEMAKE

# Input functions stand beside the rule that uses them, not in one common file.
DELIBERATE = {"Mixed rules and functions in same snakefile."}


@pytest.mark.workflow
def test_the_workflow_has_no_other_lints(root):
    done = subprocess.run(
        [SNAKEMAKE, "--lint"],
        cwd=root,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    titles = set(re.findall(r"^ +\* (.+?):$", done.stdout, re.MULTILINE))
    assert titles == DELIBERATE, done.stdout
    assert len(re.findall(r"^Lints for (?:rule|snakefile) ", done.stdout, re.MULTILINE)) >= 1
