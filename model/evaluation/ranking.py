"""mAP and CMC as re-identification counts them, in plain numpy."""

from dataclasses import dataclass
from typing import Literal

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
    """

    average_precision: NDArray[np.float64]
    first_match: NDArray[np.int64]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """The queries with at least one match among their candidates, shape (Q,); no other enters a figure."""
        return self.first_match > 0

    @property
    def mean_average_precision(self) -> float:
        """MAP over the counted queries, in [0, 1]."""
        self._need_queries()
        return float(self.average_precision[self.counted].mean())

    def cmc(self, rank: int) -> float:
        """Share of the counted queries with a match among the first `rank` candidates, in [0, 1]."""
        self._need_queries()
        return float((self.first_match[self.counted] <= rank).mean())

    def of(self, chosen: NDArray[np.bool_]) -> "Ranking":
        """The same for some of the queries; `chosen` has shape (Q,)."""
        return Ranking(self.average_precision[chosen], self.first_match[chosen])

    def _need_queries(self) -> None:
        if not self.counted.any():
            raise EvaluationError("No query has a match among its candidates: check the vehicle and camera labels.")


def rank_queries(
    scores: ArrayLike,
    *,
    query_vehicles: ArrayLike,
    gallery_vehicles: ArrayLike,
    query_cameras: ArrayLike,
    gallery_cameras: ArrayLike,
    junk: Junk = "same_vehicle_same_camera",
) -> Ranking:
    """Rank each query's candidates by score, best first, and see where its matches stand.

    Junk is taken out of a query's list before ranks are counted. Equal scores keep the gallery's order, as the stable
    sort of the field's published tools does. A query without a match among its candidates is not counted.

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
    precision = np.full(len(table), np.nan)
    first = np.zeros(len(table), dtype=np.int64)
    for query, row in enumerate(table):
        match = g_vehicles == q_vehicles[query]
        left_out = g_cameras == q_cameras[query]
        if junk == "same_vehicle_same_camera":
            left_out = left_out & match
        order = np.argsort(-row, kind="stable")
        hits = match[order[~left_out[order]]]
        ranks = np.flatnonzero(hits) + 1
        if len(ranks):
            precision[query] = np.mean(np.arange(1, len(ranks) + 1) / ranks)
            first[query] = ranks[0]
    return Ranking(precision, first)
