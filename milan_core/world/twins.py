"""Counterfactual pairs of data sets: the scenes of another data set, with one thing changed.

    people_blurred: {kind: stickers, twin_of: people_sharp, options: {blur_faces: true}}

A twin takes seed, assets and options of its original. Of the options it may change only those that
leave everything else of each scene as it was, so that the difference between the two is known.
"""

from __future__ import annotations

from collections.abc import Mapping

from milan_core.core.errors import UserError, unknown
from milan_core.core.options import parse
from milan_core.images.kind import DatasetKind
from milan_core.images.kinds.composed import Composed

CHANGES = ("style", "blur_faces", "noise", "p_text", "text", "text_size", "p_tint", "tint")


def resolved_twin(name: str, zoo: Mapping[str, DatasetKind]) -> DatasetKind:
    """The entry of `name`; of a twin, the original's with the options that the twin gives.

    Raises:
        UserError: for a twin of nothing, of another twin or kind, and for changes of scenes.

    """
    twin = zoo[name]
    if not isinstance(twin, Composed) or twin.twin_of is None:
        return twin
    where = f"config: dataset_zoo.{name}"
    original = _original(twin, twin.twin_of, zoo, where)
    given = {key: getattr(twin.options, key) for key in twin.options.model_fields_set}
    for key, value in given.items():
        if key not in CHANGES and value != getattr(original.options, key):
            raise UserError(
                f"{where}.options: {key!r} would change the scenes; a twin may change "
                f"{', '.join(CHANGES)}"
            )
    merged = {**original.options.model_dump(exclude_unset=True), **given}
    options = parse(type(original.options), merged, f"{where}.options")
    return original.model_copy(update={"options": options, "twin_of": twin.twin_of})


def _original(twin: Composed, name: str, zoo: Mapping[str, DatasetKind], where: str) -> Composed:
    if name not in zoo:
        raise unknown("data set", name, zoo, f"{where}.twin_of")
    original = zoo[name]
    if not isinstance(original, Composed) or original.kind != twin.kind:
        raise UserError(
            f"{where}: a twin needs the kind of its original; got {twin.kind!r} for the twin and "
            f"{original.kind!r} for {name!r}"
        )
    if original.twin_of is not None:
        raise UserError(
            f"{where}.twin_of: {name!r} is itself a twin of {original.twin_of!r}; name "
            f"{original.twin_of!r} here"
        )
    given = twin.model_fields_set & {"seed", "assets"}
    if any(getattr(twin, key) != getattr(original, key) for key in given):
        raise UserError(f"{where}: a twin takes seed and assets of {name!r}; leave them out")
    return original
