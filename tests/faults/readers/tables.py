"""Tables of people and of steps."""

from __future__ import annotations

import json
from pathlib import Path

from faults.readers.declare import only_user_errors, reader, write

UNITS = "model,layer,unit,side\nnet,conv1,0,train\nnet,conv1,1,test\n"
TRUTH = "layer,unit,concept,tier,coverage,support,specific,accept\na,0,red,color,0.5,3,1,red|reds\n"
SCORES = "method,metric,value,low,high,n,clusters,p\na,bleu,0.5,0.1,,12,3,0.5\na,acc,,,,0,0,\n"
TEXTS = "layer,unit,description,side\na,0,a dog,test\na,1,a cat,train\n"


@reader(write(t__csv=TEXTS), t__csv="csv")
def descriptions(folder: Path) -> object:
    from milan_core.scoring.tables import read_descriptions, read_methods

    try:
        read_methods(folder / "t.csv")
    except ValueError as error:
        only_user_errors(error)
    return read_descriptions(folder / "t.csv", side="test")


@reader(write(t__csv=TRUTH), t__csv="csv")
def truth(folder: Path) -> object:
    from milan_core.scoring.tables import read_truth

    return read_truth(folder / "t.csv")


@reader(write(t__csv=SCORES), t__csv="csv")
def scores(folder: Path) -> object:
    from milan_core.scoring.tables import read_scores

    return read_scores(folder / "t.csv")


@reader(write(t__csv=UNITS), t__csv="csv")
def training_units(folder: Path) -> object:
    from milan_core.scoring.tables import read_units

    return read_units(folder / "t.csv")


@reader(write(t__csv="layer,unit,summary,annotator\na,0,a dog,x\na,0,dogs,y\n"), t__csv="csv")
def annotations(folder: Path) -> object:
    from milan_core.scoring.external import read_known

    return read_known([folder / "t.csv"], 2)


@reader(write(t__csv="id,answer\nab,yes\ncd,no\n"), t__csv="csv")
def answers(folder: Path) -> object:
    from milan_core.experiments.audit.review import read_answers

    return read_answers(folder / "t.csv")


@reader(write(t__json='{"ab": "yes", "cd": "no"}'), t__json="json")
def answers_json(folder: Path) -> object:
    from milan_core.experiments.audit.review import read_answers

    return read_answers(folder / "t.json")


@reader(write(tally_conv1__csv="unit,label\n0,(a OR b)\n1,c\n", x__txt=""), tally_conv1__csv="csv")
def published_compexp(folder: Path) -> object:
    from milan_core.describers.published import read_published

    return read_published("compexp", folder, ["conv1"])


NETDISSECT = {"units": [{"unit": 0, "label": "dog-s"}, {"unit": 1, "label": "cat"}]}


@reader(
    write(**{"a-netpqc-conv1-10_S_report__json": json.dumps(NETDISSECT)}),
    **{"a-netpqc-conv1-10_S_report__json": "json"},
)
def published_netdissect(folder: Path) -> object:
    from milan_core.describers.published import read_published

    return read_published("netdissect", folder, ["conv1"])


@reader(write(words__txt="dog 12\ncat 5\nbird\n"), words__txt="text")
def spelling(folder: Path) -> object:
    from milan_core.annotations.crowd.spelling import FrequencySpeller

    return FrequencySpeller.load(folder / "words.txt").correct("dag")


@reader(write(words__txt="dog\ncat\nbird\n"), words__txt="text")
def word_list(folder: Path) -> object:
    from milan_core.describers.clip_dissect import read_words

    return read_words(folder / "words.txt")


@reader(
    write(l__txt="a.jpg 1\nb.jpg 0\n", s__txt="n01 dog\nn02 cat\n"), l__txt="text", s__txt="text"
)
def class_lists(folder: Path) -> object:
    from milan_core.images.kinds.truth_lists import read_truth

    return read_truth(folder / "l.txt", ["a.jpg", "b.jpg"], [folder / "s.txt"])


@reader(write(l__csv="ImageId,PredictionString\na,n01 1 2 3 4\nb,n02 1 2 3 4\n"), l__csv="csv")
def class_table(folder: Path) -> object:
    from milan_core.images.kinds.truth_lists import read_truth

    return read_truth(folder / "l.csv", ["a.jpg", "b.jpg"], [])
