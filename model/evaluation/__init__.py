"""Evaluation of retrieval: rankings under the field's rules, score statistics, simple baselines."""

from model.evaluation.baselines import ColourHistogram, ImageNetCnn
from model.evaluation.embed import Embedded, ImageEmbedder, crops_to_embed, embed_crops, embed_test
from model.evaluation.evaluation import Evaluation, evaluate, evaluate_embedded
from model.evaluation.ranking import EvaluationError, Ranking, rank_queries
from model.evaluation.reranking import Reranking, Rescore
from model.evaluation.scores import PairScores

__all__ = [
    "ColourHistogram",
    "Embedded",
    "Evaluation",
    "EvaluationError",
    "ImageEmbedder",
    "ImageNetCnn",
    "PairScores",
    "Ranking",
    "Reranking",
    "Rescore",
    "crops_to_embed",
    "embed_crops",
    "embed_test",
    "evaluate",
    "evaluate_embedded",
    "rank_queries",
]
