"""Indexes on one Milvus Lite server, each test's apart from all others."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from support.milvus import milvus_lite

from index.milvus.index import MilvusIndex, MilvusOptions

MakeIndex = Callable[..., MilvusIndex]


@pytest.fixture
def make_index() -> Iterator[MakeIndex]:
    """Makes an index of two dimensions, the same one each time within a test, as another process would."""
    made: list[MilvusIndex] = []
    installation = str(uuid4())

    def make(dimension: int = 2, **options: object) -> MilvusIndex:
        chosen = MilvusOptions(**{"kind": "FLAT", "exact_below": 0, "timeout_s": 60, **options})
        made.append(MilvusIndex(dimension, milvus_lite(), installation=installation, options=chosen))
        return made[-1]

    yield make
    for index in made:
        index.close()
