"""Build the documentation site: `python docs/site/build_site.py`, or `make site`.

The pages of the repository are copied to `build/site/pages` at their own paths, so that their
links stay right; the references of commands and configuration keys are generated; Zensical
renders what `zensical.toml` names.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from command_pages import commands_page
from key_pages import keys_page

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "zensical.toml"
COPIED = (
    *("README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md", "CHANGELOG.md"),
    *("LICENSE", "CITATION.cff"),
)
FOLDERS = ("docs", "config", "workflow")
KINDS = (".md", ".ipynb", ".webp", ".svg", ".png", ".yaml", ".json")
GENERATED = {
    "docs/reference/commands.md": commands_page,
    "docs/reference/configuration.md": keys_page,
}


def navigation() -> dict[str, list[tuple[str, str]]]:
    """Titles and pages below each heading of the navigation, as paths below the repository."""
    parts = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["project"]["nav"]
    return {
        heading: [entry for item in pages for entry in item.items()]
        for part in parts
        for heading, pages in part.items()
    }


def sources() -> Iterator[Path]:
    """Files that the site shows or links to, as paths below the repository."""
    for name in COPIED:
        yield Path(name)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in KINDS and ".snakemake" not in path.parts:
                yield path.relative_to(ROOT)


def stage(folder: Path) -> None:
    """Write all pages below this folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in sources():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    for name, page in GENERATED.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(), encoding="utf-8")


def main() -> int:
    """Stage the pages and render them; the exit code of Zensical."""
    stage(ROOT / "build/site/pages")
    if shutil.which("zensical") is None:
        print(
            "milan: error: zensical is not installed; pip install 'milan-workflow[docs]', "
            "or run `make site`"
        )
        return 2
    return subprocess.run(["zensical", "build", "--clean", "--strict"], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
