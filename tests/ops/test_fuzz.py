"""A short run of the fuzzer of stored scans; `python tests/ops/fuzz_state.py` is the long one."""

from ops.fuzz_state import Fuzzer


def test_no_damaged_file_does_anything_but_refuse(tmp_path):
    outcome = Fuzzer(tmp_path).run(900, seed=1)
    assert outcome["contents: read"] > 20
    assert outcome["contents: refused"] > 200
    assert outcome["table: refused"] > 100
    assert outcome["bytes: refused"] > 100
