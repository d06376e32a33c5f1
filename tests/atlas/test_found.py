"""What a search of the page says of itself, and that Python takes words by the same rule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from milan_core.atlas.lookup import meant, nearest_words
from milan_core.atlas.page import APP
from milan_core.atlas.reader import open_atlas
from tests.atlas.browser import Browser, Page

KNOWN = ["lemon", "lemons", "melon", "dog", "docks", "boxes", "box", "a", "umbrella", "3", "tiger"]
TYPED = ["lemmon", "dogs", "boxes", "umbrlla", "umbxxlla", "tigre", "le", "a", "doog", "zzz", "3"]
TABLES = ("elements.js", "experiment.js")
SORT = "[...document.querySelectorAll('.tools label')].at(-1).querySelector('select').value"


@pytest.fixture
def page(browser: Browser, atlas: Path) -> Iterator[Page]:
    opened = browser.open(atlas / "index.html")
    yield opened
    assert opened.mistakes == []
    opened.close()


def search(page: Page, words: str, more: str = "") -> None:
    page.to("#/nowhere")
    page.to(f"#/net_a?q={words}{more}")
    page.wait("document.querySelector('#number').value !== ''")
    page.wait("!document.querySelector('#matches').hidden || document.querySelector('.empty')")


def test_python_and_the_page_take_words_alike(page: Page) -> None:
    source = (APP / "search.js").read_text(encoding="utf-8")
    asked = f"""(() => {{ {source}
      const known = {json.dumps(KNOWN)};
      return {json.dumps(TYPED)}.map((word) => {{
        const found = meant(word, known);
        return [Object.fromEntries(found.weights), found.instead, nearestWords(word, known)];
      }});
    }})()"""
    for word, (weights, instead, near) in zip(TYPED, page.value(asked), strict=True):
        mine, taken = meant(word, KNOWN)
        assert weights == pytest.approx(mine), word
        assert instead == taken, word
        assert near == nearest_words(word, KNOWN), word
    assert meant("lemmon", KNOWN)[1] == ["lemon"]
    assert meant("zzz", KNOWN) == ({}, [])


def test_a_search_counts_its_sources_and_says_why(page: Page, atlas: Path) -> None:
    units = open_atlas(atlas)["net_a"].units
    own = sum("dog" in one.description.lower() for one in units)
    search(page, "dog")
    page.wait("!document.querySelector('#matches').hidden")
    said = page.text("#matches")
    total = page.value("document.querySelector('#number').value")
    assert said.startswith(f"{total} for dog: {own} in the description, ")
    assert "in other describers' texts" in said
    assert page.value(SORT) == "match"
    page.wait(f"document.querySelectorAll('.found .card').length > {own}")
    page.wait("document.querySelector('.why')?.textContent")
    cards = page.value(
        "[...document.querySelectorAll('.found .card')].map("
        "e => [e.querySelector('.text').innerText, e.querySelector('.why') !== null])"
    )
    reasons = [reason for _, reason in cards]
    assert reasons == sorted(reasons)
    assert all(("dog" in text) != reason for text, reason in cards)
    assert "dog" in page.text(".why").lower()
    assert ": " in page.text(".why")


def test_a_typo_is_named(page: Page) -> None:
    search(page, "umbrlela")
    page.wait("!document.querySelector('#matches').hidden")
    assert "for umbrella (you typed umbrlela): " in page.text("#matches")


def test_an_empty_list_says_why(page: Page) -> None:
    search(page, "umbxxela")
    page.wait("!document.querySelector('.empty').hidden")
    assert "Nothing matches ‘umbxxela’. Nearest words: umbrella" in page.text(".empty")
    search(page, "dog", "&show=silent&least=2")
    page.wait("!document.querySelector('.empty').hidden")
    assert "but the filters leave none" in page.text(".empty")


def test_another_order_stays_in_force_beside_a_search(page: Page) -> None:
    search(page, "dog", "&sort=unit")
    page.wait("!document.querySelector('#matches').hidden")
    assert page.value(SORT) == ""
    page.to("#/net_a?sort=corr")
    assert page.value(SORT) == "corr"


@pytest.mark.parametrize("order", ["corr", "corr-"])
def test_an_order_holds_over_all_networks(page: Page, atlas: Path, order: str) -> None:
    units = [one for network in open_atlas(atlas).values() for one in network.units]
    scores = [one.correlation for one in units if one.correlation is not None]
    page.to(f"#/-/units?sort={order}")
    page.wait("document.querySelectorAll('.card .chip').length > 5")
    shown = page.value("[...document.querySelectorAll('.card .chip')].map((one) => one.title)")
    values = [float(title.split(": ")[1].split(" [")[0].replace("−", "-")) for title in shown]
    assert values == sorted(values, reverse=order == "corr")
    assert values[0] == pytest.approx((max if order == "corr" else min)(scores), abs=6e-4)


def test_a_layer_that_is_not_there_lists_nothing(page: Page) -> None:
    for address in ("#/net_a?layer=nowhere", "#/net_a/nowhere"):
        page.to("#/")
        page.to(address)
        page.wait("document.querySelector('.empty') && !document.querySelector('.empty').hidden")
        assert page.text("#number") == "0 units"


def test_cells_without_a_number_come_last_either_way(page: Page) -> None:
    sources = "".join((APP / name).read_text(encoding="utf-8") for name in TABLES)
    cells = ["0.5", "–", "< 0.001", "−2.00", "0.001", "-0.1"]
    asked = f"""(() => {{ {sources}
      const rows = {json.dumps(cells)}.map((text) => [[text, '']]);
      const table = sortable({{ columns: [{{ title: 'p', number: true }}], rows }});
      const seen = () => [...table.querySelectorAll('td')].map((cell) => cell.textContent);
      const click = () => {{ table.querySelector('button').click(); return seen(); }};
      return [click(), click()];
    }})()"""
    down, up = page.value(asked)
    assert down == ["0.5", "0.001", "< 0.001", "-0.1", "−2.00", "–"]
    assert up == ["−2.00", "-0.1", "< 0.001", "0.001", "0.5", "–"]
