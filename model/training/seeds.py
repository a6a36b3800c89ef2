"""Seeds for what is random in a run, each from the recipe's seed and from where in the run it is drawn."""

import numpy as np


def seed_of(*numbers: int) -> int:
    """A seed of 64 bits that follows from the numbers and their order; no two places share one but by chance."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
