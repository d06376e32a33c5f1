"""An automatic second opinion on matching units, for images without ground truth.

A detector finds faces in each exemplar; the opinion is the share of exemplars in which a detected
face covers enough of the unit's mask. It is weak: on the embedded portraits the detector finds
about four faces in ten and hardly ever one where there is none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from milan_core.core.packages import optional
from milan_core.core.units import UnitKey
from milan_core.exemplars.store import ExemplarSet

MASK_SHARE = 0.25  # of an exemplar's mask inside a detected box, for the exemplar to count
SIDE = 256  # images are enlarged to this before detection
SMALLEST = 0.25  # of the image's side, for a face

Boxes = np.ndarray  # float [n, 4]: top, left, bottom, right as shares of the image
Detector = Callable[[np.ndarray], Boxes]


@functools.cache
def _cascade() -> object:
    data = optional("skimage.data", "workflow", "to detect faces")
    feature = optional("skimage.feature", "workflow", "to detect faces")
    return feature.Cascade(data.lbp_frontal_face_cascade_filename())


def find_faces(image: np.ndarray) -> Boxes:
    """Boxes of the frontal faces in an image uint8 (H, W, 3), by scikit-image's LBP cascade."""
    from PIL import Image

    large = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    smallest = round(SMALLEST * SIDE)
    detections = _cascade().detect_multi_scale(  # type: ignore[attr-defined]
        img=large,
        scale_factor=1.2,
        step_ratio=1,
        min_size=(smallest, smallest),
        max_size=(SIDE, SIDE),
    )
    boxes = [(b["r"], b["c"], b["r"] + b["height"], b["c"] + b["width"]) for b in detections]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4) / SIDE


DETECTORS: dict[str, Detector] = {"face": find_faces}


def covered(mask: np.ndarray, boxes: Boxes) -> float:
    """The largest share of a mask, bool (S, S), that one box covers; 0 for an empty mask."""
    total = int(mask.sum())
    if total == 0:
        return 0.0
    side = len(mask)
    corners = np.clip(np.rint(boxes * side), 0, side).astype(int)
    return max((mask[t:b, left:r].sum() / total for t, left, b, r in corners), default=0.0)


def opinions(
    exemplars: ExemplarSet,
    images: np.ndarray,
    units: Sequence[UnitKey],
    detector: Detector,
    boxes: dict[int, Boxes] | None = None,
) -> dict[UnitKey, float]:
    """Share of each unit's exemplars in which a detected box covers enough of the mask.

    `images` are those the exemplars were mined in, uint8 (N, H, W, 3). `boxes` keeps the detections
    by image id, for this call and the next.
    """
    boxes = {} if boxes is None else boxes
    shares = {}
    for layer, unit in units:
        ids = exemplars.ids(layer)[unit]
        masks = exemplars.masks(layer, images.shape[1], units=[unit])[0]
        hits = 0
        for index, image in enumerate(ids.tolist()):
            if image < 0:
                continue
            if image not in boxes:
                boxes[image] = detector(np.asarray(images[image]))
            hits += covered(masks[index], boxes[image]) >= MASK_SHARE
        shares[layer, unit] = hits / max(int((ids >= 0).sum()), 1)
    return shares
