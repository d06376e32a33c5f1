"""Finished shards of another number are merged in place of new ones, while they are current."""

import json

import pytest

from milan_core.cli.config import load
from milan_core.core.errors import UserError
from milan_core.core.identity import step_code
from milan_core.core.options import canonical
from milan_core.core.recording import write_record
from milan_core.core.records import check_inputs
from milan_core.exemplars.plan import mining_options, mining_seed
from milan_core.networks.plan import job_network
from milan_core.plan import cuts
from milan_core.plan.checks import parse_config
from milan_core.plan.cuts import SCAN, Cut, Made, cut_to_merge, parts_to_join

MODEL = "shapes_resnet"


@pytest.fixture
def config(root):
    return parse_config(load([root / "config/config.yaml", root / "config/quick.yaml"]))


def asking(config, **exemplars):
    changed = config.exemplars.model_copy(update=exemplars)
    return config.model_copy(update={"exemplars": changed})


def scan(config, folder, label, code=None, parts=None):
    """What a scan leaves of `parts`, by default of all."""
    options = {
        "model": json.loads(canonical(job_network(config, MODEL))),
        "options": json.loads(canonical(mining_options(config, MODEL))),
        "seed": mining_seed(config),
    }
    folder.mkdir(exist_ok=True)
    for number, file in enumerate(Cut.parse(label).files(folder), 1):
        if parts is None or number in parts:
            name = f"{number}-of-{label}"
            (folder / f"{name}.safetensors").write_bytes(b"shard")
            record = folder / f"{name}.provenance.json"
            write_record(record, SCAN, {}, [], options, code or step_code(SCAN), {})
            assert file == str(folder / f"{name}.safetensors")


def test_each_part_has_its_place():
    assert Cut.parse("4") == Cut(4)
    cut = Cut.parse("3x2")
    assert (cut, cut.label, cut.jobs) == (Cut(3, 2), "3x2", 6)
    places = [cut.place(part) for part in range(1, 7)]
    assert places == [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2)]
    for wrong in ("0", "3x", "x2", "3x0", "03"):
        with pytest.raises(UserError, match="is not a number of shards"):
            Cut.parse(wrong)


def test_a_finished_set_is_taken(config, tmp_path):
    asked = asking(config, shards=3, unit_shards=2)
    assert cut_to_merge(asked, MODEL, tmp_path / "none") == Cut(3, 2)
    scan(config, tmp_path / "s", "2")
    assert cut_to_merge(asked, MODEL, tmp_path / "s") == Cut(2)
    scan(config, tmp_path / "s", "3x2", parts=[1, 2, 3, 4, 6])
    assert cut_to_merge(asked, MODEL, tmp_path / "s") == Cut(2), "a part is missing"
    scan(config, tmp_path / "s", "3x2")
    assert cut_to_merge(asked, MODEL, tmp_path / "s") == Cut(3, 2)


def test_a_set_that_is_not_current_is_not_taken(config, tmp_path):
    asked = asking(config, shards=3)
    scan(config, tmp_path / "code", "2", code="000000000000")
    scan(config, tmp_path / "part", "2", parts=[1])
    scan(config, tmp_path / "lost", "2")
    (tmp_path / "lost/2-of-2.safetensors").unlink()
    scan(config, tmp_path / "damaged", "2")
    (tmp_path / "damaged/1-of-2.provenance.json").write_text("{")
    for folder in ("code", "part", "lost", "damaged"):
        assert cut_to_merge(asked, MODEL, tmp_path / folder) == Cut(3), folder
    scan(config, tmp_path / "options", "2")
    for change in ({"k": 7}, {"quantile": 0.9}, {"table": ("max", "mean")}):
        assert cut_to_merge(asking(asked, **change), MODEL, tmp_path / "options") == Cut(3), change
    assert cut_to_merge(asked, "shapes_alexnet", tmp_path / "options") == Cut(3), "another one"


def test_a_planted_name_is_not_counted_out(tmp_path):
    """A record that claims more shards than there are files takes no time and no memory."""
    for label in ("999999999999", "99999999x99999999", "2"):
        (tmp_path / f"1-of-{label}.provenance.json").write_text("{}")
    (tmp_path / "2-of-2.provenance.json").write_text("{}")
    assert [cut.label for cut in cuts._found(tmp_path)] == ["2"]


STEP, PART = "analyze.network", "analyze.network_part"
ASKED = {"seed": 3, "options": '{"images":8}'}
OPTIONS = {"seed": 3, "options": {"images": 8}}


def finish(folder, of, only=None, options=OPTIONS, code=None):
    """What jobs leave of the parts of a result."""
    parts = folder / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(Cut(of).files(parts), 1):
        if only is None or number in only:
            (parts / f"{number}-of-{of}.safetensors").write_bytes(b"part")
            record = parts / f"{number}-of-{of}.provenance.json"
            facts = {"part": number, "of": of, **options}
            write_record(record, PART, {}, [], facts, code or step_code(PART), {})
            assert file == str(parts / f"{number}-of-{of}.safetensors")


def joined(folder, inputs, options=OPTIONS):
    """What the job leaves that joins parts, or makes all."""
    folder.mkdir(exist_ok=True)
    seen = check_inputs(inputs)
    write_record(folder / "provenance.json", STEP, seen, [], options, step_code(STEP), {})


def names(folder, asked, **changes):
    made = Made.of(PART, **{**ASKED, **changes})
    found = parts_to_join(asked, folder / "provenance.json", STEP, made)
    return [path.removeprefix(f"{folder}/parts/") for path in found]


def of(number):
    return [f"{part}-of-{number}.safetensors" for part in range(1, number + 1)]


def test_as_many_parts_as_asked_for_where_nothing_is_finished(tmp_path):
    assert names(tmp_path, 1) == []
    assert names(tmp_path, 3) == of(3)


def test_finished_parts_of_another_number_are_joined(tmp_path):
    finish(tmp_path, 2)
    for asked in (1, 2, 3):
        assert names(tmp_path, asked) == of(2), asked
    finish(tmp_path, 3)
    assert names(tmp_path, 3) == of(3), "as asked for"
    assert names(tmp_path, 3, seed=4) == of(3), "they are made again"
    assert names(tmp_path, 1, seed=4) == []
    assert names(tmp_path, 1, options='{"images":9}') == []


def test_an_unfinished_or_outdated_set_is_made_again(tmp_path):
    finish(tmp_path / "part", 2, only=[2])
    finish(tmp_path / "code", 2, code="000000000000")
    finish(tmp_path / "lost", 2)
    (tmp_path / "lost/parts/1-of-2.safetensors").unlink()
    for name in ("part", "code", "lost"):
        assert names(tmp_path / name, 3) == of(3), name
        assert names(tmp_path / name, 1) == [], name


def test_the_result_of_one_job_stays_while_its_inputs_do(tmp_path):
    (tmp_path / "input").write_text("a")
    joined(tmp_path / "r", [tmp_path / "input"])
    assert names(tmp_path / "r", 4) == []
    assert names(tmp_path / "r", 4, seed=4) == of(4)
    check_inputs([tmp_path / "input"])
    write_record(tmp_path / "provenance.json", "toy", {}, [tmp_path / "input"], {}, "c", {})
    assert names(tmp_path / "r", 4) == []
    (tmp_path / "input").write_text("b")
    write_record(tmp_path / "provenance.json", "toy", {}, [tmp_path / "input"], {}, "c", {})
    assert names(tmp_path / "r", 4) == of(4), "its input has changed"


def test_a_joined_result_needs_its_parts(tmp_path):
    finish(tmp_path, 2)
    joined(tmp_path, [tmp_path / "parts/1-of-2.safetensors", tmp_path / "parts/2-of-2.safetensors"])
    assert names(tmp_path, 1) == of(2)
    (tmp_path / "parts/2-of-2.safetensors").unlink()
    assert names(tmp_path, 1) == []
    assert names(tmp_path, 3) == of(3)
