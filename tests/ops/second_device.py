"""A stream and a tensor of a second device, where there is none."""

import torch

from milan_core.ops import cuda
from ops import device_cases

DEVICE_ID_OFFSET = 12  # of a DLPack tensor


class Stream:
    """A stream that remembers what it was told to wait for."""

    cuda_stream = 0

    def __init__(self):
        self.waited = []

    def wait_stream(self, other):
        self.waited.append(other)


class OnSecondDevice(torch.Tensor):
    """A CPU tensor that says it is on the second device; exported as torch exports those."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    is_cuda = True
    device = torch.device("cuda", 1)
    recorded: list = []  # noqa: RUF012

    def record_stream(self, stream):
        self.recorded.append(stream)

    def __dlpack_device__(self):
        return (cuda.DEVICE_TYPE, 1)

    def __dlpack__(self, *, stream=None, max_version=None):
        if cuda.kernels().current_device() != 1:
            message = "Can't export tensors on a different CUDA device index. Expected: 1."
            raise BufferError(message)
        capsule = self.as_subclass(torch.Tensor).__dlpack__()
        pointer = device_cases.CAPSULE_POINTER(capsule, b"dltensor")
        device_cases.ctypes.c_int32.from_address(pointer + DEVICE_ID_OFFSET).value = 1
        return capsule
