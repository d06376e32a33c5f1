"""A network in a file of the user's, outside the repository: by the workflow and by one command."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from .conftest import QUICK, environment, snakemake
from .plans import job_counts

pytestmark = pytest.mark.workflow

NETWORK = """
from torch import nn

def build(classes=4):
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes),
    )
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with a network, its weights and 24 images."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_net.py").write_text(NETWORK)
    code = (
        "import runpy, torch; torch.manual_seed(1);"
        "net = runpy.run_path('my_net.py')['build']();"
        "torch.save(net.state_dict(), 'weights.pt')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    (folder / "images").mkdir()
    generator = np.random.default_rng(0)
    for index in range(24):
        pixels = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((90, 70), Image.Resampling.BILINEAR)
        picture.save(folder / "images" / f"{index:02}.png")
    return folder


def milan(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "milan_core", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def run_arguments(own, folder, **changes):
    options = {
        "--model": f"{own}/my_net.py:build",
        "--weights": f"{own}/weights.pt",
        "--images": f"{own}/images",
        "--layers": "2",
        "--captioner": "results/quick/captioners/all/seed0",
        "--size": "64",
        "--out": str(folder),
    }
    options.update({f"--{key}": str(value) for key, value in changes.items()})
    return ["describe", *[word for pair in options.items() for word in pair]]


def described(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_by_one_command(quick_run, own, tmp_path):
    result = milan(quick_run, *run_arguments(own, tmp_path / "out"))
    assert result.returncode == 0, result.stderr
    rows = described(tmp_path / "out/descriptions.csv")
    assert [(row["layer"], row["unit"]) for row in rows] == [("2", str(u)) for u in range(8)]
    assert any(row["description"] for row in rows)
    assert (tmp_path / "out/atlas/index.html").is_file()


OWN = """
models: [my_net]
trained: results/quick
pathvars: {{results: results/own, logs: logs/own, benchmarks: logs/own}}
audit: null
edit: null
model_zoo:
  my_net:
    factory: {own}/my_net.py:build
    weights: {{source: file, path: {own}/weights.pt}}
    input: {{size: 64}}
    layers: ["0", "2"]
    dataset: my_images
dataset_zoo:
  my_images: {{kind: folder, options: {{path: {own}/images, size: 64}}}}
"""


def test_by_the_workflow(quick_run, own):
    """A run of one's own has its own results and uses what another has trained, read-only."""
    overlay = own / "own.yaml"
    overlay.write_text(OWN.format(own=own))
    before = content(quick_run / "results/quick")
    planned = job_counts(snakemake(quick_run, "-n", *QUICK, str(overlay)).stdout)
    assert not {"networks_train", "captioner_train", "annotations_write"} & set(planned)
    assert planned["exemplars_merge"] == planned["features_encode"] == 1
    result = snakemake(quick_run, "--cores", "2", *QUICK, str(overlay))
    assert result.returncode == 0, result.stdout[-3000:]
    assert (quick_run / "results/own/atlas/data/my_net/index-0.js").is_file()
    rows = described(quick_run / "results/own/my_net/descriptions.csv")
    assert len(rows) == 6 + 8
    assert content(quick_run / "results/quick") == before
    assert "Nothing to be done" in snakemake(quick_run, "-n", *QUICK).stdout
    example = (quick_run / "config/examples/own_model.yaml").read_text()
    keys = ("model_zoo:", "factory:", "weights: {source: file", "kind: folder", "trained: results")
    for key in keys:
        assert key in example


def content(folder):
    """Bytes and time of every file."""
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("trained: nowhere", "config: trained: no folder 'nowhere'"),
        ("captioner: {hidden: 63}", "was trained with another options than this configuration"),
        ("model_zoo: {shapes_encoder: {weights: {epochs: 7}}}", "another training than this"),
    ],
)
def test_what_was_trained_otherwise_is_refused(quick_run, own, tmp_path, change, sentence):
    (tmp_path / "own.yaml").write_text(OWN.format(own=own))
    (tmp_path / "change.yaml").write_text(change)
    overlays = [str(tmp_path / name) for name in ("own.yaml", "change.yaml")]
    result = milan(quick_run, "check", "config/config.yaml", "config/quick.yaml", *overlays)
    assert result.returncode == 2
    assert sentence in result.stderr


def test_directions_of_a_dictionary(quick_run, tmp_path):
    """A sparse autoencoder of a layer, trained and described like a layer of its own."""
    weights = "results/quick/shapes_resnet/target/weights.safetensors"
    entry = {
        "factory": "milan_core.networks.minis.cnn:resnet_mini",
        "kwargs": {"classes": 12, "widths": [12, 16, 24]},
        "weights": {"source": "file", "path": weights},
        "input": {"size": 64, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    }
    (tmp_path / "model.json").write_text(json.dumps(entry))
    trained = milan(
        quick_run,
        *("networks", "dictionary", "--model", f"@{tmp_path}/model.json", "--layer", "blocks.4"),
        *(
            "--dataset",
            "resources/quick/datasets/shapes_probe",
            "--out",
            f"{tmp_path}/sae.safetensors",
        ),
        *("--options", '{"units": 20, "steps": 200, "positions": 20000}'),
    )
    assert trained.returncode == 0, trained.stderr
    assert "explained" in trained.stdout
    overlay = tmp_path / "directions.yaml"
    overlay.write_text(f"""
models: [shapes_sae]
audit: null
edit: null
model_zoo:
  shapes_sae:
    extends: shapes_resnet
    weights: {{source: file, path: {weights}}}
    layers: []
    directions:
      sae: {{layer: blocks.4, path: {tmp_path}/sae.safetensors, matrix: encoder,
             bias: encoder_bias, center: center, relu: true}}
""")
    table = "results/quick/shapes_sae/descriptions.csv"
    result = snakemake(quick_run, "--cores", "2", table, *QUICK, str(overlay))
    assert result.returncode == 0, result.stdout[-3000:]
    rows = described(quick_run / table)
    assert [(row["layer"], row["unit"]) for row in rows] == [("sae", str(u)) for u in range(20)]
    assert any(row["description"] for row in rows), "described with words"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "nowhere.module:build"}, ["nowhere"]),
        ({"model": "my_net.py:build"}, ["my_net.py"]),
        ({"layers": "convolution1"}, ["convolution1", "layer"]),
        ({"weights": "nowhere.pt"}, ["nowhere.pt"]),
        ({"images": "nowhere"}, ["nowhere"]),
        ({"k": "25"}, ["fewer images than k", "24", "25"]),
        ({"captioner": "nowhere"}, ["captioner", "nowhere"]),
        ({"out": "/proc/forbidden"}, ["/proc/forbidden"]),
    ],
)
def test_mistakes_are_one_line(quick_run, own, tmp_path, changes, words):
    result = milan(quick_run, *run_arguments(own, tmp_path / "out", **changes))
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert lines[-1].startswith("milan: error: ")
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in lines[-1]


def test_misspelt_layer_lists_the_nearest(quick_run, own, tmp_path):
    arguments = run_arguments(
        own, tmp_path / "out", model="torchvision.models:resnet18", layers="layre4", weights=""
    )
    del arguments[arguments.index("--weights") : arguments.index("--weights") + 2]
    result = milan(quick_run, *arguments)
    assert result.returncode == 2
    assert "layer4" in result.stderr


def test_wrong_input_size(quick_run, own, tmp_path):
    text = "from torch import nn\n\n\ndef build():\n"
    text += (
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 2))\n"
    )
    (own / "fixed.py").write_text(text)
    changes = {"model": f"{own}/fixed.py:build", "layers": "2", "weights": ""}
    arguments = run_arguments(own, tmp_path / "out", **changes)
    del arguments[arguments.index("--weights") : arguments.index("--weights") + 2]
    result = milan(quick_run, *arguments)
    assert result.returncode == 2, result.stderr
    assert "64" in result.stderr.splitlines()[-1]


def test_nan_activations(quick_run, own, tmp_path):
    (own / "nan.py").write_text(
        "from torch import nn\n\n\nclass Log(nn.Module):\n"
        "    def forward(self, x):\n        return x.log()\n\n\n"
        "def build():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), Log())\n"
    )
    changes = {"model": f"{own}/nan.py:build", "layers": "1", "weights": ""}
    arguments = run_arguments(own, tmp_path / "out", **changes)
    del arguments[arguments.index("--weights") : arguments.index("--weights") + 2]
    result = milan(quick_run, *arguments)
    assert result.returncode == 2, result.stderr
    assert "NaN" in result.stderr.splitlines()[-1]


def test_empty_folder_and_unreadable_image(quick_run, own, tmp_path):
    (tmp_path / "empty").mkdir()
    result = milan(quick_run, *run_arguments(own, tmp_path / "a", images=tmp_path / "empty"))
    assert result.returncode == 2
    assert "empty" in result.stderr.splitlines()[-1]
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/broken.png").write_bytes(b"not an image")
    result = milan(quick_run, *run_arguments(own, tmp_path / "b", images=tmp_path / "bad"))
    assert result.returncode == 2
    assert "broken.png" in result.stderr.splitlines()[-1]


def test_corrupt_captioner(quick_run, own, tmp_path):
    import shutil

    shutil.copytree(quick_run / "results/quick/captioners/all/seed0", tmp_path / "damaged")
    weights = tmp_path / "damaged/weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-100] ^= 0xFF
    weights.write_bytes(bytes(data))
    result = milan(quick_run, *run_arguments(own, tmp_path / "c", captioner=tmp_path / "damaged"))
    assert result.returncode == 2
    assert "damaged" in result.stderr.splitlines()[-1]


def test_auto_without_a_captioner(own, tmp_path):
    result = milan(tmp_path, *run_arguments(own, tmp_path / "d", captioner="auto"))
    assert result.returncode == 2
    assert "no captioner is here" in result.stderr.splitlines()[-1]


def test_second_run_in_the_same_folder_waits_its_turn(quick_run, own, tmp_path):
    from milan_core.core.lock import folder_lock

    with folder_lock(tmp_path / "busy"):
        result = milan(quick_run, *run_arguments(own, tmp_path / "busy"))
    assert result.returncode == 2
    assert "another run is writing" in result.stderr


PYTHON = """
import json, runpy
import numpy as np
import milan_core as milan
from milan_core.networks.options import InputSpec

network = runpy.run_path('{own}/my_net.py')['build']()
images = np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3), dtype=np.uint8)
view = InputSpec(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
parts = [
    milan.mine(network, images, layers=['0', '2'], k=5, input=view, shard=(i, 2)) for i in range(2)
]
result = milan.merge(parts)
whole = milan.mine(network, images, layers=['0', '2'], k=5, input=view)
assert (result.ids('2') == whole.ids('2')).all()
assert result.masks('2', size=64).shape == (8, 5, 64, 64)
captioner = milan.load_captioner('results/quick/captioners/all/seed0')
rows = captioner.describe(whole, layer='2')
assert [row['unit'] for row in rows] == list(range(8))
print(json.dumps(rows[0]))
"""


def test_from_python(quick_run, own):
    result = subprocess.run(
        [sys.executable, "-c", PYTHON.format(own=own)],
        cwd=quick_run,
        env=environment(quick_run),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert '"description": ' in result.stdout
