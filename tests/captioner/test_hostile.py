"""Captioner files that mean harm: pickles, zips and tensors that are refused before they act."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from paths import TESTS

from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.torch_zip import read_checkpoint
from milan_core.core.errors import UserError

GOLDEN = TESTS / "data/golden/decoder"


def archive(path, program, entries=(), root="archive", **options):
    """A zip file as torch writes it, with the given pickle."""
    with zipfile.ZipFile(path, "w", **options) as handle:
        handle.writestr(f"{root}/data.pkl", program)
        for name, data in entries:
            handle.writestr(name, data)
    return path


def refused(path, sentence):
    """Loading fails with one sentence that names the file."""
    with pytest.raises(UserError, match=sentence) as caught:
        load_captioner(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


class Command:
    """Pickles to a call of os.system."""

    def __init__(self, path):
        self.command = f"touch {path}"

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_a_command_is_refused_before_it_runs(tmp_path, protocol):
    victim = tmp_path / "victim"
    content = {"properties": {"indexer": Command(victim)}, "state_dict": {}}
    refused(archive(tmp_path / "x.pth", pickle.dumps(content, protocol)), "is refused")
    assert not victim.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins\neval",
        "posix\nsystem",
        "torch\nload",
        "torch.nn.modules.linear\nLinear",
        "numpy\nload",
        "collections\nCounter",
        "torch\nserialization.os.system",
    ],
)
def test_unknown_names_are_refused(tmp_path, name):
    program = b"\x80\x02c" + name.encode() + b"\n."
    refused(archive(tmp_path / "x.pth", program), "not plain data")


def test_a_whole_module_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pth")
    refused(tmp_path / "x.pth", "not plain data")


@pytest.mark.parametrize("kept", [0, 10, 1000, 500_000, 1_900_000, -1])
def test_truncated_files_are_refused(tmp_path, kept):
    (tmp_path / "x.pth").write_bytes((GOLDEN / "decoder.pth").read_bytes()[:kept])
    refused(tmp_path / "x.pth", "cut short")


def test_truncated_pickle_and_no_pickle(tmp_path):
    with zipfile.ZipFile(GOLDEN / "lm.pth") as golden:
        program = golden.read("archive/data.pkl")
    refused(archive(tmp_path / "x.pth", program[:-500]), "is refused")
    with zipfile.ZipFile(tmp_path / "y.pth", "w") as handle:
        handle.writestr("archive/version", "3")
    refused(tmp_path / "y.pth", "no data.pkl")


def test_zip_bombs_are_refused(tmp_path):
    bomb = [("archive/data/0", bytes(50 << 20))]
    path = archive(tmp_path / "x.pth", b"N.", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    refused(path, "compressed")


def test_entries_that_share_bytes_are_refused(tmp_path):
    path = archive(tmp_path / "x.pth", b"N.", [("archive/data/0", bytes(1000))])
    directory = path.read_bytes()
    # Records of other names for the same bytes, and the count and size of the directory.
    end = directory.rindex(b"PK\x05\x06")
    start = directory.index(b"PK\x01\x02")
    block = directory[start:end]
    copies = [
        block.replace(b"data/0", b"data/%d" % copy).replace(b"data.pkl", b"data/p%d." % copy)
        for copy in (1, 2)
    ]
    records = block + b"".join(copies)
    tail = bytearray(directory[end:])
    tail[8:12] = (6).to_bytes(2, "little") * 2
    tail[12:16] = len(records).to_bytes(4, "little")
    path.write_bytes(directory[:start] + records + bytes(tail))
    refused(path, "entries claim")


@pytest.mark.parametrize(
    "name", ["../data/0", "archive/../../x", "/etc/x", "archive\\x", "C:/x", "x"]
)
def test_paths_that_lead_outside_are_refused(tmp_path, name):
    refused(archive(tmp_path / "x.pth", b"N.", [(name, b"")]), "name that torch does not write")


def test_large_memo_indices_are_refused(tmp_path):
    program = b"\x80\x02Nr\xff\xff\xff\x7f."
    refused(archive(tmp_path / "x.pth", program), "claims 2147483647 objects")


def tensor_program(count=4, offset=0, size=(2, 2), stride=(2, 1), key="0"):
    """The pickle of one float32 tensor."""
    out = io.BytesIO()
    pickler = pickle.Pickler(out, 2)

    def dump(value):
        pickler.clear_memo()
        out.truncate(0)
        out.seek(0)
        pickler.dump(value)
        return out.getvalue()[2:-1]

    storage = b"(" + dump("storage") + b"ctorch\nFloatStorage\n" + dump(key) + dump("cpu")
    storage += dump(count) + b"tQ"
    arguments = b"(" + storage + dump(offset) + dump(size) + dump(stride) + dump(False) + b"Nt"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R."


def test_tensors_stay_inside_their_bytes(tmp_path):
    data = [("archive/data/0", np.arange(4, dtype=np.float32).tobytes())]
    good = archive(tmp_path / "good.pth", tensor_program(), data)
    assert read_checkpoint(good).tolist() == [[0, 1], [2, 3]]
    for options in (
        {"offset": 1},
        {"offset": -1},
        {"size": (3, 2)},
        {"size": (1 << 40,), "stride": (0,)},
        {"stride": (3, 1)},
        {"stride": (-2, 1)},
        {"size": (2, 2.0)},
        {"count": 5},
        {"count": 1 << 40},
        {"key": "../data/0"},
        {"key": "1"},
    ):
        bad = archive(tmp_path / "bad.pth", tensor_program(**options), data)
        with pytest.raises(UserError, match="is refused"):
            read_checkpoint(bad)


def copies_program(count, side):
    """`count` transposed tensors of one storage, (side, side): the pickle of a list."""
    one = tensor_program(side * side, 0, (side, side), (1, side))[2:-1]
    return b"\x80\x02](" + one * count + b"e."


def test_copies_of_one_storage_are_limited_by_the_file(tmp_path):
    side = 200
    data = [("archive/data/0", np.arange(side * side, dtype=np.float32).tobytes())]
    honest = archive(tmp_path / "honest.pth", copies_program(1, side), data)
    (found,) = read_checkpoint(honest)
    assert found[0, 1] == side, "transposed"
    for count, first in ((3, 3), (3000, 7)):  # the pickle counts as part of the file
        bomb = archive(tmp_path / "bomb.pth", copies_program(count, side), data)
        with pytest.raises(UserError, match=f"first {first} tensors take far more memory"):
            read_checkpoint(bomb)
    shared = torch.arange(1e5).view(100, 1000)
    torch.save([shared, shared, shared[3:9], shared.view(-1)] * 20, tmp_path / "shared.pth")
    assert len(read_checkpoint(tmp_path / "shared.pth")) == 80, "shared bytes cost nothing"


def test_the_number_of_tensors_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr("milan_core.captioner.torch_zip._MAX_TENSORS", 5)
    torch.save(list(torch.zeros(6, 2)), tmp_path / "x.pth")
    with pytest.raises(UserError, match="first 6 tensors"):
        read_checkpoint(tmp_path / "x.pth")
