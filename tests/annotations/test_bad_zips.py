"""Zips that mean harm or are damaged are refused without effect."""

import stat
import zipfile

import pytest

from milan_core.annotations.unpack import unpack
from milan_core.core.errors import UserError

TABLE = b"layer,unit,summary\n"


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as handle:
        for name, data in members.items():
            handle.writestr(name, data)
    return path


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"annotations.csv": TABLE, "../evil": b"x"}, "written outside its folder"),
        ({"annotations.csv": TABLE, "/etc/evil": b"x"}, "written outside its folder"),
        ({"a/../../x/annotations.csv": TABLE}, "written outside its folder"),
        ({"annotations.csv": TABLE, "c\\..\\x": b"x"}, "written outside its folder"),
        ({"annotations.csv": TABLE, link("conv1/ids.csv"): b"/etc/passwd"}, "not a plain file"),
        ({link("annotations.csv"): b"/etc/passwd"}, "not a plain file"),
        ({"annotations.csv": TABLE, "conv1/masks.npy": b"0" * 70_000}, "more than the allowed"),
        ({"annotations.csv": TABLE, "annotations.csv/ids.csv": b"1"}, "occurs twice"),
        ({"readme.txt": b""}, r"expected one annotations\.csv, got none"),
        ({"a/annotations.csv": TABLE, "b/annotations.csv": TABLE}, "got a/annot.*, b/annot"),
    ],
)
def test_bad_zips_are_refused_without_effect(tmp_path, members, message):
    archive = make_zip(tmp_path / "bad.zip", members)
    with pytest.raises(UserError, match=message):
        unpack(archive, tmp_path / "out", max_bytes=50_000)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.zip"]


def test_a_zip_that_lies_about_its_size_is_refused_without_effect(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"annotations.csv": TABLE, "c/ids.csv": b"0" * 70_000})
    content, true = path.read_bytes(), (70_000).to_bytes(4, "little")
    assert content.count(true) == 2  # before the member and in the directory
    path.write_bytes(content.replace(true, (10).to_bytes(4, "little")))
    with pytest.raises(UserError, match=r"a\.zip"):
        unpack(path, tmp_path / "out", max_bytes=50_000)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_damaged_zips_are_refused_without_effect(tmp_path):
    whole = make_zip(tmp_path / "a.zip", {"annotations.csv": TABLE * 500}).read_bytes()
    encrypted = bytearray(whole)
    encrypted[6] |= 1
    encrypted[whole.rindex(b"PK\x01\x02") + 8] |= 1
    damaged = bytearray(whole)
    damaged[50:60] = bytes(10)
    for content in (b"", b"nothing", whole[:-30], bytes(encrypted), bytes(damaged)):
        (tmp_path / "a.zip").write_bytes(content)
        with pytest.raises(UserError, match=r"a\.zip"):
            unpack(tmp_path / "a.zip", tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    with pytest.raises(UserError, match="archive not found"):
        unpack(tmp_path / "none.zip", tmp_path / "out")
