"""Every link and anchor of the pages resolves, and every page is reached from the navigation."""

import subprocess
import sys

import pytest
from paths import ROOT

from . import markdown

sys.path.insert(0, str(ROOT / "docs/site"))

import build_site

GENERATED = {name: page() for name, page in build_site.GENERATED.items()}


def tracked_pages():
    """Markdown pages of the repository; without git, those of the site."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True)
    names = listed.stdout.split() or [str(path) for path in build_site.sources()]
    return [name for name in names if name.endswith(".md") and (ROOT / name).exists()]


def text_of(name):
    return GENERATED[name] if name in GENERATED else (ROOT / name).read_text("utf-8")


def target_of(name, link):
    """The linked file as a path below the repository, and the anchor."""
    path, _, anchor = link.partition("#")
    if not path:
        return name, anchor
    whole = (ROOT / name).parent.joinpath(path).resolve()
    return str(whole.relative_to(ROOT)) if whole.is_relative_to(ROOT) else str(whole), anchor


def problems(name):
    for link in markdown.links(text_of(name)):
        target, anchor = target_of(name, link)
        if target not in GENERATED and not (ROOT / target).exists():
            yield f"{name}: {link}: no such file"
        elif anchor and target.endswith(".md") and anchor not in markdown.anchors(text_of(target)):
            yield f"{name}: {link}: no such heading"


def test_every_link_and_anchor_resolves():
    found = [line for name in [*tracked_pages(), *GENERATED] for line in problems(name)]
    assert not found, "\n".join(found)


def test_the_check_notices_what_is_wrong(tmp_path, monkeypatch):
    page = "# A b\n[x](docs/gone.md) [y](#a-b) [z](#a-c) `[code](none.md)`\n"
    monkeypatch.setitem(GENERATED, "page.md", page)
    assert list(problems("page.md")) == [
        "page.md: docs/gone.md: no such file",
        "page.md: #a-c: no such heading",
    ]


def test_the_navigation_names_pages_once():
    named = [page for pages in build_site.navigation().values() for _, page in pages]
    assert len(named) == len(set(named))
    missing = [page for page in named if page not in GENERATED and not (ROOT / page).exists()]
    assert not missing


def test_every_page_is_reached_from_the_navigation():
    """Directly, or by links of a page that is."""
    waiting = [page for pages in build_site.navigation().values() for _, page in pages]
    reached = set()
    while waiting:
        name = waiting.pop()
        if name in reached or not name.endswith(".md"):
            continue
        reached.add(name)
        waiting += [target_of(name, link)[0] for link in markdown.links(text_of(name))]
    shown = {str(path) for path in build_site.sources() if path.suffix == ".md"}
    assert not shown - reached, "add these to the navigation in zensical.toml"


@pytest.mark.parametrize("kind", ["Start", "How to", "Concepts", "Reference", "Results"])
def test_every_kind_has_pages(kind):
    assert build_site.navigation()[kind]
