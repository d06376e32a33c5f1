"""Which published weights get a job, and what is said of the others."""

import pytest
import yaml

from milan_core.core.errors import UserError
from milan_core.images.fetch.options import PublishedFile
from milan_core.networks.plan import fetched_weights, weights_file
from milan_core.plan.checks import check_files, parse_config


@pytest.fixture
def config(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MILAN_OFFLINE", raising=False)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/one.png").touch()
    raw = yaml.safe_load((root / "config/quick.yaml").read_text())

    def build(*models, zoo=None):
        pictures = {"kind": "folder", "options": {"path": "pictures"}}
        return parse_config({
            **raw,
            "models": [*raw["models"], *models],
            "model_zoo": {**raw["model_zoo"], **(zoo or {})},
            "dataset_zoo": {**raw["dataset_zoo"], "imagenet": pictures},
        })  # fmt: skip

    return build


def own(**weights):
    return {"extends": "resnet18_imagenet", "weights": weights}


def test_missing_weights_with_an_address_get_a_job(config):
    asked = config("resnet18_imagenet", "vgg11_imagenet")
    check_files(asked)
    jobs = fetched_weights(asked)
    assert set(jobs) == {"resnet18-f37072fd.pth", "vgg11-8a719046.pth"}
    assert jobs["resnet18-f37072fd.pth"] == PublishedFile(
        name="resnet18-f37072fd.pth",
        urls=["https://download.pytorch.org/models/resnet18-f37072fd.pth"],
        sha256="f37072fd",
    )


def test_a_file_in_place_is_nobodys_output(config, tmp_path):
    place = tmp_path / "resources" / "quick" / "weights" / "resnet18-f37072fd.pth"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"mine")
    assert fetched_weights(config("resnet18_imagenet")) == {}


def test_what_no_job_can_bring_is_named_at_once(config, monkeypatch):
    both = config("resnet18_imagenet", "vgg11_imagenet_blurred", "vgg13_imagenet_blurred")
    with pytest.raises(
        UserError, match=r"vgg11_imagenet_blurred.pth .*, .*vgg13_.* are not there: .*Google Drive"
    ) as told:
        check_files(both)
    assert "resnet18" not in str(told.value)
    monkeypatch.setenv("MILAN_OFFLINE", "1")
    with pytest.raises(
        UserError,
        match=r"quick/weights/resnet18-f37072fd\.pth \(model_zoo.*\) is not there: get it \(https",
    ):
        check_files(config("resnet18_imagenet"))


def test_mirrors_and_queries(config):
    zoo = {"mine": own(url="https://a/x.pth?download=1", mirrors=["hf://o/r/x.pth"], sha256=None)}
    asked = config("mine", zoo=zoo)
    assert fetched_weights(asked)["x.pth"].urls == [
        "https://a/x.pth?download=1",
        "hf://o/r/x.pth",
    ]


def test_one_name_for_two_files_is_refused(config):
    zoo = {name: own(url=f"https://{name}/model.pth", sha256=None) for name in ("one", "two")}
    with pytest.raises(UserError, match=r"model.pth is also the file of one.*`file`"):
        fetched_weights(config("one", "two", zoo=zoo))
    zoo["two"]["weights"]["file"] = "two.pth"
    assert set(fetched_weights(config("one", "two", zoo=zoo))) == {"model.pth", "two.pth"}


def test_the_home_folder_is_written_out_for_rules(config, tmp_path, monkeypatch):
    """Snakemake expands no `~`, so what `milan check` had found was missing in the run."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w.pth").touch()
    net = {"factory": "torchvision:resnet18", "layers": ["layer1"], "dataset": "shapes_probe"}
    stored = {"source": "file", "path": "~/w.pth"}
    asked = config("mine", zoo={"mine": {**net, "weights": stored}})
    check_files(asked)
    assert weights_file(asked, "mine") == str(tmp_path / "w.pth")
    with pytest.raises(UserError, match="no home folder '~nobody-here'; give the whole path"):
        config("mine", zoo={"mine": {**net, "weights": {**stored, "path": "~nobody-here/w"}}})
