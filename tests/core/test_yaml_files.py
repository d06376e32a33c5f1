"""YAML of users: duplicate keys, aliases that explode or hold themselves, depth, encodings."""

import time

import pytest
import yaml

from milan_core.core.errors import UserError
from milan_core.core.yaml_files import load_yaml


@pytest.fixture
def write(tmp_path):
    def one(text):
        path = tmp_path / "c.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return one


def test_shipped_configurations_read_as_yaml_does(root):
    for path in [*root.glob("config/**/*.yaml"), *root.glob("milan_core/**/*.yaml")]:
        assert load_yaml(path) == (yaml.safe_load(path.read_text(encoding="utf-8")) or {})


def test_merge_keys_and_anchors_work(write):
    path = write("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: [*x, *x]\n")
    assert load_yaml(path) == yaml.safe_load(path.read_text())
    assert load_yaml(write("")) == {}
    assert load_yaml(write(b"\xef\xbb\xbfa: 1\n")) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' stands in line 1 already"),
        ("x:\n  y: {k: 1, k: 1}\n", "line 2: key 'k' stands in line 2 already"),
        ("yes: 1\ntrue: 2\n", "line 2: key 'true' stands in line 1 already"),
        ("1: a\n0x1: b\n", "line 2: key '0x1' stands in line 1 already"),
        ("1: a\ntrue: b\n", "line 2: key 'true' stands in line 1 already"),
        ("a: 1\nseed: 010\n", "line 2: YAML reads 010 as 8"),
        ("a: [1:30]\n", "line 1: YAML reads 1:30 as 90"),
        ("a: 1:30:00.5\n", "line 1: YAML reads 1:30:00.5 as 5400.5"),
        ("a: &a [*a]\n", "an alias holds itself"),
        ("a: &a {b: *a}\n", "an alias holds itself"),
        ("a: " + "[" * 60 + "]" * 60, "more than 50 levels"),
        ("a: " + "[" * 2000 + "]" * 2000, "deeply|more than 50 levels"),
        ("a: [1\n", "not valid YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", "not valid YAML.*could not determine"),
        (b"a: \xff\n", "line 1: not UTF-8"),
    ],
)
def test_traps_are_refused_with_their_line(write, text, words):
    with pytest.raises(UserError, match=words):
        load_yaml(write(text))


def test_numbers_that_look_like_what_they_are_are_read(write):
    text = "{a: 0, b: 007, c: -07, d: 0x1f, e: 1_000, f: 0.5, g: '010', h: 0o10, i: 10:61}"
    values = [0, 7, -7, 31, 1000, 0.5, "010", "0o10", "10:61"]
    assert list(load_yaml(write(text)).values()) == values


def test_a_billion_laughs_take_no_time(write):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    start = time.process_time()
    with pytest.raises(UserError, match="stand for more than 200000 values"):
        load_yaml(write("\n".join(lines)))
    assert time.process_time() - start < 5, "the expansion has 10^30 values"


def test_missing_files_and_large_ones(tmp_path, write):
    with pytest.raises(UserError, match=r"cannot read .*nowhere"):
        load_yaml(tmp_path / "nowhere.yaml")
    with pytest.raises(UserError, match="a configuration has at most"):
        load_yaml(write("# " + "x" * (11 << 20)))
