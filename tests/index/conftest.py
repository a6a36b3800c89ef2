"""Every backend that promises `index.contract.VectorIndex`: a test that asks for `make_index` runs on all of them."""

from collections.abc import Callable

import pytest

from index.contract import VectorIndex
from index.exact import ExactIndex

BACKENDS: dict[str, Callable[[int], VectorIndex]] = {"exact": ExactIndex}


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS.keys())
def make_index(request: pytest.FixtureRequest) -> Callable[[int], VectorIndex]:
    """Makes an empty index of the given dimension."""
    return request.param
