"""Words for running out of memory, which torch reports in three ways."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from model.training.errors import TrainingError

_CPU = ("can't allocate memory", "not enough memory")


@contextmanager
def memory_explained() -> Iterator[None]:
    """Turn what torch and Python raise where memory runs out into a TrainingError."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _explained(error) from error
    except RuntimeError as error:
        if not any(words in str(error) for words in _CPU):
            raise
        raise _explained(error) from error


def _explained(error: BaseException) -> TrainingError:
    reason = str(error).partition("\n")[0] or "no more is to be had"
    return TrainingError(
        f"Memory ran out ({reason}): cut the batches with --accumulate, take --precision bf16-mixed, or fewer "
        "--workers. What was saved before stays."
    )
