"""The built-in networks as a table: what `milan networks list` prints and docs/models.md shows."""

from __future__ import annotations

from collections.abc import Callable

from milan_core.core.progress import tracked
from milan_core.networks.catalog import network_entry, network_names

Shapes = dict[str, tuple[int, ...]]
HEADER = ("name", "layers", "units", "map sides", "input", "data set", "weights")


def layer_shapes(name: str) -> Shapes:
    """Shape (C, h, w) of each layer of a built-in network, found without computing a number."""
    import torch

    from milan_core.networks.trace import Trace
    from milan_core.networks.zoo import load_network

    shapes: Shapes = {}
    with torch.device("meta"):
        network = load_network(name, weights={"source": "random"})

        def keep(layer: str, tensor: torch.Tensor) -> None:
            shapes[layer] = tuple(network.layout.maps(tensor, layer)[0].shape[1:])

        batch = torch.zeros(2, *network.input.shape())
        if network.input.kind == "latents":
            batch = torch.zeros(2, int(network.module.code_size) + 1)  # type: ignore[arg-type]
        with torch.no_grad(), Trace(network.module, network.layers, keep) as trace:
            trace(batch)
    return shapes


def table(shapes: Callable[[str], Shapes] | None = None) -> str:
    """A Markdown table with a row for each network; units and sides only with `shapes`."""
    columns = [i for i, title in enumerate(HEADER) if shapes or title not in ("units", "map sides")]
    lines = ["| " + " | ".join(HEADER[i] for i in columns) + " |", "|" + "---|" * len(columns)]
    for name in tracked(network_names(), "shapes", "network"):
        row = _row(name, shapes(name) if shapes else {})
        lines.append("| " + " | ".join(row[i] for i in columns) + " |")
    return "\n".join(lines)


def _row(name: str, shapes: Shapes) -> tuple[str, ...]:
    entry = network_entry(name)
    view = entry.get("input") or {}
    size = view.get("size", 224)
    weights = entry["weights"]
    where = weights.get("url") or f"by hand: {weights['obtain'].split(',')[0]}"
    sides = sorted({shape[-1] for shape in shapes.values()}, reverse=True)
    return (
        f"`{name}`",
        ", ".join(f"`{layer}`" for layer in entry["layers"]),
        f"{sum(shape[0] for shape in shapes.values()):,}".replace(",", " "),
        ", ".join(map(str, sides)),
        "latent codes" if view.get("kind") == "latents" else f"{size} px",
        f"`{entry['dataset']}`",
        where.partition("://")[2].partition("/")[0] if "://" in where else where,
    )
