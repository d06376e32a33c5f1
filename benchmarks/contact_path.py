"""The path around the kernels on a device, at real sizes: steps of `benchmarks.first_contact`.

From stored bytes to features and descriptions: the same answers as on the CPU, no wait in a step,
and rates. On the CPU (`--device cpu`) the steps compare the path with itself.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.device_clock import wait
from milan_core import ops
from milan_core.captioner.captioner import Captioner
from milan_core.captioner.decoder import Decoder
from milan_core.captioner.features.pooling_there import pool_there
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.options import CaptionerSettings
from milan_core.captioner.search import beam_search
from milan_core.captioner.stepping import Stepper
from milan_core.captioner.training.pairs import build_corpus
from milan_core.captioner.training.tasks import DecoderTask, LanguageTask
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary
from milan_core.describers.evidence import gather
from milan_core.exemplars.mine import mine
from milan_core.exemplars.sources import open_source
from milan_core.networks.ablation import AblationEngine, PreparedImages
from milan_core.networks.feeding import fed
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel

SYNCHRONIZING = "called a synchronizing CUDA operation"  # in warnings of torch's debug mode


def waits_of(work: Callable[[], object], device: str) -> int:
    """Times that the host waits for the device within `work`; 0 on the CPU."""
    if device == "cpu":
        work()
        return 0
    torch.cuda.synchronize(device)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            work()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum(SYNCHRONIZING in str(one.message) for one in said)


def check_feeding(device: str, small: bool) -> dict[str, Any]:
    """Batches that are read ahead arrive whole, while the device is behind with the last ones."""
    number, side = (12, 16) if small else (200, 224)
    stored = np.random.default_rng(0).integers(0, 256, (16 * number, side, side, 3), np.uint8)

    def parts() -> Iterator[tuple[np.ndarray, int]]:
        for start in range(0, len(stored), 16):
            yield stored[start : start + 16], start

    wrong = []
    for batch, start in fed(parts(), device):
        if device != "cpu":
            torch.cuda._sleep(2_000_000)
        doubled = batch.to(torch.int16) * 2
        if (
            start % 160 == 0
            and not (doubled.cpu().numpy() == 2 * stored[start : start + 16].astype(np.int16)).all()
        ):
            wrong.append(start)
    return {"wrong": wrong}


def check_mining(device: str, small: bool) -> dict[str, Any]:
    """Exemplars, samples, flat units and table of a network that does not round, here and there."""
    number = 40 if small else 4000
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(number, 24, 14, 14, generator=draw)
    images[:, 3], images[:, 4] = 0, 1.5
    network = nn.Sequential(nn.MaxPool2d(2), nn.ReLU())
    options: dict[str, Any] = {"k": 15, "batch_size": 64, "sample": number // 4, "bands": 2}
    here, there = (
        mine(network, images, ["0", "1"], device=place, table=("max",), **options)
        for place in ("cpu", device)
    )
    return {
        name: all(
            np.asarray(read(here, layer)).tobytes() == np.asarray(read(there, layer)).tobytes()
            for layer in ("0", "1")
        )
        for name, read in (
            ("ids", lambda found, layer: found.ids(layer)),
            ("levels", lambda found, layer: found.levels(layer)),
            ("maps", lambda found, layer: found.layer(layer).maps),
            ("sample", lambda found, layer: found.distribution(layer).counts),
            ("status", lambda found, layer: found.status(layer).astype(str)),
            ("table", lambda found, layer: found.table.block(slice(0, 24))),
        )
    }


def check_concept_evidence(device: str, small: bool) -> dict[str, Any]:
    """Levels, maxima and masks of concept methods, here and there."""
    images = np.random.default_rng(0).integers(0, 256, (40 if small else 500, 28, 28, 3), np.uint8)
    network = LoadedModel(nn.Sequential(nn.MaxPool2d(4)), InputSpec(size=28), ["0"], [])
    found = []
    for place in ("cpu", device):
        with tempfile.TemporaryDirectory() as folder:
            source = open_source(images, network.input)
            own = gather(network, source, [0.99], 56, Path(folder), device=place)["0"]
            own.blocks = own.masks[0.99].block(0, 3)  # type: ignore[attr-defined]
            found.append(own)
    here, there = found
    return {
        "levels": bool(np.allclose(here.levels[0.99], there.levels[0.99], rtol=1e-5)),
        "maxima": bool(np.allclose(here.maxima, there.maxima, rtol=1e-5)),
        "masks": abs(len(here.blocks.bits) - len(there.blocks.bits)) <= len(here.blocks.bits) // 99,
    }


def check_pooling(device: str, small: bool) -> dict[str, Any]:
    """Means under masks where the maps are, against the core."""
    rng = np.random.default_rng(0)
    count, sides = (20, (7, 14)) if small else (1500, (7, 14, 28, 56))
    levels = [rng.normal(size=(64, 96, side, side)).astype(np.float16) for side in sides]
    rows = rng.integers(-1, 64, count)
    packed = ops.pack_masks(rng.random((count, 224, 224)) < 0.1)
    there = [torch.from_numpy(level).to(device) for level in levels]
    found = {}
    for how in ("area", "points"):
        parts = [ops.pool_masks(level, rows, packed, 224, how) for level in levels]
        want = np.concatenate(parts, 1)
        got = pool_there(there, rows, packed, 224, how)
        found[how] = bool(np.allclose(got, want, rtol=1e-4, atol=1e-5))
    return found


def check_resident_images(device: str, small: bool) -> dict[str, Any]:
    """Accuracies under ablation with the images on the device."""
    torch.manual_seed(0)
    bytes_ = np.random.default_rng(0).integers(0, 256, (60 if small else 600, 32, 32, 3), np.uint8)
    layers = [nn.Conv2d(3, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network = nn.Sequential(*layers, nn.Linear(16, 5)).eval()
    labels = np.arange(len(bytes_)) % 5
    images = PreparedImages(bytes_, InputSpec(size=32))
    here = AblationEngine(network, "0", images, labels, device="cpu")
    single = here.single(here.units)
    there = AblationEngine(network, "0", images, labels, device=device)
    difference = float(np.abs(there.single(there.units) - single).max())
    network.to("cpu")
    return {"difference": difference, "close": difference < 0.02}


def captioner_of(small: bool) -> tuple[Captioner, np.ndarray]:
    """A captioner with random weights, and features of units for it."""
    words, size, units = (60, 24, 6) if small else (5000, 3904, 256)
    tokenizer = Tokenizer(Vocabulary(tuple(f"w{index}" for index in range(words))))
    decoder = Decoder(size, tokenizer.vocabulary.size)
    captioner = Captioner(decoder, LanguageModel(tokenizer), tokenizer).eval()
    return captioner, np.random.default_rng(0).normal(size=(units, 15, size)).astype(np.float16)


def check_waits_of_search(device: str, small: bool) -> dict[str, Any]:
    """Waits of the beam search do not grow with its steps."""
    captioner, features = captioner_of(small)
    captioner.to(device)
    block = torch.from_numpy(features.astype(np.float32)).to(device)
    words, beams = captioner.tokenizer.vocabulary, 4 if small else 50

    def search(length: int) -> None:
        with torch.inference_mode():
            stepper = Stepper(captioner.decoder, block, captioner.language_model, 0.2)
            beam_search(stepper, len(block), words.start, words.stop, beams, length)

    search(3)
    few, many = (waits_of(lambda n=length: search(n), device) for length in (4, 12))  # type: ignore[misc]
    return {"few steps": few, "many steps": many, "the same": few == many}


def check_waits_of_training(device: str, small: bool) -> dict[str, Any]:
    """Waits of an epoch do not grow with its steps."""
    rng, units, size = np.random.default_rng(0), 60 if small else 700, 24 if small else 3904
    texts = [[f"a w{n % 7}", f"the w{n % 7} of w{n % 5}", f"w{n % 3}"] for n in range(units)]
    features = rng.normal(size=(units, 15, size)).astype(np.float16)
    found = {}
    for batch in (64, 16):
        settings = CaptionerSettings(batch=batch, lm_batch=batch)
        corpus = build_corpus(texts, 0.1, 0)
        tokenizer = Tokenizer(corpus.vocabulary)
        for task in (
            DecoderTask(corpus, tokenizer, features, settings, 0, device),
            LanguageTask(corpus, tokenizer, settings, 0, device),
        ):
            task.train_epoch(1)
            found[f"{task.name}, batches of {batch}"] = waits_of(
                lambda t=task: t.train_epoch(2),  # type: ignore[misc]
                device,
            )
    decoder = [value for name, value in found.items() if name.startswith("decoder")]
    prior = [value for name, value in found.items() if not name.startswith("decoder")]
    return {**found, "the same": len({*decoder}) == len({*prior}) == 1}


def time_pooling(device: str, small: bool) -> dict[str, Any]:
    """Exemplars a second pooled where the maps are: five layers of a resnet152."""
    sides = {2048: 7, 1024: 14, 512: 28, 256: 56} if not small else {64: 7, 32: 14}
    levels = [
        torch.randn(64, units, side, side, device=device).half() for units, side in sides.items()
    ]
    rng, count = np.random.default_rng(0), 16 if small else 2048
    packed = ops.pack_masks(rng.random((count, 224, 224)) < 0.1)
    rows = np.sort(rng.integers(0, 64, count))
    pool_there(levels, rows[:8], packed[:8], 224, "area")
    start = time.perf_counter()
    pool_there(levels, rows, packed, 224, "area")
    return {"exemplars/s": count / (time.perf_counter() - start)}


def time_training(device: str, small: bool) -> dict[str, Any]:
    """Captions a second of the decoder's training, as the product trains it."""
    units, size = (60, 24) if small else (1400, 3904)
    texts = [[f"a w{n % 97} on the w{n % 31}", f"the w{n % 97} of w{n % 53}"] for n in range(units)]
    features = np.random.default_rng(0).normal(size=(units, 15, size)).astype(np.float16)
    corpus = build_corpus(texts, 0.1, 0)
    task = DecoderTask(
        *(corpus, Tokenizer(corpus.vocabulary), features, CaptionerSettings(), 0, device)
    )
    task.train_epoch(1)
    wait(device)
    start = time.perf_counter()
    task.train_epoch(2)
    wait(device)
    return {"captions/s": len(corpus.train) / (time.perf_counter() - start)}


CHECKS = [
    check_feeding,
    check_mining,
    check_concept_evidence,
    check_pooling,
    check_resident_images,
    check_waits_of_search,
    check_waits_of_training,
]
SPEEDS = [time_pooling, time_training]
