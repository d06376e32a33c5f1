"""Every numeric key of a configuration refuses truth values, infinity and NaN."""

import math
from typing import get_origin

import pytest
from pydantic import TypeAdapter, ValidationError

from milan_core.config import Config
from milan_core.core.options import Section, of_numbers, parse
from milan_core.core.step import all_steps
from milan_core.networks.weight_options import TrainSettings


def _sections(cls=Section):
    for one in cls.__subclasses__():
        yield one
        yield from _sections(one)


def _numbers():
    """Class, key and container of every key that holds numbers, of sections and of steps."""
    assert all_steps()
    assert Config
    for cls in sorted(
        {one for one in _sections() if one.__module__.startswith("milan_core")}, key=str
    ):
        for name, field in cls.model_fields.items():
            if of_numbers(field.annotation):
                yield cls, name, _container(field.annotation)


def _container(annotation):
    for one in (annotation, *getattr(annotation, "__args__", ())):
        if get_origin(one) in (list, tuple, dict):
            return get_origin(one)
    return None


def _places(cls, name, value):
    """Keys that a section of one key has a mistake in."""
    try:
        TypeAdapter(cls).validate_python({name: value})
    except ValidationError as error:
        return {item["loc"][0] for item in error.errors() if item["loc"]}
    return set()


def test_no_key_takes_infinity_nan_or_a_truth_value_for_a_number():
    found = list(_numbers())
    assert len(found) > 100
    for cls, name, container in found:
        for value in (True, math.inf, -math.inf, math.nan):
            given = {list: [value], tuple: [value], dict: {"a": value}, None: value}[container]
            assert name in _places(cls, name, given), f"{cls.__name__}.{name} took {given}"


@pytest.mark.parametrize("text", ["1e-3", "0.001", 0.001])
def test_a_number_may_be_written_as_yaml_takes_for_a_text(text):
    assert parse(TrainSettings, {"learning_rate": text, "epochs": 5.0}, "x").learning_rate == 0.001


def test_the_sentence_says_what_was_read():
    with pytest.raises(ValueError, match=r"x: epochs: input should be a number \(YAML reads yes,"):
        parse(TrainSettings, {"epochs": True}, "x")
    with pytest.raises(ValueError, match="x: learning_rate: input should be a finite number, got"):
        parse(TrainSettings, {"learning_rate": math.inf}, "x")
    assert parse(TrainSettings, {"flip": "no", "bf16": True}, "x").bf16
