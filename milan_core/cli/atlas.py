"""`milan atlas`: a browser of units that is one folder, and packs of it to share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milan_core.cli.common import recorded_flags, stage, verb
from milan_core.core.numbers import counted

if TYPE_CHECKING:
    from milan_core.atlas.files import NetworkFiles


def register(subparsers: Any) -> None:
    """Add the command."""
    verbs = stage(subparsers, "atlas", "atlas: a browser of units that is one folder")
    parser = verb(
        verbs,
        "build",
        "write the atlas of a finished run, or of a folder of milan describe",
        "milan atlas build results -o atlas",
        _build,
    )
    _add_run(parser)
    parser = verb(
        verbs,
        "pack",
        "an atlas to share: with a catalogue of the units, a card, and a record of every file",
        "milan atlas pack results -o pack",
        _pack,
    )
    _add_run(parser)
    parser.add_argument(
        "--parquet", action="store_true", help="write units.parquet too (needs pyarrow)"
    )
    parser.add_argument(
        "--sheets", action="store_true", help="write a contact sheet of every unit too"
    )
    parser = verb(
        verbs,
        "open",
        "compare an atlas or a pack with its record, and open it in the browser",
        "milan atlas open pack",
        _open,
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--print", action="store_true", help="print the address only")
    parser = verb(
        verbs,
        "import",
        "texts of others as one more describer: a CSV table, or a pack",
        "milan atlas import atlas theirs.csv --name theirs -o atlas2",
        _import,
    )
    parser.add_argument("folder", type=Path, help="an atlas or a pack; it stays as it is")
    parser.add_argument(
        "table", type=Path, help="CSV with layer, unit, description (and network); or a pack"
    )
    parser.add_argument("--name", required=True, help="of the describer")
    parser.add_argument("--network", default="", help="of a table without a column of it")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the new atlas")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders with results")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder that is written")
    parser.add_argument("--title", default="Descriptions of neurons", help="heading")
    parser.add_argument("--notice", default="", help="a sentence for every page")
    parser.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        help="folder of a data set, or of several, where the probe images lie; repeatable",
    )
    parser.add_argument(
        "--network", action="append", default=[], help="only this network; repeatable"
    )


def _networks(arguments: argparse.Namespace) -> Sequence[NetworkFiles]:
    """The networks that were asked for."""
    from milan_core.atlas.found import find_networks
    from milan_core.core.errors import unknown

    networks = [one for run in arguments.runs for one in find_networks(run, arguments.images)]
    names = [one.name for one in networks]
    for name in arguments.network:
        if name not in names:
            raise unknown("network", name, names, "--network")
    return [one for one in networks if not arguments.network or one.name in arguments.network]


def _write(arguments: argparse.Namespace, name: str, *, extras: bool) -> None:
    """Build the atlas of the runs, with the files of a pack where `extras` says so."""
    from milan_core.atlas.build import AtlasFiles, Heading, build_atlas
    from milan_core.atlas.catalogue import write_sheets
    from milan_core.atlas.found import find_records, find_sections
    from milan_core.atlas.pack import write_extras
    from milan_core.core.folders import new_folder
    from milan_core.core.identity import step_code
    from milan_core.core.recording import recorded_command
    from milan_core.core.records import NAME

    networks = _networks(arguments)
    files = AtlasFiles(
        networks,
        sections=[path for run in arguments.runs for path in find_sections(run)],
        records=[path for run in arguments.runs for path in find_records(run)],
    )
    inputs = list(dict.fromkeys(path for one in networks for _, path in one.roles()))
    code, flags = step_code("atlas.build:build_atlas"), recorded_flags(arguments)
    flags = {key: [*map(str, v)] if isinstance(v, list) else v for key, v in flags.items()}
    with (
        new_folder(arguments.out) as out,
        recorded_command(name, out / NAME, inputs=inputs, options=flags, code=code) as record,
    ):
        counts = build_atlas(files, out, Heading(arguments.title, arguments.notice))
        record |= counts
        if extras:
            write_extras(out, out, arguments.parquet)
        if extras and arguments.sheets:
            write_sheets(out, out)
    print(
        f"{arguments.out / 'index.html'}: {counted(counts['networks'], 'network')}, "
        f"{counted(counts['units'], 'unit')}, {counted(counts['images'], 'image')}"
    )


def _build(arguments: argparse.Namespace) -> None:
    _write(arguments, "atlas build", extras=False)


def _pack(arguments: argparse.Namespace) -> None:
    from milan_core.atlas.catalogue import require_parquet

    if arguments.parquet:
        require_parquet()
    _write(arguments, "atlas pack", extras=True)


def _open(arguments: argparse.Namespace) -> None:
    """Open the page; every command has compared a folder that it is given with its record."""
    import webbrowser

    from milan_core.atlas.chunks import read_chunk

    run = read_chunk(arguments.folder, "run")
    address = (arguments.folder / "index.html").resolve().as_uri()
    found = counted(run["counts"]["units"], "unit"), counted(len(run["networks"]), "network")
    print(f"{' of '.join(found)}: {address}")
    if not arguments.print:
        webbrowser.open(address)


def _import(arguments: argparse.Namespace) -> None:
    import shutil

    from milan_core.atlas.chunks import read_chunk
    from milan_core.atlas.imported import add_describer, read_texts
    from milan_core.core.folders import new_folder
    from milan_core.core.identity import step_code
    from milan_core.core.names import check_links
    from milan_core.core.recording import recorded_command
    from milan_core.core.records import NAME

    check_links(arguments.folder, "a link in an atlas,")
    read_chunk(arguments.folder, "run")
    texts = read_texts(arguments.table, arguments.network)
    flags, code = recorded_flags(arguments), step_code("atlas.imported:add_describer")
    inputs = [arguments.folder, arguments.table]
    with (
        new_folder(arguments.out) as out,
        recorded_command("atlas import", out / NAME, inputs=inputs, options=flags, code=code),
    ):
        left_out = shutil.ignore_patterns(NAME, "units.*", "sheets")
        shutil.copytree(arguments.folder, out, dirs_exist_ok=True, ignore=left_out)
        added = add_describer(out, arguments.name, texts)
    for network, count in added.items():
        print(f"{arguments.out / 'index.html'}: {count} texts by {arguments.name} of {network}")
