"""The whole paper as a graph: every job that its configuration should have, and no other."""

import pytest
import yaml

from .conftest import copy_repository, snakemake
from .plans import job_counts

pytestmark = pytest.mark.workflow

ARCHITECTURES = [
    *("densenet121", "densenet201", "mobilenet_v2", "resnet18", "resnet34", "resnet50"),
    *("squeezenet1_0", "shufflenet_v2_x1_0", "vgg11", "vgg13", "vgg16", "vgg19"),
]
SETS = ["alexnet", "resnet152", "biggan"]
PAPER = ["--configfile", "config/paper.yaml"]
COMPAT = [*PAPER, "config/paper_compat.yaml"]


@pytest.fixture(scope="module")
def with_files(root, tmp_path_factory):
    """A copy of the repository in which everything that is placed by hand has a place."""
    folder = copy_repository(root, tmp_path_factory.mktemp("paper"))
    files = [f"weights/{name}_imagenet_blurred.pth" for name in ARCHITECTURES]
    files += [f"data/milannotations/{n}-{d}.zip" for n in SETS for d in ("imagenet", "places365")]
    files += ["data/milannotations/dino_vits8-imagenet.zip"]
    zoo = yaml.safe_load((root / "config/paper.yaml").read_text())["dataset_zoo"]
    classes = zoo["text_test"]["options"]["classes"]
    files += [
        f"data/imagenet/{split}/{name}/1.JPEG" for split in ("train", "val") for name in classes
    ]
    for file in files:
        path = folder / "resources" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "resources/smoke").mkdir()
    for part in ("data", "weights"):
        (folder / "resources/smoke" / part).symlink_to(f"../{part}")
    return folder


@pytest.fixture(scope="module")
def counts(with_files):
    plan = snakemake(with_files, "-n", *PAPER)
    assert plan.returncode == 0, plan.stdout[-3000:]
    return job_counts(plan.stdout)


def test_data_sets_and_networks(counts):
    # ImageNet; per share of text a training set, per edited share held-out images, two sets to
    # choose on and three to test on
    assert counts["images_build"] == 1 + 5 + 4 + 2 + 3
    # the encoder, DINO and one network of each pair: nothing fetches what is in place
    assert counts["fetch_weights"] == 1 + 1 + len(ARCHITECTURES)
    assert counts["networks_train"] == 5, "four that read text and one that does not"
    assert counts["features_encode_set"] == 7, "the sets of the group base, and the ViT's"


def test_mining_and_descriptions(counts):
    mined = 1 + 2 * len(ARCHITECTURES) + 4  # DINO, twins with ResNet18 among them, edited
    assert counts["exemplars_scan"] == counts["exemplars_merge"] == mined
    assert counts["features_pool"] == mined
    assert "features_encode" not in counts, "no maps of 50,000 images on disk"
    assert counts["describers_publish"] == mined + 7, "networks and sets"
    # Table 3, five trials each: within seven sets, without each of six, all to the ViT's, and the
    # groups of the other rows, which describe 2 + 2, 3 + 3, 2 and 4 sets; each of six to five
    trials = 5 * (7 + 6 + 1 + 4 + 6 + 6 + 6 * 5)
    assert counts["describers_units"] == mined + trials
    assert counts["generalization_score"] == trials
    assert counts["captioner_train"] == 5 * (7 + 6 + 1 + 6 + 6)


def test_experiments(counts):
    assert counts["edit_network"] == 4
    assert counts["baselines_score"] == 5 * 6, "Table 2: the sets of the corpus"
    assert counts["describers_label"] == 0, "labels need activations, which sets do not hold"
    assert counts["decoding_measure"] == 2
    for job in ("analyze_network", "audit_count", "audit_section", "edit_table", "report_pages",
                "generalization_table", "baselines_table", "decoding_table"):  # fmt: skip
        assert counts[job] == 1, job


def test_published_behaviours_change_settings_and_no_job(with_files, counts):
    plan = snakemake(with_files, "-n", *COMPAT)
    assert plan.returncode == 0, plan.stdout[-3000:]
    assert job_counts(plan.stdout) == counts


def test_the_smoke_run_has_every_job_with_one_trial_for_five(with_files, counts):
    plan = snakemake(with_files, "-n", *PAPER, "config/smoke.yaml")
    assert plan.returncode == 0, plan.stdout[-3000:]
    smoke = job_counts(plan.stdout)
    # of the six reversed leave-one-outs, a captioner and five described sets each, there is one
    left_out = {"captioner_train": 5, "generalization_score": 5 * 5, "baselines_score": 0}
    trials = tuple(left_out)
    for job, count in left_out.items():
        assert counts[job] == 5 * (smoke[job] + count), job
    fewer = counts["describers_units"] - smoke["describers_units"]
    assert fewer == counts["generalization_score"] - smoke["generalization_score"]
    for job in {*counts, *smoke} - {*trials, "describers_units"}:
        assert counts[job] == smoke[job], job


def test_what_must_be_placed_by_hand_is_named(with_files):
    path = with_files / "resources/data/milannotations/biggan-imagenet.zip"
    path.rename(path.with_suffix(".away"))
    plan = snakemake(with_files, "-n", *PAPER)
    path.with_suffix(".away").rename(path)
    assert plan.returncode != 0
    assert "Traceback" not in plan.stdout
    assert "biggan-imagenet.zip" in plan.stdout
