"""File names for any text, and paths that stay below their folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milan_core.core.errors import UserError
from milan_core.core.names import below, file_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("layer4.0.conv1", "layer4.0.conv1"),
        ("a/b", "a~2Fb"),
        ("a_b", "a_b"),
        ("a b", "a~20b"),
        ("a~2Fb", "a~7E2Fb"),
        ("conv1@relu", "conv1~40relu"),
        ("..", "~2E."),
        (".", "~2E"),
        ("", "~"),
        ("ü", "~C3~BC"),
    ],
)
def test_names_are_plain_and_readable(text, name):
    assert file_name(text) == name


@given(st.lists(st.text(max_size=150), min_size=2, max_size=6, unique=True))
def test_different_texts_have_different_names_below_the_folder(texts):
    names = [file_name(text) for text in texts]
    assert len(set(names)) == len(names)
    for name in names:
        assert 1 <= len(name.encode()) <= 120
        assert (Path("/folder") / name).parent == Path("/folder")
        assert Path("/folder", name).resolve() == Path("/folder", name)
        assert not name.startswith(".")


@given(st.text(alphabet="a", min_size=121, max_size=400), st.text(min_size=1, max_size=3))
def test_long_texts_differ_in_their_ends(text, end):
    assert file_name(text) != file_name(text + end)


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../b", "", "a\0b", "..", "a\\..\\b", "link/x"]
)
def test_paths_that_leave_the_folder_are_refused(tmp_path, name):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match="leaves its folder"):
        below(tmp_path / "in", name, "layer")


def test_other_paths_are_joined(tmp_path):
    assert below(tmp_path, "a/b.csv", "file") == tmp_path / "a" / "b.csv"
    assert below(tmp_path, "it's a dir ünï/x", "file").name == "x"
