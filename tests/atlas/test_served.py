"""The tools of `milan mcp`, and the server over its protocol where the package `mcp` is here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from milan_core.atlas.reader import open_atlas
from milan_core.atlas.served import MOST, Tools
from milan_core.cli import main
from milan_core.core.errors import UserError
from tests.atlas.made import HOSTILE, MadeRun


@pytest.fixture(scope="module")
def tools(atlas: Path) -> Tools:
    return Tools(open_atlas(atlas))


def test_networks_and_layers_are_listed(made: MadeRun, tools: Tools) -> None:
    shown = tools.networks()["networks"]
    assert [one["name"] for one in shown] == ["net_a", "net_b"]
    assert shown[0]["layers"] == {"conv.0": 20, "conv.1": 20}


def test_units_come_in_pages(tools: Tools) -> None:
    page = tools.units("net_a", "conv.0", first=18, count=10)
    assert page["of"] == 20
    assert [one["unit"] for one in page["units"]] == [18, 19]
    assert len(tools.units("net_a", "conv.0", count=10**9)["units"]) <= MOST
    assert tools.units("net_a", "conv.0", first=-5)["units"][0]["description"] == HOSTILE[0]


def test_one_unit_has_texts_scores_and_candidates(tools: Tools) -> None:
    one = tools.unit("net_a", "conv.1", 3, weight=0.5)
    assert one["texts"]["netdissect"] == "netdissect text"
    assert set(one["scores"]["milan"]) == {"oracle", "mini"}
    scores = [candidate["score"] for candidate in one["candidates"]]
    assert len(scores) == 10
    assert scores == sorted(scores, reverse=True)


def test_search_and_means(tools: Tools) -> None:
    found = tools.search("dog", count=3)
    assert len(found["units"]) == 3 < found["of"]
    assert tools.search("umbrlela")["note"] == "umbrella in place of umbrlela"
    assert tools.scores("net_b")["mean"]["milan"]["oracle"] == pytest.approx(0.4, abs=0.2)
    with pytest.raises(UserError, match="net_c"):
        tools.scores("net_c")


def test_a_missing_package_is_one_sentence(
    atlas: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    assert main(["mcp", str(atlas)]) == 2
    assert "milan-workflow[mcp]" in capsys.readouterr().err


def test_over_the_protocol(atlas: Path) -> None:
    """A client starts the command, lists its tools, and reads a unit and a mistake."""
    mcp = pytest.importorskip("mcp", reason="needs the extra mcp")
    import asyncio

    command = [sys.executable, "-m", "milan_core", "mcp", str(atlas)]

    async def ask() -> None:
        parameters = mcp.StdioServerParameters(command=command[0], args=command[1:])
        async with mcp.Client(parameters) as client:
            listed = (await client.list_tools()).tools
            assert {one.name for one in listed} == {
                *("networks", "units", "search", "unit", "scores")
            }
            assert all(one.annotations.read_only_hint for one in listed)
            asked = {"network": "net_a", "layer": "conv.1", "unit": 3}
            answer = (await client.call_tool("unit", asked)).structured_content
            assert answer["texts"]["netdissect"] == "netdissect text"
            wrong = (await client.call_tool("scores", {"network": "x"})).structured_content
            assert "net_a" in wrong["error"]

    asyncio.run(ask())
