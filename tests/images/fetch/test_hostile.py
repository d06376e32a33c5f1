"""Servers and archives that mean no good, and secrets in addresses."""

import contextlib
import io
import json
import socket
import threading
import time
import zipfile

import pytest
import requests
from website import Step

from milan_core.core.addresses import expanded, hidden
from milan_core.core.errors import UserError
from milan_core.core.options import parse
from milan_core.images.fetch import archive as archives
from milan_core.images.fetch import web
from milan_core.images.fetch.archive import extract
from milan_core.images.fetch.attempt import Patience, RefusedTransfer
from milan_core.images.fetch.download import fetch_file
from milan_core.images.fetch.fetch import _pip_reason
from milan_core.images.fetch.options import PublishedFile
from milan_core.images.fetch.trust import lock_path, whole
from milan_core.images.fetch.unpacked import unpack_whole
from milan_core.networks.weight_options import DownloadWeights

QUICK = Patience(connect=1, read=0.3, attempts=2, pause=0.01)
DATA = b"plain text " * 500

pytestmark = pytest.mark.usefixtures("alone")


def fetch(url, target, **more):
    return fetch_file(PublishedFile(name="it", urls=[url], **more), target, QUICK)


class Answer:
    def __init__(self, status, **headers):
        self.status_code, self.headers = status, headers
        self.is_redirect = "location" in headers
        self.raw = io.BytesIO(b"")

    def close(self):
        pass


@pytest.mark.parametrize(
    ("chain", "sentence"),
    [
        (["https://a/x", "http://b/x?sig=s3cret"], r"from https to http \(http://b/x\?\.\.\.\)"),
        (["https://a/x", "https://b/x", "http://c/x"], r"from https to http"),
        (["http://a/x", "ftp://b/x"], "redirects to ftp://, which is refused"),
        (["https://a/x", "file:///etc/passwd"], "redirects to file://"),
    ],
)
def test_redirects_that_are_refused_before_they_are_asked(chain, sentence, monkeypatch):
    asked = []

    def get(self, url, **_):
        asked.append(url)
        return Answer(302, location=chain[len(asked)])

    monkeypatch.setattr(requests.Session, "get", get)
    with pytest.raises(RefusedTransfer, match=sentence) as error:
        web._request(chain[0], {}, QUICK)
    assert asked == chain[:-1]
    assert "s3cret" not in str(error.value)


def test_http_to_https_is_followed(monkeypatch):
    answers = [Answer(301, location="https://a/y"), Answer(200)]
    asked = []
    monkeypatch.setattr(
        requests.Session, "get", lambda self, url, **_: (asked.append(url), answers.pop(0))[1]
    )
    assert web._request("http://a/x", {}, QUICK).status_code == 200
    assert asked == ["http://a/x", "https://a/y"]


def test_a_body_that_drips_ends(website, tmp_path):
    website.files["/x.txt"] = DATA
    website.scripts["/x.txt"] = [Step(drip=1), Step(drip=1)]
    start = time.monotonic()
    with pytest.raises(UserError, match=r"less than 1000 bytes a second for 0\.3 seconds, 2 att"):
        fetch(website.url("/x.txt"), tmp_path / "x.txt")
    assert time.monotonic() - start < 5
    assert not (tmp_path / "x.txt").exists()


@pytest.fixture
def dripping():
    """A server that sends its headers a byte at a time, for ever."""
    stop = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    def drip(connection):
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not stop.wait(0.05):
                connection.sendall(b"x")

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/x.txt"
    stop.set()
    server.close()
    time.sleep(0.1)


def test_headers_that_drip_end(dripping, tmp_path):
    start = time.monotonic()
    with pytest.raises(UserError, match=r"no answer within 1\.3 seconds, 2 attempts"):
        fetch(dripping, tmp_path / "x.txt")
    assert time.monotonic() - start < 6


def test_a_body_without_a_length_has_a_limit(website, tmp_path, monkeypatch):
    website.files["/x.txt"] = DATA
    website.scripts["/x.txt"] = [Step(framing="chunked")]
    monkeypatch.setattr(web, "UNSIZED", 1000)
    with pytest.raises(UserError, match="tells no size, and more than 1000 bytes came"):
        fetch(website.url("/x.txt"), tmp_path / "x.txt")
    fetch(website.url("/x.txt"), tmp_path / "x.txt")  # with a length
    assert (tmp_path / "x.txt").read_bytes() == DATA


PAGES = [
    b"<!DOCTYPE html><html>",
    b"\xef\xbb\xbf\n <HTML lang=en>",
    b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC>",
    b"<!-- proxy -->\n<html>",
]
ENDINGS = ["csv", "json", "npy", "txt", "tar.gz", "h5", "mat", "yaml", "pth", "safetensors", "zip"]


@pytest.mark.parametrize("ending", [*ENDINGS, "jpg", "whl", "bin", "part", "tgz"])
@pytest.mark.parametrize("page", PAGES)
def test_pages_are_told_by_content(ending, page, tmp_path):
    (tmp_path / "file").write_bytes(page)
    assert whole(tmp_path / "file", f"x.{ending}", thorough=True)
    assert not whole(tmp_path / "file", "x.html", thorough=True)


def test_other_content_than_the_ending_says(tmp_path):
    (tmp_path / "file").write_bytes(b"name,wnid\n")
    assert whole(tmp_path / "file", "x.csv", thorough=True) == ""
    assert whole(tmp_path / "file", "x.npy", thorough=True) == "it is not a .npy file"
    (tmp_path / "file").write_bytes(b"")
    assert whole(tmp_path / "file", "x.zip", thorough=True) == "it is empty"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://me:pa55@host/w.pt", r"holds a user name or password: put them into ~/\.netrc"),
        ("https://pa55@host/w.pt", "holds a user name or password"),
        ("https://host/w.pt?token=pa55", r"secret \(token\): write token=\$\{NAME\}"),
        ("https://host/w.pt?a=1&X-Amz-Signature=pa55", r"secret \(X-Amz-Signature\)"),
        ("https://host/w.pt?api_key=pa55", r"secret \(api_key\)"),
    ],
)
def test_secrets_are_refused_where_addresses_are_written(url, sentence):
    for key in ("url", "mirrors"):
        value = url if key == "url" else [url]
        raw = {"source": "download", "file": "w.pt", key: value}
        with pytest.raises(UserError, match=sentence) as error:
            parse(DownloadWeights, raw, "weights")
        assert "pa55" not in str(error.value)
    with pytest.raises(UserError, match=sentence):
        parse(PublishedFile, {"name": "it", "urls": [url]}, "it")


def test_a_named_secret_reaches_the_server_and_nothing_else(website, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MY_TOKEN", "pa55word")
    paths = []
    real = requests.Session.get
    monkeypatch.setattr(
        requests.Session, "get", lambda self, url, **k: (paths.append(url), real(self, url, **k))[1]
    )
    website.files["/x.txt"] = DATA
    website.scripts["/x.txt"] = [Step(status=503), Step(status=404)]
    url = website.url("/x.txt") + "?token=${MY_TOKEN}"
    with pytest.raises(UserError, match="404") as error:
        fetch(url, tmp_path / "x.txt")
    fetch(url, tmp_path / "x.txt")
    assert all(path.endswith("?token=pa55word") for path in paths)
    written = [path.read_text("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    said = capsys.readouterr()
    assert "pa55word" not in "".join([str(error.value), said.out, said.err, *written])
    assert json.loads(lock_path(tmp_path / "x.txt").read_text())["url"] == url
    monkeypatch.delenv("MY_TOKEN")
    with pytest.raises(UserError, match="the environment variable MY_TOKEN is not set; export it"):
        expanded(url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://a:b@host/x?sig=1&y=2, now", "see https://host/x?..."),
        ("Max retries exceeded with url: /x?token=abc (Caused by", "with url: /x?... (Caused by"),
        ("https://host/x?token=${T}", "https://host/x?token=${T}"),
        ("file /tmp/a?b and http://h/p", "file /tmp/a?b and http://h/p"),
    ],
)
def test_messages_of_libraries_lose_their_secrets(text, expected):
    assert expected in hidden(text)


def zipped(path, members, damage=None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    if damage:
        data = bytearray(path.read_bytes())
        damage(data)
        path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ([("a", b"1"), ("a/b", b"2")], r"'a/b' (occurs twice|lies below a file)"),
        ([("a/b", b"2"), ("a", b"1")], r"'a' (occurs twice|is a file and a folder)"),
        ([("n" * 300, b"1")], "has a name that is too long"),
        ([], "holds no file"),
        ([("../x", b"1")], "outside its folder"),
    ],
)
def test_odd_archives_are_sentences(members, sentence, tmp_path):
    archive = zipped(tmp_path / "x.zip", members)
    with pytest.raises(UserError, match=sentence):
        unpack_whole(archive, tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_every_damaged_byte_of_an_archive_is_a_sentence_or_harmless(tmp_path, monkeypatch):
    """One bit of every third byte, and every bit of the directory at the end.

    The length of the compressed members, and so which bits are flipped, differs between zlibs.
    """
    monkeypatch.setattr(archives, "flush", lambda _: None)
    text = bytes(range(256)) * 8
    good = zipped(tmp_path / "x.zip", [("a.txt", text), ("b.txt", text[::-1])]).read_bytes()
    begin = good.index(b"PK\1\2")
    places = [(place, place % 8) for place in range(0, begin, 3)]
    places += [(place, bit) for place in range(begin, len(good)) for bit in range(8)]
    outcomes = set()
    for place, bit in places:
        data = bytearray(good)
        data[place] ^= 1 << bit
        (tmp_path / "x.zip").write_bytes(data)
        out = tmp_path / f"out{place}.{bit}"
        try:
            extract(tmp_path / "x.zip", out, ["*", "*/*"], max_bytes=1 << 20)
        except UserError as error:
            outcomes.add("refused" if "\n" not in str(error) else str(error))
        else:
            read = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
            outcomes.add("read" if read in (text + text[::-1], text[::-1] + text, b"") else read)
    assert outcomes <= {"refused", "read"}


def test_a_damaged_zip_that_was_placed_is_a_sentence(website, tmp_path):
    good = zipped(tmp_path / "good.zip", [("a.txt", b"some words " * 90)]).read_bytes()
    bad = bytearray(good)
    bad[45] ^= 255
    website.files["/x.zip"] = bytes(bad)
    with pytest.raises(UserError, match=r"damaged|not a whole"):
        fetch(website.url("/x.zip"), tmp_path / "x.zip")


def test_the_reason_of_pip_is_kept():
    text = (
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...: "
        "[Errno 111] Connection refused')': /simple/art/\n"
        "ERROR: Could not find a version that satisfies the requirement art==1.0\n"
        "ERROR: No matching distribution found for art==1.0\n"
    )
    reason = _pip_reason(text)
    assert "Connection refused" in reason
    assert "No matching distribution found for art==1.0" in reason
    assert _pip_reason("boom\n") == "boom"
    assert _pip_reason("") == ""
