"""The state of a scan over (a shard of) a dataset, and how shards become one result.

Shard (i, n) holds the images i, i + n, i + 2n, ... Merging is associative and commutative, and what
it gives is a function of the images alone: any sharding yields the same bytes. No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, ValidationError

from milan_core.core.errors import UserError, reading
from milan_core.core.names import items_below
from milan_core.core.options import Content, Section, sentences
from milan_core.core.tensors import load_tensors, save_tensors
from milan_core.exemplars.checks import damaged
from milan_core.exemplars.splits import heldout_images
from milan_core.exemplars.status import FLAT, Flat
from milan_core.ops import ScanState

SHARD_KIND = "milan-exemplar-shard"
SHARD_VERSION = 2
Item = TypeVar("Item")
#: JSON knows no tuples, and what a validator has seen before is no JSON any more.
Several = Annotated[tuple[Item, ...], Field(strict=False)]


class Header(Section):
    """The settings of a scan. Everything but `have` must agree before two states are merged."""

    model_config = ConfigDict(strict=True)

    model: str  # name for people
    model_hash: str
    dataset: str  # fingerprint
    images: int  # in the whole dataset, all shards
    layers: Several[str]
    k: int
    quantile: float
    mode: str = "top"
    post_relu: Several[str] = ()
    vit_spatialise: str = "fixed"
    layout: str = "{}"  # canonical JSON of what the layout of outputs adds
    input: str = ""  # canonical JSON of the InputSpec; empty for ready-made tensors
    dtype: str = "float32"  # of the network
    levels: str = "binned"
    sample: int = 0  # images read whole
    bands: int = 0
    band_size: int = 0
    content: str = ""  # digest of images that can only be read in order, which all shards do
    heldout: str = ""  # how images were chosen that count for the table alone
    block: int = 0  # which part of the units of every layer
    blocks: int = 1  # number of parts; see `exemplars.blocks`
    of: int = 1  # number of shards
    have: Several[int] = (0,)  # the shards in this state, rising

    @property
    def complete(self) -> bool:
        """Whether all shards are in, and all units."""
        return self.all_images and self.blocks == 1

    @property
    def all_images(self) -> bool:
        """Whether all shards are in, perhaps of some units only."""
        return len(self.have) == self.of

    @property
    def seen(self) -> int:
        """Images in the shards of this state, without those held out."""
        if not self.heldout:
            return sum(len(range(i, self.images, self.of)) for i in self.have)
        apart = heldout_images(self.dataset, self.images, self.heldout)
        return sum(int((~apart[i :: self.of]).sum()) for i in self.have)

    @property
    def shown(self) -> int:
        """Images of the whole data set, without those held out."""
        whole = self.model_copy(update={"have": tuple(range(self.of))})
        return whole.seen if self.heldout else self.images

    def to_meta(self) -> dict[str, Any]:
        """Plain values for JSON; what is empty in most sets is left out then."""
        empty = {name for name in ("heldout", "content") if not getattr(self, name)}
        empty |= {"block", "blocks"} if self.blocks == 1 else set()
        return self.model_dump(mode="json", exclude=empty)

    @classmethod
    def from_meta(cls, meta: Any) -> Header:
        """The inverse of `to_meta`; whatever cannot be a header is a `UserError`."""
        try:
            lists = [key for key, value in dict(meta).items() if isinstance(value, list)]
            header = cls.model_validate({**meta, **{key: tuple(meta[key]) for key in lists}})
        except (TypeError, ValueError) as error:
            if not isinstance(error, ValidationError):
                raise damaged("its header is no mapping") from None
            raise damaged(sentences(error, cls, "the header")) from None
        if not (
            0 < header.images <= 2**32
            and 0 < header.of <= 2**31
            and 0 <= header.block < header.blocks <= 2**31
            and header.have == tuple(sorted(set(header.have)))
            and header.have
            and 0 <= header.have[0] <= header.have[-1] < header.of
            and len(set(header.layers)) == len(header.layers) > 0
            and min(header.sample, header.bands, header.band_size) >= 0
            and header.bands * header.band_size <= max(header.sample, 1) * 1000
        ):
            raise damaged("its header contradicts itself")
        return header

    def provenance(self) -> dict[str, Any]:
        """The facts that do not depend on how the work was cut into shards."""
        parts = ("of", "have", "block", "blocks")
        return {k: v for k, v in self.to_meta().items() if k not in parts}


class ShardMeta(Content):
    """Metadata of a file of `MiningState.save`: the header, and the scans of its layers."""

    header: dict[str, Any]
    scan: list[dict[str, Any]]
    sample: list[dict[str, Any]]


@dataclass
class MiningState:
    """One `ScanState` a layer, with the header that says what they were made of."""

    header: Header
    layers: dict[str, ScanState]
    samples: dict[str, ScanState] = field(default_factory=dict)  # see `exemplars.sample`
    estimated: dict[str, Any] = field(default_factory=dict)  # levels by sketch, see `sketch`
    flat: dict[str, Flat] = field(default_factory=dict)  # of layers that have seen an image

    def save(self, path: Path | str) -> None:
        """Write the state as one file (kind milan-exemplar-shard)."""
        arrays: dict[str, Any] = {}
        metas: dict[str, list[dict[str, Any]]] = {"scan": [], "sample": []}
        for kind, states in (("scan", self.layers), ("sample", self.samples)):
            for index, name in enumerate(self.header.layers if states else ()):
                parts, meta = states[name].to_arrays()
                arrays.update({f"{kind}.{index}.{part}": array for part, array in parts.items()})
                metas[kind].append(meta)
        for index, name in enumerate(self.header.layers):
            units = self.flat.get(name)
            if units is not None and len(units.units):
                parts = {part: getattr(units, part) for part in FLAT}
                arrays.update({f"flat.{index}.{part}": array for part, array in parts.items()})
        meta = {"header": self.header.to_meta(), **metas}
        save_tensors(path, SHARD_KIND, SHARD_VERSION, arrays, meta)

    @classmethod
    def load(cls, path: Path | str) -> MiningState:
        """Read a state; a damaged or foreign file is refused with a sentence."""
        with reading(path, "the state of a shard", "run its stage again"):
            arrays, meta = load_tensors(path, SHARD_KIND, ShardMeta, (SHARD_VERSION,))
            header = Header.from_meta(meta.header)
            kinds = ("scan", "sample") if header.sample else ("scan",)
            scans = {"scan": meta.scan, "sample": meta.sample}
            states = {
                kind: {
                    name: ScanState.from_arrays(items_below(arrays, f"{kind}.{i}."), scans[kind][i])
                    for i, name in enumerate(header.layers)
                }
                for kind in kinds
            }
        for name, state in states["scan"].items():
            rules = state.spec
            if (rules.k, rules.total_images, rules.mode) != (header.k, header.shown, header.mode):
                msg = f"{path}: layer {name!r} was scanned by other rules than the header says"
                raise UserError(msg)
            if state.images != header.seen:
                msg = (
                    f"{path}: layer {name!r} has seen {state.images} images, expected "
                    f"{header.seen}; run its stage again"
                )
                raise UserError(msg)
        flat = {
            name: Flat.read(items_below(arrays, f"flat.{i}."), states["scan"][name].spec.units)
            for i, name in enumerate(header.layers)
            if states["scan"][name].images
        }
        return cls(header, states["scan"], states.get("sample", {}), flat=flat)


def merge_states(states: Sequence[MiningState]) -> MiningState:
    """The state of all shards in `states`; the result may still be partial."""
    if not states:
        msg = "nothing to merge: no shards were given"
        raise UserError(msg)
    first, *rest = states
    for other in rest:
        _check_same(first.header, other.header)
    check_twice(*(state.header for state in states))
    have = [shard for state in states for shard in state.header.have]
    layers = _joined([state.layers for state in states])
    samples = _joined([state.samples for state in states])
    flat: dict[str, Flat] = {}
    for state in states:
        for name, units in state.flat.items():
            flat[name] = units.kept(flat[name]) if name in flat else units
    header = first.header.model_copy(update={"have": tuple(sorted(have))})
    return MiningState(header, layers, samples, flat=flat)


def check_twice(*headers: Header) -> None:
    """Refuse states that share a shard."""
    have = [shard for header in headers for shard in header.have]
    if twice := sorted({shard for shard in have if have.count(shard) > 1}):
        of = headers[0].of
        raise UserError(f"shard {_list(twice)} of {of} is given more than once; give each once")


def _joined(shards: Sequence[dict[str, ScanState]]) -> dict[str, ScanState]:
    """The merged state of each layer; the shards stay as they are."""
    first, *rest = shards
    layers = {}
    for name, state in first.items():
        merged = ScanState.from_arrays(*state.to_arrays())
        for other in rest:
            merged.merge(other[name])
        layers[name] = merged
    return layers


def merge_shards(states: Sequence[MiningState]) -> MiningState:
    """The state of the whole dataset; refuses when a shard is missing, double or foreign."""
    merged = merge_states(states)
    check_images(merged.header)
    return merged


def check_images(header: Header) -> None:
    """Refuse a state that lacks shards of images."""
    if not header.all_images:
        missing = sorted(set(range(header.of)) - set(header.have))
        msg = (
            f"shard {_list(missing)} of {header.of} is missing; mine it and merge again "
            f"(got {_list(header.have)})"
        )
        raise UserError(msg)


def check_blocks(headers: Sequence[Header]) -> None:
    """Refuse headers, one a block of units, that are not all blocks of one scan with all images."""
    first = headers[0]
    for header in headers:
        _check_same(first, header, but=("have", "block"))
        check_images(header)
    found = [header.block for header in headers]
    if missing := sorted(set(range(first.blocks)) - set(found)):
        raise UserError(
            f"unit shard {_list(missing)} of {first.blocks} is missing; mine it and merge again "
            f"(got {_list(found)})"
        )


def _check_same(first: Header, other: Header, but: Sequence[str] = ("have",)) -> None:
    a, b = first.model_dump(mode="json"), other.model_dump(mode="json")
    for key in a:
        if key not in but and a[key] != b[key]:
            what = "number of shards" if key == "of" else key
            msg = (
                f"the shards do not belong together: {what} is {a[key]!r} in one and {b[key]!r} in "
                "another; mine all shards with the same model, dataset and settings"
            )
            raise UserError(msg)


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
