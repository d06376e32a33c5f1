"""`milan figures`: the figures of a run in one folder, as SVG or as PDF."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.core.contents import files_below
from milan_core.core.errors import UserError
from milan_core.core.numbers import counted

LARGEST = 16 * 2**20  # bytes of a figure; ours have less than 1 MB


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "figures",
        help="the figures of a run in one folder, as SVG or PDF",
        description="Copy every figure below RESULTS into a folder, named after its place there: "
        "as the SVG that the step drew, or as PDF with the same vectors and text.",
        epilog="example: milan figures results --format pdf --out figures",
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder of a run's results")
    parser.add_argument(
        "--format", choices=["svg", "pdf"], default="svg", help="pdf needs the extra `pdf`"
    )
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.set_defaults(run=_figures)


def _figures(arguments: argparse.Namespace) -> None:
    from milan_core.core.files import write_bytes
    from milan_core.core.folders import new_folder

    found = _found(arguments.results)
    kind = arguments.format
    with new_folder(arguments.out) as folder:
        for path in found:
            svg = path.read_bytes()
            content = svg if kind == "svg" else _pdf(path, svg)
            name = "-".join(path.relative_to(arguments.results).with_suffix("").parts)
            write_bytes(folder / f"{name}.{kind}", content)
    print(f"{arguments.out}: {counted(len(found), 'figure')}")


def _found(results: Path) -> list[Path]:
    """The figures of a run, without those that the atlas copied."""
    if not results.is_dir():
        raise UserError(f"{results}: no such folder; give the results of a run")
    inside = sorted(path for path in files_below(results) if path.suffix == ".svg")
    found = [path for path in inside if path.is_file() and not _of_a_page(path, results)]
    if not found:
        raise UserError(f"{results} holds no figure (.svg); run `snakemake report` first")
    large = [path for path in found if path.stat().st_size > LARGEST]
    if large:
        raise UserError(f"{large[0]}: {large[0].stat().st_size} bytes, at most {LARGEST} expected")
    return found


def _of_a_page(path: Path, results: Path) -> bool:
    return path.relative_to(results).parts[0] in ("atlas", "report")


def _pdf(path: Path, svg: bytes) -> bytes:
    """A figure as PDF; other files that it names are not opened."""
    from milan_core.core.packages import optional

    try:
        cairosvg = optional("cairosvg", "pdf", "to write figures as PDF")
    except OSError as error:  # the library behind it
        raise UserError(
            f"cairosvg does not load ({str(error).splitlines()[0]}); "
            "install cairo (Debian: libcairo2), or leave --format out"
        ) from None
    try:
        return bytes(cairosvg.svg2pdf(bytestring=svg))  # since 2.7 it opens no file and no address
    except Exception as error:  # what a parser of XML may raise is not listed anywhere
        raise UserError(f"{path} is not a figure of a run: {error}; run its step again") from None
