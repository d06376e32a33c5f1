"""`milan completion`: a script that lets the shell complete commands, options and their values.

The script is made once from the parsers of all commands and starts no Python when Tab is pressed.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from milan_core.cli.parsers import commands, summaries

EPILOG = """examples:
  echo 'eval "$(milan completion bash)"' >> ~/.bashrc
  milan completion zsh > ~/.zfunc/_milan      # a folder of your $fpath
  milan completion fish > ~/.config/fish/completions/milan.fish"""
LONGEST = 72  # letters of a help text beside a word


@dataclass(frozen=True)
class Option:
    """An option: its flags, what it does, whether a value follows, and the values if known."""

    flags: tuple[str, ...]
    summary: str
    takes_value: bool
    values: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """A command: its words as `/atlas/build`, what may follow, and its options."""

    path: str
    words: dict[str, str]
    options: tuple[Option, ...]


def register(subparsers: Any) -> None:
    """Add the command."""
    summary = "print a script that completes commands and options in your shell"
    parser = subparsers.add_parser(
        "completion",
        help=summary,
        description=summary,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=sorted(SHELLS))
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from milan_core.cli import build_parser

    print(SHELLS[arguments.shell](list(described(build_parser()))))


def described(parser: argparse.ArgumentParser) -> Iterator[Command]:
    """All commands of a parser, itself first as the path ``""``."""
    for path, one in commands(parser):
        words = {name: _short(text) for name, text in summaries(one).items()}
        for action in one._actions:
            if not action.option_strings and not isinstance(action, argparse._SubParsersAction):
                words |= dict.fromkeys(_values(path, action), "")
        yield Command("".join(f"/{word}" for word in path), words, tuple(_options(path, one)))


def _options(path: Sequence[str], parser: argparse.ArgumentParser) -> Iterator[Option]:
    for action in parser._actions:
        if action.option_strings and action.help != argparse.SUPPRESS:
            yield Option(
                tuple(action.option_strings),
                _short(action.help or ""),
                action.nargs != 0,
                tuple(_values(path, action)),
            )


def _values(path: Sequence[str], action: argparse.Action) -> list[str]:
    """The values that an argument takes, as far as they are known."""
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    if action.dest == "describer":
        from milan_core.describers.registry import declared

        return ["auto", *declared()]
    if action.dest == "factory" and path[:1] == ("networks",):
        from milan_core.networks.catalog import network_names

        return list(network_names())
    if action.dest == "names" and path == ("fetch",):
        from milan_core.images.fetch.catalog import catalog

        return list(catalog())
    return []


def _short(text: str) -> str:
    """A help text as one plain line."""
    line = " ".join(text.replace("%%", "%").split())
    return line if len(line) <= LONGEST else line[: LONGEST - 3].rstrip() + "..."


def _paths(known: Sequence[Command]) -> str:
    """The paths of all commands, as a pattern of `case`."""
    return "|".join(one.path for one in known if one.path)


def _valued(known: Sequence[Command]) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """Patterns `"path flag"` of options that a value follows, with the known values."""
    for one in known:
        for option in one.options:
            if option.takes_value:
                yield [f'"{one.path} {flag}"' for flag in option.flags], option.values


def bash(known: Sequence[Command]) -> str:
    """The script for bash 3.2 and later; where no word is known, it completes file names."""
    lines = [
        "# Completion of milan for bash, printed by `milan completion bash`.",
        "_milan() {",
        '  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at="" i words',
        "  for ((i = 1; i < COMP_CWORD; i++)); do",
        f'    case "$at/${{COMP_WORDS[i]}}" in {_paths(known)}) at=$at/${{COMP_WORDS[i]}} ;; esac',
        "  done",
        '  case "$at $prev" in',
    ]
    for patterns, values in _valued(known):
        lines.append(f"    {'|'.join(patterns)}) words={shlex.quote(' '.join(values))} ;;")
    lines += ["    *)", '      case "$at $cur" in']
    for one in known:
        flags = " ".join(flag for option in one.options for flag in option.flags)
        lines.append(f'        "{one.path} -"*) words={shlex.quote(flags)} ;;')
        lines.append(f'        "{one.path} "*) words={shlex.quote(" ".join(one.words))} ;;')
    lines += [
        "      esac ;;",
        "  esac",
        '  COMPREPLY=($(compgen -W "$words" -- "$cur"))',
        "}",
        "complete -o default -F _milan milan",
    ]
    return "\n".join(lines)


def zsh(known: Sequence[Command]) -> str:
    """The script for zsh, as a file of `$fpath` or for `eval`."""
    lines = [
        "#compdef milan",
        "# Completion of milan for zsh, printed by `milan completion zsh`.",
        "_milan() {",
        '  local at="" i',
        "  local -a flags names",
        "  for ((i = 2; i < CURRENT; i++)); do",
        f'    case "$at/${{words[i]}}" in {_paths(known)}) at=$at/${{words[i]}} ;; esac',
        "  done",
        '  case "$at ${words[CURRENT-1]}" in',
    ]
    for patterns, values in _valued(known):
        action = f"compadd -- {shlex.join(values)}" if values else "_files"
        lines.append(f"    {'|'.join(patterns)}) {action}; return ;;")
    lines += ["  esac", '  case "$at" in']
    for one in known:
        flags = [_pair(flag, option.summary) for option in one.options for flag in option.flags]
        names = [_pair(name, text) for name, text in one.words.items()]
        lines.append(
            f'    "{one.path}") flags=({shlex.join(flags)}); names=({shlex.join(names)}) ;;'
        )
    lines += [
        "  esac",
        "  if [[ ${words[CURRENT]} == -* ]]; then _describe option flags",
        "  elif (( $#names )); then _describe command names",
        "  else _files; fi",
        "}",
        'if [[ $funcstack[1] == _milan ]]; then _milan "$@"; else compdef _milan milan; fi',
    ]
    return "\n".join(lines)


def _pair(word: str, text: str) -> str:
    """A word with what it does, as `_describe` of zsh takes them."""
    plain = word.replace(":", "\\:")
    return f"{plain}:{text}" if text else plain


def fish(known: Sequence[Command]) -> str:
    """The script for fish."""
    lines = [
        "# Completion of milan for fish, printed by `milan completion fish`.",
        "function __milan_at",
        '    set -l at ""',
        "    for word in (commandline -opc)[2..]",
        f"        contains -- $at/$word {_paths(known).replace('|', ' ')}; and set at $at/$word",
        "    end",
        '    test "$at" = "$argv[1]"',
        "end",
    ]
    for one in known:
        here = f"complete -c milan -n {_fish(f'__milan_at {one.path}'.rstrip())}"
        for name, text in one.words.items():
            shown = f" -d {_fish(text)}" if text else ""
            lines.append(f"{here} -f -a {_fish(name)}{shown}")
        for option in one.options:
            flags = " ".join(
                f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                for flag in option.flags
            )
            value = " -r" if option.takes_value else ""
            if option.values:
                value = f" -x -a {_fish(' '.join(option.values))}"
            lines.append(f"{here} {flags}{value} -d {_fish(option.summary)}")
    return "\n".join(lines)


def _fish(text: str) -> str:
    """A text in quotes of fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS: dict[str, Callable[[Sequence[Command]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
