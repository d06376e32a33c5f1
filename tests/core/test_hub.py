"""Names of the hub: which have a commit, which commit was read, and the sentence about it."""

import json
import logging

import pytest
import torch

from milan_core.core import hub
from milan_core.core.errors import UserError
from milan_core.core.recording import recorded_command
from milan_core.networks.checkpoints import Checkpoint
from milan_core.networks.options import Architecture
from milan_core.networks.version import source_version
from milan_core.networks.zoo import load_network

COMMIT, OLDER = "3f" * 20, "a0" * 20


@pytest.fixture(autouse=True)
def nothing_read(monkeypatch):
    monkeypatch.setattr(hub, "_read", {})


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache of the hub with two commits of one repository; its main branch is at COMMIT."""
    from transformers import Dinov2Config, Dinov2Model

    folder = tmp_path_factory.mktemp("cache")
    tiny = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 4}
    for commit in (COMMIT, OLDER):
        torch.manual_seed(int(commit[0], 16))
        place = folder / "models--someone--tiny/snapshots" / commit
        Dinov2Model(Dinov2Config(image_size=16, **tiny)).save_pretrained(place)
    refs = folder / "models--someone--tiny/refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT)
    return folder


def network(name, cache, **kwargs):
    offline = {"cache_dir": str(cache), "local_files_only": True}
    spec = {"factory": f"hf:{name}", "kwargs": {**offline, **kwargs}}
    return load_network({**spec, "weights": {"source": "factory"}, "layers": ["encoder.layer.0"]})


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.name == hub.__name__]


def test_a_name_without_a_commit_is_resolved_and_said(cache, tmp_path, caplog):
    """Offline too: the commit is that of the cache."""
    with (
        caplog.at_level(logging.WARNING),
        recorded_command("describe", tmp_path / "provenance.json"),
    ):
        plain = network("someone/tiny", cache)
        network("someone/tiny", cache)
    (sentence,) = warnings_of(caplog)
    assert f"someone/tiny was read at commit {COMMIT}, and its name has no commit" in sentence
    assert sentence.endswith(f"name someone/tiny@{COMMIT}")
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert record["hub"] == {"someone/tiny": COMMIT}
    pinned = network(f"someone/tiny@{COMMIT}", cache)
    weights = [one.module.state_dict()["layernorm.weight"] for one in (plain, pinned)]
    assert torch.equal(*weights)


@pytest.mark.parametrize("beside", [True, False])
def test_a_name_with_a_commit_means_one_thing(cache, caplog, beside):
    plain = network("someone/tiny", cache)
    caplog.clear()
    name, more = ("someone/tiny", {"revision": OLDER}) if beside else (f"someone/tiny@{OLDER}", {})
    old = network(name, cache, **more)
    assert not warnings_of(caplog)
    assert hub.commits_read()[f"someone/tiny@{OLDER}"] == OLDER
    key = "embeddings.patch_embeddings.projection.weight"
    assert not torch.equal(old.module.state_dict()[key], plain.module.state_dict()[key])
    with pytest.raises(UserError, match=r"got revision .* in the name and 'main' beside it"):
        network(f"someone/tiny@{OLDER}", cache, revision="main")


def test_checkpoints_of_describers_and_judges_too(cache, caplog):
    import transformers

    options = {"cache_dir": str(cache)}
    with caplog.at_level(logging.WARNING):
        model = Checkpoint("encoder", "someone/tiny", "config.json").part(
            transformers.AutoModel, **options
        )
    assert model.config.hidden_size == 8
    assert len(warnings_of(caplog)) == 1
    pinned = Checkpoint("encoder", f"someone/tiny@{OLDER}", "config.json")
    assert pinned.part(transformers.AutoConfig, **options).hidden_size == 8
    assert hub.commits_read() == {"someone/tiny": COMMIT, f"someone/tiny@{OLDER}": OLDER}


def test_folders_are_no_names(tmp_path):
    assert hub.repository(str(tmp_path)) is None
    assert hub.repository("/not/there") is None
    assert hub.repository("a/b") == ("a/b", None)
    assert hub.repository("a/b@main") == ("a/b", "main")
    assert not hub.Repository("a/b", "main").fixed
    assert hub.Repository("a/b", COMMIT).fixed


def test_a_branch_whose_commit_is_not_known(caplog, tmp_path):
    hub.note_read(hub.Repository("a/b", "main"), str(tmp_path))
    assert "a/b@main was read at a commit that is not known" in caplog.text
    assert "name a/b@COMMIT" in caplog.text


def test_a_local_folder_counts_by_content(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    entry = Architecture(factory=f"hf:{tmp_path}/model")
    before = source_version(entry)
    (tmp_path / "model/config.json").write_text('{"hidden_act": "relu"}')
    assert source_version(entry) != before
