"""Kernels of libraries are held where the environment asks for the same bytes everywhere."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary
from milan_core.core import held_steps, reproducible
from milan_core.core.errors import UserError
from milan_core.core.identity import step_code
from milan_core.core.step import command
from milan_core.plan.checks import check_device

LOOK = """
import json, os, milan_core, numpy as np
from numpy._core._multiarray_umath import __cpu_features__ as found
from milan_core.core.reproducible import KERNELS
wide = {name: found.get(name, False) for name in ("X86_V4", "AVX512_ICL", "AVX512_SPR")}
print(json.dumps({"wide": wide, "held": {name: os.environ.get(name) for name in KERNELS}}))
"""


def started(root, **variables):
    """What a new process sees that imports this package first."""
    clean = {name: value for name, value in os.environ.items() if name not in reproducible.KERNELS}
    clean.pop(reproducible.SWITCH, None)
    words = [sys.executable, "-c", LOOK]
    environment = {**clean, "PYTHONPATH": str(root), **variables}
    return json.loads(subprocess.check_output(words, env=environment, text=True))


def test_kernels_are_held_before_numpy_is_imported(root):
    seen = started(root, **{reproducible.SWITCH: "1", "ATEN_CPU_CAPABILITY": "avx512"})
    assert seen["held"] == reproducible.KERNELS, "whatever the environment had"
    assert not any(seen["wide"].values())


def test_nothing_is_held_unasked(root):
    for variables in ({}, {reproducible.SWITCH: "0"}):
        assert not any(started(root, **variables)["held"].values())


def test_a_record_says_so(monkeypatch):
    monkeypatch.delenv(reproducible.SWITCH, raising=False)
    assert reproducible.check_held("cuda") == {}
    monkeypatch.setenv(reproducible.SWITCH, "1")
    monkeypatch.setattr(reproducible, "_has_avx2", lambda: True)
    monkeypatch.setattr(reproducible.platform, "machine", lambda: "x86_64")
    assert reproducible.check_held("cpu") == {"reproducible": reproducible.KERNELS}


@pytest.mark.parametrize(
    ("device", "machine", "avx2", "said"),
    [
        ("cuda", "x86_64", True, "the device is cuda; only cpu"),
        ("cpu", "aarch64", True, "aarch64"),
        ("cpu", "x86_64", False, "has no AVX2"),
    ],
)
def test_what_cannot_be_reproducible_is_refused(monkeypatch, device, machine, avx2, said):
    monkeypatch.setenv(reproducible.SWITCH, "1")
    monkeypatch.setattr(reproducible, "_has_avx2", lambda: avx2)
    monkeypatch.setattr(reproducible.platform, "machine", lambda: machine)
    with pytest.raises(UserError, match=said):
        reproducible.check_held(device)


def test_the_configuration_is_for_the_cpu():
    check_device(SimpleNamespace(reproducible=True, device="cpu"))
    check_device(SimpleNamespace(reproducible=False, device="cuda"))
    with pytest.raises(UserError, match="reproducible is true with device cuda"):
        check_device(SimpleNamespace(reproducible=True, device="cuda"))


def test_commands_and_identities_say_so():
    name = "networks.train"
    assert held_steps.command(name) == f"MILAN_REPRODUCIBLE=1 {command(name)}"
    assert held_steps.step_code(name) == f"{step_code(name)}-reproducible"


def test_recurrent_layers_do_without_onednn(monkeypatch):
    enabled = []
    tokenizer = Tokenizer(Vocabulary(("a", "b")))
    model = LanguageModel(tokenizer, embedding=4, hidden=8)
    forward = model.lstm.forward
    monkeypatch.setattr(
        model.lstm,
        "forward",
        lambda *given: (enabled.append(torch.backends.mkldnn.enabled), forward(*given))[1],
    )
    for asked in ("0", "1"):
        monkeypatch.setenv(reproducible.SWITCH, asked)
        model(torch.zeros(2, 3, dtype=torch.long))
    assert enabled == [True, False]
    assert torch.backends.mkldnn.enabled


PRODUCTS = """
import contextlib, hashlib, os, sys
from milan_core import cli
assert "numpy" not in sys.modules
with contextlib.suppress(SystemExit):
    cli.main(["--version"])
assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
import numpy as np
draw = np.random.default_rng(0)
a, b = draw.standard_normal((2, 200_000))
c = draw.standard_normal((400, 5000))
print(hashlib.sha256(np.float64(a @ b).tobytes() + (c.T[:300] @ c).tobytes()).hexdigest())
"""


def test_a_command_has_the_same_products_on_any_number_of_cores():
    """On two cores NumPy's own choice of two threads gives other bytes."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "GOTO_NUM_THREADS")
    free = {name: value for name, value in os.environ.items() if name not in names}
    said = [
        subprocess.run(
            [sys.executable, "-c", PRODUCTS],
            env={**free, **given},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for given in ({}, {"OPENBLAS_NUM_THREADS": "1"})
    ]
    assert said[0] == said[1]
