"""Which crops make which batch: P x K batches of an epoch, drawn from a seed, cut for accumulation and devices."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pytorch_metric_learning.samplers import MPerClassSampler
from pytorch_metric_learning.utils import common_functions
from torch.utils.data import Sampler

from model.training.errors import TrainingError
from model.training.recipe import Recipe
from model.training.seeds import seed_of


class Draw(NamedTuple):
    """One crop's place in a run; all that is random about the crop follows from the recipe's seed and this.

    Attributes:
        epoch: From 1.
        place: Position in the epoch.
        crop: Position in the list learned from.
    """

    epoch: int
    place: int
    crop: int


class EpochBatches:
    """The batches of an epoch, the same whenever and wherever they are drawn.

    Args:
        labels: Class of each crop of the list, shape (N,).
        recipe: Batch shape, epoch length and seed.

    Attributes:
        steps: Batches in one epoch.

    Raises:
        TrainingError: The list shows fewer identities than a batch takes.
    """

    def __init__(self, labels: NDArray[np.int64], recipe: Recipe) -> None:
        self._labels = labels
        self._recipe = recipe
        identities = len(np.unique(labels))
        if identities < recipe.identities_per_batch:
            raise TrainingError(
                f"A batch of recipe {recipe.name} takes {recipe.identities_per_batch} vehicles, and the list shows "
                f"{identities}: lower identities_per_batch."
            )
        batch, each = recipe.crops_per_batch, recipe.crops_per_identity
        if recipe.epoch_length == "images":
            self._once = max(len(labels) // batch, 1) * batch
            self.steps = self._once // batch
        else:
            self._once = identities * each
            # A last batch of one identity would have no negatives.
            self.steps = -(-(self._once - each) // batch)

    def of(self, epoch: int) -> list[NDArray[np.int64]]:
        """Positions in the list of each batch's crops, K crops of an identity in a row."""
        recipe = self._recipe
        # Without a batch size the sampler goes through all identities, in a new order each time, K crops of each in a
        # row: cut into batches this is P x K without leaving an identity out.
        batch = recipe.crops_per_batch if recipe.epoch_length == "images" else None
        sampler = MPerClassSampler(self._labels, recipe.crops_per_identity, batch, self._once)
        before = common_functions.NUMPY_RANDOM
        common_functions.NUMPY_RANDOM = np.random.RandomState(seed_of(recipe.seed, epoch) % 2**32)
        try:
            order = np.fromiter(sampler, dtype=np.int64)
        finally:
            common_functions.NUMPY_RANDOM = before
        return [
            order[start : start + recipe.crops_per_batch]
            for start in range(0, self.steps * recipe.crops_per_batch, recipe.crops_per_batch)
        ]

    def micro_sizes(self, step: int, accumulate: int) -> list[int]:
        """Crops in each micro-batch of a step, counted from 0."""
        each, batch = self._recipe.crops_per_identity, self._recipe.crops_per_batch
        size = min(batch, self._once - step * batch)
        return [count * each for count in shares(size // each, accumulate)]

    def need_cut(self, accumulate: int, ranks: int) -> None:
        """Refuse a cut that leaves a micro-batch without negatives, or a device without statistics.

        Raises:
            TrainingError: A micro-batch would hold fewer than two identities, or a device fewer than two of its crops.
        """
        each, batch = self._recipe.crops_per_identity, self._recipe.crops_per_batch
        least = min(batch, self._once - (self.steps - 1) * batch)
        identities = least // each // accumulate
        if identities < 2:  # noqa: PLR2004 - to tell apart takes two
            raise TrainingError(
                f"The smallest batch has {least // each} vehicles; in {accumulate} micro-batches some would have fewer "
                "than two, and nothing to be told apart from: accumulate over fewer."
            )
        if identities * each // ranks < 2:  # noqa: PLR2004 - BatchNorm needs a spread
            raise TrainingError(
                f"A micro-batch has {identities * each} crops, fewer than two for each of {ranks} devices: "
                "use fewer devices, or larger batches."
            )


def micro_batches(batch: NDArray[np.int64], each: int, accumulate: int) -> list[NDArray[np.int64]]:
    """Cut a batch into parts of whole identities, as equal as can be.

    Args:
        batch: Positions in the list, `each` crops of an identity in a row.
        each: K.
        accumulate: Number of parts.
    """
    return [part.reshape(-1) for part in np.array_split(batch.reshape(-1, each), accumulate)]


def shares(count: int, ranks: int) -> list[int]:
    """How many of `count` crops each rank takes, in order; they differ by one at most."""
    return [count // ranks + (rank < count % ranks) for rank in range(ranks)]


class DrawSampler(Sampler[list[Draw]]):
    """Feeds a DataLoader with this rank's share of each micro-batch, from any step of an epoch on.

    Args:
        batches: The epoch's batches.
        each: K.
        accumulate: Micro-batches in a batch.
        rank: This process' number among `ranks`.
        ranks: Processes that share each micro-batch.
    """

    def __init__(self, batches: EpochBatches, each: int, accumulate: int, rank: int, ranks: int) -> None:
        self._batches, self._each, self._accumulate = batches, each, accumulate
        self._rank, self._ranks = rank, ranks
        self._epoch, self._first = 1, 0

    def start(self, epoch: int, step: int) -> None:
        """Let the next iteration begin with this step of this epoch."""
        self._epoch, self._first = epoch, step

    def __len__(self) -> int:
        return (self._batches.steps - self._first) * self._accumulate

    def __iter__(self) -> Iterator[list[Draw]]:
        place = 0
        for step, batch in enumerate(self._batches.of(self._epoch)):
            for part in micro_batches(batch, self._each, self._accumulate):
                counts = shares(len(part), self._ranks)
                mine = sum(counts[: self._rank])
                if step >= self._first:
                    own = range(mine, mine + counts[self._rank])
                    yield [Draw(self._epoch, place + offset, int(part[offset])) for offset in own]
                place += len(part)
