"""The cross-camera protocol: query each crop against the crops of the other cameras."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.datasets import Crops
from model.evaluation.ranking import Ranking, rank_queries
from model.evaluation.scores import PairScores, pair_scores

RANKS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class CrossCamera:
    """Figures of one model on one list.

    Attributes:
        ranking: Every crop as query, in the list's order.
        types: Vehicle type of each query, shape (Q,).
        scores: Similarities of same and different vehicles.
    """

    ranking: Ranking
    types: NDArray[np.str_]
    scores: PairScores

    def figures(self) -> dict[str, dict[str, float]]:
        """Overall and per type: queries, mAP, R1, R5, R10; shares are in percent.

        Raises:
            EvaluationError: No query has a match.
        """
        rows = {"all": _figures(self.ranking)}
        for kind in sorted(set(self.types.tolist())):
            chosen = self.ranking.of(self.types == kind)
            if chosen.counted.any():
                rows[kind] = _figures(chosen)
        return rows


def evaluate_cross_camera(embeddings: NDArray[np.float32], crops: Crops) -> CrossCamera:
    """Query each crop against the crops of the other cameras by cosine.

    Args:
        embeddings: One unit-length vector for each crop, in the list's order, shape (N, D).
        crops: The labelled crops.

    Raises:
        EvaluationError: The embeddings do not fit the list, or are not finite.
    """
    vehicles, cameras = crops.vehicles, crops.cameras
    ranking = rank_queries(
        embeddings @ embeddings.T,
        query_vehicles=vehicles,
        gallery_vehicles=vehicles,
        query_cameras=cameras,
        gallery_cameras=cameras,
        junk="same_camera",
    )
    types = np.array([crop.vehicle_type or "unknown" for crop in crops])
    return CrossCamera(ranking, types, pair_scores(embeddings, vehicles, cameras))


def _figures(ranking: Ranking) -> dict[str, float]:
    counted = int(ranking.counted.sum())
    shares = {f"R{rank}": 100 * ranking.cmc(rank) for rank in RANKS}
    return {"queries": counted, "mAP": 100 * ranking.mean_average_precision, **shares}
