"""Accessibility of every view: names, contrast, headings, ids, visible focus; light and dark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.atlas.browser import Browser, Page

VIEWS = (
    "#/",
    "#/net_a",
    "#/net_a/conv.0/9?compare=net_b",
    "#/-/images/probe/5",
    "#/-/compare/net_a/net_b",
    "#/-/experiments/scores",
    "#/-/units?q=dog",
)
NAMED = {"link", "button", "textbox", "searchbox", "combobox", "slider", "spinbutton", "image"}

CONTRAST = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const parse = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] > 0.99) return color;
    }
    return parse('white');
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const parent = node.parentElement;
    if (!node.data.trim() || !parent.checkVisibility({ checkOpacity: true })) continue;
    if (parent.closest('.unseen, .skip, script, noscript, option, .off, svg')) continue;
    const style = getComputedStyle(parent), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.6 && style.fontWeight >= 700);
    const [a, b] = [light(parse(style.color)), light(behind(parent))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)}: ${node.data.trim()}`);
  }
  return found;
})()"""

STRUCTURE = """(() => {
  const found = [], ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
  for (const id of new Set(ids)) if (ids.filter((x) => x === id).length > 1) found.push('id ' + id);
  const levels = [...document.querySelectorAll('h1, h2, h3, h4')].map((one) => +one.tagName[1]);
  if (levels.filter((level) => level === 1).length !== 1) found.push('not one h1');
  levels.forEach((level, i) => { if (i && level > levels[i - 1] + 1) found.push('h' + level); });
  if (!document.documentElement.lang) found.push('no language');
  if (document.querySelectorAll('main').length !== 1) found.push('not one main');
  for (const one of document.querySelectorAll('[aria-labelledby]'))
    if (!document.getElementById(one.getAttribute('aria-labelledby'))) found.push('no label');
  return found;
})()"""


@pytest.fixture(scope="module")
def page(browser: Browser, atlas: Path) -> Iterator[Page]:
    opened = browser.open(atlas / "index.html")
    opened.call("Accessibility.enable")
    yield opened
    opened.close()


@pytest.fixture(params=VIEWS)
def view(page: Page, request: pytest.FixtureRequest) -> Page:
    page.to("#/nowhere")
    page.to(request.param)
    page.wait("document.querySelectorAll('main *').length > 8")
    return page


def test_everything_to_use_has_a_name(view: Page) -> None:
    nodes = view.call("Accessibility.getFullAXTree")["nodes"]
    nameless = [
        json.dumps(node.get("properties", ""))[:300]
        for node in nodes
        if not node.get("ignored")
        and node.get("role", {}).get("value") in NAMED
        and not str(node.get("name", {}).get("value", "")).strip()
    ]
    assert nameless == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out(view: Page, scheme: str) -> None:
    view.scheme(scheme)
    assert view.value(CONTRAST) == []


def test_headings_ids_and_landmarks_are_in_order(view: Page) -> None:
    assert view.value(STRUCTURE) == []


def test_focus_can_be_seen(page: Page) -> None:
    page.to("#/net_a")
    page.wait("document.querySelectorAll('.found .card').length > 3")
    seen = set()
    for _ in range(24):
        page.press("Tab")
        outline, tag = page.value(
            "[getComputedStyle(document.activeElement).outlineStyle,"
            " document.activeElement.tagName]"
        )
        seen.add(tag)
        assert tag == "BODY" or outline != "none", tag
    assert {"A", "BUTTON", "INPUT", "SELECT"} <= seen
