"""Ranked lists to look at: some queries, and the pictures of what was found for them."""

import base64
import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model.datasets import LabelledCrop, RetrievalTest
from model.evaluation.embed import Embedded
from model.evaluation.evaluation import PLAIN, Evaluation
from model.evaluation.reranking import best_candidates
from model.evaluation.retrieval import Retrieval, draws

QUERIES_SHOWN = 4
"""Of each group: the worst, the median, some drawn at random."""

CANDIDATES_SHOWN = 8

_LONGER_SIDE = 160
_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Found:
    """One candidate in a list. `picture` is a data URI."""

    picture: str
    camera: str
    score: float
    match: bool


@dataclass(frozen=True, slots=True)
class RankedList:
    """One query and its best candidates.

    Attributes:
        picture: The query as a data URI.
        vehicle: Its vehicle.
        camera: Its camera.
        average_precision: In percent.
        first_match: Rank of its best match.
        found: The best candidates, best first.
    """

    picture: str
    vehicle: str
    camera: str
    average_precision: float
    first_match: int
    found: Sequence[Found]


def ranked_lists(
    evaluation: Evaluation, test: RetrievalTest, embedded: Embedded
) -> Iterator[tuple[str, list[RankedList]]]:
    """Groups of lists by name: the queries of lowest average precision, those in the middle, some drawn with a seed.

    With several draws the lists are those of the first.

    Raises:
        DatasetError: A picture is not there or cannot be decoded.
    """
    draw = draws(test)[0]
    retrieval = Retrieval(test, embedded, draw)
    queries = np.arange(len(test.query))[draw.query]
    gallery = np.arange(len(test.gallery))[draw.gallery]
    ranking = evaluation.rankings[PLAIN][0]

    def shown(number: int) -> RankedList:
        query, row = test.query.items[queries[number]], retrieval.row(number)
        best = best_candidates(row.scores, row.left_out, CANDIDATES_SHOWN)
        found = [
            Found(_picture(crop), crop.camera, float(row.scores[place]), bool(row.match[place]))
            for place in best.tolist()
            for crop in [test.gallery.items[gallery[place]]]
        ]
        return RankedList(
            _picture(query),
            query.vehicle,
            query.camera,
            100 * float(ranking.average_precision[number]),
            int(ranking.first_match[number]),
            found,
        )

    precision = np.where(ranking.counted, ranking.average_precision, np.inf)
    order = np.argsort(precision, kind="stable")[: ranking.counted.sum()].tolist()
    for name, numbers in _groups(order):
        yield name, [shown(number) for number in numbers]


def _groups(order: list[int]) -> Iterator[tuple[str, list[int]]]:
    """Which queries are shown, from all of them, worst first; each once."""
    worst = order[:QUERIES_SHOWN]
    yield "Worst queries", worst
    left = [number for number in order if number not in worst]
    start = max(len(order) // 2 - len(worst) - QUERIES_SHOWN // 2, 0)
    median = left[start : start + QUERIES_SHOWN]
    if median:
        yield "Median queries", median
    left = [number for number in left if number not in median]
    if left:
        yield "Queries drawn at random", random.Random(0).sample(left, min(QUERIES_SHOWN, len(left)))


def _picture(crop: LabelledCrop) -> str:
    image = crop.open()
    image.thumbnail((_LONGER_SIDE, _LONGER_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
