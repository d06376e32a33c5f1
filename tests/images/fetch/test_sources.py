"""Where files may come from besides a web server: a proxy, a disk, folders, the hub."""

import hashlib
import io
import zipfile

import pytest

from milan_core.core.errors import UserError
from milan_core.images.fetch.attempt import Patience
from milan_core.images.fetch.download import fetch_file
from milan_core.images.fetch.options import PublishedFile
from milan_core.images.fetch.trust import lock_path

QUICK = Patience(connect=5, read=0.3, attempts=3, pause=0.01)
PATH = "/data/alexnet-imagenet.zip"


def some_zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("annotations.csv", "layer,unit,summary\nconv1,0,red\n")
    return buffer.getvalue()


GOOD = some_zip()
DIGEST = hashlib.sha256(GOOD).hexdigest()


@pytest.fixture
def site(website):
    website.files[PATH] = GOOD
    return website


@pytest.fixture
def target(tmp_path):
    return tmp_path / "resources" / "milannotations" / "alexnet-imagenet.zip"


def test_proxy_of_the_environment(site, target, monkeypatch):
    monkeypatch.setenv("http_proxy", site.url(""))
    spec = PublishedFile(name="set", urls=["http://publisher.invalid" + PATH])
    fetch_file(spec, target, QUICK)
    assert target.read_bytes() == GOOD


def test_local_files(site, target, tmp_path, monkeypatch):
    source = tmp_path / "a disk" / target.name
    source.parent.mkdir()
    source.write_bytes(GOOD)
    fetch_file(PublishedFile(name="set", urls=[source.as_uri()], sha256=DIGEST[:10]), target, QUICK)
    assert target.read_bytes() == GOOD
    monkeypatch.setenv("MILAN_DOWNLOADS", str(source.parent))
    brought = tmp_path / "elsewhere" / target.name
    fetch_file(PublishedFile(name="set", urls=["http://127.0.0.1:9/closed"]), brought, QUICK)
    assert brought.read_bytes() == GOOD, "files that were brought along come first"
    with pytest.raises(UserError, match="ftp://"):
        fetch_file(PublishedFile(name="set", urls=["ftp://host/x.zip"]), tmp_path / "x.zip", QUICK)


def test_repository_of_the_hub(site, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", site.url(""))
    site.hub_commit = "0" * 40
    path = "/some/model/resolve/main/model.safetensors"
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    site.files[path] = len(header).to_bytes(8, "little") + header + bytes(4)
    out = tmp_path / "w" / "model.safetensors"
    fetch_file(PublishedFile(name="model", urls=["hf://some/model/model.safetensors"]), out, QUICK)
    assert out.read_bytes() == site.files[path]
    found = {path.name for path in out.parent.iterdir()} - {f".{out.name}.lock"}
    assert found == {out.name, lock_path(out).name}
    missing = PublishedFile(name="model", urls=["hf://some/model/absent.bin"])
    with pytest.raises(UserError, match="could not be fetched"):
        fetch_file(missing, tmp_path / "absent.bin", QUICK)
