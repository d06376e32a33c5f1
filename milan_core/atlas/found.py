"""The networks of a finished run, found by the names of its files, without its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from milan_core.atlas.files import NetworkFiles
from milan_core.core.errors import UserError, reads
from milan_core.core.files import canonical_json, read_json, text_hash
from milan_core.core.records import NAME, records_below
from milan_core.exemplars.store import load_exemplars

MINED = ("exemplars/exemplars.safetensors", "exemplars.safetensors")
"""Exemplars in the folder of a network of a run, and in the folder of `milan describe`."""


def find_networks(run: Path, images: Sequence[Path] = ()) -> list[NetworkFiles]:
    """The networks of a run's results, of a folder of `milan describe`, or of one network.

    Args:
        run: the folder.
        images: folders of data sets, or folders that hold such; beside those near the run.

    Raises:
        UserError: where nothing is described there, or probe images are not found.

    """
    folders = [run, *sorted(path for path in run.iterdir() if path.is_dir())]
    found = [
        _network(folder, mined, [*images, *_places(run)])
        for folder in folders
        if (folder / "descriptions.csv").is_file()
        and (mined := next((folder / m for m in MINED if (folder / m).is_file()), None))
    ]
    if not found and (run / "data/run.js").is_file():
        raise UserError(
            f"{run} is an atlas already, and an atlas is made from results: give the folder of the "
            f"run ({run.parent}?); to open it: milan atlas open {run}"
        )
    if not found:
        raise UserError(
            f"{run} holds no mined and described network (descriptions.csv beside "
            "exemplars); give the results of a run or a folder of milan describe"
        )
    return found


def described_folder(folder: Path, name: str) -> NetworkFiles:
    """The files of a folder of `milan describe`, its images inside, under a name."""
    return replace(_network(folder, folder / MINED[1], ()), name=name)


def find_sections(run: Path) -> list[Path]:
    """The `section.json` of every experiment of a run."""
    return sorted(run.glob("*/section.json"))


def find_records(run: Path) -> list[Path]:
    """Provenance records of a run, without those of an atlas or report."""
    return [
        path
        for path in records_below(run)
        if path.relative_to(run).parts[0] not in ("atlas", "report")
    ]


def _network(folder: Path, mined: Path, places: Sequence[Path]) -> NetworkFiles:
    meta = load_exemplars(mined).meta
    dataset = _dataset(str(meta.get("dataset", "")), folder, places)

    def there(*names: str) -> Path | None:
        return next((folder / name for name in names if (folder / name).is_file()), None)

    judges = sorted(folder.glob("referee/*/scores.csv"))
    methods = sorted(folder.glob("variants/*/descriptions.csv"))
    importance = folder.parent / "analyze" / folder.name / "importance.csv"
    return NetworkFiles(
        name=folder.resolve().name,
        dataset_name=str(_manifest(dataset).get("name", dataset.name)),
        exemplars=mined,
        dataset=dataset,
        descriptions=folder / "descriptions.csv",
        annotations=there("annotations/annotations.csv"),
        truth=there("annotations/truth.csv"),
        accuracy=there("target/accuracy.csv"),
        activations=there("exemplars/activations.safetensors", "activations.safetensors"),
        candidates=there("pool/ranking.csv", "ranking.csv") or _beams(folder),
        importance=importance if importance.is_file() else None,
        scores={path.parent.name: path for path in _oracle_first(judges)},
        said={path.parent.name: path for path in methods},
        weight=_weight(folder),
    )


def _oracle_first(paths: Sequence[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: (path.parent.name != "oracle", path))


def _trials(folder: Path) -> list[Path]:
    """Folders of descriptions by captioners that did not see the network, then the others."""
    trials = sorted(path.parent for path in folder.glob("describe/*/seed*/descriptions.csv"))
    return sorted(trials, key=lambda path: (path.parent.name == f"within_{folder.name}", path))


def _beams(folder: Path) -> Path | None:
    files = [path / "beams.safetensors" for path in [folder, *_trials(folder)]]
    return next((path for path in files if path.is_file()), None)


def _weight(folder: Path) -> float:
    """Lambda, as the record of the descriptions says; .2 where none does."""
    for trial in [*_trials(folder), folder]:
        weight = _recorded_weight(trial / NAME) if (trial / NAME).is_file() else None
        if weight is not None:
            return weight
    return 0.2


@reads("a provenance record", "run its step again")
def _recorded_weight(path: Path) -> float | None:
    options = read_json(path, "provenance record").get("options") or {}
    decoding = options.get("decoding") or options.get("describer") or {}
    weight = decoding.get("temperature") if isinstance(decoding, dict) else None
    return float(weight) if isinstance(weight, int | float) else None


def _places(run: Path) -> Iterator[Path]:
    """Where the data sets of a run lie by default."""
    run = run.resolve()
    yield run
    for above in (run.parent, run.parent.parent, run.parent.parent.parent):
        for name in ("resources", f"resources/{run.name}", f"resources/{run.parent.name}"):
            yield above / name / "datasets"


def _dataset(fingerprint: str, folder: Path, places: Sequence[Path]) -> Path:
    """The data set folder with that content; the one inside the network's folder first."""
    candidates = [folder / "dataset"]
    for place in places:
        candidates += [place, *(sorted(place.iterdir()) if place.is_dir() else [])]
    for path in candidates:
        if _fingerprint(path) == fingerprint:
            return path
    looked = ", ".join(dict.fromkeys(str(place) for place in places if place.is_dir()))
    raise UserError(
        f"{folder}: no data set with the images that were mined (fingerprint "
        f"{fingerprint[:12]}) in {looked or 'the usual places'}; give its folder by --images"
    )


@reads("a data set", "build it again")
def _manifest(folder: Path) -> dict[str, object]:
    manifest = read_json(folder / "manifest.json", "dataset manifest")
    return manifest if isinstance(manifest, dict) else {}


def _fingerprint(folder: Path) -> str:
    """The fingerprint of a data set folder; "-" for any other folder."""
    if not (folder / "manifest.json").is_file():
        return "-"
    files = _manifest(folder).get("files")
    return text_hash(canonical_json(files), 64) if isinstance(files, dict) else "-"
