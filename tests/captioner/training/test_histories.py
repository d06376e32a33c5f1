"""The history plot and table of trained captioners."""

import csv
import xml.etree.ElementTree as ElementTree

import pytest

from milan_core.captioner.options import TrainedOn
from milan_core.captioner.plan import trainings
from milan_core.captioner.step import CaptionerHistories
from milan_core.captioner.training.figure import history_figure
from milan_core.captioner.training.histories import read_fits
from milan_core.captioner.training.section import training_section
from milan_core.cli.config import load, merge
from milan_core.core.errors import UserError
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.plan.checks import parse_config

COLUMNS = "phase,epoch,train_loss,val_loss,bleu,best\n"


@pytest.fixture
def histories(tmp_path):
    paths = []
    for split, losses in (("all", (3, 2, 1, 2)), ("without_net", (3, 1, 1.5, 2))):
        path = tmp_path / split / "seed0/history.csv"
        path.parent.mkdir(parents=True)
        text = COLUMNS + "language model,1,4.0,3.5,,True\n"
        for epoch, loss in enumerate(losses, 1):
            best = epoch == 1 or loss < min(losses[: epoch - 1])
            text += f"decoder,{epoch},{loss - 0.5},{loss},{10 * epoch},{best}\n"
        path.write_text(text)
        paths.append(path)
    return paths


def test_table_figure_and_section(histories, tmp_path):
    out = tmp_path / "out"
    given = [TrainedOn(split=split, seed=0) for split in ("all", "without_net")]
    CaptionerHistories(
        histories=histories,
        trainings=given,
        figure=out / "history.svg",
        table=out / "training.csv",
        section=out / "section.json",
    ).run(Compute())
    with (out / "training.csv").open() as handle:
        rows = [row for row in csv.DictReader(handle) if row["phase"] == "decoder"]
    assert [(row["split"], row["best_epoch"], row["last_val_loss"]) for row in rows] == [
        ("all", "3", "2.0"),
        ("without_net", "2", "2.0"),
    ]
    section = read_section(out / "section.json")
    assert "2 captioners" in section.paragraphs[0]
    assert "epochs 2 to 3" in section.paragraphs[0]
    assert "1.000 nats" in section.paragraphs[0]
    svg = (out / "history.svg").read_text()
    ElementTree.fromstring(svg)
    for word in ("without_net", "language model", "decoder", "epoch"):
        assert word in svg
    assert history_figure(read_fits(given, histories)) == svg


def test_captioners_that_keep_their_last_epoch_are_not_said_to_keep_the_best(histories):
    """As `config/paper_compat.yaml` trains them."""
    kept = [TrainedOn(split=split, seed=0, keep="last") for split in ("all", "without_net")]
    section = training_section(read_fits(kept, histories))
    assert section.paragraphs[0] == (
        "2 captioners were trained. Each keeps the weights of its last epoch, as the published "
        "code did. The best on held-out units were epochs 2 to 3 of the decoders; the held-out "
        "loss of the last epoch is 1.000 nats per word higher (median over the captioners)."
    )
    assert "the dot is the best epoch" in section.items[0].caption
    mixed = [kept[0].model_copy(update={"keep": "best"}), kept[1]]
    text = training_section(read_fits(mixed, histories)).paragraphs[0]
    assert "2 captioners were trained. 1 of them kept the weights of the last epoch" in text


def test_trainings_know_which_epoch_they_keep(root):
    default = load([root / "config/config.yaml"])
    assert {one.keep for one in trainings(parse_config(default))} == {"best"}
    within = merge(default, {"captioner": {"splits": {"within": {"keep": "last"}}}})
    kept = {one.split: one.keep for one in trainings(parse_config(within))}
    assert kept["all"] == "best"
    assert kept["within_resnet_mini"] == "last"


def test_an_empty_history_is_refused(tmp_path):
    (tmp_path / "history.csv").write_text(COLUMNS)
    training = TrainedOn(split="all", seed=0)
    with pytest.raises(UserError, match="has no epochs"):
        read_fits([training], [tmp_path / "history.csv"])
    with pytest.raises(UserError, match="0 histories of 1 trainings"):
        read_fits([training], [])
