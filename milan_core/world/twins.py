"""Twin data sets: the scenes of another data set, with one thing changed.

    people_blurred: {kind: stickers, twin_of: people_sharp, options: {blur_faces: true}}

A twin takes the seed, the assets and the options of its original. It may change only options that
leave everything else of each scene as it was, so that what differs between the two is known.
"""

from __future__ import annotations

from milan_core.core.errors import UserError, unknown
from milan_core.images.spec import DatasetSpec

CHANGES = ("style", "blur_faces", "noise", "p_text", "text", "text_size", "p_tint", "tint")
WORLDS = ("stickers", "shapes")


def resolve_twins(zoo: dict[str, DatasetSpec]) -> dict[str, DatasetSpec]:
    """The catalogue with every twin spelt out; raises `UserError` for one that cannot be."""
    return {name: _resolve(name, spec, zoo) for name, spec in zoo.items()}


def _resolve(name: str, spec: DatasetSpec, zoo: dict[str, DatasetSpec]) -> DatasetSpec:
    if spec.twin_of is None:
        return spec
    where = f"config: dataset_zoo.{name}"
    if spec.twin_of not in zoo:
        raise unknown("data set", spec.twin_of, zoo, f"{where}.twin_of")
    original = zoo[spec.twin_of]
    if original.twin_of is not None:
        raise UserError(
            f"{where}.twin_of: {spec.twin_of!r} is itself a twin of {original.twin_of!r}; "
            f"name {original.twin_of!r} here"
        )
    if spec.kind != original.kind or spec.kind not in WORLDS:
        raise UserError(
            f"{where}: a twin needs the kind of its original, stickers or shapes; got "
            f"{spec.kind!r} for the twin and {original.kind!r} for {spec.twin_of!r}"
        )
    if set(spec.model_fields_set) & {"seed", "assets"}:
        raise UserError(
            f"{where}: a twin takes seed and assets of {spec.twin_of!r}; leave them out"
        )
    for key in spec.options:
        if key not in CHANGES:
            raise UserError(
                f"{where}.options: {key!r} would change the scenes; a twin may change "
                f"{', '.join(CHANGES)}"
            )
    return original.model_copy(
        update={"options": {**original.options, **spec.options}, "twin_of": spec.twin_of}
    )
