"""The parser of all commands, and its commands, for what is done to all of them.

A mistake is one line: what is unknown comes before what is missing, with the nearest name.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from milan_core.core.addresses import hidden
from milan_core.core.errors import nearest

ALIKE = 0.6  # least likeness of a name that is proposed
_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


class Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line with exit code 2, an unknown option first.

    The parsers of its commands are of the same class, as `argparse` makes them.
    """

    def error(self, message: str) -> NoReturn:
        """Print one line to standard error, without the usage, and exit with code 2."""
        self._end(message, f"{self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, where every word is known: options that are not known are named at once.

        `argparse` names them last, after everything that is missing.
        """
        words = sys.argv[1:] if args is None else list(args)
        asks = bool({"-h", "--help"} & set(words))
        if not asks and (flag := self._unknown_option(words)) is not None:
            near = _meant(flag, self._option_string_actions)
            self.error(f"unknown option {flag}{near}")
        parsed, rest = super().parse_known_args(words, namespace)
        if rest:
            self.error(f"unexpected argument {rest[0]!r}")
        return parsed, rest

    def _unknown_option(self, words: Sequence[str]) -> str | None:
        """The first option that this parser does not have, as far as the words are its own."""
        passes_on = any(
            action.nargs in (argparse.PARSER, argparse.REMAINDER) for action in self._actions
        )
        values = 0.0  # words that the option before may take
        for word in words:
            if word == "--":
                return None
            if not _is_option(word):
                if not values and passes_on:
                    return None  # the words of a command
                values = max(values - 1, 0)
                continue
            flag, equals, _ = word.partition("=")
            known = self._known(flag)
            if known is None:
                return flag
            values = 0 if equals else _most_values(known)
        return None

    def _known(self, flag: str) -> argparse.Action | None:
        """The action of a flag, of its beginning, or of a letter with its value behind it."""
        actions = self._option_string_actions
        if flag in actions:
            return actions[flag]
        if flag.startswith("--"):
            return next((actions[name] for name in actions if name.startswith(flag)), None)
        return actions.get(flag[:2])

    def _get_value(self, action: argparse.Action, text: str) -> Any:
        """A value in its type; of a path the home folder for `~`, as in --out=~/my_net.

        A shell leaves that one as it is, and users whom it does not know.
        """
        value = super()._get_value(action, text)
        if isinstance(value, Path) and text.startswith("~") and not value.exists():
            try:
                return value.expanduser()
            except RuntimeError:
                raise argparse.ArgumentError(action, f"no home folder for {text!r}") from None
        return value

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            message = f"unknown command {value}{_meant(str(value), action.choices)}"
            self._end(message, f"{self.prog} --help lists them")
        super()._check_value(action, value)

    def _get_formatter(self) -> argparse.HelpFormatter:
        """Return the command's formatter, extended to show the default of each option."""
        kind = type("Formatter", (_WithDefaults, cast(type, self.formatter_class)), {})
        return cast(argparse.HelpFormatter, kind(prog=self.prog))

    def _end(self, message: str, help: str) -> NoReturn:
        line = " ".join(hidden(message).split())
        self.exit(2, f"{self.prog}: error: {line} ({help})\n")


class _WithDefaults(argparse.HelpFormatter):
    """Adds the default to the help of an option that does not speak of it."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = super()._get_help_string(action) or ""
        shown = default_shown(action)
        if not shown or "default" in text:
            return text
        return f"{text} (default: {shown.replace('%', '%%')})"  # argparse formats it


def default_shown(action: argparse.Action) -> str:
    """Return an option's default as it would be typed; "" for none."""
    value = action.default
    if not action.option_strings or value is None or isinstance(value, bool):
        return ""
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    text = str(value)
    return "" if text in (argparse.SUPPRESS, "{}") else text


def _is_option(word: str) -> bool:
    """Whether `argparse` takes a word for an option, known or not."""
    return len(word) > 1 and word[0] == "-" and " " not in word and not _NUMBER.fullmatch(word)


def _most_values(action: argparse.Action) -> float:
    """How many words an option may take."""
    if isinstance(action.nargs, int):
        return action.nargs
    return 1 if action.nargs in (None, argparse.OPTIONAL) else float("inf")


def _meant(given: str, names: Iterable[str]) -> str:
    """A question for the name that is nearest, or nothing; the dashes do not count."""
    plain = {name.lstrip("-"): name for name in names}
    close = nearest(given.lstrip("-"), plain, count=1, cutoff=ALIKE)
    return f"; did you mean {plain[close[0]]}?" if close else ""


def commands(
    parser: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """The parser and those of all commands and verbs below it, each with the words that name it."""
    yield path, parser
    for name, below in verbs(parser).items():
        yield from commands(below, (*path, name))


def verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands right below a parser, by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def summaries(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Help texts of the commands right below a parser, by name."""
    return {
        choice.dest: choice.help or ""
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for choice in action._choices_actions
    }
