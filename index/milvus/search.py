"""The k best rows of one gallery for each query: asked of Milvus, scored again by the project's own formula."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.contract import Hit
from index.milvus.connection import Connection, hits_at_once
from index.milvus.rows import crop_of
from index.milvus.schemas import CROP_FIELDS, Kind, crop_bytes
from index.ranking import exact_scores, rounding_bound

_SLACK: Final = 16
_WIDER: Final = 4
_EF: Final = 128


@dataclass(frozen=True, slots=True)
class Gallery:
    """Where a search looks.

    Attributes:
        connection: The server.
        name: Name of the Milvus collection.
        expression: What the rows must match.
        kind: How Milvus finds the nearest.
    """

    connection: Connection
    name: str
    expression: str
    kind: Kind

    def best(
        self, queries: NDArray[np.float32], k: int, candidates: int, exact_below: int
    ) -> list[tuple[list[Hit], bool]]:
        """For each query the k best rows and whether these are certain to be the best.

        Args:
            queries: Unit vectors, shape (queries, dimension).
            k: How many at most.
            candidates: How many rows the expression holds for.
            exact_below: So many candidates are all looked at.
        """
        reach = hits_at_once(crop_bytes(queries.shape[1]))
        limit = min(candidates, k + _SLACK)
        if candidates <= exact_below or limit > reach:
            return [(hits, True) for hits in self._scanned(queries, k)]
        together = max(1, reach // limit)
        answers: list[tuple[list[Hit], bool]] = []
        for start in range(0, len(queries), together):
            block = queries[start : start + together]
            answers += [
                self._finished(query, rows, k, candidates)
                for query, rows in zip(block, self._nearest(block, limit), strict=True)
            ]
        return answers

    def _finished(
        self, query: NDArray[np.float32], rows: list[Mapping[str, Any]], k: int, candidates: int
    ) -> tuple[list[Hit], bool]:
        """The best of what Milvus found, or of a wider or whole look where that cannot be all."""
        if self.kind != "FLAT":
            best = _Best(query, k)
            best.look_at(rows)
            if len(best.hits) < min(k, candidates):
                # fewer than k must mean that fewer exist
                return self._scanned(query[None], k)[0], True
            return best.hits, candidates <= len(rows)
        reach, limit = hits_at_once(crop_bytes(len(query))), len(rows)
        while limit < candidates and not _clear(rows, k, len(query)):
            limit = min(candidates, limit * _WIDER)
            rows = self._nearest(query[None], limit)[0] if limit <= reach else []
            if len(rows) < limit:
                return self._scanned(query[None], k)[0], True
        best = _Best(query, k)
        best.look_at(rows)
        return best.hits, True

    def _nearest(self, queries: NDArray[np.float32], limit: int) -> list[list[Mapping[str, Any]]]:
        parameters = {"FLAT": {}, "HNSW": {"ef": max(_EF, 2 * limit)}, "DISKANN": {"search_list": max(_EF, 2 * limit)}}
        return self.connection.nearest(
            self.name,
            queries,
            limit,
            expression=self.expression,
            parameters=parameters[self.kind],
            fields=CROP_FIELDS,
        )

    def _scanned(self, queries: NDArray[np.float32], k: int) -> list[list[Hit]]:
        """The best of all rows, read page by page."""
        best = [_Best(query, k) for query in queries]
        row_bytes = crop_bytes(queries.shape[1])
        for page in self.connection.pages(self.name, self.expression, CROP_FIELDS, row_bytes):
            for one in best:
                one.look_at(page)
        return [one.hits for one in best]


class _Best:
    """The k best rows seen for a query, equal scores in ascending order of id."""

    def __init__(self, query: NDArray[np.float32], k: int) -> None:
        self._query = query
        self._k = k
        self.hits: list[Hit] = []

    def look_at(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Let rows be among the best."""
        listed = list(rows)
        if not listed:
            return
        vectors = np.array([row["embedding"] for row in listed], dtype=np.float32)
        scores = exact_scores(vectors, self._query).tolist()
        worst = self.hits[-1].score if len(self.hits) == self._k else -2.0
        better = [Hit(crop_of(row), score) for row, score in zip(listed, scores, strict=True) if score >= worst]
        self.hits = sorted([*self.hits, *better], key=lambda hit: (-hit.score, hit.sighting.id.int))[: self._k]


def _clear(rows: list[Mapping[str, Any]], k: int, dimension: int) -> bool:
    """Whether no row beyond those found can be among the k best: its score would have to be off by too much."""
    if len(rows) <= k:
        return False
    kth, last = (min(1.0, max(-1.0, rows[place]["distance"])) for place in (k - 1, -1))
    return bool(kth - last > rounding_bound(dimension))
