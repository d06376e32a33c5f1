"""Identity of files by content: large folders, remembered digests, inputs and options of jobs."""

import json
import os

import pytest

from core.test_inputs import digests, kind_of, sections
from milan_core.core import contents
from milan_core.core.errors import UserError
from milan_core.core.options import Section
from milan_core.core.step import all_steps, step_fields
from milan_core.networks.options import Architecture
from milan_core.plan.contents import JobContents


def test_large_folders_count_by_content_and_are_read_once(tmp_path, monkeypatch, caplog):
    """A file with other bytes, the same size and an older time is noticed; a touched one is not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text("123456")
    small = contents.path_digest(str(folder))
    for name, value in {"WHOLE": 10, "SETTLED": -1, "_known": {}, "_loaded": set()}.items():
        monkeypatch.setattr(contents, name, value)
    read = []
    content = contents.content_digest
    monkeypatch.setattr(contents, "content_digest", lambda p: read.append(p) or content(p))
    assert contents.path_digest(str(folder)) == small, "the size of a folder makes no difference"
    assert len(read) == 2
    assert "to know their content; once" in caplog.text
    monkeypatch.setattr(contents, "_known", {})
    monkeypatch.setattr(contents, "_loaded", set())  # another process
    assert contents.path_digest(str(folder)) == small
    assert len(read) == 2, "remembered"
    stamp = (folder / "a").stat().st_mtime_ns
    (folder / "a").write_text("654321")
    os.utime(folder / "a", ns=(0, stamp))
    changed = contents.path_digest(str(folder))
    assert changed != small
    (folder / "b").touch()
    assert contents.path_digest(str(folder)) == changed
    assert len(read) == 6


def test_the_digest_of_a_large_file_is_remembered_and_never_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    monkeypatch.setattr(contents, "REMEMBERED", 1)
    monkeypatch.setattr(contents, "SETTLED", -1)
    monkeypatch.setattr(contents, "_known", {})
    monkeypatch.setattr(contents, "_loaded", set())
    file, other = tmp_path / "w", tmp_path / "v"
    file.write_bytes(b"one")
    other.write_bytes(b"two")
    stamp = file.stat().st_mtime_ns
    os.utime(other, ns=(stamp, stamp))
    one = contents.content_digest(file)
    assert contents.MEMORY.is_file()
    monkeypatch.setattr(contents, "_known", {})
    monkeypatch.setattr(contents, "_loaded", set())
    with monkeypatch.context() as patch:
        patch.setattr(contents, "file_sha256", lambda _: pytest.fail("it was read again"))
        assert contents.content_digest(file) == one
    other.replace(file)  # equal size, equal time
    assert contents.content_digest(file) != one


def test_inputs_of_jobs_do_not_count_and_those_of_the_user_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results"
    results.mkdir()
    jobs = JobContents(["results"])
    (results / "w.bin").write_text("made")
    record = {"format": "milan-provenance", "version": 2, "step": "x", "outputs": {"w.bin": {}}}
    from milan_core.core.files import write_json

    write_json(results / "provenance.json", record)
    (tmp_path / "mine.bin").write_text("one")

    def digest(*inputs):
        return jobs.digest("exemplars.merge", {}, inputs)

    assert digest("results/w.bin", "results/not_yet.bin", "nowhere") == ""
    assert digest("results/provenance.json") == "", "records are inputs of the report"
    one = digest("mine.bin")
    assert one
    (tmp_path / "mine.bin").write_text("two")
    assert digest("mine.bin") != one


def test_options_of_a_step_count(tmp_path):
    (tmp_path / "w.bin").write_text("one")
    model = '{"factory":"torch.nn:Identity","weights":{"source":"file","path":"%s"}}'
    text = model % (tmp_path / "w.bin")
    one = JobContents([]).digest("exemplars.scan", {"model": text, "part": "1"}, [])
    (tmp_path / "w.bin").write_text("two")
    two = JobContents([]).digest("exemplars.scan", {"model": text, "part": "1"}, [])
    assert one != two
    assert not digests(Section())


def test_files_among_the_arguments_of_a_factory_count(tmp_path):
    (tmp_path / "net.json").write_text("1")
    model = Architecture(factory="torch.nn:Identity", kwargs={"a": {"b": [f"{tmp_path}/net.json"]}})
    before = digests(model)
    (tmp_path / "net.json").write_text("2")
    assert digests(model) != before


def test_folders_among_the_arguments_of_a_factory_count_where_they_look_like_paths(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("parts/deep", "imagenet", "cache"):
        (tmp_path / name).mkdir(parents=True)
    kwargs = {"folder": "parts/", "pretrained": "imagenet", "cache_dir": f"{tmp_path}/cache"}
    model = Architecture(factory="torch.nn:Identity", kwargs=kwargs)
    before = digests(model)
    for name in ("imagenet", "cache"):
        (tmp_path / name / "a.bin").touch()
    assert digests(model) == before
    (tmp_path / "parts/deep/a.bin").touch()
    assert digests(model) != before


def test_a_name_of_the_hub_needs_a_commit():
    options = {"path": "owner/name", "split": "validation"}
    for revision in ("", "main", "abc123"):
        kind = kind_of("huggingface")(options={**options, "revision": revision})
        with pytest.raises(UserError, match=r"dataset_zoo.x.options.revision: got .*ls-remote"):
            list(kind.missing("dataset_zoo.x"))
    assert not list(kind_of("huggingface")(options={**options, "revision": "a" * 40}).missing("x"))


@pytest.mark.parametrize("step", sorted(all_steps()))
def test_every_job_with_a_network_knows_its_source(tmp_path, step):
    """As the rules give it: `contents` is computed from the options of the step."""
    (tmp_path / "parts.py").write_text("from torch.nn import ReLU as act\n")
    (tmp_path / "net.py").write_text("from parts import act\ndef build():\n    return act()\n")
    network = {"factory": f"{tmp_path}/net.py:build", "weights": {"source": "random"}}
    texts = {}
    for field in step_fields(all_steps()[step]):
        names = {one.__name__ for one in sections(field.constrained, set())}
        if field.role != "option":
            continue
        if "JobEncoder" in names:
            texts[field.name] = json.dumps({"model": network, "layers": ["0"]})
        elif names & {"Network"}:
            texts[field.name] = json.dumps(network)
        elif "Architecture" in names:
            texts[field.name] = json.dumps({"factory": network["factory"]})
    if not texts:
        return
    one = JobContents([]).digest(step, texts, [])
    (tmp_path / "parts.py").write_text("from torch.nn import Tanh as act\n")
    assert JobContents([]).digest(step, texts, []) != one


@pytest.mark.parametrize(
    "text", ["[", "[" * 100_000, "[1]", '{"%s": 5}', '{"%s": [1]}', '{"%s": [[], 2]}', "\\udcff"]
)
def test_a_damaged_memory_of_digests_is_passed_over(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(contents, "_known", {})
    monkeypatch.setattr(contents, "_loaded", set())
    (tmp_path / "big").write_bytes(bytes(contents.REMEMBERED))
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / contents.MEMORY).write_text(text.replace("%s", str(tmp_path / "big")))
    assert contents.content_digest("big") == contents.file_sha256("big")
