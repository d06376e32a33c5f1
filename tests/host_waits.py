"""Operations for which a host waits for a GPU, found among those that run on the CPU instead."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Their results, or the sizes of their results, are known once the device has made them.
WAITING = {
    *("_local_scalar_dense", "nonzero", "masked_select", "equal", "bincount"),
    *("_unique2", "unique_dim", "unique_consecutive", "repeat_interleave.Tensor"),
}


class HostWaits(TorchDispatchMode):
    """Within the block, `found` collects the names of such operations.

    A tensor of booleans as an index counts too, since its places have to be counted first. Copies
    are not seen, since on the CPU there are none; nor is anything under `torch.inference_mode`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        full = f"{name}.{func._overloadname}"
        if name in WAITING or full in WAITING:
            self.found.append(name)
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            places = [index for index in args[1] if isinstance(index, torch.Tensor)]
            if any(index.dtype in (torch.bool, torch.uint8) for index in places):
                self.found.append(f"{name} of booleans")
        return func(*args, **(kwargs or {}))
