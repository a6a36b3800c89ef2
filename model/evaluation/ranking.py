"""Average precision, CMC and mINP as re-identification counts them, in plain numpy."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.errors import ModelError

Junk = Literal["same_vehicle_same_camera", "same_camera"]
"""Which crops of the gallery are no candidates of a query.

"same_vehicle_same_camera" is the rule of Market-1501, VeRi-776 and VERI-Wild: the query's own vehicle on its own
camera. "same_camera" leaves out the whole of the query's camera: the search "where else", with exclude_same_camera.
"""


class EvaluationError(ModelError, ValueError):
    """Scores or labels that no figure can be computed from."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well each query's matches were ranked.

    Attributes:
        average_precision: Per query: mean of the precision at each match's rank, shape (Q,); NaN without a match.
        first_match: Per query: rank of the best match, from 1, shape (Q,); 0 without a match.
        inverse_negative_penalty: Per query: number of matches over the rank of the last one (Ye et al., AGW, arXiv
            2001.04193, section 4.1), shape (Q,); NaN without a match.
    """

    average_precision: NDArray[np.float64]
    first_match: NDArray[np.int64]
    inverse_negative_penalty: NDArray[np.float64]

    @classmethod
    def of_ranks(cls, ranks: Iterable[NDArray[np.int64]]) -> Self:
        """From the ranks of each query's matches, counted from 1, ascending; an empty array where there is none."""
        rows = [
            (np.mean(np.arange(1, len(one) + 1) / one), one[0], len(one) / one[-1]) if len(one) else (np.nan, 0, np.nan)
            for one in ranks
        ]
        precision, first, penalty = np.array(rows, dtype=np.float64).reshape(-1, 3).T
        return cls(precision, first.astype(np.int64), penalty)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """The queries with at least one match among their candidates, shape (Q,); no other enters a figure."""
        return self.first_match > 0

    @property
    def mean_average_precision(self) -> float:
        """MAP over the counted queries, in [0, 1]."""
        self._need_queries()
        return float(self.average_precision[self.counted].mean())

    @property
    def mean_inverse_negative_penalty(self) -> float:
        """The figure mINP over the counted queries, in (0, 1]: how soon the hardest match is reached."""
        self._need_queries()
        return float(self.inverse_negative_penalty[self.counted].mean())

    def cmc(self, rank: int) -> float:
        """Share of the counted queries with a match among the first `rank` candidates, in [0, 1]."""
        self._need_queries()
        return float((self.first_match[self.counted] <= rank).mean())

    def of(self, chosen: NDArray[np.bool_]) -> Self:
        """The same for some of the queries; `chosen` has shape (Q,)."""
        return type(self)(
            self.average_precision[chosen], self.first_match[chosen], self.inverse_negative_penalty[chosen]
        )

    def _need_queries(self) -> None:
        if not self.counted.any():
            raise EvaluationError("No query has a match among its candidates: check the vehicle and camera labels.")


def match_ranks(
    scores: NDArray[np.floating], match: NDArray[np.bool_], left_out: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Ranks of one query's matches among its candidates, best score first.

    Ranks are counted, not read off a sorted list: one more than the candidates with a higher score and those with an
    equal score that stand before. Equal scores thus keep the gallery's order, as with the stable sort of the field's
    tools.

    Args:
        scores: Similarity of each gallery crop, higher is more alike, shape (G,), finite.
        match: Which show the query's vehicle, shape (G,).
        left_out: Which are no candidates, shape (G,).

    Returns:
        Ranks from 1, ascending, shape (matches among the candidates,).
    """
    kept = ~left_out
    candidates, hits = scores[kept], np.flatnonzero(match[kept])
    ordered, sought = np.sort(candidates), candidates[hits]
    reached = np.searchsorted(ordered, sought, side="right")
    ranks = len(ordered) - reached + 1
    for tied in np.flatnonzero(reached - np.searchsorted(ordered, sought, side="left") > 1):
        ranks[tied] += np.count_nonzero(candidates[: hits[tied]] == sought[tied])
    return np.sort(ranks)


def rank_queries(
    scores: ArrayLike,
    *,
    query_vehicles: ArrayLike,
    gallery_vehicles: ArrayLike,
    query_cameras: ArrayLike,
    gallery_cameras: ArrayLike,
    junk: Junk = "same_vehicle_same_camera",
) -> Ranking:
    """Rank each query's candidates by a table of scores, best first, and see where its matches stand.

    Junk is taken out of a query's list before ranks are counted. Equal scores keep the gallery's order. A query without
    a match among its candidates is not counted.

    Args:
        scores: Similarity of every query and gallery crop, higher is more alike, shape (Q, G), finite.
        query_vehicles: Identity of each query, shape (Q,).
        gallery_vehicles: Identity of each gallery crop, shape (G,).
        query_cameras: Camera of each query, shape (Q,).
        gallery_cameras: Camera of each gallery crop, shape (G,).
        junk: Which gallery crops are no candidates.

    Raises:
        EvaluationError: Shapes disagree, or a score is not finite.
    """
    table = np.asarray(scores, dtype=np.float64)
    labels = [np.asarray(values) for values in (query_vehicles, query_cameras, gallery_vehicles, gallery_cameras)]
    if table.ndim != 2 or [len(values) for values in labels] != [table.shape[0]] * 2 + [table.shape[1]] * 2:  # noqa: PLR2004
        sizes = ", ".join(str(values.shape) for values in labels)
        raise EvaluationError(
            f"Scores of shape {table.shape} do not fit labels of shapes {sizes} (queries, then gallery)."
        )
    if not np.isfinite(table).all():
        raise EvaluationError("A score is not finite: the embeddings hold NaN or infinite values.")
    q_vehicles, q_cameras, g_vehicles, g_cameras = labels
    ranks = []
    for query, row in enumerate(table):
        match = g_vehicles == q_vehicles[query]
        left_out = g_cameras == q_cameras[query]
        ranks.append(match_ranks(row, match, left_out & match if junk == "same_vehicle_same_camera" else left_out))
    return Ranking.of_ranks(ranks)
