"""Training crops, from memory or from their files, varied anew each time they are seen."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from model.datasets import Crops
from model.errors import ModelError
from model.resizing import resize_crop
from model.training.augmentation import build_augmentation
from model.training.batches import Draw, DrawSampler
from model.training.errors import TrainingError
from model.training.losses import Batch
from model.training.recipe import Augmentation
from model.training.seeds import seed_of

_MOST_WORKERS = 8
_DEATH_SECONDS = 5
Sample = tuple[Tensor, int, int]


class TrainingCrops(Dataset[Sample]):
    """The crops of a list as samples: image, class, position in the list.

    Args:
        crops: The labelled crops.
        size: Side of the network's square input in pixels.
        augmentation: How a crop is varied.
        seed: Of every random choice; what is done to a crop follows from the seed and its `Draw` alone, whichever
            process does it and whatever was done before.
        budget: Bytes that the resized crops may take in memory; where they take more they are read each time.

    Attributes:
        labels: Class of each crop, shape (N,).
        in_memory: Whether the resized crops are in memory.
    """

    def __init__(self, crops: Crops, size: int, augmentation: Augmentation, seed: int, budget: int) -> None:
        self._crops = crops
        self._size = size
        self._seed = seed
        self._vary = build_augmentation(augmentation, size)
        self.labels = crops.labels()
        self.in_memory = len(crops) * 3 * size * size <= budget
        self._images: Tensor | None = None
        if self.in_memory:
            images = torch.empty((len(crops), 3, size, size), dtype=torch.uint8)
            for crop in range(len(crops)):
                images[crop] = self._read(crop)
            self._images = images

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, draw: Draw) -> Sample:
        """One varied crop: float in [0, 1] of shape (3, size, size), its class, its position in the list."""
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would reach every device's generator too.
            torch.default_generator.manual_seed(seed_of(self._seed, draw.epoch, draw.place))
            image = self._vary(self.image(draw.crop))
        return image, int(self.labels[draw.crop]), draw.crop

    def image(self, crop: int) -> Tensor:
        """A crop as it is, resized: uint8, shape (3, size, size)."""
        return self._read(crop) if self._images is None else self._images[crop]

    def images(self, batch: int = 32) -> Iterator[Tensor]:
        """All crops as they are, in the list's order: uint8, shapes (at most `batch`, 3, size, size)."""
        for start in range(0, len(self), batch):
            yield torch.stack([self.image(crop) for crop in range(start, min(start + batch, len(self)))])

    def _read(self, crop: int) -> Tensor:
        pixels = resize_crop(self._crops.items[crop].open(), self._size)
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def build_loader(crops: TrainingCrops, sampler: DrawSampler, workers: int | None, *, gpu: bool) -> "DataLoader[Batch]":
    """Batches of varied crops in the sampler's order.

    Args:
        crops: The samples.
        sampler: Which of them, when.
        workers: Processes that read and vary crops; 0 does it in this one. None is one for each core up to 8, or 0
            where the crops are in memory and the network needs the cores itself.
        gpu: Whether a GPU takes the batches.
    """
    if workers is None:
        workers = 0 if crops.in_memory and not gpu else min(os.cpu_count() or 1, _MOST_WORKERS)
    loader: DataLoader[Any] = DataLoader(
        crops,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=gpu,
        persistent_workers=workers > 0,
        worker_init_fn=_leave_signals_to_the_run,
        # The loader would otherwise draw from the global generator at the start of every epoch.
        generator=torch.Generator(),
    )
    return loader


def read_batches(loader: "DataLoader[Batch]") -> Iterator[Batch]:
    """The loader's batches; what a worker says of a crop that it cannot read comes without the worker's traceback.

    Raises:
        DatasetError: A crop cannot be read.
        TrainingError: A worker was killed before its batch was fetched from it.
    """
    try:
        yield from loader
    except ModelError as error:
        raise type(error)(str(error).rpartition(f"{type(error).__name__}: ")[2].strip()) from error
    except (ConnectionError, EOFError) as error:
        # A worker that dies closes its connections before the signal of its death is sent.
        _await_a_death(loader)
        raise _killed(f"DataLoader worker: {error}") from error


@contextmanager
def deaths_of_workers() -> Iterator[None]:
    """Say in a sentence that a worker has died. torch raises it at the signal, wherever this process is just then.

    Raises:
        TrainingError: A worker was killed.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise _killed(str(error).partition("\n")[0]) from error


def end_workers(loader: "DataLoader[Batch]") -> None:
    """End the loader's processes.

    Python would end them by SIGTERM when it exits, which they leave to the run, and wait for them for ever.
    """
    iterator = loader._iterator  # noqa: SLF001 - torch ends workers when nothing refers to them, as a traceback does
    if isinstance(iterator, _MultiProcessingDataLoaderIter):
        iterator._shutdown_workers()  # noqa: SLF001


def _await_a_death(loader: "DataLoader[Batch]") -> None:
    """Until a worker has ended, so that what torch raises at its signal is raised here, not amid whatever follows."""
    iterator = loader._iterator  # noqa: SLF001 - as in `end_workers`
    if isinstance(iterator, _MultiProcessingDataLoaderIter):
        workers = iterator._workers  # noqa: SLF001
        ended = wait([worker.sentinel for worker in workers], timeout=_DEATH_SECONDS)
        for worker in workers:
            if worker.sentinel in ended:
                worker.join(_DEATH_SECONDS)


def _killed(said: str) -> TrainingError:
    return TrainingError(
        f"A process that reads crops was killed ({said}), as happens where memory or shared memory runs out: take "
        "fewer --workers, then go on with --resume."
    )


def _leave_signals_to_the_run(_worker: int) -> None:
    """Ctrl-C reaches the whole process group, and the step under way still needs its crops."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _collate(samples: list[Sample]) -> Batch:
    images, labels, crops = zip(*samples, strict=True)
    return Batch(
        torch.stack(images).contiguous(memory_format=torch.channels_last), torch.tensor(labels), torch.tensor(crops)
    )
