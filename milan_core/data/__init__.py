"""Images to probe networks with, what is known about them, and descriptions made from that.

from milan_core.data import build_dataset, open_dataset
"""

from __future__ import annotations

from milan_core.data.build import KINDS, NEEDS, build_dataset
from milan_core.data.images import InputSpec
from milan_core.data.store import Dataset, open_dataset

__all__ = ["KINDS", "NEEDS", "Dataset", "InputSpec", "build_dataset", "open_dataset"]
