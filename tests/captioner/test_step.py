"""The step that trains: what it writes, which units it keeps apart, and what it resumes from."""

import json

import numpy as np
import pytest

from milan_core.annotations.records import Annotation, write_annotations
from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.domain import FILE, load_domain
from milan_core.captioner.features.options import JobEncoder
from milan_core.captioner.features.store import FeatureTable
from milan_core.captioner.options import CAPTIONER_FILES, CaptionerSettings, TrainingSplit
from milan_core.captioner.reading import pooling_of
from milan_core.captioner.step import TrainCaptioner
from milan_core.captioner.training import fitting
from milan_core.captioner.training.splits import UNITS_HEADER
from milan_core.captioner.training.train import STATE
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.core.step import Compute

ENCODER = JobEncoder(model={"name": "enc", "factory": "a:b"}, layers=["x"], resize="bilinear")


@pytest.fixture
def inputs(tmp_path):
    """Features and annotations of two networks."""
    rng, files = np.random.default_rng(0), {"features": [], "annotations": []}
    for name in ("one", "two"):
        array = rng.normal(size=(30, 4, 6)).astype(np.float16)
        files["features"].append(tmp_path / name / "features.safetensors")
        FeatureTable({"exact": array}, [("l", 30)], {"encoder": "e", "dataset": "d"}).save(
            files["features"][-1]
        )
        files["annotations"].append(tmp_path / name / "annotations.csv")
        texts = [Annotation("l", unit, f"a red dog {unit % 3}") for unit in range(30)]
        write_annotations(files["annotations"][-1], texts)
    return files


def step(inputs, folder, **changes):
    options = CaptionerSettings(
        **{"embedding": 4, "hidden": 8, "lm_embedding": 4, "lm_hidden": 8},
        **{"max_epochs": 2, "checkpoint_seconds": 0.0},
    )
    split = TrainingSplit(name="all", train=["one", "two"], test_share=0.25, seed=3)
    outputs = dict(zip(("config", "vocabulary", "weights"), CAPTIONER_FILES, strict=True))
    outputs |= {"history": "history.csv", "units": "units.csv", "domain": FILE}
    files = {name: folder / file for name, file in outputs.items()}
    given = {**inputs, "split": split, "options": options, "encoder": ENCODER, **files}
    return TrainCaptioner(**{**given, **changes})


def test_the_captioner_and_its_units(inputs, tmp_path):
    folder = tmp_path / "captioner"
    facts = step(inputs, folder).run(Compute())
    assert facts == {"training_units": 45, "test_units": 15}
    assert {path.name for path in folder.iterdir()} == {
        *CAPTIONER_FILES,
        "history.csv",
        "units.csv",
        FILE,
    }
    assert load_domain(folder / FILE) is None, "the features have no whole images"
    sides = [row["side"] for row in read_csv(folder / "units.csv")]
    assert (sides.count("train"), sides.count("test")) == (45, 15)
    captioner = load_captioner([folder / name for name in CAPTIONER_FILES])
    assert captioner.meta["split"]["train"] == ["one", "two"]
    assert pooling_of(captioner) == ENCODER.pooling
    record = json.loads((folder / "config.json").read_text())["meta"]["encoder"]
    assert JobEncoder.from_record(record) == ENCODER
    assert captioner.decode(np.zeros((1, 4, 6), np.float16), beam_size=2).captions


def test_a_domain_is_fitted_to_the_different_whole_images_of_the_training_units(inputs, tmp_path):
    rng, facts = (
        np.random.default_rng(1),
        {"encoder": "e", "dataset": "d", "pooling": {"resize": "area"}},
    )
    for path in inputs["features"]:
        array = rng.normal(size=(30, 4, 6)).astype(np.float16)
        whole = array.copy()
        whole[::2] = whole[:1]  # half of the units show the same four images
        FeatureTable({"exact": array, "whole": whole}, [("l", 30)], facts).save(path)
    step(inputs, tmp_path / "c").run(Compute())
    domain = load_domain(tmp_path / "c" / FILE)
    sides = [row["side"] == "train" for row in read_csv(tmp_path / "c/units.csv")]
    odd = sum(side for unit, side in enumerate(sides) if unit % 2)
    assert domain.images == 4 * (odd + 2)
    assert domain.encoder == "e"


def test_a_killed_step_resumes_and_writes_the_same_bytes(inputs, tmp_path, monkeypatch):
    step(inputs, tmp_path / "whole").run(Compute())
    one_epoch, calls = fitting._one_epoch, []

    def killed(*arguments):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(1)
        return one_epoch(*arguments)

    monkeypatch.setattr(fitting, "_one_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        step(inputs, tmp_path / "killed").run(Compute())
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {STATE}
    monkeypatch.setattr(fitting, "_one_epoch", one_epoch)
    step(inputs, tmp_path / "killed").run(Compute())
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "killed" / path.name).read_bytes() == path.read_bytes(), path.name


def test_files_of_two_folders_are_refused(inputs, tmp_path):
    with pytest.raises(
        UserError, match=r"config.json, vocabulary.json, weights.safetensors in one"
    ):
        step(inputs, tmp_path / "a", weights=tmp_path / "b/weights.safetensors").run(Compute())


def test_a_captioner_may_learn_from_as_many_units_as_another(inputs, tmp_path):
    write_csv(
        tmp_path / "like.csv",
        UNITS_HEADER,
        [("x", "l", unit, "train" if unit < 20 else "test") for unit in range(30)],
    )
    matched = TrainingSplit(name="matched_x", train=["one", "two"])
    facts = step(inputs, tmp_path / "m", split=matched, like=tmp_path / "like.csv").run(Compute())
    assert facts == {"training_units": 20, "test_units": 0}
    rows = read_csv(tmp_path / "m/units.csv")
    assert [row["side"] for row in rows] == ["train"] * 20, "units that are left out have no side"
    assert len({row["model"] for row in rows}) == 2
    again = step(inputs, tmp_path / "n", split=matched, like=tmp_path / "like.csv", seed=1)
    again.run(Compute())
    assert read_csv(tmp_path / "n/units.csv") == rows, "the same units in every trial"
    write_csv(tmp_path / "like.csv", UNITS_HEADER, [("x", "l", u, "train") for u in range(90)])
    with pytest.raises(UserError, match=r"trained on 90 units, the split 'matched_x' has 60"):
        step(inputs, tmp_path / "o", split=matched, like=tmp_path / "like.csv").run(Compute())


def test_a_captioner_without_masks_reads_whole_images(inputs, tmp_path):
    rng = np.random.default_rng(1)
    split = TrainingSplit(name="unmasked_x", train=["one", "two"], masking="whole")
    with pytest.raises(UserError, match=r"no features 'whole', got \['exact'\]"):
        step(inputs, tmp_path / "a", split=split).run(Compute())
    for path in inputs["features"]:
        arrays = {
            name: rng.normal(size=(30, 4, 6)).astype(np.float16) for name in ("exact", "whole")
        }
        FeatureTable(arrays, [("l", 30)], {"encoder": "e", "dataset": "d"}).save(path)
    step(inputs, tmp_path / "b", split=split).run(Compute())
    step(inputs, tmp_path / "c", split=split.model_copy(update={"masking": "exact"})).run(Compute())
    both = [(tmp_path / name / "weights.safetensors").read_bytes() for name in "bc"]
    assert both[0] != both[1]
