"""A search over the parts of a collection: select, scan, merge, check, several parts at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from index import planner
from index.codecs import CODECS
from index.contract import Filter, Hit, Hits, Sighting
from index.ranking import Ranked, best_rows
from index.recheck import checked_hits
from index.selection import Selection, selected
from index.state import IndexState

Item = TypeVar("Item")
Result = TypeVar("Result")
_Found = tuple[Selection, Ranked]

_ROWS_WORTH_A_THREAD: Final = 8192
"""Below so many rows of a part, threads are longer in one another's way than the work takes."""


class Searcher:
    """Searches parts, large ones beside each other on a few threads.

    Args:
        threads: How many parts are searched at once, over all searches.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "index-search") if threads > 1 else None

    def search(
        self, state: IndexState, queries: NDArray[np.float32], k: int, where: Filter, exact_below: int
    ) -> list[Hits]:
        """The answer for each query.

        Args:
            state: The collections.
            queries: Checked queries, shape (queries, dimension).
            k: How many hits at most.
            where: The filter.
            exact_below: Candidates up to which a search is exact.
        """
        collection = state.collections.get(where.collection)
        parts = [] if collection is None else list(collection.parts.values())
        looked_at = self._spread(lambda part: selected(part, where), parts, [len(part.rows) for part in parts])
        selections = [one for one in looked_at if one is not None]
        candidates = sum(one.candidates for one in selections)
        exact = planner.exact(selections, exact_below, CODECS)
        answers = []
        for query, ranked in zip(queries, self._ranked(selections, queries, k, exact=exact), strict=True):
            best, whole = ranked, exact
            if sum(len(one.rows) for _, one in ranked) < min(k, candidates):
                # fewer than k must mean that fewer exist
                best, whole = self._ranked(selections, query[None], k, exact=True)[0], True
            hits = checked_hits(_best(best, where.collection, k), where)
            mode: Literal["exact", "approximate"] = "exact" if whole else "approximate"
            answers.append(Hits(hits, mode, candidates, len(hits) == candidates, state.watermark))
        return answers

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def _ranked(
        self, selections: Sequence[Selection], queries: NDArray[np.float32], k: int, *, exact: bool
    ) -> list[list[_Found]]:
        """For each query the best rows of each part."""

        def look(selection: Selection) -> list[_Found]:
            allowed, rows = selection.allowed(), selection.part.rows
            candidates = selection.candidates
            return [(selection, best_rows(rows, query, k, allowed, candidates, exact=exact)) for query in queries]

        weights = [selection.candidates * len(queries) for selection in selections]
        by_part = self._spread(look, selections, weights)
        return [[found[place] for found in by_part] for place in range(len(queries))]

    def _spread(
        self, function: Callable[[Item], Result], items: Sequence[Item], weights: Sequence[int]
    ) -> list[Result]:
        """The function of each item, in their order: of heavy ones by several threads, of the others by the caller."""
        large = [place for place, weight in enumerate(weights) if weight >= _ROWS_WORTH_A_THREAD]
        if self._pool is None or not large or len(items) < 2:  # noqa: PLR2004 - more than one
            return [function(item) for item in items]
        results: dict[int, Result] = {}

        def work(places: Iterable[int]) -> None:
            for place in places:
                results[place] = function(items[place])

        working = self._pool.map(work, _shares({place: weights[place] for place in large}, 2 * self._threads))
        work(set(range(len(items))).difference(large))
        list(working)
        return [results[place] for place in range(len(items))]


def _shares(weights: Mapping[int, int], shares: int) -> list[list[int]]:
    """Places shared out by weight so that each share weighs about the same, heavy ones first."""
    filled: list[list[int]] = [[] for _ in range(min(shares, len(weights)))]
    loads = [0] * len(filled)
    for place in sorted(weights, key=lambda place: -weights[place]):
        lightest = loads.index(min(loads))
        filled[lightest].append(place)
        loads[lightest] += weights[place]
    return filled


def _best(found: Sequence[_Found], collection: str, k: int) -> list[Hit]:
    """The k best rows of all parts with what they hold, equal scores in ascending order of id."""
    if not found:
        return []
    columns = [selection.part.rows.columns for selection, _ in found]
    scores = np.concatenate([ranked.scores for _, ranked in found])
    high = np.concatenate([one.id_high[ranked.rows] for one, (_, ranked) in zip(columns, found, strict=True)])
    low = np.concatenate([one.id_low[ranked.rows] for one, (_, ranked) in zip(columns, found, strict=True)])
    source = np.repeat(np.arange(len(found)), [len(ranked.rows) for _, ranked in found])
    rows = np.concatenate([ranked.rows for _, ranked in found])
    order = np.lexsort((low, high, -scores))[:k]
    crops: dict[int, Sighting] = {}
    for part in np.unique(source[order]).tolist():
        places = order[source[order] == part]
        sightings = found[part][0].part.sightings(collection, rows[places])
        crops.update(zip(places.tolist(), sightings, strict=True))
    return [Hit(crops[place], score) for place, score in zip(order.tolist(), scores[order].tolist(), strict=True)]
