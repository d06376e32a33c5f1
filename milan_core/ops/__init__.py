"""The native operations and their NumPy reference; nothing here needs torch.

`ScanState` collects the statistics of a layer, `masks` and its companions turn maps into packed
masks, `beam_topk` is one step of beam search and `recurrent` the rest of a decoding step,
`exact_levels` gives exact float32 quantiles of values held in memory, `bin_edges` the range of a
histogram bin, `facts` says what the native core can do here.
"""

from milan_core.ops.beam import beam_topk
from milan_core.ops.capabilities import facts
from milan_core.ops.masking import (
    area_weights,
    mask_areas,
    mask_combine,
    mask_counts,
    mask_overlap,
    masks,
    pack_masks,
    pool_masks,
    unpack_masks,
)
from milan_core.ops.reference import bin_edges, exact_levels
from milan_core.ops.scan import ScanState

__all__ = [
    "ScanState",
    "area_weights",
    "beam_topk",
    "bin_edges",
    "exact_levels",
    "facts",
    "mask_areas",
    "mask_combine",
    "mask_counts",
    "mask_overlap",
    "masks",
    "pack_masks",
    "pool_masks",
    "unpack_masks",
]
