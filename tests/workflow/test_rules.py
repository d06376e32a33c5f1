"""Rules and steps agree: names of inputs, outputs and params are the fields of the step."""

import re

import pytest

from milan_core.core.step import all_steps, step_fields

RULES = re.compile(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^    (\w+):(.*?)(?=^    \w|\Z)", re.MULTILINE | re.DOTALL)
PLACE = {"input": "input", "output": "output", "folder": "output", "option": "params"}
BESIDE = {"code"}  # params that are no fields


def rules(root):
    """Every rule: its blocks by name, as text."""
    found = {}
    for path in sorted((root / "workflow").rglob("*.smk")):
        for name, body in RULES.findall(path.read_text()):
            found[name] = dict(BLOCK.findall(body))
    return found


def named(block):
    """The keywords of a block, at its own depth of brackets."""
    names, depth = [], 0
    for line in block.splitlines():
        if depth == 0 and (match := re.match(r"\s+(\w+)=", line)):
            names.append(match.group(1))
        depth += sum(line.count(c) for c in "([{") - sum(line.count(c) for c in ")]}")
    return names


def step_rules(root):
    for name, blocks in rules(root).items():
        if match := re.search(r'command\("([\w.]+)"\)', blocks.get("shell", "")):
            yield name, match.group(1), blocks


def test_every_field_has_its_file_or_param(root):
    for rule, step, blocks in step_rules(root):
        fields = step_fields(all_steps()[step])
        folder = any(field.role == "folder" for field in fields)
        files = [one for one in fields if one.role == "output" and one.name != "record"]
        for block in ("input", "output", "params"):
            wanted = {field.name for field in fields if PLACE[field.role] == block}
            if block == "output" and folder and not files:
                wanted -= {"record"}  # in the folder; readers of files beside it would not find it
            given = set(named(blocks.get(block, ""))) - (BESIDE if block == "params" else set())
            assert given == wanted, (rule, step, block)


def test_rules_are_named_after_their_steps(root):
    for rule, step, blocks in step_rules(root):
        assert rule == step.replace(".", "_")
        code = rf'code=(lambda wildcards: )?step_code\("{re.escape(step)}"'
        assert re.search(code, blocks["params"]), rule
        assert "device=" not in blocks["params"], "no part of what was asked"
        assert ("device=" in blocks.get("resources", "")) == all_steps()[step].runs_networks, rule


def test_every_step_has_one_rule(root):
    steps = [step for _, step, _ in step_rules(root)]
    assert sorted(steps) == sorted(all_steps())


def test_what_another_run_trained_is_found_by_the_plan(root):
    """Inputs that `trained: FOLDER` may move are no paths of this run's results."""
    for path in (root / "workflow/rules").glob("*.smk"):
        for name in ("judge", "captioners", "target"):
            found = rf"\{{(RESULTS|\d)\}}/(\{{\S+\}}/)?{name}\b"
            asked = path.name == "report.smk"  # which asks whether they lie here
            assert asked or not re.search(found, path.read_text()), (path.name, name)


@pytest.mark.parametrize("block", ["input", "output"])
def test_no_file_is_without_a_name(root, block):
    for rule, _, blocks in step_rules(root):
        lines = blocks.get(block, "").strip().splitlines()
        assert not lines or re.match(r"\w+=", lines[0].strip()), (rule, block)


def test_every_shell_is_the_command_of_a_step(root):
    for name, blocks in rules(root).items():
        if not set(blocks) <= {"default_target", "input", "localrule"}:
            shell = re.fullmatch(r'\s*command\("[\w.]+"\)\s*', blocks["shell"])
            assert shell, f"{name}: shell is not command(STEP)"


def test_shared_code_of_rules_is_short(root):
    lines = (root / "workflow/rules/common.smk").read_text().splitlines()
    assert len(lines) <= 100, "what one rule file needs goes into that file"


@pytest.mark.parametrize("page", ["docs/architecture.md", "workflow/documentation.md"])
def test_every_rule_of_a_step_is_documented(root, page):
    text = (root / page).read_text()
    assert not [name for name, _, _ in step_rules(root) if f"`{name}`" not in text]


def test_no_rule_reads_the_judge_of_this_run_alone(root):
    """It may be that of the run in `trained` (`referee.plan.judge_folder`)."""
    for name, blocks in rules(root).items():
        assert '"<results>/judge"' not in blocks.get("input", ""), name


def asked_memory(root):
    """Gigabytes that the rule of each step asks for in its first attempt."""
    found = {}
    for _, step, blocks in step_rules(root):
        match = re.search(r"\bmem=memory\((\d+)\)", blocks.get("resources", ""))
        found[step] = int(match.group(1)) if match else None
    return found


def test_every_rule_of_a_step_states_its_memory(root):
    assert not [step for step, asked in asked_memory(root).items() if asked is None]


def test_measured_memory_is_below_what_rules_ask_for(root):
    """The table of `docs/scaling.md`, which `benchmarks/stages.py` makes of a run's records."""
    text = (root / "docs/scaling.md").read_text()
    rows = re.findall(
        r"^\| `([\w.]+)` \|[^|]*\|[^|]*\| ([\d,]+) MB \| (\d+) GB \|", text, re.MULTILINE
    )
    asked, told = asked_memory(root), {step: int(gb) for step, _, gb in rows}
    assert told == {step: asked[step] for step in told}, "make the table again"
    unmeasured = {"fetch.weights", "generators.latents", "features.encode_set"}
    unmeasured |= {"describers.import_labels", "listed.describe", "audit.recount"}
    unmeasured |= {step for step in asked if step.endswith("_part")}
    assert set(asked) - set(told) <= unmeasured
    assert not [step for step, peak, gb in rows if int(peak.replace(",", "")) > 1000 * int(gb)]
