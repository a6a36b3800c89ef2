"""Evaluation of retrieval: rankings under the field's rules, score statistics, simple baselines."""

from model.evaluation.baselines import ColourHistogram, ImageNetCnn
from model.evaluation.embed import Embedded, ImageEmbedder, embed_crops, embed_test, is_one_list
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
    "embed_crops",
    "embed_test",
    "evaluate",
    "evaluate_embedded",
    "is_one_list",
    "rank_queries",
]
