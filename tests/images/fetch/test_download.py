"""Published files arrive whole and right through bad connections, or not at all."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
from website import Step

from milan_core.core.errors import UserError
from milan_core.core.options import canonical
from milan_core.images.fetch.attempt import Patience
from milan_core.images.fetch.download import fetch_file
from milan_core.images.fetch.options import PublishedFile
from milan_core.images.fetch.trust import lock_path, verify

QUICK = Patience(connect=5, read=0.3, attempts=3, pause=0.01)
PATH = "/data/alexnet-imagenet.zip"


def annotation_zip(layers=("conv1", "conv5")):
    """An annotation set as it was released, with two units a layer."""
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        rows = [f"{layer},{unit},red {n}" for layer in layers for unit in (0, 1) for n in range(3)]
        archive.writestr("annotations.csv", "\n".join(["layer,unit,summary", *rows, ""]))
        for layer in layers:
            masks = io.BytesIO()
            np.save(masks, rng.integers(0, 2, (2, 15, 1, 28, 28)).astype(np.uint8))
            archive.writestr(f"{layer}/masks.npy", masks.getvalue())
            ids = rng.integers(0, 50_000, (2, 15))
            lines = (",".join(map(str, row)) for row in ids)
            archive.writestr(f"{layer}/ids.csv", "\n".join(lines))
    return buffer.getvalue()


GOOD = annotation_zip()
OTHER = annotation_zip(("conv2", "conv3"))
HALF, DIGEST = len(GOOD) // 2, hashlib.sha256(GOOD).hexdigest()


pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def site(website):
    website.files[PATH] = GOOD
    return website


@pytest.fixture
def target(tmp_path):
    return tmp_path / "resources" / "milannotations" / "alexnet-imagenet.zip"


def spec_of(site, *paths, sha256=""):
    return PublishedFile(name="set", urls=[*map(site.url, paths or (PATH,))], sha256=sha256)


def nothing_but(target, *names):
    """No half files stay behind, whatever happened."""
    found = {path.name for path in target.parent.iterdir()} - {f".{target.name}.lock"}
    assert found == {name or target.name for name in names}


def test_arrives_with_a_record_and_is_not_fetched_twice(site, target, capsys):
    fetch_file(spec_of(site), target, QUICK)
    assert target.read_bytes() == GOOD
    assert "kB from http://127.0.0.1" in capsys.readouterr().err, "the size is shown before"
    record = json.loads(lock_path(target).read_text())
    assert (record["sha256"], record["size"]) == (DIGEST, len(GOOD))
    assert record["checked"] == "first use"
    fetch_file(spec_of(site), target, QUICK)
    assert len(site.asked) == 1
    nothing_but(target, "", lock_path(target).name)


def test_dropped_connections_go_on_where_they_ended(site, target):
    site.scripts[PATH] = [Step(cut=1000), Step(cut=500), Step(framing="length")]
    fetch_file(spec_of(site), target, QUICK)
    assert target.read_bytes() == GOOD
    assert [range_ for _, range_, _ in site.asked] == [None, "bytes=1000-", "bytes=1500-"]
    assert all(condition for _, _, condition in site.asked[1:])


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_always_truncated_is_never_used(site, target, framing):
    site.validators = False  # every attempt starts again
    site.scripts[PATH] = [Step(cut=HALF, framing=framing) for _ in range(9)]
    with pytest.raises(UserError, match=r"3 attempts.*place it as .*alexnet-imagenet.zip"):
        fetch_file(spec_of(site), target, QUICK)
    assert not target.exists()
    assert len(site.asked) == 3


def test_a_cut_file_of_unknown_size_is_refused_or_caught_by_its_digest(site, target):
    site.scripts[PATH] = [Step(cut=HALF, framing="none")]
    with pytest.raises(UserError, match="a cut file would go unnoticed"):
        fetch_file(spec_of(site), target, QUICK)
    nothing_but(target)
    site.scripts[PATH] = [Step(cut=HALF, framing="none"), Step(framing="none")]
    fetch_file(spec_of(site, sha256=DIGEST), target, QUICK)
    assert target.read_bytes() == GOOD


def test_wrong_bytes_are_refused(site, target):
    site.files[PATH] = OTHER
    with pytest.raises(UserError, match=f"SHA-256 is .*, expected {DIGEST}"):
        fetch_file(spec_of(site, sha256=DIGEST), target, QUICK)
    nothing_but(target)
    with pytest.raises(UserError, match=r"expected [0-9a-f]{8}\.\.\."):
        fetch_file(spec_of(site, sha256=DIGEST[:8]), target, QUICK)


def test_a_page_in_place_of_the_file_is_refused(site, target):
    site.files[PATH] = b"<html>log in to this network first</html>"
    with pytest.raises(UserError, match="it is a page of HTML"):
        fetch_file(spec_of(site), target, QUICK)
    nothing_but(target)


def test_a_damaged_member_is_refused(site, target):
    damaged = bytearray(GOOD)
    damaged[60] ^= 0xFF
    site.files[PATH] = bytes(damaged)
    with pytest.raises(UserError, match=r"annotations.csv|not a whole"):
        fetch_file(spec_of(site), target, QUICK)
    nothing_but(target)


def test_404_is_final_and_the_mirror_serves(site, target):
    spec = spec_of(site, "/gone.zip", PATH, sha256=DIGEST)
    fetch_file(spec, target, QUICK)
    assert [path for path, *_ in site.asked] == ["/gone.zip", PATH]
    target.unlink()
    with pytest.raises(UserError, match=r"gone.zip: the server answered 404 Not Found\. Without"):
        fetch_file(spec_of(site, "/gone.zip"), target, QUICK)


def test_503_is_asked_again_when_the_server_says(site, target):
    site.scripts[PATH] = [Step(status=503, headers=(("Retry-After", "1"),)), Step(status=429)]
    start = time.monotonic()
    fetch_file(spec_of(site), target, QUICK)
    assert time.monotonic() - start >= 1
    assert target.read_bytes() == GOOD


def test_slow_bytes_arrive_in_one_request(site, target):
    """Each pause is shorter than the read timeout, all of them together are longer."""
    site.scripts[PATH] = [Step(drip=len(GOOD) // 10)]
    start = time.monotonic()
    fetch_file(spec_of(site), target, QUICK)
    assert time.monotonic() - start > QUICK.read
    assert target.read_bytes() == GOOD
    assert len(site.asked) == 1


def test_silence_ends_after_the_read_timeout(site, target):
    site.scripts[PATH] = [Step(cut=700, stall=True), Step(cut=300, stall=True)]
    fetch_file(spec_of(site), target, QUICK)
    assert target.read_bytes() == GOOD
    assert [range_ for _, range_, _ in site.asked] == [None, "bytes=700-", "bytes=1000-"]


def test_redirects_are_followed_but_not_to_local_files(site, target, tmp_path):
    site.scripts["/moved.zip"] = [Step(status=302, headers=(("Location", PATH),))]
    fetch_file(spec_of(site, "/moved.zip"), target, QUICK)
    assert target.read_bytes() == GOOD
    secret = tmp_path / "secret.zip"
    secret.write_bytes(GOOD)
    site.scripts["/trap.zip"] = [Step(status=302, headers=(("Location", secret.as_uri()),))]
    with pytest.raises(UserError, match="could not be fetched"):
        fetch_file(spec_of(site, "/trap.zip"), target.with_name("other.zip"), QUICK)
    site.scripts["/loop.zip"] = [
        Step(status=302, headers=(("Location", "/loop.zip"),)) for _ in range(40)
    ]
    with pytest.raises(UserError, match="redirects"):
        fetch_file(spec_of(site, "/loop.zip"), target.with_name("loop.zip"), QUICK)


@pytest.mark.parametrize("heed", [True, False])
def test_a_file_that_changed_is_never_glued(site, target, heed):
    site.scripts[PATH] = [Step(cut=HALF), Step(data=OTHER, heed_if_range=heed)]
    site.scripts[PATH] += [Step(data=OTHER)]
    fetch_file(spec_of(site), target, QUICK)
    assert target.read_bytes() == OTHER


def test_nothing_but_the_validator_tells_two_versions_apart(site, target):
    """The same size, no format that could be checked, a server that ignores If-Range."""
    old, new = b"a" * 4000, b"b" * 4000
    plain = target.with_name("codes.bin.txt")
    site.scripts["/x"] = [
        Step(data=old, cut=1000), Step(data=new, heed_if_range=False), Step(data=new),
    ]  # fmt: skip
    fetch_file(spec_of(site, "/x"), plain, QUICK)
    assert [range_ for _, range_, _ in site.asked] == [None, "bytes=1000-", None]
    assert plain.read_bytes() == new


def test_without_validators_halves_are_joined_only_under_a_digest(site, target):
    site.validators = False
    site.scripts[PATH] = [Step(cut=HALF)]
    fetch_file(spec_of(site), target, QUICK)
    assert [range_ for _, range_, _ in site.asked] == [None, None]
    assert target.read_bytes() == GOOD
    pinned = target.with_name("pinned.zip")
    site.asked.clear()
    # The halves differ (the joined digest is wrong): the whole file is fetched afresh.
    longer = GOOD[:HALF] + bytes(len(GOOD) - HALF)
    site.scripts[PATH] = [Step(cut=HALF, data=longer[::-1]), Step()]
    fetch_file(spec_of(site, sha256=DIGEST), pinned, QUICK)
    assert [range_ for _, range_, _ in site.asked] == [None, f"bytes={HALF}-", None]
    assert pinned.read_bytes() == GOOD


def test_server_without_ranges_starts_again(site, target):
    site.scripts[PATH] = [Step(cut=HALF), Step(ranges=False)]
    fetch_file(spec_of(site), target, QUICK)
    assert target.read_bytes() == GOOD
    assert site.asked[1][1] == f"bytes={HALF}-"


def test_a_half_that_the_server_does_not_have(site, target):
    site.scripts[PATH] = [Step(cut=HALF), Step(status=416), Step()]
    fetch_file(spec_of(site), target, QUICK)
    assert target.read_bytes() == GOOD


def test_killed_in_the_middle_and_resumed(site, target, tmp_path):
    site.scripts[PATH] = [Step(cut=HALF, stall=True)]
    command = ["step", "fetch.weights", "--file", canonical(spec_of(site))]
    command += ["--weights", str(target), "--record", str(tmp_path / "record.json")]
    run = subprocess.Popen([sys.executable, "-m", "milan_core", *command], stderr=subprocess.PIPE)
    part = target.with_name(f".{target.name}.part")
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size == HALF):
        assert run.poll() is None, run.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    run.stderr.close()
    assert not target.exists()
    fetch_file(spec_of(site), target, QUICK)
    assert site.asked[1][1] == f"bytes={HALF}-"
    assert target.read_bytes() == GOOD
    nothing_but(target, "", lock_path(target).name)


def test_killed_between_the_last_byte_and_the_name(site, target):
    fetch_file(spec_of(site), target, QUICK)
    note = {"url": site.url(PATH), "validator": '"a"', "size": len(GOOD)}
    target.rename(target.with_name(f".{target.name}.part"))
    target.with_name(f".{target.name}.part.json").write_text(json.dumps(note))
    fetch_file(spec_of(site), target, QUICK)
    assert len(site.asked) == 1, "nothing was missing"
    assert target.read_bytes() == GOOD


def test_two_runs_fetch_once(site, target):
    site.scripts[PATH] = [Step(cut=HALF, stall=True)]
    threads = [
        threading.Thread(target=fetch_file, args=(spec_of(site), target, QUICK)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == GOOD
    assert len(site.asked) == 2


def test_trusted_on_first_use(site, target):
    fetch_file(spec_of(site), target, QUICK)
    target.unlink()
    site.files[PATH] = OTHER
    with pytest.raises(UserError, match=r"was .* when it was first fetched.*delete .*lock\.json"):
        fetch_file(spec_of(site), target, QUICK)
    assert not target.exists()
    lock_path(target).unlink()
    fetch_file(spec_of(site), target, QUICK)
    assert target.read_bytes() == OTHER
    target.write_bytes(OTHER[:-1])
    assert "SHA-256" in verify(spec_of(site), target)
    with pytest.raises(UserError, match="delete it and fetch it again"):
        fetch_file(spec_of(site), target, QUICK)
