"""A new experiment and a new hub of networks touch the files that CONTRIBUTING names."""

import pytest
from copies import copy_repository, milan, python

from workflow.conftest import snakemake

EXPERIMENT = {
    "options.py": '''"""Options of the lengths."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Name, Section


class LengthsOptions(Section):
    """What is counted."""

    longest: int = Field(30, ge=1, description="Words from which a description is long")


class LengthsSpec(LengthsOptions):
    """Section `lengths`: how long descriptions are."""

    models: list[Name] = Field([], description="Described networks; none: leave it out")
''',
    "plan.py": '''"""What the lengths ask for."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.options import narrowed
from milan_core.experiments.lengths.options import LengthsOptions


def measured(config: Config) -> list[str]:
    """Networks whose descriptions are counted."""
    return [name for name in config.lengths.models if name in config.models]


def lengths_options(config: Config) -> LengthsOptions:
    """The options of the job."""
    return narrowed(config.lengths, LengthsOptions)
''',
    "section.py": '''"""Section of the report on the lengths."""

from __future__ import annotations

from collections.abc import Sequence

from milan_core.core.section import Section


def lengths_section(lengths: Sequence[int], longest: int) -> Section:
    """One sentence on the number of words."""
    long = sum(length > longest for length in lengths)
    text = f"{long} of {len(lengths)} descriptions have more than {longest} words."
    return Section("lengths", "Lengths", 90, [text])
''',
    "step.py": '''"""Step of the lengths."""

from __future__ import annotations

from milan_core.core.step import Compute, In, Out, Step
from milan_core.experiments.lengths.options import LengthsOptions


class LengthsSection(Step, name="lengths.section"):
    """Count the words of descriptions."""

    descriptions: list[In]
    options: LengthsOptions
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the section of the report."""
        from milan_core.core.section import write_section
        from milan_core.experiments.lengths.section import lengths_section
        from milan_core.scoring.tables import read_descriptions

        tables = [read_descriptions(path) for path in self.descriptions]
        lengths = [len(text.split()) for table in tables for text in table.values()]
        write_section(self.section, lengths_section(lengths, self.options.longest))
''',
    "__init__.py": '"""Lengths of descriptions."""\n',
}
RULES = """# Lengths of descriptions.
from milan_core.experiments.lengths import plan as lengths_plan


rule lengths_section:
    input:
        descriptions=collect(
            "<results>/{model}/descriptions.csv", model=lengths_plan.measured(CONFIG)
        ),
    output:
        section="<results>/lengths/section.json",
        record="<results>/lengths/provenance.json",
    log:
        "<logs>/lengths/section.log",
    conda:
        "../../envs/milan.yaml"
    params:
        options=canonical(lengths_plan.lengths_options(CONFIG)),
        code=step_code("lengths.section"),
    shell:
        command("lengths.section")


rule lengths:
    input:
        "<results>/lengths/section.json" if lengths_plan.measured(CONFIG) else [],
    localrule: True
"""
EDITS = {
    "milan_core/config.py": [
        (
            "from milan_core.experiments.generalization.options import GeneralizationSpec\n",
            "from milan_core.experiments.lengths.options import LengthsSpec\n",
        ),
        (
            '    notice: str = Field("",',
            '    lengths: LengthsSpec = Field(LengthsSpec(), description="Lengths")\n',
        ),
    ],
    "milan_core/report/plan.py": [
        (
            "from milan_core.plan.splits import",
            "from milan_core.experiments.lengths.plan import measured\n",
        ),
        (
            '        "edit": config.edit is not None,',
            '        "lengths": bool(measured(config)),\n',
        ),
    ],
    "workflow/Snakefile": [
        ('include: "rules/report.smk"', 'include: "rules/lengths.smk"\n'),
        ("        rules.report.input,", "        rules.lengths.input,\n"),
    ],
}
HUB = '''"""Networks of the toy hub."""

from __future__ import annotations

from torch import nn


def toy_model(name: str, pretrained: bool = True, channels: int = 2) -> nn.Module:
    """`toy:NAME`: one convolution."""
    assert name == "small"
    return nn.Sequential(nn.Conv2d(3, channels, 1))
'''


@pytest.fixture(scope="module")
def checkout(root, tmp_path_factory):
    """A copy of the repository with a further experiment and a further hub."""
    folder = copy_repository(root, tmp_path_factory.mktemp("checkout"))
    package = folder / "milan_core/experiments/lengths"
    package.mkdir()
    for name, text in EXPERIMENT.items():
        (package / name).write_text(text)
    (folder / "workflow/rules/lengths.smk").write_text(RULES)
    for name, edits in EDITS.items():
        text = (folder / name).read_text()
        for before, line in edits:
            assert text.count(before) == 1, (name, before)
            text = text.replace(before, line + before)
        (folder / name).write_text(text)
    adapters = folder / "milan_core/networks/adapters"
    (adapters / "toy.py").write_text(HUB)
    text = (adapters / "__init__.py").read_text()
    line = '    "toy": f"{__name__}.toy:toy_model",\n'
    (adapters / "__init__.py").write_text(text.replace("HUBS = {\n", f"HUBS = {{\n{line}"))
    return folder


@pytest.mark.workflow
def test_the_experiment_is_planned_with_the_report(checkout):
    overlay = checkout / "lengths.yaml"
    overlay.write_text("lengths: {models: [shapes_resnet], longest: 3}\n")
    files = ["--configfile", "config/quick.yaml", str(overlay)]
    done = snakemake(checkout, "report", "-n", *files)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "lengths_section" in done.stdout
    overlay.write_text("lengths: {longst: 3}\n")
    done = snakemake(checkout, "report", "-n", *files)
    assert "lengths.longst: unknown key; did you mean longest" in done.stdout


def test_its_step_runs_from_the_command_line(checkout, tmp_path):
    (tmp_path / "d.csv").write_text("layer,unit,description\na,0,one two\na,1,one two three\n")
    flags = ["--descriptions", str(tmp_path / "d.csv"), "--options", '{"longest": 2}']
    done = milan(checkout, "step", "lengths.section", *flags, "--section", str(tmp_path / "s.json"))
    assert done.returncode == 0, done.stderr
    assert "1 of 2 descriptions have more than 2 words." in (tmp_path / "s.json").read_text()


def test_the_hub_brings_a_network(checkout):
    code = (
        "from milan_core.networks.zoo import load_network;"
        "spec = {'factory': 'toy:small', 'kwargs': {'channels': 5}, 'layers': ['0']};"
        "print(load_network(spec).layers, load_network(spec).module[0].out_channels)"
    )
    done = python(checkout, "-c", code)
    assert done.stdout == "['0'] 5\n", done.stderr
