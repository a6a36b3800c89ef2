"""The segmented index with every segment on a device: FAISS on the CPU in its place, and a real one."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from index.codecs import CODECS
from index.gpu.engine import CudaEngine, Engine
from index.segmented import SegmentedIndex
from support.devices import CpuEngine, prompt_accelerator
from support.indexes import INSTALLATION, MODEL_ID, TINY, Backend


def on_device(make_engine: Callable[[], Engine], codec: str, exact_below: int = 100_000) -> Backend:
    """The segmented index with a codec, in tiny steps, its segments on a device."""
    options = replace(TINY, codec=codec, exact_below=exact_below)

    def make(dimension: int, folder: Path) -> SegmentedIndex:
        return SegmentedIndex(
            dimension,
            folder,
            options,
            model_id=MODEL_ID,
            installation=INSTALLATION,
            background=False,
            accelerator=prompt_accelerator(make_engine),
        )

    def reopen(dimension: int, folder: Path) -> SegmentedIndex:
        accelerator = prompt_accelerator(make_engine)
        return SegmentedIndex.open(
            dimension, folder, MODEL_ID, INSTALLATION, options, background=False, accelerator=accelerator
        )

    complete = exact_below > 0 or not CODECS[codec].approximate
    return Backend(make, CODECS[codec].held, complete=complete, reopen=reopen)


def _backends(make_engine: Callable[[], Engine], name: str) -> dict[str, Backend]:
    return {
        f"sq8-on-{name}": on_device(make_engine, "sq8"),
        f"rabitq-approximate-on-{name}": on_device(make_engine, "rabitq", exact_below=0),
    }


DEVICE_BACKENDS = _backends(CpuEngine, "cpu-as-device")

GPU_BACKENDS = _backends(partial(CudaEngine, 0), "gpu")
"""What needs a CUDA device."""
