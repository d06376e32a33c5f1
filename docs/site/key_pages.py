"""The reference of configuration keys, read from the schema."""

from __future__ import annotations

import json
from typing import Any

from milan_core.config import schema

HEAD = """# Configuration reference

Generated from the schema when the site is built: every key with its type, default and bounds.
[config/README.md](../../config/README.md) has the decisions behind them, and
`milan config show FILE` prints a configuration with all defaults.
"""


def keys_page() -> str:
    """The page as Markdown: top-level keys, then every class in the order of its first use."""
    whole = schema()
    classes = whole["$defs"]
    lines = [HEAD, "## Top-level keys", "", *_table(whole)]
    waiting, seen = _references(whole["properties"]), set()
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in classes:
            continue
        seen.add(name)
        lines += [f"## {name}", "", _line(classes[name].get("description", "")), ""]
        lines += _table(classes[name])
        waiting += _references(classes[name])
    return "\n".join(lines)


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"].rpartition("/")[2]] if isinstance(node.get("$ref"), str) else []
    return own + [
        name for key, item in node.items() if key != "$defs" for name in _references(item)
    ]


def _table(node: dict[str, Any]) -> list[str]:
    if not node.get("properties"):
        return [_type(node), ""]
    needed = node.get("required", ())
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, value in node["properties"].items():
        default = "needed" if key in needed else _default(value)
        about = _line(value.get("description", ""))
        rows.append(f"| `{key}` | {_type(value)} | {default} | {about} |")
    return [*rows, ""]


def _default(value: dict[str, Any]) -> str:
    if "const" in value or "default" not in value:
        return ""
    text = json.dumps(value["default"], ensure_ascii=False)
    return f"`{text}`".replace("|", "\\|") if len(text) <= 60 else "see the schema"


def _type(value: dict[str, Any]) -> str:
    """A type in words, with its bounds; classes are links to their section."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for union in ("anyOf", "oneOf", "allOf"):
        if union in value:
            return " or ".join(dict.fromkeys(_type(item) for item in value[union]))
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return " or ".join(f"`{item}`" for item in value["enum"])
    if value.get("type") == "array":
        return f"list of {_type(value['items'])}" if "items" in value else "list"
    if value.get("type") == "object" or "patternProperties" in value:
        return _dictionary(value)
    return _named(value.get("type", "any")) + _bounds(value)


def _dictionary(value: dict[str, Any]) -> str:
    inner = value.get("additionalProperties")
    if not isinstance(inner, dict):
        inner = next(iter(value.get("patternProperties", {}).values()), None)
    return f"dictionary of {_type(inner)}" if inner else "dictionary"


def _named(kind: str | list[str]) -> str:
    words = {
        "string": "text",
        "integer": "whole number",
        "boolean": "true or false",
        "null": "`null`",
    }
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(words.get(one, one) for one in kinds)


def _bounds(value: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {value[name]}" for name, sign in signs.items() if name in value]
    return " " + ", ".join(found).replace("<", "\\<") if found else ""


def _line(text: str) -> str:
    text = " ".join(text.split())
    for sign in "|<*_":
        text = text.replace(sign, "\\" + sign)
    return text
