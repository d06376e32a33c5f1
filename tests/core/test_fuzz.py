"""A short run of the fuzzer of stored scans; `python tests/core/fuzz_state.py` is the long one."""

from core.fuzz_state import fuzz


def test_no_damaged_file_does_anything_but_refuse(tmp_path):
    outcome = fuzz(600, tmp_path, seed=1)
    assert outcome["read"] > 10
    assert outcome["refused"] > 300
