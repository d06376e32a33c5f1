"""Archives of others take bounded memory, and a tar that is damaged is noticed."""

import gzip
import io
import re
import tarfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest

from milan_core.core import archives
from milan_core.core.archives import open_tar, open_zip

PACKAGE = Path(archives.__file__).parents[1]
END = bytes(1024)


def header(name, size=0, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.USTAR_FORMAT)


def member(name, data, kind=tarfile.REGTYPE):
    return header(name, len(data), kind) + data + bytes(-len(data) % 512)


def names_of(path, packed=False):
    with open_tar(path, packed=packed) as tar:
        return [info.name for info, _ in tar]


def test_members_are_read_in_order(tmp_path):
    data = member("a.txt", b"one") + header("folder", kind=tarfile.DIRTYPE) + member("b", b"two")
    (tmp_path / "a.tar").write_bytes(data + END)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(data + END))
    for name, packed in (("a.tar", False), ("a.tar.gz", True)):
        with open_tar(tmp_path / name, packed=packed) as tar:
            read = [(info.name, opener().read()) for info, opener in tar if info.isreg()]
        assert read == [("a.txt", b"one"), ("b", b"two")]


def test_long_names_of_real_archives_are_read(tmp_path):
    long = "folder/" * 150 + "a" * 200
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
            for name in (long, long + "b"):
                tar.addfile(tarfile.TarInfo(name), io.BytesIO())
        assert names_of(tmp_path / "a.tar") == [long, long + "b"]


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_many_megabytes_takes_no_memory(kind, tmp_path):
    """A file of 0.2 MB took 50 MB, one of 44 MB took 10 GB."""
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(member("x", bytes(50 << 20), kind) + member("a", b"") + END))
    tracemalloc.start()
    with pytest.raises(tarfile.ReadError, match="its headers would take more memory"):
        names_of(packed, packed=True)
    assert tracemalloc.get_traced_memory()[1] < 2 << 20
    tracemalloc.stop()


def test_sparse_headers_that_go_on_take_no_memory(tmp_path):
    block = bytearray(header("a", 0, tarfile.GNUTYPE_SPARSE))
    block[482] = 1  # more of them follow
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    (tmp_path / "a.tar").write_bytes(bytes(block) + (bytes(504) + b"\1" + bytes(7)) * 1000 + END)
    with pytest.raises(tarfile.ReadError, match="its headers would take more memory"):
        names_of(tmp_path / "a.tar")


def test_members_are_not_kept(tmp_path):
    """Each took 1 KB: ten million headers of nothing, 20 MB when packed, took 10 GB."""
    (tmp_path / "a.tar").write_bytes(header("a") * 10_000 + END)
    tracemalloc.start()
    with open_tar(tmp_path / "a.tar", packed=False) as tar:
        assert sum(1 for _ in tar) == 10_000
    assert tracemalloc.get_traced_memory()[1] < 2 << 20
    tracemalloc.stop()


def test_fields_for_all_members_are_counted(tmp_path):
    fields = b"".join(b"%d k%07d=1\n" % (len("14 k0000000=1\n"), key) for key in range(600))
    other = fields.replace(b" k0", b" k1")
    data = member("x", fields, tarfile.XGLTYPE) + member("a", b"")
    data += member("x", other, tarfile.XGLTYPE) + member("b", b"")
    (tmp_path / "a.tar").write_bytes(data + END)
    with pytest.raises(tarfile.ReadError, match="more than 1000 fields"):
        names_of(tmp_path / "a.tar")


def test_a_number_without_end_takes_no_time(tmp_path):
    (tmp_path / "a.tar").write_bytes(member("x", b"1" * 30_000, tarfile.XHDTYPE) + END)
    with pytest.raises(tarfile.ReadError, match="a number of more digits"):
        names_of(tmp_path / "a.tar")


def test_a_packed_tar_unpacks_to_a_multiple_of_its_size(tmp_path, monkeypatch):
    """Members that nobody wants are unpacked to find the next one."""
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(member("a", bytes(1 << 20)) + END))
    assert names_of(packed, packed=True) == ["a"]
    monkeypatch.setattr(archives, "UNPACKED", 1 << 10)
    with pytest.raises(tarfile.ReadError, match=r"unpacks to more than \d+ bytes, 200 times"):
        names_of(packed, packed=True)


def test_damage_is_not_taken_for_the_end(tmp_path):
    """Python's reader ends in silence at a damaged header, and where a file was cut."""
    path = tmp_path / "a.tar"
    first, second = member("a", b"one"), member("b", b"two")
    for place in (0, 100, 130, 150, 260, 400):
        damaged = bytearray(second)
        damaged[place] ^= 16
        path.write_bytes(first + bytes(damaged) + END)
        with pytest.raises(tarfile.ReadError, match="the header at byte 1024 is damaged"):
            names_of(path)
    path.write_bytes(first + second[:300])
    with pytest.raises(tarfile.ReadError, match="is damaged"):
        names_of(path)
    path.write_bytes(first + second[:600])
    with pytest.raises(tarfile.ReadError, match="unexpected end of data"):
        names_of(path)
    path.write_bytes(first)
    with pytest.raises(tarfile.ReadError, match="add 1024 zero bytes"):
        names_of(path)
    path.write_bytes(first + second + END)
    assert names_of(path) == ["a", "b"]


def test_an_archive_behind_another_is_noticed(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(member("a", b"") + bytes(10_240) + member("b", b"") + END)
    with pytest.raises(tarfile.ReadError, match="another archive follows its end"):
        names_of(path)


def test_a_packed_tar_that_is_damaged_behind_its_end(tmp_path):
    data = bytearray(gzip.compress(member("a", b"") + END))
    data[-6] ^= 1  # of the checksum
    (tmp_path / "a.tar.gz").write_bytes(data)
    with pytest.raises(gzip.BadGzipFile, match="CRC check failed"):
        names_of(tmp_path / "a.tar.gz", packed=True)


def test_the_table_of_contents_of_a_zip_is_bounded(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as out:
        for number in range(100):
            out.writestr(f"{number}.txt", b"x" * 1000)
    with open_zip(path) as archive:
        assert archive.read("99.txt") == b"x" * 1000
    monkeypatch.setattr(archives, "DIRECTORY", 1000)
    with pytest.raises(zipfile.BadZipFile, match="its table of contents"), open_zip(path):
        pass


def zipped(path, *members):
    with zipfile.ZipFile(path, "w") as out, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Duplicate name"
        for name, data in members:
            out.writestr(name, data)
    return path


def test_a_zip_behind_another_and_a_name_that_occurs_twice_are_refused(tmp_path):
    """Python takes the last of both, torch the first: the checksums are those of the other one."""
    one = zipped(tmp_path / "1.zip", ("w", b"1"), ("only here", b"1")).read_bytes()
    two = zipped(tmp_path / "2.zip", ("w", b"2")).read_bytes()
    path = tmp_path / "a.zip"
    path.write_bytes(one + two)
    with pytest.raises(zipfile.BadZipFile, match="another archive precedes it"), open_zip(path):
        pass
    path.write_bytes(b"MZ a program that unpacks itself" * 3000 + two)
    with open_zip(path) as archive:
        assert archive.read("w") == b"2"
    zipped(path, ("w", b"1"), ("w", b"2"))
    with pytest.raises(zipfile.BadZipFile, match="its member 'w' occurs twice"), open_zip(path):
        pass
    zipped(path, ("folder/", b""), ("folder/", b""))
    with open_zip(path) as archive:
        assert archive.namelist() == ["folder/", "folder/"]


def test_archives_are_opened_here_alone():
    """Whatever reads an archive does so within these bounds."""
    opens = re.compile(r"zipfile\.ZipFile\((?!\s*\w+, \"w\")|tarfile\.(open|TarFile)\(")
    found = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if opens.search(path.read_text())
    ]
    assert found == ["core/archives.py"]
