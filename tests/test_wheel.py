"""Wheels build with and without nvcc, and what they hold runs on its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest
from paths import ROOT, TESTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
PIP = [sys.executable, "-m", "pip"]
CUDA = "from milan_core import _cuda; print(_cuda.__file__)"


def build(source, folder, *settings):
    """The wheel of a source folder."""
    command = [*PIP, "wheel", str(source), "--no-deps", "--no-build-isolation", "-q"]
    for setting in (f"build-dir={folder}/build", *settings):
        command += ["-C", setting]
    subprocess.run([*command, "-w", str(folder / "wheels")], check=True)
    (wheel,) = (folder / "wheels").glob("*.whl")
    return wheel


def install(wheel, target):
    """Unpack a wheel into a folder of packages."""
    command = [*PIP, "install", "-q", "--no-deps", "--target", str(target), "--upgrade"]
    subprocess.run([*command, str(wheel)], check=True)


def run(target, *arguments):
    """Run Python with the installed wheel and this environment's packages, but not its hooks."""
    paths = os.pathsep.join([str(target), sysconfig.get_paths()["purelib"]])
    # Without `site`, whose hooks would find the checkout this test runs from.
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        env={"PYTHONPATH": paths, "PATH": os.defpath},
        cwd=target.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel of the CPU core, installed, and the names of its files."""
    folder = tmp_path_factory.mktemp("cpu")
    wheel = build(ROOT, folder, "cmake.define.MILAN_CUDA=OFF")
    install(wheel, folder / "target")
    return folder / "target", zipfile.ZipFile(wheel).namelist()


def test_a_wheel_holds_the_core_and_the_workflow(installed):
    _, names = installed
    assert any(name.startswith("milan_core/_core.") for name in names)
    assert not any("/_cuda." in name for name in names)
    assert not any(name.startswith(("tests/", "csrc/", "docs/")) for name in names)
    for part in ("workflow", "config", "profiles", "envs", "csrc"):
        served = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / part).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        held = {name.removeprefix("milan_core/shipped/") for name in names}
        assert served <= held, part


def test_an_installed_wheel_mines(installed):
    target, _ = installed
    checked = run(target, str(TESTS / "wheel_check.py"))
    assert checked.returncode == 0, checked.stderr
    assert "'built_with_cuda': False" in checked.stdout


def test_an_installed_wheel_starts_a_workflow(installed, tmp_path):
    """`milan init`, then a plan, with the code of a clone: the identities are the same."""
    target, _ = installed
    made = run(target, "-m", "milan_core", "init", str(tmp_path / "study"))
    assert made.returncode == 0, made.stderr
    code = "from milan_core.core.identity import step_code; print(step_code('exemplars.scan'))"
    from milan_core.core.identity import step_code

    assert run(target, "-c", code).stdout.strip() == step_code("exemplars.scan")
    plan = "import sys; from snakemake.cli import main; main(sys.argv[1:])"
    study = tmp_path / "study"
    words = ["-n", "-s", str(study / "workflow/Snakefile"), "--directory", str(study)]
    planned = run(target, "-c", plan, *words, "--configfile", str(study / "config/quick.yaml"))
    assert planned.returncode == 0, planned.stderr[-2000:]
    assert "exemplars_scan" in planned.stdout + planned.stderr


def test_the_kernels_are_a_wheel_of_their_own(installed, tmp_path):
    """They must load without a driver."""
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not on the PATH")
    target, _ = installed
    wheel = build(
        ROOT / "csrc/cuda_wheel", tmp_path, "cmake.define.CMAKE_CUDA_ARCHITECTURES=80-real"
    )
    files = [n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n]
    assert len(files) == 1
    assert files[0].startswith("milan_core/_cuda.")
    both = shutil.copytree(target, tmp_path / "both")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(both)
    assert run(both, "-c", CUDA).stdout.startswith(str(both))
    checked = run(both, str(TESTS / "wheel_check.py"))
    assert checked.returncode == 0, checked.stderr
    assert "'built_with_cuda': True" in checked.stdout
