"""Histories of an index that a seed determines, so that two processes can go through the same one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Filter, Sighting
from support.vectors import unit

DIMENSION = 16
COLLECTIONS = ("north", "south")
_DAY_ONE = datetime(2026, 11, 1, tzinfo=UTC)
_IDS = 500


@dataclass(frozen=True)
class Change:
    """One batch, as `VectorIndex.apply` takes it."""

    upserts: list[Sighting]
    deletes: list[UUID]
    watermark: int
    expired: Mapping[str, datetime]


def change(seed: int, number: int) -> Change:
    """The batch of a number, counted from 1, in the history of a seed."""
    random = np.random.default_rng([seed, number])
    chosen = random.permutation(_IDS)[: int(random.integers(1, 60))]
    kept = max(1, int(len(chosen) * random.random()))
    expired = {}
    if random.random() < 0.1:
        expired[str(random.choice(COLLECTIONS))] = _DAY_ONE + timedelta(hours=float(random.integers(0, 30)))
    return Change(
        upserts=[_sighting(random, int(one)) for one in chosen[:kept]],
        deletes=[UUID(int=int(one) + 1) for one in chosen[kept:]],
        watermark=number,
        expired=expired,
    )


def searches(seed: int) -> list[tuple[NDArray[np.float32], Filter]]:
    """A few searches with and without filters, others for each seed."""
    random = np.random.default_rng(seed)
    query = unit(random.standard_normal((2, DIMENSION)))
    start = _DAY_ONE + timedelta(hours=float(random.integers(0, 30)))
    return [
        (query, where)
        for collection in COLLECTIONS
        for where in (
            Filter(collection),
            Filter(collection, camera_ids=frozenset({"cam-1", "cam-5"})),
            Filter(collection, captured_from=start, captured_to=start + timedelta(hours=30)),
            Filter(collection, attributes={"color": 2}, exclude_camera_ids=frozenset({"cam-0"})),
        )
    ]


def _sighting(random: np.random.Generator, number: int) -> Sighting:
    camera, hour = int(random.integers(6)), float(random.integers(0, 48))
    return Sighting(
        UUID(int=number + 1),
        COLLECTIONS[int(random.integers(2))],
        unit(random.standard_normal(DIMENSION)),
        f"cam-{camera}",
        captured_at=None if random.random() < 0.1 else _DAY_ONE + timedelta(hours=hour),
        track=None if random.random() < 0.5 else (None, str(int(random.integers(9)))),
        attributes={"color": int(random.integers(4))},
        fingerprint=int(random.integers(0, 2**63)),
    )
