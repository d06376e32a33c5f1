"""Comparison of two runs: what counts as equal, what must be declared."""

import json

import numpy as np
import pytest
from compare_runs import main
from safetensors.numpy import save

TABLE = "layer,unit,description\nconv,0,dogs\nconv,1,cats\n"


def weights(values, factory="milan_core.models.minis:net", digest="0" * 64):
    facts = {"kind": "milan-weights", "meta": {"factory": factory, "seed": 0}, "sha256": digest}
    return save({"w": np.asarray(values, np.float32)}, {"milan": json.dumps(facts)})


@pytest.fixture
def runs(tmp_path):
    """Two runs that differ in identities, records and times only."""
    for name, identity, seconds in (("before", "ab12" * 4, 1.5), ("after", "cd34" * 4, 2.25)):
        root = tmp_path / name
        (root / "net" / identity).mkdir(parents=True)
        (root / "net/descriptions.csv").write_text(TABLE)
        (root / "net/history.csv").write_text(f"epoch,loss,seconds\n1,0.5,{seconds}\n")
        (root / "net/facts.json").write_text(json.dumps({"code": identity, "passes": 0.5}))
        (root / "net/provenance.json").write_text(json.dumps({"wall": seconds}))
        (root / "net" / identity / "maps.npy").write_bytes(b"maps")
        module = "milan_core.models" if name == "before" else "milan_core.networks"
        content = weights([1, 2], f"{module}.minis:net", identity * 4)
        (root / "net/weights.safetensors").write_bytes(content)
        page = f"<style>a{seconds}</style><p>mined in {seconds} s</p>"
        (root / "index.html").write_text(page)
    return tmp_path / "before", tmp_path / "after"


def compare(runs, *options):
    return main([*map(str, runs), *options])


def test_identities_records_and_times_are_left_out(runs, capsys):
    assert compare(runs) == 0
    output = capsys.readouterr().out
    assert [line.split() for line in output.splitlines()[1:5]] == [
        ["JSON", "1", "0", "0", "0"],
        ["arrays", "1", "0", "0", "0"],
        ["pages", "1", "0", "0", "0"],
        ["safetensors", "1", "0", "0", "0"],
    ]
    assert output.endswith("undeclared differences: 0\n")


@pytest.mark.parametrize(
    ("path", "content", "part"),
    [
        ("net/descriptions.csv", TABLE.replace("cats", "cat").encode(), "description"),
        ("net/descriptions.csv", TABLE.replace("dogs", '"dogs"').encode(), "bytes"),
        ("net/history.csv", b"epoch,loss,seconds\n1,0.51,2\n", "loss"),
        ("net/facts.json", b'{"code": "abcdef012345", "passes": 0.25}', "passes"),
        ("net/weights.safetensors", weights([1, 3]), "w"),
        ("net/weights.safetensors", weights([1, 2], "milan_core.a:b"), "metadata factory"),
        ("index.html", b"<p>described in 2 s</p>", "text"),
    ],
)
def test_a_difference_is_named_with_its_part(runs, capsys, path, content, part):
    (runs[1] / path).write_bytes(content)
    assert compare(runs) == 1
    assert f"{path}: different: {part}\n" in capsys.readouterr().out
    assert compare(runs, "--declare", f"{path}=spelling") == 0
    assert f"{path}: different: {part} (declared: spelling)\n" in capsys.readouterr().out
    assert compare(runs, "--leave-out", path) == 0


def test_files_of_one_run_only(runs, capsys):
    (runs[0] / "old.csv").write_text(TABLE)
    (runs[1] / "new.csv").write_text(TABLE)
    assert compare(runs) == 1
    output = capsys.readouterr().out
    assert "old.csv: only before\n" in output
    assert "new.csv: only after\n" in output
    assert compare(runs, "--map", "old.csv=new.csv") == 0


def test_a_renamed_folder(runs):
    (runs[1] / "net").rename(runs[1] / "network")
    assert compare(runs) == 1
    assert compare(runs, "--map", "net=network") == 0
    assert compare(runs, "--map", "ne=network") == 1, "whole names only"


def test_a_list_of_digests_stands_for_a_run(runs, tmp_path, capsys):
    digests = tmp_path / "digests.json"
    assert compare(runs, "--save", str(digests)) == 0
    assert compare((digests, runs[1])) == 0
    (runs[1] / "net/descriptions.csv").write_text(TABLE.upper())
    assert compare((digests, runs[1])) == 1
    with pytest.raises(SystemExit, match="neither a folder nor a list"):
        compare((tmp_path / "gone", runs[1]))
