"""Evaluation of retrieval: ranking figures, simple baselines, and the report on the two-camera set."""

from model.evaluation.baselines import ColourHistogram, ImageNetCnn
from model.evaluation.embed import ImageEmbedder, embed_crops
from model.evaluation.protocol import CrossCamera, evaluate_cross_camera
from model.evaluation.ranking import EvaluationError, Ranking, rank_queries
from model.evaluation.scores import PairScores, pair_scores

__all__ = [
    "ColourHistogram",
    "CrossCamera",
    "EvaluationError",
    "ImageEmbedder",
    "ImageNetCnn",
    "PairScores",
    "Ranking",
    "embed_crops",
    "evaluate_cross_camera",
    "pair_scores",
    "rank_queries",
]
