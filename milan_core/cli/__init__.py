"""The `milan` command: commands for people, and `milan step NAME` for the rules.

Each command is one small module that parses, calls and prints. A mistake of the user ends with one
line and exit code 2; anything else is a bug and shows its traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TextIO

from milan_core import __version__
from milan_core.cli.parsers import Parser
from milan_core.cli.parsers import commands as all_commands
from milan_core.cli.printed import Printed, log_handler
from milan_core.core.addresses import hidden
from milan_core.core.errors import UserError, printable
from milan_core.core.files import cannot_write, writing
from milan_core.core.progress import shown
from milan_core.core.reproducible import one_thread

COMMANDS = (
    "describe",
    "score",
    "labels",
    "mine",
    "networks",
    "init",
    "fetch",
    "check",
    "doctor",
    "verify",
    "audit",
    "seeds",
    "figures",
    "atlas",
    "mcp",
    "bench",
    "zoo",
    "endpoint",
    "crowd",
    "captioner",
    "annotations",
    "config",
    "completion",
    "step",
)
QUIET = "draw no progress and tell of no start and end; without a terminal nothing is drawn"


def build_parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The command line, assembled from the modules of these commands; none imports torch."""
    parser = Parser(
        prog="milan",
        description="English descriptions of the units of vision models.",
        epilog="milan <command> --help shows its arguments and an example.",
    )
    parser.add_argument("--version", action="version", version=f"milan {__version__}")
    parser.add_argument("--log", type=Path, help="send warnings and errors to this file")
    parser.add_argument("--quiet", action="store_true", help=QUIET)
    commands = parser.add_subparsers(dest="command", metavar="<command>", required=True)
    for name in names:
        import_module(f"milan_core.cli.{name}").register(commands)
    for path, command in all_commands(parser):  # `milan mine --quiet` and `milan --quiet mine`
        if path:
            command.add_argument(
                "--quiet", action="store_true", default=argparse.SUPPRESS, help=QUIET
            )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    _open_closed_streams()
    one_thread()
    terminal: TextIO | None = None
    try:
        try:
            words = sys.argv[1:] if argv is None else list(argv)
            job = words[:1] == ["step"] or (words[:1] == ["--log"] and words[2:3] == ["step"])
            # A run of the workflow starts hundreds of steps: they import no other command.
            arguments = build_parser(["step"] if job else COMMANDS).parse_args(words)
            terminal = _redirect_errors(arguments.log) if arguments.log else None
            code = _command(arguments)
        except SystemExit:  # the parser has printed a help text
            sys.stdout.flush()
            raise
        sys.stdout.flush()  # when Python ends, what it says of a closed pipe is no sentence
        return code
    except UserError as error:
        if os.environ.get("MILAN_TRACEBACK"):
            traceback.print_exc(file=terminal)
        return _fail(error.lines, terminal)
    except PermissionError as error:
        message = f"no permission for {error.filename}; change its mode, or give another path"
        return _fail([message], terminal)
    except BrokenPipeError:
        _discard(sys.stdout.fileno())
        return 0
    except OSError as error:
        if reason := cannot_write(error):
            return _fail(
                [f"cannot write {error.filename or 'a temporary file'}: {reason}"], terminal
            )
        if terminal:
            traceback.print_exc(file=terminal)
        raise
    except KeyboardInterrupt:
        return _fail(["interrupted"], terminal, code=130)
    except Exception:
        if terminal:
            traceback.print_exc(file=terminal)
        raise
    finally:
        _drop_unwritten()


def _drop_unwritten() -> None:
    """Leave nothing to write when Python ends: on a full disk it would exit with 120."""
    try:
        sys.stderr.flush()
    except OSError:
        _discard(2)


def _discard(descriptor: int) -> None:
    """Send what is still written to a standard stream to the null device."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def _command(arguments: argparse.Namespace) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may have any bytes
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, handlers=[log_handler()])
    loud = not arguments.quiet
    with shown(sys.stderr.isatty() and loud, lines=loud and arguments.command != "step"):
        _check_given(arguments)
        with contextlib.redirect_stdout(Printed(sys.stdout)):
            return int(arguments.run(arguments) or 0)


def _open_closed_streams() -> None:
    """Open closed standard streams (`>&-`) as null: a file opened later would get their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - until the end


_WRITTEN = ("out", "log", "resources")  # what commands write
_OWN_CHECK = ("step", "verify", "provenance", "fetch", "doctor")


def _check_given(arguments: argparse.Namespace) -> None:
    """Compare every file and folder that a command is given with the record beside it.

    A data set folder without one is compared with its manifest.
    """
    from milan_core.core.records import check_recorded
    from milan_core.images.store import check_unrecorded

    if arguments.command in _OWN_CHECK:
        return
    for name, value in vars(arguments).items():
        for item in value if isinstance(value, list) else [value]:
            if name not in _WRITTEN and isinstance(item, Path | str) and _is_there(item):
                check_recorded(Path(item))
                check_unrecorded(Path(item))


def _is_there(item: Path | str) -> bool:
    try:
        return Path(item).exists()
    except (OSError, ValueError):  # a text that can be no path
        return False


def _redirect_errors(path: Path) -> TextIO:
    """Send standard error to a log file; returns the terminal for the one line a user must see."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path.open("w")
    with log:
        terminal = os.fdopen(os.dup(2), "w")
        os.dup2(log.fileno(), 2)
    return terminal


def _fail(message: Sequence[str], terminal: TextIO | None, code: int = 2) -> int:
    """Print an error, its first line marked as one; returns the exit code."""
    line = "\n  ".join(" ".join(hidden(part).split()) for part in message)
    line = printable(f"milan: error: {line}")
    if terminal:
        print(line, file=terminal, flush=True)
    with contextlib.suppress(OSError):  # the log may lie on the disk that is full
        print(line, file=sys.stderr, flush=True)
    return code
