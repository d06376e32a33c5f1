"""Finished shards of another number are merged in place of new ones, while they are current."""

import json

import pytest

from milan_core.cli.config import load
from milan_core.core.errors import UserError
from milan_core.core.identity import step_code
from milan_core.core.options import canonical
from milan_core.core.records import write_record
from milan_core.exemplars.plan import mining_options, mining_seed
from milan_core.networks.plan import job_network
from milan_core.plan import cuts
from milan_core.plan.checks import parse_config
from milan_core.plan.cuts import SCAN, Cut, cut_to_merge

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
        with pytest.raises(UserError, match="is no number of shards"):
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
