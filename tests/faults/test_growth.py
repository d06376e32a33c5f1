"""What others send takes time and memory in proportion to its size, or is refused."""

import gzip
import io
import tarfile
import time
import tracemalloc
import zipfile
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from milan_core.annotations.crowd.cleaning import clean
from milan_core.annotations.crowd.spelling import FrequencySpeller
from milan_core.annotations.merge import list_images
from milan_core.atlas.imported import read_texts
from milan_core.atlas.lookup import nearest_words
from milan_core.captioner.torch_zip import read_checkpoint
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.describers import concept_sources
from milan_core.images import files
from milan_core.images.fetch.archive import open_members
from milan_core.images.files import open_picture, to_rgb
from milan_core.images.kinds.webdataset import WebDatasetOptions, list_shard
from milan_core.networks import claims, weights
from milan_core.networks.generators import latents
from milan_core.referee.judges.zoo import ZooOracle
from milan_core.referee.submitted import plain, read_submitted
from milan_core.scoring.trivial import agreement_constant


def columns(folder):
    table = folder / "wide.csv"
    table.write_text(",".join(f"unit{number}" for number in range(20_000)) + "\n")
    with pytest.raises(UserError, match="unit19 and 19980 more; rename the one") as caught:
        read_csv(table, ["layer"])
    assert len(str(caught.value)) < 1000 + len(str(table))


def name_in_a_checkpoint(folder):
    with zipfile.ZipFile(folder / "a.pth", "w") as archive:
        archive.writestr("a/" + ".b/" * 24 + "!", b"")
    with pytest.raises(UserError, match="has a name that torch does not write"):
        read_checkpoint(folder / "a.pth")


def comments(folder):
    assert plain("<!--" * 20_000 + "<b>a</b>-->b") == "b"
    assert plain("<b>a</b>" + "<!--" * 20_000) == "a " + "<!--" * 20_000


def scripts(folder):
    assert plain("a<style>b</style >c" + "<script>" * 16_000) == "a c"


def spelling(folder):
    speller = FrequencySpeller({"dog": 2, "doges": 1})
    assert speller.correct("h" * 100) == "h" * 100
    assert [speller.correct(word) for word in ("dgo", "dogessx", "doogesx")] == [
        "dog",
        "doges",
        "doges",
    ]


def long_word_of_a_search(folder):
    known = [f"word{number}" for number in range(3000)]
    assert nearest_words("x" * 2000, known) == []
    assert nearest_words("wrod1", known)[0] == "word1"


def scans_of_a_picture(folder):
    """Each adds 39 bytes, and a pass over all blocks of the picture."""
    held = io.BytesIO()
    Image.new("L", (2048, 2048), 200).save(held, "JPEG", progressive=True)
    data = held.getvalue()
    again = data[data.rindex(b"\xff\xc4") : -2]
    assert to_rgb(open_picture(io.BytesIO(data[:-2] + 9 * again + data[-2:]))).size == (2048, 2048)
    (folder / "a.jpg").write_bytes(data[:-2] + 2000 * again + data[-2:])
    with pytest.raises(OSError, match="it has 2006 scans"):
        to_rgb(open_picture(folder / "a.jpg"))


def spaces_in_a_formula(folder):
    assert np.isnan(ZooOracle([]).presence(["a AND" + " " * 10_000 + "b"])).all()


@pytest.mark.parametrize(
    "case",
    [
        *(columns, name_in_a_checkpoint, comments, scripts, spelling, long_word_of_a_search),
        *(spaces_in_a_formula, scans_of_a_picture),
    ],
)
def test_time_grows_with_the_length(case, tmp_path):
    """Each took 3 to 10 seconds, with the square of the length or as a power."""
    start = time.process_time()
    case(tmp_path)
    assert time.process_time() - start < 1.5


@pytest.mark.parametrize("piece", [8, 64, 1 << 20])
@pytest.mark.parametrize("kind", ["L", "RGB"])
def test_scans_of_a_jpeg_are_counted_as_they_are_decoded(kind, piece, tmp_path, monkeypatch):
    """Neither behind its end, where telephones keep a film, nor in segments, nor twice."""
    held = io.BytesIO()
    draw = np.random.default_rng(0)
    picture = Image.fromarray(draw.integers(256, size=(40, 48, 3), dtype=np.uint8)).convert(kind)
    picture.save(held, "JPEG", progressive=True, comment=b"\xff\xda" * 600)
    data = held.getvalue()
    real = 6 if kind == "L" else 10
    monkeypatch.setattr(files, "PIECE", piece)
    monkeypatch.setattr(files, "SCANS", real)
    for source in (data, data + b"\xff\xda" * 600, data[:-2]):
        assert files._scans(io.BytesIO(source)) == (real, len(data) - 2)
        assert open_picture(io.BytesIO(source)).size == (48, 40)
    monkeypatch.setattr(files, "SCANS", real - 1)
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(OSError, match=f"it has {real} scans, more than {real - 1}"):
        open_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize("text", ["(" * 2000 + "a OR b", "NOT " * 2000 + "a"])
def test_a_formula_of_brackets_is_not_read(text):
    assert np.isnan(ZooOracle([]).presence([text])).all()


def peak_of(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_photograph_for_a_label_map_takes_little_memory(tmp_path):
    (tmp_path / "images").mkdir()
    numbers = np.arange(128 * 128).reshape(128, 128)
    colors = np.stack([numbers % 256, numbers // 256, 0 * numbers], -1).astype(np.uint8)
    Image.fromarray(colors).save(tmp_path / "images/photo.png")
    row = {"image": "photo.jpg", "object": "photo.png"}

    def read():
        with pytest.raises(UserError, match=r"photo\.png holds label 2, not in label\.csv"):
            concept_sources._broden_image(tmp_path, row, {1: 0}, 8)

    assert peak_of(read) < 10 << 20, "a mask of each of its 16,384 labels has 16 KB"
    Image.fromarray(colors[:, :4]).save(tmp_path / "images/photo.png")
    place = {number: number for number in range(128 * 128)}
    which, masks = concept_sources._broden_image(tmp_path, row, place, 128)
    assert which.tolist() == sorted(set(numbers[:, :4].ravel().tolist()) - {0})
    assert masks[which == 258].sum() == 32, "one of 4 columns and 128 rows"


def test_a_class_of_any_number_makes_no_names():
    names = concept_sources._class_names({"0": "sky, air", "2": "sea"}, "folder")
    assert names == ["sky", "1", "sea"]
    with pytest.raises(UserError, match=r"folder: config\.json names class 3000000"):
        concept_sources._class_names({"3000000": "sky"}, "folder")


def test_captions_of_a_whole_corpus_take_memory_for_some_at_once():
    draw = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in draw.integers(900, size=4)) for _ in range(4000)]
    assert peak_of(lambda: agreement_constant(texts)) < 60 << 20, "4000 x 4000 numbers take 64 MB"


def tar_header(kind, size):
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)[:512]


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize(("size", "times"), [(1 << 60, 1), (0, 3000)])
def test_headers_of_a_tar_that_take_all_memory_or_nest(kind, size, times, tmp_path):
    data = tar_header(kind, size) * times + b"\0" * 1024
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(UserError, match="is not a whole, uncompressed tar file"):
        list_shard(tmp_path / "a.tar", WebDatasetOptions(path="x", size=8), Counter())
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(data))
    with (
        pytest.raises(UserError, match="is not a readable archive"),
        open_members(packed) as members,
    ):
        list(members)


def zeros(path):
    np.savez_compressed(path, w=np.zeros(1 << 20, np.uint8))


def deflated(path):
    torch.save({"w": torch.zeros(1 << 18)}, path.with_suffix(".stored"))
    with zipfile.ZipFile(path.with_suffix(".stored")) as stored, zipfile.ZipFile(path, "w") as out:
        for info in stored.infolist():
            out.writestr(info.filename, stored.read(info), zipfile.ZIP_DEFLATED)


def one_number_for_all(path):
    torch.save({"w": torch.zeros(1).expand(4096, 4096)}, path)


@pytest.mark.parametrize("make", [zeros, deflated, one_number_for_all])
def test_weights_that_unpack_to_far_more_than_their_file(make, tmp_path, monkeypatch):
    path = tmp_path / ("w.npz" if make is zeros else "w.pth")
    make(path)
    assert set(weights.read_file(path)) == {"w"}, "up to a gigabyte may be zeros"
    monkeypatch.setattr(claims, "UNPACKED", 1 << 16)
    with pytest.raises(UserError, match=r"^weights [^ ]* have \d+ bytes and take \d+ in memory"):
        weights.read_file(path)
    torch.save(torch.zeros(1).expand(4096, 4096), tmp_path / "codes.pth")
    with pytest.raises(
        UserError, match=r"^weights .*codes.pth have \d+ bytes and take 67108864 in"
    ):
        latents._tensor(tmp_path / "codes.pth")


def test_lists_in_weights_that_hold_one_another(tmp_path):
    value = [torch.ones(2)]
    for _ in range(60):
        value = [value, value]
    value.append(value)
    assert claims.bytes_of(value) == 8


def test_links_in_a_circle_are_followed_once(tmp_path):
    (tmp_path / "cat/inner").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for place in ("cat/a.jpg", "cat/inner/b.jpg", "other/c.jpg"):
        (tmp_path / place).touch()
    (tmp_path / "cat/inner/up").symlink_to("..")
    (tmp_path / "cat/again").symlink_to("inner")
    (tmp_path / "cat/there").symlink_to(tmp_path / "other")
    names = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert names == [
        *("cat/a.jpg", "cat/again/b.jpg", "cat/inner/b.jpg", "cat/there/c.jpg", "other/c.jpg"),
    ]


def test_long_texts_of_others_are_refused_where_they_are_read(tmp_path):
    text, table = "dog " * 5000, tmp_path / "a.csv"
    table.write_text(f"layer,unit,description\nconv1,0,a dog\nconv1,1,{text}\n")
    for read in (read_submitted, read_texts):
        with pytest.raises(UserError, match=r"a.csv, line 3: a text of 20000 letters"):
            read(table)
    table.write_text(
        f"Input.layer,Input.unit,Answer.summary,RejectionTime,WorkerId\nconv1,0,{text},,w\n"
    )
    with pytest.raises(UserError, match=r"a.csv, line 2: a text of 20000 letters"):
        clean(table)
