"""What every index must answer, worked out by a slow, obvious scan over a dict."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Filter, Hits, Sighting
from support.indexes import Backend


@dataclass
class Oracle:
    """What the contract says, as plainly as it can be said."""

    held: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    crops: dict[UUID, Sighting] = field(default_factory=dict)
    watermark: int = 0

    def apply(
        self,
        upserts: list[Sighting],
        deletes: list[UUID],
        watermark: int,
        expired: Mapping[str, datetime] | None = None,
    ) -> None:
        for collection, before in (expired or {}).items():
            for crop in list(self.crops.values()):
                if crop.collection == collection and crop.captured_at is not None and crop.captured_at < before:
                    del self.crops[crop.id]
        for one in deletes:
            self.crops.pop(one, None)
        for crop in upserts:
            self.crops[crop.id] = replace(crop, embedding=self.held(crop.embedding[None])[0])
        self.watermark = watermark

    def copy(self) -> "Oracle":
        return replace(self, crops=dict(self.crops))

    def sums(self) -> dict[str, tuple[int, int]]:
        """Crops and sum of the fingerprints of each collection that holds any."""
        sums: dict[str, tuple[int, int]] = {}
        for crop in self.crops.values():
            crops, fingerprint = sums.get(crop.collection, (0, 0))
            sums[crop.collection] = crops + 1, (fingerprint + crop.fingerprint) % 2**64
        return sums

    def candidates(self, where: Filter) -> list[Sighting]:
        return [crop for crop in self.crops.values() if self.allows(where, crop)]

    @staticmethod
    def allows(where: Filter, crop: Sighting) -> bool:  # noqa: C901, PLR0911, PLR0912 - one condition, one line
        if crop.collection != where.collection or crop.id in where.exclude_ids:
            return False
        if where.camera_ids is not None and crop.camera_id not in where.camera_ids:
            return False
        if crop.camera_id in where.exclude_camera_ids:
            return False
        if where.vehicle_ids is not None and crop.vehicle_id not in where.vehicle_ids:
            return False
        if crop.vehicle_id in where.exclude_vehicle_ids:
            return False
        track = crop.track and (crop.camera_id, *crop.track)
        if where.tracks is not None and track not in where.tracks:
            return False
        if track in where.exclude_tracks:
            return False
        if (where.captured_from or where.captured_to) and crop.captured_at is None:
            return False
        if where.captured_from and crop.captured_at < where.captured_from:
            return False
        if where.captured_to and crop.captured_at >= where.captured_to:
            return False
        for key, value in where.attributes.items():
            if key not in crop.attributes:
                return False
            held = crop.attributes[key]
            if (type(held) is bool) != (type(value) is bool) or held != value:
                return False
        return True

    def ranked(self, query: NDArray[np.float32], where: Filter) -> list[tuple[float, Sighting]]:
        scored = [(self.score(query, crop.embedding), crop) for crop in self.candidates(where)]
        return sorted(scored, key=lambda pair: (-pair[0], str(pair[1].id)))

    @staticmethod
    def score(query: NDArray[np.float32], embedding: NDArray[np.float32]) -> float:
        products = (float(a) * float(b) for a, b in zip(query, embedding, strict=True))
        return min(1.0, max(-1.0, float(np.float32(math.fsum(products)))))


def assert_same_crop(answered: Sighting, enrolled: Sighting) -> None:
    assert replace(answered, embedding=enrolled.embedding) == enrolled
    assert answered.embedding.tobytes() == enrolled.embedding.tobytes()
    # == takes 1, 1.0 and True for the same
    assert repr(dict(answered.attributes)) == repr(dict(enrolled.attributes))
    assert answered.captured_at is None or answered.captured_at.tzinfo is UTC


def assert_answer(backend: Backend, answer: Hits, ranked: list[tuple[float, Sighting]], k: int, watermark: int) -> None:
    found = [(hit.score, hit.sighting.id) for hit in answer.hits]
    assert len(found) == min(k, len(ranked))
    if answer.mode == "exact" and not backend.score_tolerance:
        assert found == [(score, crop.id) for score, crop in ranked[:k]]
    else:
        exact = {crop.id: score for score, crop in ranked}
        assert len({crop for _, crop in found}) == len(found)
        assert all(abs(score - exact[crop]) <= backend.score_tolerance for score, crop in found)
        assert [score for score, _ in found] == sorted((score for score, _ in found), reverse=True)
        if answer.mode == "exact":
            kth = ranked[min(k, len(ranked)) - 1][0] if ranked else 0
            assert all(exact[crop] >= kth - 2 * backend.score_tolerance for _, crop in found)
    enrolled = {crop.id: crop for _, crop in ranked}
    for hit in answer.hits:
        assert_same_crop(hit.sighting, enrolled[hit.sighting.id])
    assert answer.mode == "exact" or not backend.complete
    assert answer.candidates == len(ranked)
    assert answer.exhausted == (len(ranked) <= k)
    assert answer.watermark == watermark
