"""Strided 1 x 1 convolutions over few channels, which crash in oneDNN's kernels for AVX2."""

import os
import subprocess
import sys

import torch
from torch import nn

from milan_core.networks.training.layouts import train_plainly

STEPS = """
import torch
from torch import nn
from milan_core.networks.training.layouts import train_plainly

torch.set_num_threads(1)
for inputs, outputs in ((3, 4), (4, 8)):
    conv = nn.Conv2d(inputs, outputs, 1, 2, bias=False).to(memory_format=torch.channels_last)
    train_plainly(conv)
    for images in (1, 20, 30):
        x = torch.randn(images, inputs, 64, 64, requires_grad=True)
        for _ in range(6):
            conv(x.to(memory_format=torch.channels_last)).square().sum().backward()
            others = [torch.randn(7 * i + 3) for i in range(50)]
"""


def test_gradients_stay_in_their_buffers_with_kernels_for_avx2():
    """Without `train_plainly` this ends with "double free or corruption"."""
    held = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    run = subprocess.run([sys.executable, "-c", STEPS], env=held, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_only_such_convolutions_are_changed():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 1, 2), nn.Conv2d(8, 4, 1))
    net.append(nn.Conv2d(4, 4, 1, 2))
    net.to(memory_format=torch.channels_last)
    before = [part.weight.stride() for part in net]
    x = torch.randn(2, 3, 16, 16).to(memory_format=torch.channels_last)
    expected = net(x)
    train_plainly(net)
    assert [bool(part._forward_pre_hooks) for part in net] == [False, False, False, True]
    assert [part.weight.stride() for part in net][:3] == before[:3]
    torch.testing.assert_close(net(x), expected)
