"""Files that a configuration names: every key is declared, and a changed file is noticed."""

import os
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from milan_core.config import Config
from milan_core.core.inputs import contents_of, reads_file
from milan_core.core.step import all_steps, step_fields
from milan_core.images.kind import AnyKind, DatasetKind
from milan_core.images.spec import DatasetSpec
from milan_core.plan.contents import FURTHER

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
