"""`milan fetch`: names and places, what is there, and what is wrong with it."""

import shutil
from pathlib import Path

import pytest
import torch
from released import codes_zip

from milan_core.cli import main
from milan_core.core.errors import UserError
from milan_core.images.fetch import catalog
from milan_core.images.fetch.attempt import Patience
from milan_core.images.fetch.published import published
from milan_core.images.fetch.trust import lock_path

QUICK = Patience(connect=5, read=1, attempts=2, pause=0.01)
CODES = codes_zip(torch.randn(3, 140), torch.tensor([0, 1, 2]))
TEXT = b"\x80\x02stands for a captioner"


@pytest.fixture
def site(website, monkeypatch):
    website.files = {"/data/biggan-zs-imagenet.zip": CODES, "/models/milan-base.pth": TEXT}
    registry = {**published(), "host": website.url("")}
    monkeypatch.setattr(catalog, "published", lambda: registry)
    return website


def said(capsys, *arguments):
    """Exit code and lines of a command."""
    capsys.readouterr()
    code = main(["fetch", *arguments])
    return code, capsys.readouterr().out.splitlines()


def test_an_unpacked_archive_is_its_folder(site, capsys):
    place = Path("resources/data/latents/biggan-zs-imagenet")
    assert said(capsys, "--where", "biggan_zs_imagenet") == (1, [str(place)])
    assert said(capsys, "biggan_zs_imagenet") == (0, [str(place)])
    assert sorted(path.name for path in place.iterdir()) == ["ys.pth", "zs.pth"]
    assert said(capsys, "--where", "biggan_zs_imagenet") == (0, [str(place)])
    place.with_name("biggan-zs-imagenet.zip").unlink()
    entry = catalog.find_entry("biggan_zs_imagenet")
    assert entry.is_here(Path("resources")), "the archive is no longer needed"
    assert said(capsys, "biggan_zs_imagenet")[0] == 0
    assert len(site.asked) == 1
    assert catalog.verify_entry(entry, Path("resources")) == ""
    (place / "zs.pth").write_bytes(b"damaged")
    assert "zs.pth is missing or was changed" in catalog.verify_entry(entry, Path("resources"))
    shutil.rmtree(place)
    assert not entry.is_here(Path("resources"))


def test_another_place(site, capsys):
    assert said(capsys, "biggan_zs_imagenet", "--out", "mine/codes")[0] == 0
    assert sorted(path.name for path in Path("mine/codes").iterdir()) == ["ys.pth", "zs.pth"]
    assert said(capsys, "milan_base", "--out", "mine/base.pth")[0] == 0
    assert Path("mine/base.pth").read_bytes() == TEXT
    assert not Path("resources").exists()
    assert main(["fetch", "milan_base", "--out", "mine"]) == 2
    assert "mine is a folder; milan_base is a file" in capsys.readouterr().err


def test_list_and_verify(site, capsys):
    _, lines = said(capsys, "--list")
    assert any("milan_base" in line and "missing" in line for line in lines)
    assert any("imagenet_blurred" in line and "by hand: log in at" in line for line in lines)
    said(capsys, "milan_base", "biggan_zs_imagenet")
    _, lines = said(capsys, "--list", "--missing")
    assert not any("milan_base" in line or "biggan_zs_imagenet" in line for line in lines)
    assert any("milan_cls" in line for line in lines)
    code, lines = said(capsys, "--verify")
    assert code == 0
    assert [line.partition(" (")[0] for line in lines] == [
        "milan_base: right",
        "biggan_zs_imagenet: right",
    ]
    Path("resources/milan/milan-base.pth").write_bytes(TEXT + b"!")
    code, lines = said(capsys, "--verify")
    assert code == 2
    assert "milan_base: SHA-256 is" in lines[0]
    assert said(capsys, "--verify", "milan_cls")[0] == 2, "what is named must be there"


def test_a_folder_without_a_record_was_placed_by_hand(site):
    place = Path("resources/data/latents/biggan-zs-imagenet")
    place.mkdir(parents=True)
    entry = catalog.find_entry("biggan_zs_imagenet")
    assert not entry.is_here(Path("resources")), "it is empty"
    (place / "z.pth").touch()
    assert catalog.fetch_entry(entry, Path("resources"), QUICK) == Path("resources") / entry.place
    assert not site.asked
    assert catalog.verify_entry(entry, Path("resources")) == ""
    lock_path(place).write_text('{"format_version": 99}')
    with pytest.raises(UserError, match="not a record of an unpacked archive"):
        catalog.verify_entry(entry, Path("resources"))


def test_by_hand_says_what_and_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, words in {
        "imagenet": r"register at image-net\.org.*place it as resources/data/imagenet/val",
        "imagenet_blurred": r"face-blurred.*resources/data/imagenet_blurred/val",
        "vgg11_imagenet_blurred": r"Google Drive.*resources/weights/vgg11_imagenet_blurred\.pth",
    }.items():
        with pytest.raises(UserError, match=f"^{name} has to be obtained by hand: .*{words}"):
            catalog.fetch_entry(catalog.find_entry(name), Path("resources"))
    with pytest.raises(UserError, match="did you mean 'milan_base'"):
        catalog.find_entry("milan_bas")
