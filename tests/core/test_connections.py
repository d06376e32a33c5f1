"""Importing any part of the package opens no connection; no part sends data about its use."""

import re
import subprocess
import sys

from paths import ROOT

IMPORT_ALL = """
import pkgutil, socket
from importlib import import_module
asked = []
def refused(self, address):
    asked.append(address)
    raise OSError("no network in this test")
socket.socket.connect = socket.socket.connect_ex = refused
socket.getaddrinfo = lambda *words, **more: refused(None, words[:2])
import milan_core
count = 0
for module in pkgutil.walk_packages(milan_core.__path__, "milan_core."):
    if module.name.rpartition(".")[2] not in ("__main__", "_cuda"):
        import_module(module.name)
        count += 1
assert not asked, asked
print(count)
"""


def test_importing_every_module_opens_no_connection():
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert int(run.stdout) > 300


def test_every_locked_package_has_a_license_in_the_list():
    """`python envs/licenses.py` writes the page again."""
    lock = (ROOT / "envs/requirements-lock.txt").read_text()
    page = (ROOT / "docs/dependencies.md").read_text()
    _, _, page = page.partition("|---|---|---|")
    listed = dict(re.findall(r"^\| ([a-z0-9._-]+) \| ([^ |]+) \| [^|]+ \|$", page, re.MULTILINE))
    locked = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock, re.MULTILINE):
        locked.setdefault(name, version)
    assert listed == locked


def test_every_locked_package_has_hashes():
    lock = (ROOT / "envs/requirements-lock.txt").read_text()
    entries = [entry for entry in re.split(r"\n(?=[a-z0-9])", lock) if "==" in entry]
    assert len(entries) > 100
    assert not [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry]
