"""Every own reader with small good files for it, for the fuzzer and the corpus."""

from faults.readers import archives, arrays, documents, judged, networks, tables, tensors
from faults.readers.declare import READERS, Reader

__all__ = [
    "READERS",
    "Reader",
    "archives",
    "arrays",
    "documents",
    "judged",
    "networks",
    "tables",
    "tensors",
]
