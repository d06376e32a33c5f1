"""Faults over a small whole run: 20 rounds, and one damaged bit in every kind of artifact."""

import random

import pytest

from faults.kinds import BAD, FAULTS, MOUNTS, can_mount, of_kind
from faults.rounds import play, table
from faults.run import copy, replace, small_run
from milan_core.core.step import all_steps, step_fields

pytestmark = pytest.mark.workflow
SEED = "gate"

# Outputs that the small run has not. They go through the same writer of records and the same check
# of inputs; what each needs is said.
ELSEWHERE = {
    "fetch.asset": "a package registry",
    "fetch.weights": "a server",
    "features.encode_set": "a published annotation set",
    "generators.draw": "a generator, another 20 s",
    "generators.latents": "published codes",
    "describers.variant": "published checkpoints",
    "describers.import_labels": "results of published programs",
    "variants.score": "published checkpoints",
    "variants.table": "published checkpoints",
    "audit.recount": "answers of people",
    "baselines.table.bertscore": "an encoder of texts",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "run"
    folder.mkdir()
    return small_run(folder)


def test_no_kind_of_artifact_is_forgotten(run):
    declared = {
        f"{name}.{field.name}"
        for name, step in all_steps().items()
        for field in step_fields(step)
        if field.role in ("output", "folder") and field.name != "record"
    }
    made = {kind for job in run.jobs for kind, _ in job.artifacts()}
    left = {k for k in declared - made if not {k, k.rpartition(".")[0]} & ELSEWHERE.keys()}
    assert not left, "extend small.yaml so that these are made, or say in ELSEWHERE what they need"


def damage_every_kind(run, tmp_path, ways):
    """One file of every kind, damaged in one of `ways` in turn."""
    rng = random.Random(f"{SEED}.{ways}")
    files = run.files()
    folder = copy(run.folder, tmp_path / "0")
    for number, kind in enumerate(sorted({kind for kind, _ in files})):
        path = rng.choice([path for name, path in files if name == kind])
        before = (folder / path).read_bytes()
        found = of_kind(rng, run, folder, ways[number % len(ways)], kind, path, readers=1)
        assert found.outcome in ("noticed", "equal"), found
        assert found.outcome == "noticed" or kind.endswith(".record") or not found.reason, found
        replace(folder / path, before)
        if found.outcome != "noticed":
            folder = copy(run.folder, tmp_path / str(number + 1))


def test_one_bit_of_every_kind_is_noticed(run, tmp_path):
    damage_every_kind(run, tmp_path, ["flip"])


@pytest.mark.slow
def test_a_short_file_of_every_kind_is_noticed(run, tmp_path):
    damage_every_kind(run, tmp_path, ["cut", "emptied"])


@pytest.mark.slow
@pytest.mark.parametrize("number", range(10))
def test_more_damage_of_every_kind_is_noticed(run, tmp_path, number):
    damage_every_kind(run, tmp_path, [*["flip", "emptied", "cut"][: 1 + number % 3]])


def test_twenty_rounds(run):
    names = [name for name in sorted(FAULTS) if can_mount() or name not in MOUNTS]
    rounds = [play(run, f"{SEED}.{i}", names[i % len(names)]) for i in range(20)]
    print(table(rounds))
    assert not [item for item in rounds if item.outcome in BAD]


@pytest.mark.slow
def test_two_hundred_rounds(run):
    rounds = [play(run, f"slow.{number}") for number in range(200)]
    print(table(rounds))
    assert not [item for item in rounds if item.outcome in BAD]
