"""Files that a configuration names: every key is declared, and a changed file is noticed."""

import json
import os
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from milan_core.config import Config
from milan_core.core import contents
from milan_core.core.errors import UserError
from milan_core.core.inputs import contents_of, reads_file
from milan_core.core.options import Section
from milan_core.core.step import all_steps, step_fields
from milan_core.images.kind import AnyKind, DatasetKind
from milan_core.images.spec import DatasetSpec
from milan_core.networks.options import Architecture
from milan_core.plan.contents import FURTHER, JobContents

# Texts of the configuration and of steps that name no file of the user's, by section. A new key of
# type `str` is a path (`InputPath`), or it is listed here; a name is best a `Name`. The factory, a
# listed describer and the conversion of weights count by their source, `AssetWeights.path` by the
# digest of the asset, `Roots` are folders that jobs write.
TEXTS = {
    "AnalyzeOptions": "queries",
    "Architecture": "factory",
    "ArraysOptions": "classes",
    "Asset": "credit drop keep licence",
    "AssetWeights": "path",
    "AtlasNetwork": "dataset name roles",
    "AtlasRun": "names notice sets title",
    "BoardOptions": "names random",
    "ClipDissectOptions": "prompt",
    "Config": "notice trained",
    "ControlsOptions": "encoder probes read_layers students",
    "CueOptions": "box classes colour colours words",
    "Direction": "bias center layer matrix threshold",
    "DistilWeights": "teacher_layer",
    "DownloadWeights": "file mirrors obtain url",
    "EncoderFacts": "name read_layers students",
    "EncoderOptions": "layers",
    "EndpointOptions": "key_variable model url",
    "Evidence": "judged labels sets",
    "FineTune": "layers",
    "HuggingFaceOptions": "image label name revision split",
    "ImageToTextOptions": "prompt",
    "ListedDescriber": "describer",
    "MiniOptions": "layers",
    "ModelSpec": "extends",
    "Network": "name",
    "NetworkSpec": "axes layers post_relu",
    "PublishedFile": "name obtain urls",
    "PublishedOptions": "split",
    "Query": "concepts exclude words",
    "ReportRun": "atlas notice sets title",
    "Roots": "benchmarks logs resources results",
    "RunOptions": "compile",
    "SceneOptions": "objects surfaces",
    "StoredWeights": "entry convert drop keys",
    "TableOptions": "column random",
    "TrainedOn": "split",
    "TrainingSources": "names with_truth",
    "TrainingSplit": "name train",
    "TrialFacts": "experiment split test test_side train train_side",
    "VerdictOptions": "cassette",
    "VlmOptions": "cassette",
    "WebDatasetOptions": "classes labels",
}


def sections(annotation: Any, seen: set[type]) -> Iterator[type[BaseModel]]:
    """Every section that values of a type may hold."""
    if annotation == AnyKind:
        annotation = DatasetSpec
    for argument in get_args(annotation):
        yield from sections(argument, seen)
    if not isinstance(annotation, type) or not issubclass(annotation, BaseModel):
        return
    if annotation not in seen:
        seen.add(annotation)
        yield annotation
        for info in annotation.model_fields.values():
            yield from sections(full(info), seen)


def full(info: Any) -> Any:
    """The type of a field with what its annotation carries."""
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def of_steps() -> list[Any]:
    """The types of all options of steps."""
    return [
        DatasetSpec if field.name == "spec" else field.constrained
        for step in all_steps().values()
        for field in step_fields(step)
        if field.role == "option"
    ]


SEEN: set[type] = set()
CONFIG = list(sections(Config, SEEN))
EVERY = [*CONFIG, *(one for kind in of_steps() for one in sections(kind, SEEN))]


def paths(classes) -> dict[str, tuple[type, str, Any]]:
    """Fields that are declared as paths, by `Class.field` of the class that declares them."""
    found = {}
    for cls in classes:
        for name, info in cls.model_fields.items():
            if any(reads_file(part) for part in parts(full(info))):
                found[f"{owner_of(cls, name)}.{name}"] = (cls, name, full(info))
    return found


def parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from parts(argument)


def fields_of(cls: type) -> dict[str, Any]:
    return getattr(cls, "model_fields", {}) if issubclass(cls, BaseModel) else {}


def holds_text(annotation: Any) -> bool:
    """Whether values of a type are, or hold, texts of any form."""
    if get_origin(annotation) is Literal:
        return False
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        if any("pattern" in repr(mark) for mark in marks):
            return False  # a name
        return holds_text(inner)
    if get_origin(annotation) is dict:
        return holds_text(get_args(annotation)[1])
    return annotation is str or any(map(holds_text, get_args(annotation)))


def owner_of(cls: type, name: str) -> str:
    """The name of the class that declares a field."""
    return next(base.__name__ for base in reversed(cls.__mro__) if name in fields_of(base))


def test_every_text_is_a_path_or_listed():
    unclear = []
    for cls in EVERY:
        for name, info in cls.model_fields.items():
            marked = any(reads_file(part) for part in parts(full(info)))
            listed = name in TEXTS.get(owner_of(cls, name), "").split()
            if not marked and holds_text(full(info)) and not listed:
                unclear.append(f"{cls.__name__}.{name}")
    assert not unclear, "declare them as InputPath, or list them as texts"


PATHS = {
    *("FolderOptions.path", "ArraysOptions.path", "ArraysOptions.labels", "PublishedOptions.path"),
    *("PublishedOptions.truth", "PublishedOptions.classes", "SpuriousOptions.path"),
    *("CueOptions.font", "WebDatasetOptions.path", "HuggingFaceOptions.path"),
    *("LatentsOptions.path", "FileWeights.path", "DownloadWeights.path", "Direction.path"),
    *("ReleasedCaptioner.source", "ReleasedCaptioner.encoder_weights"),
    *("ImageToTextOptions.source", "CausalPriorOptions.source", "ClipOptions.source"),
    *("ClipDissectOptions.path", "ClipDissectOptions.concepts", "ConceptsOptions.path"),
    *("LabelSections.published", "AnnotationSetSpec.path", "AnnotationSetSpec.images"),
    *("AuditSpec.review", "DualEncoderOptions.source", "PoolOptions.tables", "LinearOptions.path"),
}


def test_the_paths_of_the_configuration():
    assert {*paths(CONFIG)} == PATHS


def test_every_path_of_the_configuration_reaches_a_step():
    """As an option that the rule's digest goes through, or as an input without a job."""
    inputs = {"AuditSpec.review", "DownloadWeights.path"}  # audit.recount; FileWeights of the job
    inputs.add("DualEncoderOptions.source")  # no step reads it yet
    renamed = {"LabelSections.published"}  # LabelUnits.published, ImportLabels.published
    classes = [one for kind in of_steps() for one in sections(kind, set())]
    reached = {*paths(classes)}
    assert {*paths(CONFIG)} - inputs - renamed <= reached
    for step in ("describers.label", "describers.import_labels"):
        (field,) = (f for f in step_fields(all_steps()[step]) if f.name == "published")
        assert any(reads_file(part) for part in parts(field.constrained))


def digests(value: Any) -> list[str]:
    return list(contents_of(value, further=FURTHER))


def filled(annotation: Any, path: str) -> Any:
    """A value of the type with the path in it."""
    if get_origin(annotation) is dict:
        return {"key": filled(get_args(annotation)[1], path)}
    if get_origin(annotation) is list:
        return [path]
    inner = [part for part in get_args(annotation) if get_origin(part) in (dict, list)]
    return filled(inner[0], path) if inner else path


@pytest.mark.parametrize("key", sorted(paths(EVERY)))
def test_other_content_is_noticed_whatever_the_time(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    cls, name, annotation = paths(EVERY)[key]
    file = tmp_path / "val" / "a.csv"
    file.parent.mkdir()
    file.write_text("one")
    defaults = {
        "split": "val", "truth": "", "classes": [], "cue": "text", "images": None, "path": "x",
        "factory": "torch.nn:Identity", "kwargs": {}, "trust": False,
    }  # fmt: skip
    given = {k: v for k, v in defaults.items() if k in cls.model_fields}
    given |= {k: None for k, v in cls.model_fields.items() if v.is_required() and k not in given}
    if name == "path" and cls.__name__ == "SpuriousOptions":
        given["classes"] = ["val"]
    place = tmp_path if name in ("path", "images") else file
    given[name] = filled(annotation, str(file if name == "font" else place))
    section = cls.model_construct(**given)
    value: Any = section
    if cls.__name__ in ("PublishedOptions", "SpuriousOptions"):  # their kind looks after them
        kind = "spurious" if cls.__name__ == "SpuriousOptions" else "imagenet"
        value = kind_of(kind).model_construct(options=section, kind=kind)
    before = digests(value)
    assert before == digests(value)
    stat = file.stat()
    file.write_text("two")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert digests(value) != before, key
    os.utime(file)
    after = digests(value)
    file.touch()
    assert digests(value) == after, "touching is no change"


def kind_of(name: str) -> type[DatasetKind]:
    from milan_core.images.kind import kind_class

    return kind_class(name)


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
