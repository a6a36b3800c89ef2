"""Seeds for what is random in a run, each from the recipe's seed and from where in the run it is drawn."""

import numpy as np


def seed_of(*numbers: int) -> int:
    """A seed of 64 bits that follows from the numbers and their order; as many others give another one but by chance.

    Zeros at the end do not count: the first batch's crops and the order of its epoch share a seed, which does no harm
    as each is drawn by a generator of another kind or for another use.
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
