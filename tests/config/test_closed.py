"""The configuration is closed: every misspelt key and value is refused with the nearest name.

The cases are generated from the JSON schema: every object, every key with one letter dropped, and
every literal with one letter dropped.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from milan_core.cli.config import load, merge
from milan_core.config import Config
from milan_core.core.errors import UserError
from milan_core.plan.checks import parse_config

SCHEMA = Config.model_json_schema()
# Objects whose keys belong to others: arguments of a user's factory, options of an own describer
# (`tests/describers/test_adding_a_describer.py` has what those of built-in ones refuse).
OPEN = {("kwargs",), ("describers", "entry", "options")}
NAME = "entry"  # of an entry of a catalogue

Wrap = Callable[[Any], dict[str, Any]]


@dataclass
class Site:
    """One place of the configuration: an object or a literal."""

    path: tuple[str, ...]
    schema: dict[str, Any]
    wrap: Wrap  # a value of this place to a part of a configuration

    def __str__(self) -> str:
        return ".".join(self.path)


def is_open(site: Site) -> bool:
    """Whether a user's own code reads its keys."""
    return any(site.path[-len(names) :] == names for names in OPEN)


def resolved(schema):
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def members(schema):
    """The alternatives of a schema, null left out."""
    schema = resolved(schema)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options is None:
        return [] if schema.get("type") == "null" else [schema]
    return [member for option in options for member in members(option)]


def entries(schema):
    """The schema of the entries of an object whose keys are names."""
    patterns = list(schema.get("patternProperties", {}).values())
    more = schema.get("additionalProperties")
    return patterns[0] if patterns else more if isinstance(more, dict) else None


def minimal(schema):
    """A small valid value."""
    schema = members(schema)[0]
    if "default" in schema and schema["default"] is not None:
        return schema["default"]
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type")
    if kind == "object":
        return needed(schema)
    if kind == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})] * schema.get("minItems", 1)
        return [minimal(item) for item in items]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return {"boolean": True, "string": NAME}.get(kind, NAME)


def needed(schema):
    """The required keys of an object, and its tag in a union."""
    properties = schema.get("properties", {})
    tags = [name for name, key in properties.items() if "const" in key]
    names = dict.fromkeys([*schema.get("required", []), *tags])
    return {name: minimal(properties[name]) for name in names}


def sites(schema=SCHEMA, path=(), wrap: Wrap = lambda value: value) -> Iterator[Site]:
    """Every object and every literal below a schema."""
    for member in members(schema):
        if "enum" in member or "const" in member:
            yield Site(path, member, wrap)
        elif member.get("type") == "array":
            inner = member.get("prefixItems") or [member.get("items", {})]
            for index, item in enumerate(inner):
                before = [minimal(one) for one in inner[:index]]
                after = [minimal(one) for one in inner[index + 1 :]]
                yield from sites(
                    item,
                    (*path, str(index)),
                    lambda value, b=before, a=after: wrap([*b, value, *a]),
                )
        elif member.get("type") == "object":
            yield Site(path, member, wrap)
            for name, key in member.get("properties", {}).items():
                yield from sites(
                    key,
                    (*path, name),
                    lambda value, n=name, m=member: wrap(
                        {**(needed(m) if m is not SCHEMA else {}), n: value}
                    ),
                )
            if (entry := entries(member)) is not None:
                yield from sites(entry, (*path, NAME), lambda value: wrap({NAME: value}))


EVERY = list(sites())
OBJECTS = [site for site in EVERY if site.schema.get("type") == "object"]
LITERALS = [site for site in EVERY if site.schema.get("type") != "object"]


def misspelt(word):
    """The word with a letter of its middle dropped."""
    return word[: len(word) // 2] + word[len(word) // 2 + 1 :]


@pytest.fixture(scope="module")
def base(root):
    return load([root / "config/quick.yaml"])


def refusals(base, cases):
    """Cases that are not refused in one line that has both texts: (case, message)."""
    wrong = []
    for site, part, words in cases:
        try:
            parse_config(merge(base, part))
            wrong.append((str(site), words, "accepted"))
        except UserError as error:
            message = str(error)
            if "\n" in message or not all(word in message for word in words):
                wrong.append((str(site), words, message))
    return wrong


def test_no_object_takes_unknown_keys():
    for site in OBJECTS:
        if is_open(site):
            continue
        closed = site.schema.get("additionalProperties") is False
        assert closed or entries(site.schema) not in (None, {}), f"{site} takes any key"


def test_every_misspelt_key_is_refused(base):
    cases = []
    for site in OBJECTS:
        properties = site.schema.get("properties", {})
        for name, key in properties.items():
            wrong = misspelt(name)
            if len(name) < 3 or wrong in properties:
                continue
            rest = needed(site.schema) if site.path else {}
            rest.pop(name, None)
            where = ".".join([*site.path, wrong])
            words = [f"{where}: unknown key; did you mean ", name]
            cases.append((f"{site}.{name}", site.wrap({**rest, wrong: minimal(key)}), words))
    assert len(cases) > 250
    assert not refusals(base, cases)


def test_every_misspelt_value_is_refused(base):
    cases = []
    for site in LITERALS:
        for value in filter(None, site.schema.get("enum", [site.schema.get("const")])):
            wrong = misspelt(value)
            words = [str(site), repr(wrong), "did you mean ", value]
            cases.append((site, site.wrap(wrong), words))
    assert len(cases) > 80
    assert not refusals(base, cases)


def test_every_misspelt_name_of_a_map_with_fixed_names_is_refused(base):
    for site in OBJECTS:
        names = site.schema.get("propertyNames", {}).get("enum", [])
        for name in names:
            part = site.wrap({misspelt(name): minimal(entries(site.schema))})
            assert not refusals(base, [(site, part, [str(site), "did you mean ", name])])


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (
            {"dataset_zoo": {"x": {"kind": "stickers", "seed": 99, "options": {"cout": 5}}}},
            "dataset_zoo.x.options.cout: unknown key; did you mean count?",
        ),
        (
            {
                "dataset_zoo": {
                    "x": {"kind": "stickers", "seed": 99, "options": {"style": "googel"}}
                }
            },
            "dataset_zoo.x.options.style: input should be '', 'google' or 'twitter', got 'googel'; "
            "did you mean google?",
        ),
        (
            {"captioner": {"splits": {"within": {"hiden": 7}}}},
            "captioner.splits.within.hiden: unknown key; did you mean hidden",
        ),
    ],
)
def test_what_passed_the_check_of_0_1_0_is_refused(base, part, words):
    with pytest.raises(UserError) as caught:
        parse_config(merge(base, part))
    assert words in str(caught.value)
