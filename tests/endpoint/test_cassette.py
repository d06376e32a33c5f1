"""Cassettes: whole, torn, damaged, foreign, and killed in the middle."""

import os
import signal
import subprocess
import sys
import time

import pytest
from model_server import ModelServer

from milan_core.core.errors import UserError
from milan_core.endpoint.cassette import Cassette, Exchange


def record(path, count=3):
    cassette = Cassette(path, "m")
    with cassette.recording():
        for i in range(count):
            cassette.add(f"k{i}", {"text": f"q{i}"}, Exchange(200, f"answer {i} \udcff é"))
    return path


def test_a_cut_last_line_is_asked_again_and_the_rest_stays(tmp_path):
    path = record(tmp_path / "c.jsonl")
    whole = path.read_bytes()
    for size in range(whole.rindex(b"\n", 0, -1) + 1, len(whole)):
        path.write_bytes(whole[:size])
        assert [Cassette(path, "m").find(f"k{i}") is not None for i in range(3)] == [
            True,
            True,
            False,
        ]
    with Cassette(path, "m").recording():
        pass
    assert path.read_bytes() == whole[: whole.rindex(b"\n", 0, -1) + 1]


def test_every_flipped_bit_is_noticed(tmp_path):
    path = record(tmp_path / "c.jsonl", 1)
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(UserError, match=r"c\.jsonl"):
            Cassette(path, "m")


@pytest.mark.parametrize("data", [b"", b"hello\n", b"\n\n", b"\x00" * 50, b"{}\n"])
def test_other_files_are_refused(tmp_path, data):
    (tmp_path / "c").write_bytes(data)
    with pytest.raises(UserError):
        Cassette(tmp_path / "c", "m")


def test_a_cassette_of_another_model_is_refused(tmp_path):
    record(tmp_path / "c")
    with pytest.raises(UserError, match="no cassette of model 'other' \\(got 'm'\\)"):
        Cassette(tmp_path / "c", "other")
    with pytest.raises(UserError, match="cassette not found"):
        Cassette(tmp_path / "none", "m", replay=True)


def test_two_recordings_at_once_are_refused(tmp_path):
    path = record(tmp_path / "c")
    second = Cassette(path, "m").recording()
    with Cassette(path, "m").recording():
        with pytest.raises(UserError, match="another run is writing"):
            second.__enter__()
        assert path.stat().st_size


PROGRAM = """
import sys
from pathlib import Path
from milan_core.endpoint.cassette import Cassette
from milan_core.endpoint.client import Endpoint
from milan_core.endpoint.options import EndpointOptions
from milan_core.endpoint.question import Question
options = EndpointOptions(url=sys.argv[1], model="m", concurrency=4)
with Endpoint(options, Cassette(Path(sys.argv[2]), "m")).open() as endpoint:
    answers = endpoint.ask([Question(f"unit {i}") for i in range(int(sys.argv[3]))])
print(sum(answer.answered for answer in answers), endpoint.spent.requests)
"""


@pytest.mark.parametrize("count", [150, pytest.param(5000, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_without_asking_twice(tmp_path, count):
    """At most the requests under way when it was killed are sent again."""
    server = ModelServer()
    server.delay = 0.005
    command = [sys.executable, "-c", PROGRAM, server.url, str(tmp_path / "c"), str(count)]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    kills, sent = 3, 0
    for part in range(1, kills + 1):
        running = subprocess.Popen(command, env=environment)
        while sum(server.bodies.values()) < part * count // (kills + 1):
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
        time.sleep(0.1)
    last = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    answered, sent = map(int, last.stdout.split())
    assert answered == count
    assert 0 < sent < count
    assert len(server.bodies) == count
    assert sum(server.bodies.values()) <= count + 4 * kills
    again = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert again.stdout.split() == [str(count), "0"]
    server.close()
