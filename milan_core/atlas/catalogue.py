"""The catalogue of an atlas: one row a unit, as CSV, JSON and, where pyarrow is here, Parquet.

Columns are those of `Row`, whose JSON schema is written beside the catalogue. The atlas itself is
read, so any atlas or pack can be exported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from milan_core.atlas.chunks import read_chunk
from milan_core.atlas.sheets import Sheets
from milan_core.core.files import atomic_path, write_bytes, write_csv, write_json
from milan_core.core.packages import optional

SHOWN = 5  # exemplars of the picture column
SHEET = 15  # of a contact sheet
SCHEMA = "units.schema.json"


class Row(BaseModel):
    """One unit; an empty text or null stands for what is not known."""

    network: str
    layer: str
    unit: int
    description: str = Field(description="The published text; empty where the unit shows nothing")
    status: str = Field(description="Whether the description is reliable, or why there is none")
    confidence: float | None = Field(description="Estimated probability that it is right")
    correlation: float | None = Field(description="Held out, by the first judge that scored it")
    correlation_low: float | None
    correlation_high: float | None
    auprc: float | None = Field(description="Lift of the average precision: 0 chance, 1 perfect")
    logp: float | None = Field(description="log p(d|E)")
    logp_lm: float | None = Field(description="log p(d)")
    concept: str = Field(description="The known concept, where there is a specific one")
    verdict: str = Field(description="names, misses, or open where nothing can be judged")
    said: dict[str, str] = Field(description="Texts by describer")
    images: list[int] = Field(description="Numbers of its exemplars in the data set, best first")
    neighbors: list[str] = Field(description="Units that act alike, as layer:unit, nearest first")


def schema() -> dict[str, Any]:
    """The JSON schema of units.json."""
    return {"type": "array", "items": Row.model_json_schema()}


def rows(atlas: Path) -> Iterator[Row]:
    """Every unit of every network of an atlas."""
    run = read_chunk(atlas, "run")
    for net in run["networks"]:
        yield from _rows_of(atlas, run, net)


def _rows_of(atlas: Path, run: Mapping[str, Any], net: Mapping[str, Any]) -> Iterator[Row]:
    size, block = run["sizes"]["index"], run["sizes"]["block"]
    index = _joined(atlas, net["slug"], -(-net["units"] // size))
    layers = [layer["name"] for layer in net["layers"]]
    keys = [(layers[at], unit) for at, unit in zip(index["layer"], index["unit"], strict=True)]
    for start in range(0, net["units"], block):
        more = read_chunk(atlas, f"{net['slug']}/more-{start // block}")
        shown = read_chunk(atlas, f"{net['slug']}/shown-{start // block}")
        for place, (details, exemplars) in enumerate(zip(more, shown, strict=True), start):
            layer, unit = keys[place]
            yield Row(
                network=net["name"],
                layer=layer,
                unit=unit,
                description=index["text"][place],
                status=index["status"][place],
                confidence=index["confidence"][place],
                correlation=index["corr"][place],
                correlation_low=index["corrLow"][place],
                correlation_high=index["corrHigh"][place],
                auprc=index["auprc"][place],
                logp=index["logp"][place],
                logp_lm=index["prior"][place],
                concept=index["concept"][place],
                verdict=index["verdict"][place],
                said={name: one[0] for name, one in details.get("said", {}).items()},
                images=[image for image in exemplars["n"] if image >= 0],
                neighbors=[
                    f"{keys[other][0]}:{keys[other][1]}" for other, _ in details.get("near", ())
                ],
            )


def _joined(atlas: Path, slug: str, chunks: int) -> dict[str, list[Any]]:
    """The columns of a network's index."""
    table: dict[str, list[Any]] = {}
    for number in range(chunks):
        for name, values in read_chunk(atlas, f"{slug}/index-{number}").items():
            table.setdefault(name, []).extend(values)
    return table


def write_catalogue(atlas: Path, out: Path, parquet: bool) -> list[str]:
    """Write units.csv, units.json with its schema and, with `parquet`, units.parquet.

    Raises:
        UserError: for Parquet without pyarrow.

    """
    table = list(rows(atlas))
    columns = [name for name in Row.model_fields if name != "said"]
    others = sorted({name for row in table for name in row.said})
    header = [*columns, *(f"said_{name}" for name in others)]
    cells = (
        [_cell(getattr(row, name)) for name in columns]
        + [row.said.get(name, "") for name in others]
        for row in table
    )
    write_csv(out / "units.csv", header, cells)
    write_json(out / "units.json", [row.model_dump() for row in table])
    write_json(out / SCHEMA, schema())
    written = ["units.csv", "units.json", SCHEMA]
    if parquet:
        _write_parquet(table, atlas, out / "units.parquet")
        written.append("units.parquet")
    return written


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else value


def require_parquet() -> None:
    """Refuse to write Parquet without pyarrow; raises `UserError`."""
    optional("pyarrow", "parquet", "to write units.parquet")


def _write_parquet(table: Sequence[Row], atlas: Path, path: Path) -> None:
    """Rows as columns; `said` as JSON, `image` as WebP bytes that viewers of data sets show."""
    require_parquet()
    import json

    import pyarrow as pa
    from pyarrow import parquet

    sheets = Sheets(atlas, read_chunk(atlas, "run"))
    columns: dict[str, Any] = {
        name: [getattr(row, name) for row in table] for name in Row.model_fields if name != "said"
    }
    columns["said"] = [json.dumps(row.said, ensure_ascii=False) for row in table]
    columns["image"] = [
        {"bytes": sheets.of(row.network, row.images[:SHOWN]), "path": None} for row in table
    ]
    features = {"image": {"_type": "Image"}}
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    with atomic_path(path) as temporary:
        parquet.write_table(pa.table(columns).replace_schema_metadata(about), temporary)


def write_sheets(atlas: Path, out: Path) -> int:
    """Write `sheets/NETWORK/LAYER-UNIT.webp`, the strongest images of every unit; returns how many.

    Names are encoded as everywhere (`core.names`).
    """
    from milan_core.core.names import file_name

    sheets, count = Sheets(atlas, read_chunk(atlas, "run")), 0
    for row in rows(atlas):
        if data := sheets.of(row.network, row.images[:SHEET]):
            name = f"{file_name(row.layer)}-{row.unit}.webp"
            write_bytes(out / "sheets" / file_name(row.network) / name, data)
            count += 1
    return count
