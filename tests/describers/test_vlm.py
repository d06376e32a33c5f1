"""A vision-language model behind a server describes units from contact sheets."""

import json

import numpy as np
import pytest
import torch
from model_server import asked, capable, completion, pictures, token
from torch import nn

from milan_core.core.errors import UserError
from milan_core.describers.describer import Resources
from milan_core.describers.driver import describe, write_all
from milan_core.describers.options import PacketOptions, VlmOptions
from milan_core.describers.registry import load_describer
from milan_core.describers.sources import ExemplarUnits
from milan_core.exemplars.mine import mine_dataset
from milan_core.exemplars.options import MiningOptions, MiningRun
from milan_core.images.store import open_dataset
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel

from datasets_made import build_dataset  # isort: skip

VIEW = InputSpec(size=16, mean=(0, 0, 0), std=(1, 1, 1))
NAMES = ["red", "green", "blue"]


class Channels(nn.Module):
    """Units: how red, green and blue the image is, and a dead one."""

    def __init__(self):
        super().__init__()
        self.units = nn.ReLU()

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True).expand_as(x)
        maps = [mean[:, i] - mean.mean(1) for i in range(3)]
        return self.units(torch.stack([*maps, 0 * mean[:, 0]], 1)).mean((2, 3))


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vlm")
    build_dataset("w", {"kind": "shapes", "count": 200, "size": 16}, {}, folder, 3)
    dataset = open_dataset(folder)
    loaded = LoadedModel(Channels().eval(), VIEW, ["units"], [])
    options = MiningOptions(k=8, table=("max",))
    mined = mine_dataset(loaded, dataset, options, MiningRun(batch_size=50))
    return ExemplarUnits(mined, np.asarray(dataset.images))


def tile_means(sheet, rows):
    """Mean colors of the tiles of some rows, white ones left out."""
    side = (sheet.shape[1] - 18) // 4
    step = side + 6
    tiles = [
        sheet[r * step : r * step + side, c * step : c * step + side].reshape(-1, 3)
        for r in rows
        for c in range(4)
    ]
    return [tile.mean(0) for tile in tiles if (tile != 255).any()]


def color_model(request):
    """Says which color positives have more of than negatives; its first draw is a wrong color."""
    if "sheet" not in asked(request).lower():
        return capable(request)
    sheet = pictures(request)[0]
    if "response_format" in request:
        rows = range(sheet.shape[0] // ((sheet.shape[1] + 6) // 4))
        means = tile_means(sheet, rows)
        difference = np.mean(means[:4], 0) - np.mean(means[-4:], 0)
        best = int(np.argsort(-difference)[1 if request["seed"] == 2 else 0])
        return completion(json.dumps({"description": f"{NAMES[best]} things."}))
    text = asked(request).partition("show: ")[2].split()[0]
    excess = [m[NAMES.index(text)] - m.mean() for m in tile_means(sheet, range(4))]
    share = float(np.mean(np.array(excess) > 0))
    log = float(np.log(np.clip(share, 0.01, 0.99)))
    other = float(np.log(np.clip(1 - share, 0.01, 0.99)))
    return completion("1", [token("1", log, [("1", log), ("0", other)])])


@pytest.fixture
def server(served_model):
    served_model.rule = color_model
    return served_model


def load(server, tmp_path, **more):
    options = VlmOptions(
        endpoint={"url": server.url, "model": "colors"},
        cassette=str(tmp_path / "answers.jsonl"),
        tile=32,
        masks=False,
        packet=PacketOptions(top=4, range=4, hard=2, neighbor=2),
    )
    options = options.model_copy(update=more)
    return load_describer(options, Resources())


def test_it_chooses_by_verdicts_and_replays(server, units, tmp_path):
    describer = load(server, tmp_path)
    said = describe(describer, units)
    assert [row.text for row in said.rows] == ["red things", "green things", "blue things", ""]
    assert [row.status for row in said.rows] == ["described"] * 3 + ["dead"]
    assert [len(texts) for texts in said.candidates.texts] == [2, 2, 2, 0]
    scores = said.candidates.scores["score"]
    assert (scores[:3, 0] > scores[:3, 1]).all()
    requests = sum(server.bodies.values())
    assert requests == 5 + 3 * (4 + 2 * 2)
    server.close()
    again = describe(load(server, tmp_path, replay=True), units)
    for folder, one in (("a", said), ("b", again)):
        write_all(tmp_path / folder, one, describer.form)
    for name in ("descriptions.csv", "candidates.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_server_without_schemas_and_log_probabilities_serves_too(server, units, tmp_path):
    def plain(request):
        if "response_format" in request:
            return completion("what?")
        if asked(request).startswith("A sheet"):
            request = {**request, "response_format": {}}
            text = color_model(request)["choices"][0]["message"]["content"]
            return completion(f"Sure:\n{text}")
        reply = color_model({**request, "logprobs": False})
        tokens = reply["choices"][0].pop("logprobs", None)
        if tokens:
            yes = tokens["content"][0]["logprob"] > -0.5
            reply["choices"][0]["message"]["content"] = "Yes" if yes else "No"
        return reply

    server.rule = plain
    said = describe(load(server, tmp_path), units)
    assert [row.text for row in said.rows] == ["red things", "green things", "blue things", ""]


def test_nothing_and_no_answer_have_their_status(server, units, tmp_path):
    def silent(request):
        if asked(request).startswith("A sheet"):
            return completion('{"description": "none"}')
        return color_model(request)

    server.rule = silent
    said = describe(load(server, tmp_path), units)
    assert [row.status for row in said.rows] == ["abstained"] * 3 + ["dead"]
    server.rule = lambda request: (
        b"busy" if asked(request).startswith("A sheet") else color_model(request)
    )
    said = describe(load(server, tmp_path / "other"), units)
    assert [row.status for row in said.rows] == ["failed"] * 3 + ["dead"]


def test_a_model_that_sees_nothing_is_refused(server, units, tmp_path):
    server.rule = lambda _: completion("red")
    with pytest.raises(UserError, match="'colors' does not see pictures: a green picture"):
        describe(load(server, tmp_path), units)


@pytest.mark.parametrize("masks", [True, False])
def test_the_question_says_what_the_rows_are(server, units, tmp_path, masks):
    describer = load(server, tmp_path, masks=masks)
    sheet = next(describer._sheets(units))
    prompt = sheet.prompt()
    assert "Row 1, A:" in prompt
    assert "Row 2, B:" in prompt
    assert "Row 3, N:" in prompt
    assert ("dark outside" in prompt) == masks
    assert sheet.whole.shape == (3 * 38 - 6, 4 * 38 - 6, 3)
