"""The graph of each configuration, planned but not run."""

import tomllib

import pytest
import yaml

from .conftest import QUICK, snakemake
from .plans import job_counts

pytestmark = pytest.mark.workflow


def test_default_graph(checkout):
    plan = snakemake(checkout, "generalization", "-n")
    assert plan.returncode == 0, plan.stdout
    counts = job_counts(plan.stdout)
    # six networks, four of them in the corpus beside one that is only learned from:
    # one split without each of the four and one within each of the six, four that learn from one
    # network, and `all`
    assert counts["exemplars_scan"] == counts["exemplars_merge"] == 6 + 1
    assert counts["networks_train"] == 5 + 1
    assert counts["captioner_train"] == 4 + 6 + 4 + 1
    assert counts["generalization_score"] == 4 + 6 + 8
    assert counts["features_encode"] == 2, "probe images are encoded once, not per network"
    counts = job_counts(snakemake(checkout, "-n").stdout)
    # the twins of the audit and the edited network come on top, with two sets of probe images
    # and the network with random weights
    assert counts["exemplars_scan"] == 7 + 3 + 1
    assert counts["referee_table"] == 6 + 1
    assert counts["referee_score"] == (6 + 1) * 2, "the oracle and the mini judge"
    # unseen scenes and drawings score; those of labels and the probe images are for describers
    assert counts["referee_look"] == 2 + 3
    assert counts["describers_variant"] == 4
    assert counts["networks_train"] == 6 + 3
    assert counts["features_encode"] == 2 + 2
    counts = job_counts(snakemake(checkout, "baselines", "-n").stdout)
    assert counts["describers_label"] == 4
    assert counts["describers_concepts"] == 1
    assert counts["baselines_score"] == 4, "held-out networks only"


def test_shards_share_the_work_of_every_result(checkout):
    alone = job_counts(snakemake(checkout, "-n", *QUICK).stdout)
    shards = "{features: 5, describe: 2, score: 3, analyze: 4}"
    shared = job_counts(snakemake(checkout, "-n", *QUICK, "--config", f"shards={shards}").stdout)
    parts = {name: count for name, count in shared.items() if name.endswith("_part")}
    assert parts == {
        "describers_units_part": 2 * alone["describers_units"],
        "referee_score_part": 3 * alone["referee_score"],
        "analyze_network_part": 4 * alone["analyze_network"],
    }, "stored maps are made once a data set"
    assert {name: count for name, count in shared.items() if name not in parts} == alone
    passing = ["--config", f"shards={shards}", "encoder={maps: passing}"]
    passed = job_counts(snakemake(checkout, "-n", *QUICK, *passing).stdout)
    assert passed["features_pool_part"] == 5 * passed["features_pool"] > 0


def test_both_entry_points_plan_the_same_jobs(checkout):
    forwarded = job_counts(snakemake(checkout, "-n", *QUICK).stdout)
    direct = job_counts(snakemake(checkout, "-n", *QUICK, "-s", "workflow/Snakefile").stdout)
    assert forwarded == direct
    assert sum(forwarded.values()) > 20


@pytest.mark.parametrize(
    "target",
    [
        "exemplars",
        "describe",
        "generalization",
        "baselines",
        "analyze",
        "audit",
        "edit",
        "referee",
        "report",
    ],
)
def test_targets(checkout, target):
    plan = snakemake(checkout, target, "-n", *QUICK)
    assert plan.returncode == 0, plan.stdout
    assert target in job_counts(plan.stdout)


def test_full_configuration_has_three_trials_everywhere(checkout):
    full = snakemake(checkout, "generalization", "-n", "--configfile", "config/full.yaml")
    counts = job_counts(full.stdout)
    # one network to each of the other three as well, of which four are pairs of Table 3
    assert counts["generalization_score"] == (4 + 6 + 8 + 4 * 3 - 4) * 3
    assert counts["captioner_train"] == (4 + 6 + 5 + 1) * 3


def test_a_gpu_is_asked_of_the_jobs_and_not_of_the_plan(checkout):
    """Planned here, where there is none; each job then refuses by itself (test_cli_device)."""
    quick = ["--configfile", "config/quick.yaml"]
    plan = snakemake(checkout, "-n", "-p", *quick, "--config", "device=cuda")
    assert plan.returncode == 0, plan.stdout[-2000:]
    commands = [line.strip() for line in plan.stdout.splitlines() if "milan --log" in line]
    asked = [line for line in commands if "--device" in line]
    assert len(asked) > 20
    assert not [line for line in asked if "--device cuda" not in line]
    for command in (
        "step exemplars.scan",
        "step networks.train",
        "step captioner.train",
        "describers.units",
    ):
        assert [line for line in asked if command in line], command


def test_shards_are_jobs(checkout, tmp_path):
    overlay = tmp_path / "shards.yaml"
    overlay.write_text("exemplars: {shards: 7, unit_shards: 2}\n")
    counts = job_counts(snakemake(checkout, "exemplars", "-n", "--configfile", str(overlay)).stdout)
    assert counts["exemplars_scan"] == 6 * 7 * 2


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ("models: [resnet_mni]", ["unknown model 'resnet_mni'", "did you mean", "resnet_mini"]),
        ("exemplars: {treshold: 1}", ["exemplars.treshold", "unknown key"]),
        (
            "dataset_zoo: {stickers_test: {options: {cout: 5, style: googel}}}",
            [
                "dataset_zoo.stickers_test.options.cout: unknown key; did you mean count",
                "options.style: input should be '', 'google' or 'twitter', got 'googel'",
            ],
        ),
        ("exemplars: {quantile: 2}", ["exemplars.quantile", "less than 1", "got 2"]),
        (
            "models: [m]\nmodel_zoo: {m: {factory: a:b, layers: [x], dataset: stickers_probe,"
            " weights: {source: file, path: w.pt}}}",
            ["w.pt (model_zoo.m.weights.path) is not there", "correct the path"],
        ),
        (
            "models: [m]\nmodel_zoo: {m: {factory: a:b, layers: [x], dataset: d}}\n"
            "dataset_zoo: {d: {kind: folder, options: {path: nowhere}}}",
            ["nowhere (dataset_zoo.d.options.path) is not there"],
        ),
    ],
)
def test_mistakes_in_the_configuration_are_sentences(checkout, tmp_path, overlay, words):
    path = tmp_path / "overlay.yaml"
    path.write_text(overlay)
    plan = snakemake(checkout, "-n", "--configfile", str(path))
    assert plan.returncode != 0
    assert "Traceback" not in plan.stdout
    for word in words:
        assert word in plan.stdout


@pytest.mark.parametrize("name", ["default", "local"])
def test_profiles_are_understood(root, checkout, name):
    profile = root / "profiles" / name
    run = snakemake(checkout, "-n", "--cores", "1", "--workflow-profile", str(profile), *QUICK)
    assert run.returncode == 0, run.stdout
    assert f"profile {profile}" in run.stdout


def test_the_profile_of_a_cluster_names_no_partition(root):
    """It goes to the cluster's own default; the plugin is an extra, and a page says how."""
    profile = yaml.safe_load((root / "profiles/slurm/profile.v9+.yaml").read_text())
    assert profile["executor"] == "slurm"
    assert set(profile["default-resources"]) == {"mem_mb", "runtime"}
    assert "attempt" in profile["default-resources"]["mem_mb"]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    workflow, plugin = extras["optional-dependencies"]["slurm"]
    assert workflow == "milan-workflow[workflow]"
    assert plugin.startswith("snakemake-executor-plugin-slurm")
    assert "profiles/slurm" in (root / "docs/cluster.md").read_text()


def test_the_profile_of_pods_leads_to_what_they_fetch(root):
    """Paths in options of jobs are found where Snakemake puts the files of the bucket."""
    profile = yaml.safe_load((root / "profiles/kubernetes/profile.v9+.yaml").read_text())
    assert profile["executor"] == "kubernetes"
    provider, prefix = profile["default-storage-provider"], profile["default-storage-prefix"]
    fetched = f".snakemake/storage/{provider}/{prefix.removeprefix('s3://')}/$f"
    assert profile["precommand"].count(fetched) == 2
    for folder in ("results", "resources"):
        assert folder in profile["precommand"]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    plugins = " ".join(extras["optional-dependencies"]["kubernetes"])
    for kind, name in (("executor", profile["executor"]), ("storage", provider)):
        assert f"snakemake-{kind}-plugin-{name}" in plugins


def test_every_profile_is_in_their_list(root):
    listed = (root / "profiles/README.md").read_text()
    for folder in (path for path in (root / "profiles").iterdir() if path.is_dir()):
        assert f"| `{folder.name}` |" in listed


def test_a_published_captioner_needs_no_training(checkout, root):
    """Described by a variant: the network is mined, and nothing is learned or encoded here."""
    release = root / "tests/data/golden/decoder/decoder.pth"
    choice = {"family": "released", "source": str(release)}
    variant = {"base": {"models": ["shapes_vit"], "captioner": choice}}
    quick = yaml.safe_load((root / "config/quick.yaml").read_text())
    (checkout / "released.yaml").write_text(yaml.safe_dump({**quick, "variants": variant}))
    plan = snakemake(checkout, "variants", "-n", "--configfile", "released.yaml")
    assert plan.returncode == 0, plan.stdout
    counts = job_counts(plan.stdout)
    assert counts["describers_variant"] == counts["exemplars_merge"] == 1
    assert not {"captioner_train", "features_encode", "features_pool"} & set(counts)
