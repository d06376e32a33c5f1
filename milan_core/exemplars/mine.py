"""Mining: one forward pass over the images, all layers at once (spec 2.3; performance.md 0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json
from milan_core.core.options import narrowed, parse
from milan_core.core.progress import is_shown, shown, tracked
from milan_core.exemplars.batches import Batch, ImageSource
from milan_core.exemplars.blocks import UnitBlock
from milan_core.exemplars.forward import on_device
from milan_core.exemplars.options import MiningOptions, MiningRun
from milan_core.exemplars.probed import probe, unchanged
from milan_core.exemplars.sample import sampled_images
from milan_core.exemplars.scanning import Scan
from milan_core.exemplars.sources import open_source
from milan_core.exemplars.splits import heldout_images
from milan_core.exemplars.state import Header, MiningState
from milan_core.exemplars.status import refuse_infinite
from milan_core.exemplars.store import ExemplarSet
from milan_core.images.store import Dataset
from milan_core.networks.axes import Axes
from milan_core.networks.fingerprint import network_fingerprint
from milan_core.networks.kept import eval_mode
from milan_core.networks.layouts import Layout
from milan_core.networks.options import InputSpec
from milan_core.networks.precision import in_precision
from milan_core.networks.trace import listed
from milan_core.networks.zoo import LoadedModel

OPTIONS, RUN = MiningOptions(), MiningRun()  # their defaults are those of `mine`


class _Call(MiningOptions, MiningRun):
    """The settings of a call of `mine`; no image is sampled unless asked."""

    sample: int = 0


def mine(
    model: nn.Module,
    images: Any,
    layers: str | Iterable[str],
    *,
    k: int = OPTIONS.k,
    quantile: float = OPTIONS.quantile,
    batch_size: int = RUN.batch_size,
    device: str | torch.device = RUN.device,
    shard: tuple[int, int] | None = None,
    block: tuple[int, int] | None = None,
    input: InputSpec | Mapping[str, Any] | None = None,
    post_relu: str | Iterable[str] = (),
    layout: Layout | None = None,
    axes: Mapping[str, str] | None = None,
    seed: int = 0,
    name: str = "",
    **settings: Any,
) -> ExemplarSet:
    """Find the k images that drive each unit of `layers` most, with levels and maps.

    Args:
        model: any module; its mode and device are restored afterwards.
        images: see `milan_core.exemplars.sources.open_source`; their order gives the image ids.
        layers: module names or patterns (`milan_core.networks.trace.resolve_layers`).
        k: exemplars per unit.
        quantile: of a unit's own activations; this is its level, and positions above it belong to
            the mask.
        batch_size: images per forward pass; the last batch is padded. For a given batch size the
            result is the same to the byte for any number of shards. Another batch size may change
            the rounding of the network itself (about 1e-6 of an activation, one near-tie in 13,000
            exemplars of EfficientNet-Lite0), never that of the statistics.
        device: where the network runs; statistics are collected there too when the native core was
            built with CUDA, and on the CPU otherwise, with equal results.
        shard: (i, n): only images i, i + n, ...; the result is partial until `merge` joins it.
        block: (i, n): only the i-th of n parts of every layer's units; also partial.
        input: how stored uint8 images are normalized; not used for ready-made tensors.
        post_relu: layers recorded after a ReLU (spec 2.6).
        layout: how outputs become maps; `load_network` returns it.
        axes: axes of layers that the probe of the network cannot determine or refuses, such as
            {"blocks.*": "t b c"} (`milan_core.networks.axes`).
        seed: of the sketch; nothing else is random.
        name: of the model, for the records; by default its class.
        settings: other fields of `MiningOptions` (mode, levels, sample, bands, band_size) and of
            `MiningRun` (threads, dtype, compile, progress).

    Raises:
        UserError: for unknown or impossible settings, images of another form, layers that cannot
            be mined, activations that are NaN, and networks or images that change between passes
            (`milan_core.networks.probe`).

    """
    if not isinstance(model, nn.Module):
        msg = f"mine: the model is {type(model).__name__}; expected a torch.nn.Module"
        raise UserError(msg)
    if layout is not None and not isinstance(layout, Layout):
        msg = f"mine: layout is {type(layout).__name__}; expected a Layout, or `axes` for names"
        raise UserError(msg)
    given = {"k": k, "quantile": quantile, "batch_size": batch_size, "device": str(device)}
    view = None if input is None else parse(InputSpec, input, "mine: input")
    call = parse(_Call, {**given, **settings}, "mine")
    network = LoadedModel(
        module=model,
        input=view or InputSpec(),
        layers=listed(model, layers),
        post_relu=listed(model, post_relu, "post_relu"),
        layout=with_axes(layout or Layout(), axes or {}),
    )
    options, run = narrowed(call, MiningOptions), narrowed(call, MiningRun)
    source = open_source(images, view)
    return mine_source(
        network, source, options, run, shard=shard, block=block, seed=seed, name=name
    )


def with_axes(layout: Layout, axes: Mapping[str, str]) -> Layout:
    """The layout with the axes of layers, as `mine` takes them; raises `UserError` for others."""
    for layer, text in axes.items():
        Axes.parse(text, f"axes of {layer!r}")
    return replace(layout, axes={**layout.axes, **axes}) if axes else layout


def mine_dataset(
    network: LoadedModel,
    dataset: Dataset,
    options: MiningOptions,
    run: MiningRun,
    *,
    shard: tuple[int, int] | None = None,
    block: tuple[int, int] | None = None,
    seed: int = 0,
    name: str = "",
) -> ExemplarSet:
    """Mine the layers of a loaded network over a data set; refuses one with fewer than k images."""
    if len(dataset) < options.k:
        msg = f"fewer images than k: the data set has {len(dataset)}, and k is {options.k}; lower k"
        raise UserError(msg)
    source = open_source(dataset, network.input)
    return mine_source(
        network, source, options, run, shard=shard, block=block, seed=seed, name=name
    )


def mine_source(
    network: LoadedModel,
    source: ImageSource,
    options: MiningOptions,
    run: MiningRun,
    *,
    shard: tuple[int, int] | None = None,
    block: tuple[int, int] | None = None,
    seed: int = 0,
    name: str = "",
) -> ExemplarSet:
    """Pass the images of one shard, or all, through a network and collect its exemplars."""
    index, of = _checked_part("shard", shard)
    part = UnitBlock(*_checked_part("block", block))
    if options.levels == "sketch" and of > 1:
        msg = f"levels: sketch reads the images in order; set exemplars.shards to 1 (got {of})"
        raise UserError(msg)
    fingerprint = network_fingerprint(network)
    with (
        eval_mode(network.module),
        part.of(network.module),
        on_device(network.module, run.device),
        in_precision(run.dtype, run.device),
    ):
        heldout = heldout_images(source.fingerprint, source.total, options.heldout)
        sampled = sampled_images(heldout, options.sample)
        # The sample comes first, so that few batches cost it an update; a sketch minds the order.
        first = None if options.levels == "sketch" else sampled
        start = _first_mined(index, of, heldout, first)
        probed = probe(network, source, run.device, start)
        scan = Scan(network, options, run, heldout, sampled, seed, probed, part)
        count = len(range(index, source.total, of))
        batches = source.batches((index, of), run.batch_size, heldout, first, run.device)
        with shown(run.progress or is_shown()):
            scan.run(tracked(batches, "mining", "image", total=count, size=_images_of))
        unchanged(network, probed, run.device)
    header = Header(
        model=name or type(network.module).__name__,
        model_hash=fingerprint,
        dataset=source.fingerprint,
        content=source.content,
        images=source.total,
        layers=tuple(scan.trace.layers),
        k=options.k,
        quantile=options.quantile,
        mode=options.mode,
        post_relu=tuple(sorted(scan.trace.rectified)),
        vit_spatialise=network.layout.tokens.spatialise,
        layout=canonical_json(network.layout.facts()),
        input=canonical_json(source.input.facts()) if source.input else "",
        dtype=run.dtype,
        levels=options.levels,
        sample=min(options.sample, scan.total),
        bands=options.bands,
        band_size=options.band_size if options.bands else 0,
        heldout=options.heldout if heldout.any() else "",
        block=part.index,
        blocks=part.count,
        of=of,
        have=(index,),
    )
    result = _exemplars(scan, header)
    result.images = source.stored
    result.probe = probed.facts()
    result.table = scan.pooled.table(header, heldout)
    return result


def _exemplars(scan: Scan, header: Header) -> ExemplarSet:
    """The exemplars that a finished scan has found; refuses activations that are infinite."""
    estimated = {layer: sketch.quantile(header.quantile) for layer, sketch in scan.sketches.items()}
    state = MiningState(header, scan.states, scan.samples, estimated, scan.flat.layers)
    result = ExemplarSet.from_state(state)
    refuse_infinite({layer: result.activations(layer) for layer in result.layers})
    return result


def _checked_part(what: str, part: tuple[int, int] | None) -> tuple[int, int]:
    index, count = map(int, part or (0, 1))
    if not 0 <= index < count:
        msg = f"{what} is {part}; expected (i, n) with 0 <= i < n"
        raise UserError(msg)
    return index, count


def _first_mined(index: int, of: int, heldout: np.ndarray, first: np.ndarray | None) -> int:
    """The image that comes first in the first batch of a shard."""
    images = np.arange(index, len(heldout), of)
    late = 2 * heldout[images] if first is None else 2 * heldout[images] + ~first[images]
    return int(images[late.argmin()]) if len(images) else 0


def _images_of(batch: Batch) -> int:
    return len(batch[1])
