"""Facts of the zoo's scenes in the format of data sets, and back.

A scene is a list of things as in every world (`images.store`): first its ground, then its things,
of which the first gives the scene its class, then the watermark. Further keys hold the facts:
`tone` of the ground; `size`, `column`, `row`, `x`, `y` of a thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from milan_core.core.errors import reading
from milan_core.world.lexicon import load_lexicon
from milan_core.world.zoo.facts import Scene, Thing

Stored = list[dict[str, str]]
WORD = "watermark"


def stored_scene(scene: Scene, ground: str) -> Stored:
    """The scene as a list of things; `ground` is the name of its ground's color."""
    objects = load_lexicon("shapes").objects
    kept: Stored = [
        {
            "kind": "background",
            "name": scene.surface,
            "group": "background",
            "colour": ground,
            "tone": scene.tone,
        }
    ]
    for place, thing in enumerate(scene.things):
        kind = "object" if place else "main"
        places = {key: str(getattr(thing, key)) for key in ("size", "column", "row", "x", "y")}
        group = objects[thing.shape].group
        named = {"kind": kind, "name": thing.shape, "group": group, "colour": thing.color}
        kept.append({**named, **places})
    if scene.mark:
        kept.append({"kind": "text", "name": WORD, "group": "text", "colour": "white"})
    return kept


def scene_facts(stored: Sequence[Mapping[str, str]], number: int) -> Scene:
    """The facts of a stored scene; its seed, which decides exact tints, is not stored.

    Raises:
        UserError: for a scene of another world.

    """
    with reading(f"scene {number}", "a scene of the zoo", "build the data set again"):
        ground, *others = stored
        things = tuple(
            Thing(
                one["name"],
                one["colour"],
                one["size"],
                *(int(one[key]) for key in ("column", "row", "x", "y")),
            )
            for one in others
            if one["kind"] in ("main", "object")
        )
        mark = any(one["kind"] == "text" for one in others)
        return Scene(things, ground["tone"], ground["name"], mark, number, 0)
