"""The reference of commands, read from the parsers of `milan`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from milan_core.cli import COMMANDS, build_parser

HEAD = """# Command reference

Generated from the parsers of `milan` when the site is built; `milan COMMAND --help` prints the
same. A mistake in what you give ends with one line and exit code 2 ([errors.md](../errors.md)).
`milan --log FILE COMMAND` sends progress and warnings to a file. `milan step NAME` runs one job of
the workflow; its flags are the fields of the step ([architecture.md](../architecture.md)), so it
is not listed here.
"""


def commands_page() -> str:
    """The page as Markdown; the same text on every machine."""
    parser = build_parser([name for name in COMMANDS if name != "step"])
    found = list(_leaves(parser))
    index = [f"- [`{leaf.prog}`](#{_anchor(leaf.prog)}): {about}" for leaf, about in found]
    return "\n".join([HEAD, *index, "", *(_section(leaf, about) for leaf, about in found)])


def _leaves(
    parser: argparse.ArgumentParser, about: str = ""
) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Parsers that have arguments of their own, with what the list of commands says of them."""
    groups = [action for action in parser._actions if _is_group(action)]
    own = [action for action in parser._actions if action.dest != "help" and action not in groups]
    if not groups or (own and parser.prog != "milan"):
        yield parser, _escaped(about)
    for group in groups:
        helps = {choice.dest: choice.help or "" for choice in group._choices_actions}
        for name, child in group.choices.items():
            yield from _leaves(child, helps.get(name, ""))


def _is_group(action: argparse.Action) -> bool:
    return isinstance(action, argparse._SubParsersAction)


def _section(parser: argparse.ArgumentParser, about: str) -> str:
    lines = [f"## {parser.prog}", "", _escaped(parser.description or about), ""]
    for group in parser._action_groups:
        shown = [a for a in group._group_actions if a.dest != "help" and not _is_group(a)]
        rows = [_row(parser, action) for action in shown]
        if not rows:
            continue
        if group.title not in ("options", "positional arguments"):
            lines += [f"**{_escaped(group.title or '')}**", ""]
        lines += ["| argument | meaning |", "|---|---|", *rows, ""]
    if parser.epilog:
        lines += ["```", *(line.rstrip() for line in parser.epilog.strip().splitlines()), "```", ""]
    return "\n".join(lines)


def _row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return f"| {_shown(action)} | {_escaped(_meaning(parser, action))} |"


def _shown(action: argparse.Action) -> str:
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    value = "" if action.nargs == 0 else _value(action)
    return " ".join(part for part in (names, f"`{value}`" if value else "") if part)


def _value(action: argparse.Action) -> str:
    if action.choices is not None:
        text = ", ".join(map(str, action.choices))
    elif isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    else:
        text = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    many = action.nargs in ("+", "*") or action.__class__.__name__ in ("_AppendAction",)
    return f"{text} ..." if many else text


def _meaning(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    needed = action.required and action.option_strings
    return f"{text} (needed)".strip() if needed else text


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _escaped(text: str) -> str:
    text = " ".join(text.split())
    for sign in "|<*_":
        text = text.replace(sign, "\\" + sign)
    return text
