"""What a run ran on, in words for its card."""

import os
import platform
import resource
from importlib.metadata import version
from pathlib import Path

import torch
from lightning_fabric import Fabric

_PACKAGES = ("clip-senet-service", "torch", "torchvision", "timm", "open_clip_torch", "lightning-fabric")


def describe_machine(fabric: Fabric) -> str:
    """Processor, cores and threads, and the GPUs in use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = f"{_processor()}, {cores} cores, {torch.get_num_threads()} torch threads"
    if fabric.device.type == "cuda":
        return f"{fabric.world_size} x {torch.cuda.get_device_name(fabric.device)}; {words}"
    return f"{words}, no GPU" if fabric.world_size == 1 else f"{words}, {fabric.world_size} processes, no GPU"


def peak_memory(fabric: Fabric) -> int:
    """Most memory in use at once by this process so far, in bytes: of its GPU, or else of the machine."""
    if fabric.device.type == "cuda":
        return torch.cuda.max_memory_allocated(fabric.device)
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def versions() -> dict[str, str]:
    """Python and the libraries that the figures depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
