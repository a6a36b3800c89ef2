"""Labelled pairs of crops as numbers: their scores, their labels, and which vehicles they show."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """Two crops and whether they show one vehicle."""

    crop_id: UUID
    other_crop_id: UUID
    same: bool


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two pictures, one of which may not be enrolled, with their score.

    Attributes:
        first: What tells the picture from others; equal where it is the same.
        second: Likewise.
        same: Whether they show one vehicle.
        score: Their cosine similarity, in [-1, 1].
    """

    first: Hashable
    second: Hashable
    same: bool
    score: float


@dataclass(frozen=True, slots=True)
class PairTable:
    """Labelled pairs in columns.

    Attributes:
        scores: Shape (pairs,), float64.
        same: Shape (pairs,).
        vehicles: Numbers from 0 of the vehicles on both pictures, as far as the labels tell; shape (pairs, 2).
    """

    scores: NDArray[np.float64]
    same: NDArray[np.bool_]
    vehicles: NDArray[np.int64]

    @property
    def vehicles_seen_twice(self) -> int:
        """Vehicles that a same pair shows."""
        return len(np.unique(self.vehicles[self.same]))

    def part(self, which: NDArray[np.bool_]) -> "PairTable":
        """Some of the pairs; shape of `which`: (pairs,)."""
        return PairTable(self.scores[which], self.same[which], self.vehicles[which])


def tabulated(pairs: Sequence[ScoredPair]) -> PairTable:
    """Pairs in columns. Pictures that same pairs link, directly or by way of others, show one vehicle."""
    numbers: dict[Hashable, int] = {}
    for pair in pairs:
        numbers.setdefault(pair.first, len(numbers))
        numbers.setdefault(pair.second, len(numbers))
    linked = _linked(len(numbers), [(numbers[pair.first], numbers[pair.second]) for pair in pairs if pair.same])
    vehicles = [(linked[numbers[pair.first]], linked[numbers[pair.second]]) for pair in pairs]
    return PairTable(
        np.array([pair.score for pair in pairs], dtype=np.float64),
        np.array([pair.same for pair in pairs], dtype=np.bool_),
        np.array(vehicles, dtype=np.int64).reshape(-1, 2),
    )


def _linked(count: int, links: Iterable[tuple[int, int]]) -> list[int]:
    """A number for each of `count` things, the same for those that links connect (union-find, halving paths)."""
    parents = list(range(count))

    def root(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for one, other in links:
        parents[root(one)] = root(other)
    roots = [root(node) for node in range(count)]
    numbers = {node: number for number, node in enumerate(dict.fromkeys(roots))}
    return [numbers[node] for node in roots]
