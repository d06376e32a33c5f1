"""What judges, cassettes and calibrations keep, and the tables beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from faults.readers.declare import reader, write


def make_board(folder: Path) -> None:
    from milan_core.referee.board import BoardFacts
    from milan_core.referee.board_means import make_board
    from milan_core.referee.metrics import HEADLINE
    from milan_core.referee.score import Scores
    from milan_core.referee.scored import Scored

    rows = [Scored(("a", unit), "a dog", "scored") for unit in range(3)]
    drawn = {score: np.ones((4, 3)) for score in HEADLINE}
    facts = BoardFacts(model="m", judge="j", judge_model="j1", heldout=True, images=9, alpha=0.1)
    board = make_board(facts, {name: Scores(rows, drawn) for name in ("d", "constant")})
    board.save(folder / "b.safetensors")


@reader(make_board, b__safetensors="safetensors sealed")
def leaderboard(folder: Path) -> object:
    from milan_core.referee.board import load_board
    from milan_core.referee.leaderboard import long_rows, over_networks

    board = load_board(folder / "b.safetensors")
    return long_rows([*over_networks([board], "random"), board])


def make_activations(folder: Path) -> None:
    from milan_core.exemplars.table import ActivationTable, TableFacts

    facts = TableFacts(model="m", model_hash="h", dataset="d", images=4, layers=(("a", 2),))
    values = {"max": np.arange(8, dtype=np.float32).reshape(2, 4)}
    table = ActivationTable(facts, np.arange(4), np.ones(4, bool), values)
    table.save(folder / "t.safetensors")


@reader(make_activations, t__safetensors="safetensors sealed")
def activation_table(folder: Path) -> object:
    from milan_core.exemplars.table import merge_tables, open_table

    return merge_tables([open_table(folder / "t.safetensors")]).keys


def make_domain(folder: Path) -> None:
    from milan_core.captioner.domain import fit_domain, save_domain

    features = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float16)
    save_domain(fit_domain(features, "e"), folder / "d.safetensors")


@reader(make_domain, d__safetensors="safetensors sealed")
def domain(folder: Path) -> object:
    from milan_core.captioner.domain import load_domain

    found = load_domain(folder / "d.safetensors")
    return None if found is None else found.distances(np.ones((2, len(found.mean)), np.float16))


def make_seen(folder: Path) -> None:
    from milan_core.core.tensors import save_tensors
    from milan_core.referee.seen import KIND, VERSION

    meta = {"model": "j1", "dataset": "d"}
    arrays = {"vectors": np.ones((4, 3), np.float16)}
    save_tensors(folder / "s.safetensors", KIND, VERSION, arrays, meta)


@reader(make_seen, s__safetensors="safetensors sealed")
def seen_images(folder: Path) -> object:
    from milan_core.referee.seen import read_seen

    judge = SimpleNamespace(name="j", model="j1", remember=None)
    return read_seen(judge, folder / "s.safetensors")  # type: ignore[arg-type]


def make_chooser(folder: Path) -> None:
    from milan_core.referee.judges.chooser import ARRAYS, Chooser, save_chooser
    from milan_core.referee.judges.mini import RECORD

    (folder / RECORD).write_text(json.dumps({"weights": "0" * 64}))
    parts = {
        name: np.ones((2,) * (len(form.split()) - 1), np.float32) for name, form in ARRAYS.items()
    }
    save_chooser(folder, Chooser(**parts))


@reader(make_chooser, chooser__safetensors="safetensors sealed")
def chooser(folder: Path) -> object:
    from milan_core.referee.judges.chooser import load_chooser

    return load_chooser(folder).of_images(np.ones((1, 2), np.float32))


def make_calibration(folder: Path) -> None:
    from milan_core.describers.abstention.calibration import SHIPPED

    shutil.copy(SHIPPED, folder / "c.json")


@reader(make_calibration, c__json="json")
def calibration(folder: Path) -> object:
    from milan_core.describers.abstention.calibration import load_calibration

    return load_calibration(folder / "c.json")


def make_cassette(folder: Path) -> None:
    from milan_core.endpoint.cassette import Cassette, Exchange

    cassette = Cassette(folder / "c.jsonl", "m")
    with cassette.recording():
        for number in range(3):
            cassette.add(f"{number}" * 64, {"text": "?"}, Exchange(200, f'{{"n": {number}}}'))


@reader(make_cassette, c__jsonl="lines raw")
def cassette(folder: Path) -> object:
    from milan_core.endpoint.cassette import Cassette

    whole = Cassette(folder / "c.jsonl", "m", replay=True)
    recorded = Cassette(folder / "c.jsonl", "m")
    with recorded.recording():
        pass
    return [whole.find(f"{number}" * 64) for number in range(3)]


SCHEMA = {"required": ["description"], "properties": {"description": {"type": "string"}}}
REPLY = {
    "choices": [
        {
            "message": {"content": '{"description": "a dog"}'},
            "finish_reason": "stop",
            "logprobs": {
                "content": [
                    {
                        "token": "a",
                        "logprob": -0.5,
                        "top_logprobs": [{"token": "a", "logprob": -0.5}],
                    }
                ]
            },
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}


@reader(write(r__json=json.dumps(REPLY)), r__json="json raw")
def reply(folder: Path) -> object:
    """An answer of a model's server."""
    from milan_core.core.errors import UserError
    from milan_core.endpoint.answer import MalformedReply, read_answer, usage
    from milan_core.endpoint.question import Question

    question = Question("?", logprobs=True, schema=json.dumps(SCHEMA))
    text = (folder / "r.json").read_text(errors="replace")
    try:
        return usage(text), read_answer(text, question).fields
    except MalformedReply as error:
        raise UserError(str(error)) from None


@reader(
    write(h__csv="phase,epoch,train_loss,val_loss,bleu,best\ndecoder,1,3.5,3,0.1,1\n"), h__csv="csv"
)
def history(folder: Path) -> object:
    from milan_core.captioner.options import TrainedOn
    from milan_core.captioner.training.histories import read_fits

    return read_fits([TrainedOn(split="s", seed=0)], [folder / "h.csv"])


@reader(write(t__csv="layer,unit,description,weight\na,0,a dog,0.5\na,0,a cat,0.5\n"), t__csv="csv")
def submitted(folder: Path) -> object:
    from milan_core.referee.submitted import read_submitted

    found = read_submitted(folder / "t.csv")
    return found.distinct, found.notes()


@reader(write(a__csv="layer,unit,right\na,0,yes\na,1,no\n"), a__csv="csv")
def own_answers(folder: Path) -> object:
    from milan_core.describers.abstention.tables import read_answers

    return read_answers(folder / "a.csv")


def make_evidence(folder: Path) -> None:
    from milan_core.core.files import write_csv
    from milan_core.describers.abstention.tables import EVIDENCE

    numbers = [0.5] * (len(EVIDENCE) - 5)
    write_csv(
        folder / "e.csv", EVIDENCE, [["a", unit, "a dog", 1, *numbers, "x|y"] for unit in (0, 1)]
    )


@reader(make_evidence, e__csv="csv")
def evidence(folder: Path) -> object:
    from milan_core.describers.abstention.tables import read_evidence

    return read_evidence(folder / "e.csv").annotated()


SCENE = [
    {"kind": "background", "name": "plain", "group": "background", "colour": "red", "tone": "dark"},
    {
        **{"kind": "main", "name": "circle", "group": "shape", "colour": "blue", "size": "small"},
        **{"column": "0", "row": "1", "x": "3", "y": "4"},
    },
]


@reader(write(s__json=json.dumps(SCENE)), s__json="json")
def zoo_scene(folder: Path) -> object:
    from milan_core.core.files import read_json
    from milan_core.world.zoo.stored import scene_facts

    return scene_facts(read_json(folder / "s.json"), 0)


def make_partial(folder: Path) -> None:
    filling = _filling(folder)
    for number in range(3):
        filling.take(np.full(2, number, np.uint8))
    filling.save()


@reader(make_partial, p__json="json")
def partial_array(folder: Path) -> object:
    return _filling(folder).resume(4)


def _filling(folder: Path) -> object:
    from milan_core.images.resume import Filling

    path = folder / "p.npy"
    mode = "r+" if path.is_file() else "w+"
    array = np.lib.format.open_memmap(path, mode, np.uint8, (4, 2))
    return Filling(array, folder / "p.json", "rules", str)


def make_packed(folder: Path) -> None:
    from milan_core.annotations.packing import MASKS, PACKED, write_packing

    np.save(folder / MASKS, np.zeros((1, 1, 1, 8, 8), np.uint8))
    np.save(folder / PACKED, np.zeros((1, 1, 8, 1), np.uint8))
    write_packing(folder)


@reader(make_packed, masks__packed__json="json")
def packed_masks(folder: Path) -> object:
    from milan_core.annotations.packing import is_valid

    return is_valid(folder)


def make_merged(folder: Path) -> None:
    from milan_core.annotations.merge import KIND, RECORD, VERSION

    facts = {"format": KIND, "version": VERSION, "transform": "crop", "of": 3}
    (folder / RECORD).write_text(json.dumps(facts))


@reader(make_merged, images__json="json")
def merged_images(folder: Path) -> object:
    from milan_core.annotations.merge import check_record

    return check_record(SimpleNamespace(folder=folder), "crop")  # type: ignore[arg-type]
