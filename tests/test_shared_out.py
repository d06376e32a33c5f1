"""Files that share the quick run stay in one process when tests run in several."""

from conftest import TOGETHER
from paths import ROOT


def test_every_file_that_uses_the_quick_run_is_listed():
    files = (ROOT / "tests").rglob("test_*.py")
    using = {path for path in files if "quick_run" in path.read_text("utf-8")}
    listed = {ROOT / name for name in TOGETHER["quick_run"]}
    assert using - {ROOT / "tests/test_shared_out.py"} == listed
