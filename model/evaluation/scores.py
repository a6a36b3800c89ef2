"""How the similarities of same and different vehicles are spread, for choosing a threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PairScores:
    """Similarities of crop pairs taken by different cameras, each pair once.

    Attributes:
        same: Of pairs that show one vehicle.
        different: Of pairs that show two.
    """

    same: NDArray[np.float64]
    different: NDArray[np.float64]

    def quantiles(self, points: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95)) -> dict[str, list[float]]:
        """Quantiles of both kinds, as {"same": [...], "different": [...]}."""
        return {
            "same": np.quantile(self.same, points).tolist(),
            "different": np.quantile(self.different, points).tolist(),
        }

    def threshold_at(self, false_match_rate: float) -> float:
        """The score that this share of the different pairs exceeds."""
        return float(np.quantile(self.different, 1 - false_match_rate))

    def true_match_rate(self, threshold: float) -> float:
        """Share of the same pairs above a score."""
        return float((self.same > threshold).mean())


def pair_scores(embeddings: NDArray[np.float32], vehicles: NDArray[np.str_], cameras: NDArray[np.str_]) -> PairScores:
    """Cosine similarity of every pair of crops from different cameras.

    Args:
        embeddings: Unit length, shape (N, D).
        vehicles: Identity of each crop, shape (N,).
        cameras: Camera of each crop, shape (N,).
    """
    table = embeddings.astype(np.float64) @ embeddings.astype(np.float64).T
    pair = np.triu(cameras[:, None] != cameras[None])
    same = vehicles[:, None] == vehicles[None]
    return PairScores(same=table[pair & same], different=table[pair & ~same])
