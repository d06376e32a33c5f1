"""Names in a configuration are names: nothing in a rule's command is run by the shell."""

import subprocess

import pytest
import yaml
from copies import SNAKEMAKE, copy_repository, environment

pytestmark = pytest.mark.workflow
ROOTS = {"resources": "r;touch PWNED;$(touch PWNED2) 'x'", "logs": "a log & touch PWNED3"}


def test_folders_with_spaces_and_commands_are_folders(root, tmp_path):
    folder = copy_repository(root, tmp_path)
    (folder / "names.yaml").write_text(yaml.safe_dump({"pathvars": ROOTS}))
    target = f"{ROOTS['resources']}/datasets/shapes_choice"
    run = subprocess.run(
        [SNAKEMAKE, "--cores", "1", target, "--configfile", "config/quick.yaml", "names.yaml"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not list(folder.glob("PWNED*"))
    assert run.returncode == 0, run.stdout + run.stderr
    assert (folder / target / "manifest.json").is_file()
    assert (folder / ROOTS["logs"] / "datasets/shapes_choice.log").is_file()
