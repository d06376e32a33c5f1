"""Faults over a small whole run: 20 rounds, and one damaged bit in every kind of artifact."""

import random

import pytest

from faults.contents import variants
from faults.harm import of_contents, of_kind
from faults.kinds import BAD, FAULTS
from faults.machine import MOUNTS, can_mount
from faults.rounds import play, table
from faults.run import copy, restore
from faults.sealing import record_path_of
from faults.small import small_run
from milan_core.core.recording import record_path
from milan_core.core.step import all_steps, step_fields

pytestmark = pytest.mark.workflow
SEED = "gate"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with small_run(tmp_path_factory.mktemp("small") / "run") as made:
        yield made


def test_no_kind_of_artifact_is_forgotten(run):
    declared = {
        f"{name}.{field.name}"
        for name, step in all_steps().items()
        for field in step_fields(step)
        if field.role in ("output", "folder") and field.name != "record"
    }
    made = {kind for job in run.jobs for kind, _ in job.artifacts()}
    assert not declared - made, "extend small.yaml or standins.py so that these are made"


def damage_every_kind(run, tmp_path, ways):
    """One file of every kind, damaged in one of `ways` in turn."""
    rng = random.Random(f"{SEED}.{ways}")
    files = run.files()
    folder = copy(run.folder, tmp_path / "0")
    for number, kind in enumerate(sorted({kind for kind, _ in files})):
        path = rng.choice([path for name, path in files if name == kind])
        found = of_kind(rng, run, folder, ways[number % len(ways)], kind, path, readers=1)
        assert found.outcome in ("noticed", "equal"), found
        assert found.outcome == "noticed" or kind.endswith(".record") or not found.reason, found
        restore(run, folder, [path])
        if found.outcome != "noticed":
            folder = copy(run.folder, tmp_path / str(number + 1))


def hostile_every_kind(run, tmp_path, seed, sealed):
    """Hostile contents in a file of every kind, and a job that reads it."""
    rng, problems = random.Random(f"{SEED}.{seed}"), []
    folder, files = copy(run.folder, tmp_path / "0"), run.files()
    for kind in sorted({kind for kind, _ in files if not kind.endswith(".record")}):
        path = rng.choice([path for name, path in files if name == kind])
        jobs = run.consumers(path)
        data = (run.folder / path).read_bytes()
        foreign = path.suffix == ".safetensors" and b'"milan"' not in data[:4096]
        if not jobs or foreign:  # models of other programs have no content of ours
            continue
        what, make = rng.choice(list(variants(path, data)))
        job = rng.choice(jobs)
        found = of_contents(run, folder, kind, path, make(), [job], sealed)
        if found.outcome not in ("noticed", "equal"):
            problems.append((what, found))
        written = (record_path_of(run.folder, path), record_path(job.step), *job.outputs)
        restore(run, folder, {path, *written} - {None})
    assert not problems


def test_one_bit_of_every_kind_is_noticed(run, tmp_path):
    damage_every_kind(run, tmp_path, ["flip"])


@pytest.mark.slow
def test_a_short_file_of_every_kind_is_noticed(run, tmp_path):
    damage_every_kind(run, tmp_path, ["cut", "emptied"])


def test_hostile_contents_of_every_kind_are_sentences(run, tmp_path):
    hostile_every_kind(run, tmp_path, 0, sealed=True)


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("seed", range(1, 11))
def test_more_hostile_contents_of_every_kind_are_sentences(run, tmp_path, seed, sealed):
    hostile_every_kind(run, tmp_path, seed, sealed)


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
