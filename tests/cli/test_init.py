"""`milan init` writes a folder that runs the workflow, and changes nothing that is there."""

import pytest

from milan_core.cli import main
from milan_core.cli.init import contents, init
from milan_core.core.shipped import shipped_root, snakefile


def test_a_new_folder_holds_the_workflow_config_and_profiles(tmp_path, capsys):
    folder = tmp_path / "study"
    assert main(["init", str(folder)]) == 0
    assert (folder / "config/config.yaml").read_bytes() == (
        shipped_root() / "config/config.yaml"
    ).read_bytes()
    assert (folder / "profiles/slurm/profile.v9+.yaml").is_file()
    assert "include: snakefile()" in (folder / "workflow/Snakefile").read_text()
    assert f"cd {folder}" in capsys.readouterr().out


def test_every_shipped_config_and_profile_is_copied(tmp_path):
    assert init(tmp_path) == len(contents())
    for part in ("config", "profiles"):
        theirs = {p.relative_to(shipped_root()) for p in (shipped_root() / part).rglob("*")}
        assert theirs == {p.relative_to(tmp_path) for p in (tmp_path / part).rglob("*")}


def test_a_second_call_writes_nothing_and_a_lost_file_is_written_again(tmp_path):
    init(tmp_path)
    assert init(tmp_path) == 0
    (tmp_path / "config/quick.yaml").unlink()
    assert init(tmp_path) == 1


@pytest.mark.parametrize("kind", ["other", "folder", "link"])
def test_files_of_the_user_are_never_changed(tmp_path, capsys, kind):
    mine = tmp_path / "config/config.yaml"
    mine.parent.mkdir()
    if kind == "other":
        mine.write_text("mine")
    elif kind == "folder":
        mine.mkdir()
    else:
        (tmp_path / "elsewhere").write_text("mine")
        mine.symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.rglob("*"))
    assert main(["init", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "config/config.yaml" in message
    assert "another folder" in message
    assert sorted(tmp_path.rglob("*")) == before


def test_the_snakefile_is_the_one_that_is_shipped():
    assert snakefile().endswith("workflow/Snakefile")
    assert "configfile:" in (shipped_root() / "workflow/Snakefile").read_text()
