"""Which device helps to search, by the name that settings give it."""

import logging
import re
from functools import partial
from typing import Final

from index.gpu.accelerator import Accelerator
from index.gpu.engine import CudaEngine, devices

logger = logging.getLogger(__name__)

CPU: Final = "cpu"
AUTO: Final = "auto"
_CUDA: Final = re.compile(r"cuda:(\d{1,3})")


def device_number(device: str) -> int | None:
    """Which CUDA device a name asks for; None for the CPU. "auto" asks for the first.

    Raises:
        ValueError: It is no name of a device.
    """
    if device == CPU:
        return None
    if device == AUTO:
        return 0
    if (named := _CUDA.fullmatch(device)) is None:
        raise ValueError(f"There is no device {device!r}; choose cpu, auto or cuda:N, the N-th CUDA device from 0.")
    return int(named[1])


def accelerator_for(device: str, memory_bytes: int) -> Accelerator | None:
    """The accelerator that a name asks for; None where the CPU searches alone.

    Where a device was asked for by number and is not there, a warning says so.

    Args:
        device: "cpu", "auto" or "cuda:N".
        memory_bytes: How much of the device's memory to take.

    Raises:
        ValueError: It is no name of a device.
    """
    number = device_number(device)
    if number is None:
        return None
    if number < (there := devices()):
        return Accelerator(partial(CudaEngine, number), f"cuda:{number}", memory_bytes)
    if device != AUTO:
        logger.warning(
            "The index was to search on %s, but FAISS finds %d CUDA devices, so the CPU searches alone. Install the"
            " extra gpu, whose FAISS takes the place of faiss-cpu, or set CLIP_SENET_INDEX_DEVICE=cpu.",
            device,
            there,
        )
    return None
