"""Base of every section of the configuration and of every step's options.

The class that validates a section of the YAML validates it again from the JSON that crosses the
shell, so a setting is declared once.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from milan_core.core.addresses import hidden
from milan_core.core.errors import UserError, nearest

Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=80)]
"""A name of the configuration, which becomes a part of paths."""
Parsed = TypeVar("Parsed")
Part = TypeVar("Part", bound="Section")


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values do not change.

    A number is finite, and no truth value: `yes` and `on` are no 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def further_contents(self) -> Iterator[str]:
        """Digests of what it reads beside the files of its keys (`core.inputs`)."""
        yield from ()

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if wrong := [(k, v) for k, v in data.items() if k in cls._numbers() and _holds_truth(v)]:
            raise ValidationError.from_exception_data(
                cls.__name__, [{"type": _TRUTH, "loc": (key,), "input": v} for key, v in wrong]
            )
        return _plain(data)

    @classmethod
    @functools.cache
    def _numbers(cls) -> frozenset[str]:
        """Keys that hold numbers and nothing else than texts beside them."""
        fields = cls.model_fields.items()
        return frozenset(key for key, field in fields if of_numbers(field.annotation))


_TRUTH = PydanticCustomError(
    "truth_value", "input should be a number (YAML reads yes, no, on and off as truth values)"
)


def of_numbers(annotation: Any) -> bool:
    """Whether a type is of numbers, beside which texts may stand, in containers or not."""
    kinds = {*_types(annotation)} - {str, type(None), ...}
    return bool(kinds) and kinds <= {int, float}


def _types(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of, containers and their keys left out."""
    inner = get_args(annotation)
    if get_origin(annotation) is Literal:
        yield from map(type, inner)
    elif get_origin(annotation) is Annotated:
        yield from _types(inner[0])
    elif get_origin(annotation) is dict:
        yield from _types(inner[1])
    elif inner:
        for part in inner:
            yield from _types(part)
    else:
        yield annotation


def _holds_truth(value: Any) -> bool:
    """Whether a value is a truth value, or one is in its dictionaries and lists."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(map(_holds_truth, value))
    return isinstance(value, bool)


class Content(BaseModel):
    """Declared content of a file of our own; unknown keys are errors (`parse_json`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as those of Python, inside of dictionaries and lists too."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value.tolist() if type(value).__module__ == "numpy" else value


def plain(value: Any) -> Any:
    """A section, or plain values that hold sections, as values of JSON."""
    return TypeAdapter(Any).dump_python(value, mode="json")


def canonical(value: Any) -> str:
    """Canonical JSON of a section, or of plain values that hold sections.

    Sorted keys and no spaces: equal values give equal text.
    """
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def narrowed(section: Section, cls: type[Part]) -> Part:
    """The part of a section that `cls`, one of its bases, declares."""
    return cls(**{name: getattr(section, name) for name in cls.model_fields})


def parse(cls: type[Parsed], raw: Any, where: str) -> Parsed:
    """`raw` as an instance of `cls`: a section, a union of sections, or any type of pydantic.

    Raises:
        UserError: one sentence per mistake, with `where`, the key, the value and the nearest name.

    """
    try:
        return TypeAdapter(cls).validate_python(raw)
    except ValidationError as error:
        raise UserError(sentences(error, cls, where)) from None


def parse_json(cls: type[Parsed], value: Any, where: str) -> Parsed:
    """`value`, which was read from a JSON file, as an instance of `cls`; types must be exact.

    As `parse`, but a text is no number, and 0 is no truth value. Lists may be tuples.

    Raises:
        UserError: as `parse`.

    """
    try:
        return TypeAdapter(cls).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise UserError(sentences(error, cls, where)) from None


def sentences(error: ValidationError, cls: Any, where: str) -> str:
    """The mistakes in a `ValidationError` of `cls`, joined by semicolons; `where` starts each."""
    return "; ".join(_sentence(item, cls, where) for item in error.errors())


def _sentence(item: Any, cls: Any, where: str) -> str:
    path, union, _ = _follow(cls, item["loc"])
    place = f"{where}: {'.'.join(path)}" if path else where
    kind, context, value = item["type"], item.get("ctx", {}), item["input"]
    if kind == "extra_forbidden":
        return f"{place}: unknown key{_key_hint(cls, item['loc'], path[-1])}"
    if kind.startswith("union_tag"):
        key = context["discriminator"].strip("'")
        tags = [name.strip(" '") for name in context.get("expected_tags", "").split(",")]
        if kind == "union_tag_not_found":
            fields = {name for member in _members(union) for name in _fields(member)}
            unknown_keys = set(value) - fields if isinstance(value, Mapping) else ()
            if wrong := nearest(key, map(str, unknown_keys), 1):
                return f"{place}.{wrong[0]}: unknown key; did you mean {key}?"
            return f"{place}: field required: {key}"
        return f"{place}.{key}: unknown {key} {context['tag']!r}{_hint(context['tag'], tags)}" + (
            f"; known: {', '.join(tags)}"
        )
    hint = ""
    if kind == "literal_error" and isinstance(value, str):
        tags = context["expected"].replace(" or ", ", ").split(",")
        hint = _hint(value, [name.strip(" '") for name in tags])
    message = str(item["msg"]).removeprefix("Value error, ")
    whole = kind == "missing" or (kind == "value_error" and isinstance(value, dict | Section))
    got = "" if whole else f", got {_short(value)}"
    return f"{place}: {message[:1].lower()}{message[1:]}{got}{hint}"


def _short(value: Any) -> str:
    text = hidden(repr(value))
    return text if len(text) <= 120 else f"{text[:100]}..."


def _hint(name: str, names: list[str]) -> str:
    close = nearest(name, names)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _key_hint(cls: Any, loc: tuple[Any, ...], key: str) -> str:
    """The members of the union that have the key, or the nearest known key."""
    _, section, chosen = _follow(cls, loc[:-1])
    for name, tag, union in chosen:
        having = [member for member in _members(union) if key in _fields(member)]
        tags = dict.fromkeys(str(get_args(_fields(one)[name].annotation)[0]) for one in having)
        if having and str(tag) not in tags:
            return f" of {name} {tag}; it belongs to {name} {' or '.join(tags)}"
    if meant := _described_as(section, key):
        return f"; did you mean {meant[0]}?"
    return _hint(key, list(_fields(section)))


def _described_as(section: Any, word: str) -> list[str]:
    """The one key whose description begins with a word: lambda is `temperature`."""
    keys = [
        name
        for name, field in _fields(section).items()
        if (field.description or "").lower().startswith(f"{word.lower()} ")
    ]
    known = nearest(word, _fields(section), cutoff=0.75)
    return keys if len(keys) == 1 and not known else []


Choice = tuple[str, Any, Any]  # the field that holds the tag, the tag, the union


def _follow(section: Any, loc: tuple[Any, ...]) -> tuple[list[str], Any, list[Choice]]:
    """The keys that an error's path names, the type at its end, the choices among members there.

    Pydantic puts the tag of a union's member into the path, of nested unions several; a user wrote
    no such key.
    """
    path: list[str] = []
    chosen: list[Choice] = []
    for part in loc:
        members = _tagged(section, part)
        if not members:
            path.append(str(part))
            field = _fields(section).get(part)
            section = _unwrapped(field.annotation if field else section, item=field is None)
            chosen = []
        else:
            name = next(name for name, field in _fields(members[0]).items() if _tag(field, part))
            chosen.append((name, part, section))
            section = members[0] if len(members) == 1 else Union[tuple(members)]  # noqa: UP007
    return path, section, chosen


def _fields(section: Any) -> dict[Any, Any]:
    return dict(getattr(section, "model_fields", {}))


def _tagged(section: Any, part: Any) -> list[Any]:
    """The members of a discriminated union whose tag is `part`."""
    if isinstance(section, type) or get_origin(section) in (dict, list, tuple):
        return []  # there, a name or a number comes first
    return [
        member
        for member in _members(section)
        if any(_tag(field, part) for field in _fields(member).values())
    ]


def _tag(field: Any, part: Any) -> bool:
    return get_origin(field.annotation) is Literal and part in get_args(field.annotation)


def _members(annotation: Any) -> Iterator[Any]:
    for argument in get_args(annotation):
        if isinstance(argument, type) and issubclass(argument, BaseModel):
            yield argument
        elif get_args(argument):
            yield from _members(argument)


def _unwrapped(annotation: Any, *, item: bool) -> Any:
    """The section inside `Section | None`, or with `item` inside a dictionary or list."""
    if item and get_origin(annotation) in (dict, list, tuple):
        annotation = get_args(annotation)[-1]
    members = list(_members(annotation))
    if len(members) == 1 and get_origin(annotation) not in (dict, list, tuple):
        return members[0]
    return annotation
