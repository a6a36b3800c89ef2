"""Who is ranked against whom, and every score between them, a block of queries at a time."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.datasets import Crops, RetrievalTest, Rule
from model.evaluation.embed import Embedded
from model.evaluation.ranking import EvaluationError

DRAWS = 10
"""Draws of a "one_per_vehicle" test, as VehicleID has it; their mean is the figure."""

Positions = NDArray[np.intp] | slice

_QUERIES_AT_ONCE = 256
_GALLERY_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class Draw:
    """Which crops of a test's lists are queries and gallery this time; positions, ascending."""

    query: Positions
    gallery: Positions


@dataclass(frozen=True, slots=True)
class QueryRow:
    """One query before its gallery.

    Attributes:
        number: Position among the queries of the draw.
        scores: Cosines in [-1, 1], float32, shape (G,).
        match: Which gallery crops show the query's vehicle, shape (G,).
        not_searched: Which are kept from the search by what a searcher knows: the query's own camera, where the rule
            leaves it out; shape (G,).
        left_out: Which are no candidates; those not searched, and junk that only the labels tell; shape (G,).
    """

    number: int
    scores: NDArray[np.float32]
    match: NDArray[np.bool_]
    not_searched: NDArray[np.bool_]
    left_out: NDArray[np.bool_]


def draws(test: RetrievalTest) -> list[Draw]:
    """The draws of a test: one of everything, or ten of "one_per_vehicle", the same in every run.

    In a draw each vehicle has one crop in the gallery, taken at random; all other crops are queries.
    """
    if test.rule != "one_per_vehicle":
        return [Draw(slice(None), slice(None))]
    by_vehicle: dict[str, list[int]] = {}
    for position, crop in enumerate(test.gallery):
        by_vehicle.setdefault(crop.vehicle, []).append(position)
    return [_draw(by_vehicle, seed) for seed in range(DRAWS)]


def queries_of(test: RetrievalTest) -> int:
    """How many queries are ranked, those of all draws together."""
    if test.rule != "one_per_vehicle":
        return len(test.query)
    return DRAWS * (len(test.query) - len(test.gallery.identities))


def _draw(by_vehicle: dict[str, list[int]], seed: int) -> Draw:
    drawing = random.Random(seed)
    gallery = {drawing.choice(by_vehicle[vehicle]) for vehicle in sorted(by_vehicle)}
    everything = sum(map(len, by_vehicle.values()))
    others = [position for position in range(everything) if position not in gallery]
    return Draw(np.array(others, dtype=np.intp), np.array(sorted(gallery), dtype=np.intp))


class Retrieval:
    """Queries and gallery of one draw, with their embeddings and labels.

    Args:
        test: The test.
        embedded: Embeddings of its lists.
        draw: Which of them take part.

    Attributes:
        query: Unit-length rows, shape (Q, D).
        gallery: Unit-length rows, shape (G, D).
        query_cameras: Shape (Q,).
        gallery_cameras: Shape (G,).
        query_types: Vehicle type of each query, "unknown" where the data set does not say; shape (Q,).
        rule: How they meet.
    """

    def __init__(self, test: RetrievalTest, embedded: Embedded, draw: Draw) -> None:
        self.rule: Rule = test.rule
        self.query, self.gallery = embedded.query[draw.query], embedded.gallery[draw.gallery]
        self.query_cameras, self.gallery_cameras = test.query.cameras[draw.query], test.gallery.cameras[draw.gallery]
        self.query_types = _types(test.query)[draw.query]
        vehicles = test.query.vehicles[draw.query], test.gallery.vehicles[draw.gallery]
        self._query_vehicles, self._gallery_vehicles = _coded(*vehicles)
        self._query_sides, self._gallery_sides = _coded(self.query_cameras, self.gallery_cameras)
        self._one_list = isinstance(draw.query, slice) and embedded.query is embedded.gallery

    def __len__(self) -> int:
        return len(self.query)

    def rows(self) -> Iterator[QueryRow]:
        """Every query before the gallery, in order. Scores of a block of queries are in memory at a time."""
        for start in range(0, len(self), _QUERIES_AT_ONCE):
            block = self.query[start : start + _QUERIES_AT_ONCE]
            for offset, scores in enumerate(similarities(block, self.gallery)):
                yield self._row(start + offset, scores)

    def row(self, number: int) -> QueryRow:
        """One query before the gallery."""
        return self._row(number, similarities(self.query[number : number + 1], self.gallery)[0])

    def pairs(self, row: QueryRow) -> NDArray[np.bool_]:
        """The query's candidates, each pair of crops once where queries and gallery are one list, shape (G,)."""
        counted = ~row.left_out
        if self._one_list:
            counted[: row.number] = False
        return counted

    def _row(self, number: int, scores: NDArray[np.float32]) -> QueryRow:
        match = self._gallery_vehicles == self._query_vehicles[number]
        own_camera = self._gallery_sides == self._query_sides[number]
        nothing = np.zeros(len(match), dtype=np.bool_)
        if self.rule == "same_camera":
            return QueryRow(number, scores, match, own_camera, own_camera)
        if self.rule == "same_vehicle_same_camera":
            return QueryRow(number, scores, match, nothing, own_camera & match)
        return QueryRow(number, scores, match, nothing, nothing)


def similarities(query: NDArray[np.float32], gallery: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines as the service rounds them: summed in float64, rounded to float32 once, clipped to [-1, 1].

    So equal crops have equal scores, whatever blocks they stand in.

    Args:
        query: Unit-length rows, shape (Q, D).
        gallery: Unit-length rows, shape (G, D).

    Returns:
        Shape (Q, G).
    """
    table = np.empty((len(query), len(gallery)), dtype=np.float32)
    doubles = query.astype(np.float64)
    for start in range(0, len(gallery), _GALLERY_AT_ONCE):
        block = gallery[start : start + _GALLERY_AT_ONCE].astype(np.float64)
        table[:, start : start + len(block)] = doubles @ block.T
    return np.clip(table, -1, 1, out=table)


def check_test(test: RetrievalTest) -> None:
    """Refuse a test that has no figure, from its labels alone, before anything is embedded.

    Raises:
        EvaluationError: A list is empty, no query has a match among its candidates, or none has a candidate of another
            vehicle.
    """
    for what, crops in (("queries", test.query), ("gallery", test.gallery)):
        if not len(crops):
            raise EvaluationError(f"The test {test.name} has no crops in its {what}: there is nothing to rank.")
    if test.rule == "one_per_vehicle":
        _need_several_crops(test)
    else:
        _need_match_on_another_camera(test)
    _need_another_vehicle(test)


def _need_several_crops(test: RetrievalTest) -> None:
    if len(test.gallery) == (vehicles := len(test.gallery.identities)):
        raise EvaluationError(
            f"No query of the test {test.name} has a match: each of its {vehicles} vehicles has one crop, and "
            "that is the gallery. Expected vehicles with several crops."
        )


def _need_match_on_another_camera(test: RetrievalTest) -> None:
    cameras: dict[str, set[str]] = {}
    for crop in test.gallery:
        cameras.setdefault(crop.vehicle, set()).add(crop.camera)
    if not any(cameras.get(crop.vehicle, set()) - {crop.camera} for crop in test.query):
        raise EvaluationError(
            f"No query of the test {test.name} has a match: none of its {len(set(test.query.vehicles))} vehicles is in "
            "the gallery from another camera. Check the vehicle and camera labels."
        )


def _need_another_vehicle(test: RetrievalTest) -> None:
    shown = {(crop.vehicle, crop.camera) for crop in test.gallery}
    vehicles = {vehicle for vehicle, _ in shown}
    everywhere = test.rule != "same_camera"
    if not any(
        vehicle != crop.vehicle and (everywhere or camera != crop.camera)
        for crop in test.query
        if crop.vehicle in vehicles
        for vehicle, camera in shown
    ):
        raise EvaluationError(
            f"No query of the test {test.name} has a candidate of another vehicle than its own; the gallery shows "
            f"{len(vehicles)}. Every ranking would be perfect: expected vehicles to tell apart."
        )


def _types(crops: Crops) -> NDArray[np.str_]:
    return np.array([crop.vehicle_type or "unknown" for crop in crops])


def _coded(query: NDArray[np.str_], gallery: NDArray[np.str_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Labels as numbers, which compare faster than strings."""
    _, codes = np.unique(np.concatenate([query, gallery]), return_inverse=True)
    return codes[: len(query)], codes[len(query) :]
