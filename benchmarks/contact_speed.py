"""Measure the path's speed on a device: steps of `benchmarks.first_contact`."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn

from benchmarks.device_clock import device_seconds, host_seconds, wait
from milan_core import ops
from milan_core.captioner.captioner import Captioner
from milan_core.captioner.decoder import Decoder
from milan_core.captioner.features.encoder import Encoder
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary
from milan_core.exemplars.mine import mine
from milan_core.networks.inputs import InputSpec
from milan_core.networks.layouts import Layout
from milan_core.networks.trace import Trace

LAYERS = {"7x7": (2048, 7), "14x14": (1024, 14), "28x28": (512, 28), "56x56": (256, 56)}
FIVE = ("conv1", "layer1", "layer2", "layer3", "layer4")
MANY = 10**6  # images of a data set, so that no scan is near its end


class Scanned:
    """A network whose layers are scanned in every pass."""

    def __init__(self, network: nn.Module, layers: tuple[str, ...]) -> None:
        self.states: dict[str, ops.ScanState] = {}
        self.passed = 0
        self.trace = Trace(network, layers, self._receive)

    def _receive(self, layer: str, output: torch.Tensor) -> None:
        if layer not in self.states:
            shape = tuple(output.shape[2:])
            self.states[layer] = ops.ScanState(output.shape[1], shape, 15, 0.99, MANY)
        first = self.passed * len(output)
        self.states[layer].update(output, np.arange(first, first + len(output)))

    def __call__(self, batch: torch.Tensor) -> None:
        """One pass."""
        self.trace(batch)
        self.passed += 1


def network_of(small: bool) -> nn.Module:
    """resnet152, or resnet18 for a dry run."""
    make = torchvision.models.resnet18 if small else torchvision.models.resnet152
    return make(weights=None).eval()


def time_kernels(device: str, small: bool) -> dict[str, Any]:
    """Updates in the steady state beside reading the same values."""
    rows, batch = {}, 16 if small else 256
    for name, (units, side) in list(LAYERS.items())[: 1 if small else None]:
        for dtype in (torch.float32, torch.bfloat16):
            for layout in (torch.contiguous_format, torch.channels_last):
                values = torch.randn(batch, units, side, side, device=device).relu_().to(dtype)
                values = values.contiguous(memory_format=layout)
                state, passed = (
                    ops.ScanState(units, (side, side), 15, 0.99, MANY),
                    iter(range(MANY)),
                )

                def update(v: torch.Tensor = values, s: Any = state, p: Any = passed) -> None:
                    first = next(p) * batch
                    s.update(v, np.arange(first, first + batch))

                for _ in range(2 if small else 60):
                    update()
                read, scan = (device_seconds(work, device) for work in (values.amax, update))
                size = values.numel() * values.element_size() / 1e12
                kind = f"{str(dtype)[6:]} {'NHWC' if layout == torch.channels_last else 'NCHW'}"
                rows[f"{name} {kind}"] = {
                    "of reading": read / scan,
                    "TB/s": size / scan,
                    "host us an update": host_seconds(update, device, 3 if small else 100) * 1e6,
                }
    return rows


def time_forward(device: str, small: bool) -> dict[str, Any]:
    """Images a second of the bare network and with its layers scanned, inputs on the device."""
    rows, batch = {}, 8 if small else 256
    convolutions = tuple(
        name for name, part in network_of(small).named_modules() if isinstance(part, nn.Conv2d)
    )
    for dtype in (torch.float32, torch.bfloat16):
        network = network_of(small).to(device, dtype, memory_format=torch.channels_last)
        inputs = torch.randn(batch, 3, 224, 224, device=device, dtype=dtype)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            bare = device_seconds(lambda n=network, i=inputs: n(i), device, 10, 3)
            rows[f"{dtype} bare, images/s"] = batch / bare
            for what, layers in (("five layers", FIVE), ("all convolutions", convolutions)):
                scanned = Scanned(network, layers)
                with scanned.trace:
                    for _ in range(3):
                        scanned(inputs)
                    spent = device_seconds(lambda s=scanned, i=inputs: s(i), device, 10, 3)
                rows[f"{dtype} {what}, images/s"] = batch / spent
                rows[f"{dtype} {what}, over bare"] = spent / bare
                if device != "cpu":
                    free, all_of_it = torch.cuda.mem_get_info(device)
                    rows[f"{dtype} {what}, GB in use"] = (all_of_it - free) / 1e9
    return rows


def time_mining(device: str, small: bool) -> dict[str, Any]:
    """Images a second of `mine` as the workflow calls it, bytes in memory."""
    number, batch, rows = (16, 8, {}) if small else (8192, 256, {})
    images = np.random.default_rng(0).integers(0, 256, (number, 224, 224, 3), np.uint8)
    network = network_of(small)
    for dtype in ("float32", "bfloat16"):
        for sample in (number // 8, 0):
            start = time.perf_counter()
            mine(
                network,
                images,
                FIVE,
                batch_size=batch,
                device=device,
                input=InputSpec(size=224),
                dtype=dtype,
                sample=sample,
            )
            spent = time.perf_counter() - start
            rows[f"{dtype}, {sample} sampled, images/s"] = number / spent
    return rows


def time_encoder(device: str, small: bool) -> dict[str, Any]:
    """Images a second of the captioner's encoder, its maps copied to the host, and left there."""
    number = 16 if small else 1024
    facts = {"layers": list(FIVE), "post_relu": [], "layout": Layout()}
    model = SimpleNamespace(module=network_of(small), input=InputSpec(size=224), **facts)
    encoder: Any = Encoder(model, batch_size=64, device=device)  # type: ignore[arg-type]
    images = np.random.default_rng(0).integers(0, 256, (number, 224, 224, 3), np.uint8)
    list(encoder.batches(images, np.arange(min(8, number))))
    rows = {}
    for what, stay in (("maps copied", False), ("maps stay", True)):
        start = time.perf_counter()
        for _ in encoder.batches(images, np.arange(number), stay=stay):
            pass
        wait(device)
        rows[f"{what}, images/s"] = number / (time.perf_counter() - start)
    return rows


def time_captioner(device: str, small: bool) -> dict[str, Any]:
    """Units a second decoded, and training steps of 64 captions, with features on the device."""
    words, size, units = (500, 96, 8) if small else (5000, 3904, 512)
    tokenizer = Tokenizer(Vocabulary(tuple(f"w{index}" for index in range(words))))
    decoder = Decoder(size, tokenizer.vocabulary.size)
    captioner = Captioner(decoder, LanguageModel(tokenizer), tokenizer).eval().to(device)
    features = torch.randn(units, 15, size)
    captioner.decode(features[:8])
    wait(device)
    start = time.perf_counter()
    captioner.decode(features)
    wait(device)
    rows = {"decoded units/s": units / (time.perf_counter() - start)}
    given, ids = torch.randn(64, 15, size, device=device), torch.randint(4, 400, (64, 12))
    ids, optimizer = ids.to(device), torch.optim.AdamW(decoder.parameters(), lr=1e-3)
    decoder.train()

    def step() -> None:
        optimizer.zero_grad()
        hidden, _ = decoder(given, ids)
        decoder.output(decoder.dropout(hidden)).float().logsumexp(-1).mean().backward()
        optimizer.step()

    rows["training steps/s"] = 1 / host_seconds(step, device, 2 if small else 50)
    return rows


SPEEDS = [time_kernels, time_forward, time_mining, time_encoder, time_captioner]
