"""The atlas in a browser without network: every view, and what hostile texts do to it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.atlas.browser import Browser, Page
from tests.atlas.made import HOSTILE


@pytest.fixture
def page(browser: Browser, atlas: Path) -> Iterator[Page]:
    """The overview; afterwards nothing went wrong, and nothing was asked for outside the folder."""
    opened = browser.open(atlas / "index.html")
    yield opened
    assert opened.mistakes == []
    assert opened.value("window.hurt") is None
    inside = atlas.resolve().as_uri()
    outside = [url for url in opened.requests if not url.startswith((inside, "blob:", "data:"))]
    assert outside == []
    opened.close()


def test_overview_names_networks_and_experiments(page: Page) -> None:
    text = page.text()
    assert "net_a" in text
    assert "40 units, 2 layers" in text
    assert "names the known concept (20 units with one)" in text
    assert "Bars: share of known concepts named, by layer." in text
    assert "Scores" in text


def test_search_forgives_a_typo(page: Page) -> None:
    page.to("#/net_a")
    page.wait("document.querySelector('#number').value === '40 units'")
    page.press("/")
    page.type("umbrela")
    page.wait("document.querySelector('#number').value !== '40 units'")
    assert page.count(".found .card") >= 1
    cards = page.value("[...document.querySelectorAll('.found .card .text')].map(e => e.innerText)")
    assert any("umbrella" in card for card in cards)
    assert "q=umbrela" in page.value("location.hash")


def test_filters_and_their_address(page: Page) -> None:
    page.to("#/net_a?layer=conv.1&show=described")
    page.wait("document.querySelector('#number').value !== '40 units'")
    page.wait("document.querySelectorAll('.found .card').length > 1")
    shown = page.value("[...document.querySelectorAll('.found .where')].map(e => e.innerText)")
    assert all("conv.1" in text for text in shown)
    page.to("#/net_a?show=silent")
    page.wait("document.querySelector('#number').value === '1 unit'")
    page.wait("document.querySelector('.found .card')?.innerText.includes('never active')")
    page.to("#/net_a?least=0.5&sort=corr")
    page.wait("document.querySelectorAll('.found .card').length > 1")
    chips = page.value("[...document.querySelectorAll('.found .chip')].map(e => e.innerText)")
    values = [float(chip.split()[1]) for chip in chips]
    assert values == sorted(values, reverse=True)
    assert min(values) >= 0.5


def test_unit_has_texts_of_all_describers_with_intervals(page: Page) -> None:
    page.to("#/net_a/conv.0/9")
    rows = page.value("[...document.querySelectorAll('.said tbody tr')].map(e => e.innerText)")
    assert any("pool and verify" in row and "[" in row for row in rows)
    assert any("NetDissect" in row for row in rows)
    assert page.count(".exemplars canvas") == 15
    assert page.count("svg.histogram rect") == 2


def test_slider_ranks_candidates_anew(page: Page) -> None:
    page.to("#/net_a/conv.0/10")
    first = page.text(".best")
    assert "the heading is chosen by pool and verify" in page.text(".ranks")
    assert "Wins: share of 100 bootstraps" in page.text("[aria-labelledby=candidates]")
    script = """(() => { const slider = document.querySelector('.lambda input');
      slider.value = 1; slider.dispatchEvent(new Event('input')); })()"""
    page.value(script)
    assert "λ = 1.00" in page.text(".best")
    assert page.text(".best") != first
    scores = page.value(
        "[...document.querySelectorAll('.candidates .bar')].map(e => e.innerText.replace('−', '-'))"
    )
    assert [float(one) for one in scores] == sorted(map(float, scores), reverse=True)
    assert "lambda=1" in page.value("location.hash")


def test_every_mask_mode_draws_something_else(page: Page) -> None:
    page.to("#/net_a/conv.0/9")
    time.sleep(0.3)
    seen = set()
    for mode in ("outline", "dim", "heat", "off"):
        page.click(f'.segmented [data-key="{mode}"]')
        time.sleep(0.1)
        box = page.value(
            "(({x, y, width, height}) => ({x, y, width, height, scale: 1}))"
            "(document.querySelector('.exemplars').getBoundingClientRect())"
        )
        seen.add(page.call("Page.captureScreenshot", format="png", clip=box)["data"])
    assert len(seen) == 4


def test_image_lists_units_that_fire_in_it(page: Page) -> None:
    page.to("#/net_a/conv.0/9")
    page.click(".exemplars a")
    page.wait("location.hash.startsWith('#/-/images/probe/')")
    page.wait("document.querySelectorAll('.fire').length > 0")
    names = page.value("[...document.querySelectorAll('.fire .where')].map(e => e.innerText)")
    assert any("net_a · conv.0 · 9" in name for name in names)


def test_two_networks_side_by_side(page: Page) -> None:
    page.to("#/-/compare/net_a/net_b")
    page.wait("document.querySelectorAll('.pair').length > 1")
    chips = page.value("[...document.querySelectorAll('.pair .chip')].map(e => e.innerText)")
    assert {chip.split()[0] for chip in chips} == {"alike", "r"}
    assert "40 pairs" in page.value("document.querySelector('.tools .number').value")
    page.to("#/net_a/conv.0/9?compare=net_b")
    assert "In net_b" in page.text()


def test_experiment_with_its_table_to_download(page: Page, atlas: Path) -> None:
    page.to("#/-/experiments/scores")
    assert "<b>x</b>" in page.text()
    assert "[6, 8]" in page.text()
    link = page.value("document.querySelector('a.file').getAttribute('href')")
    assert (atlas / link).is_file()
    assert page.value("document.querySelector('figure img').decode().then(() => true)")


@pytest.mark.parametrize("place", range(len(HOSTILE)))
def test_hostile_texts_are_shown_as_text(page: Page, place: int) -> None:
    page.to(f"#/net_a/conv.0/{place}")
    shown = page.value("document.querySelector('h1').textContent")
    assert shown == HOSTILE[place]
    assert page.count("main script, main img[onerror], main b:not(.best b)") == 0
    wide = page.value("document.documentElement.scrollWidth <= innerWidth")
    assert wide, "the page scrolls sideways"


def test_keyboard_alone_reaches_a_unit(page: Page) -> None:
    page.to("#/net_a")
    page.wait("document.querySelectorAll('.found .card').length > 6")
    page.press("/")
    assert page.value("document.activeElement.id") == "search"
    page.press("ArrowDown")
    page.press("ArrowRight")
    page.press("ArrowDown")
    place = page.value("Number(document.activeElement.closest('.card').dataset.at)")
    assert place > 1
    page.press("Enter")
    page.wait(f"location.hash.startsWith('#/net_a/conv.0/{place}')")
    page.wait("document.activeElement.tagName === 'H1'")
    page.press("j")
    page.wait(f"location.hash.startsWith('#/net_a/conv.0/{place + 1}')")


def test_phone_has_no_sideways_scroll(page: Page) -> None:
    page.size(390, 844, 2, mobile=True)
    for fragment in ("#/", "#/net_a", "#/net_a/conv.0/4", "#/-/experiments/scores"):
        page.to("#/nowhere")
        page.to(fragment)
        time.sleep(0.2)
        assert page.value("document.documentElement.scrollWidth") <= 390, fragment


def test_what_is_not_there_is_said(page: Page) -> None:
    for fragment in ("#/nope", "#/net_a/conv.9/1", "#/-/images/probe/999", "#/-/experiments/x"):
        page.to(fragment)
        assert "Not here" in page.text(), fragment
    page.to("#/" + json.dumps("<b>"))
    assert page.count("main b") == 0


def test_a_missing_file_is_said(browser: Browser, atlas: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(atlas, tmp_path / "atlas")
    (tmp_path / "atlas/data/net_a/more-0.js").unlink()
    page = browser.open(tmp_path / "atlas/index.html", "#/net_a/conv.0/1")
    assert "data/net_a/more-0.js is missing" in page.text()
    page.close()


def test_first_view_is_small(browser: Browser, atlas: Path) -> None:
    """No index, words or details are loaded before somebody asks for them; below 500 kB in all."""
    page = browser.open(atlas / "index.html")
    page.wait("document.querySelectorAll('.card canvas').length > 0")
    time.sleep(0.3)
    names = {url.removeprefix(atlas.resolve().as_uri() + "/") for url in page.requests}
    assert not [name for name in names if "/index-" in name or "/more-" in name]
    assert sum((atlas / name).stat().st_size for name in names) < 500_000
    page.to("#/-/units")
    page.wait("document.querySelectorAll('.found .card').length > 6")
    assert page.count("*") < 3000
    page.close()
