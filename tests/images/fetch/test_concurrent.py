"""Two processes want the same things at the same moment: one brings each, both have it."""

import subprocess
import sys
import time
import zipfile
from hashlib import sha256

import pytest
import torch
from released import codes_zip
from website import Step

# What is unpacked takes a while here, so that the processes are inside at the same time.
RUN = """
import sys, time
from pathlib import Path
from milan_core.images.fetch import fetch, unpacked
from milan_core.images.fetch.catalog import Entry, fetch_entry
from milan_core.images.fetch.options import NamedAsset
from milan_core.images.fetch.options import PublishedFile

def slow(module):
    extract = module.extract
    def wrapped(*arguments, **options):
        print("unpacked", module.__name__)
        found = extract(*arguments, **options)
        time.sleep(0.4)
        return found
    module.extract = wrapped

slow(fetch), slow(unpacked)
host, digest, number = sys.argv[1:]
wheel = NamedAsset(
    name="art", package="fake-art", version="1.0", sha256=digest, keep=["art/*.png"],
    licence="MIT", credit="me",
)
def published(name, url):
    return PublishedFile(name=name, urls=[url])

Path(f"ready{number}").touch()
while not Path("go").exists():
    time.sleep(0.005)
for entry in [
    Entry("art", "package", "", Path("assets/art"), package=wheel),
    Entry("file", "file", "", Path("a/file.txt"), file=published("file", host + "/file.txt")),
    Entry("zs", "file", "", Path("a/zs"), file=published("z", host + "/zs.zip"), archive="z.zip"),
]:
    print(fetch_entry(entry, Path("resources")))
"""


@pytest.fixture
def site(website):
    website.files["/file.txt"] = b"x" * 4000
    website.files["/zs.zip"] = codes_zip(torch.zeros(3, 140), torch.arange(3))
    website.scripts["/file.txt"] = [Step(drip=500)]
    return website


def test_two_processes(site, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MILAN_DOWNLOADS", str(tmp_path))
    wheel = tmp_path / "fake_art-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("art/one.png", b"one")
    digest = sha256(wheel.read_bytes()).hexdigest()
    command = [sys.executable, "-c", RUN, site.url(""), digest]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path}
    runs = [subprocess.Popen([*command, str(number)], **pipes) for number in range(2)]
    while not all((tmp_path / f"ready{number}").exists() for number in range(2)):
        assert all(run.poll() is None for run in runs), runs[0].communicate()
        time.sleep(0.01)
    (tmp_path / "go").touch()
    told = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert sorted(path for path, *_ in site.asked) == ["/file.txt", "/zs.zip"]
    unpacked = [line for out, _ in told for line in out.splitlines() if "unpacked" in line]
    assert len(unpacked) == len(set(unpacked)) == 2, "one process unpacked each"
    resources = tmp_path / "resources"
    assert (resources / "a/file.txt").read_bytes() == b"x" * 4000
    assert (resources / "a/zs/zs.pth").is_file()
    assert (resources / "assets/art/art/one.png").read_bytes() == b"one"
    assert not list(resources.rglob("*.tmp"))
