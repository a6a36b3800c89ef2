"""The best groups of a search, against a scan that sorts every crop and groups them all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from support.vectors import unit

from index.contract import Filter, Hit, Hits, Sighting
from index.recheck import allows
from index.rerank import grouping as module
from index.rerank.grouping import DEEPEST, GroupBy, best_groups

EVERYTHING = Filter("c")


@dataclass
class Found:
    hit: Hit


@dataclass
class Scan:
    """Every crop, sorted; remembers how it was asked."""

    crops: list[Sighting]
    query: NDArray[np.float32]
    depths: list[int] = field(default_factory=list)
    mode: str = "exact"

    def ranked(self, where: Filter) -> list[Hit]:
        allowed = [crop for crop in self.crops if allows(where, crop)]
        hits = [Hit(crop, float(np.float32(crop.embedding @ self.query))) for crop in allowed]
        return sorted(hits, key=lambda hit: (-hit.score, hit.sighting.id))

    def search(self, k: int, where: Filter) -> Hits:
        self.depths.append(k)
        ranked = self.ranked(where)
        return Hits(ranked[:k], self.mode, len(ranked), len(ranked) <= k, 7)


def scene(seed: int, sizes: Sequence[int], *, ties: bool = False) -> Scan:
    """A track of each size, its crops alike; a track of size 1 is a crop of no track. Names recur on two cameras."""
    random = np.random.default_rng(seed)
    crops: list[Sighting] = []
    for track, size in enumerate(sizes):
        centre = random.standard_normal(8)
        rows = unit(centre + 0.3 * random.standard_normal((size, 8)))
        if ties:
            rows = np.round(rows).astype(np.float32)
        crops += [
            Sighting(
                id=UUID(bytes=random.bytes(16)),
                collection="c",
                embedding=row,
                camera_id=f"cam-{track % 2}",
                track=None if size == 1 else (None if track % 3 else "s", str(track // 2)),
                vehicle_id=None if track % 5 == 0 else f"v{track // 3}",
            )
            for row in rows
        ]
    return Scan(crops, unit(random.standard_normal(8)))


def slow_groups(scan: Scan, group_by: GroupBy, min_score: float, where: Filter) -> list[list[UUID]]:
    groups: dict[object, list[UUID]] = {}
    for hit in scan.ranked(where):
        crop = hit.sighting
        key: object = crop.id
        if group_by == "track" and crop.track:
            key = (crop.camera_id, crop.track)
        if group_by == "vehicle" and crop.vehicle_id:
            key = crop.vehicle_id
        if hit.score >= min_score:
            groups.setdefault(key, []).append(crop.id)
    return list(groups.values())


def assert_as_slow(scan: Scan, k: int, group_by: GroupBy, min_score: float, where: Filter = EVERYTHING) -> None:
    found = best_groups(scan.search, where, k, group_by, lambda hits: [Found(hit) for hit in hits], min_score=min_score)
    expected = slow_groups(scan, group_by, min_score, where)
    answered = [[entry.hit.sighting.id for entry in group] for group in found.groups]
    assert [group[0] for group in answered] == [group[0] for group in expected[:k]]
    for group, whole in zip(answered, expected, strict=False):
        assert group == whole[: len(group)]
    assert found.exhausted == (len(expected) <= k)
    assert found.candidates == len(scan.ranked(where))
    assert (found.mode, found.watermark) == ("exact", 7)


@pytest.mark.parametrize("group_by", ["crop", "track", "vehicle"])
@pytest.mark.parametrize("ties", [False, True])
def test_equals_grouping_everything(group_by: GroupBy, *, ties: bool) -> None:
    random = np.random.default_rng(3)
    looks: Counter[int] = Counter()
    for seed in range(60):
        scan = scene(
            seed, (random.pareto(0.7, random.integers(0, 25)) + 1).clip(max=90).astype(int).tolist(), ties=ties
        )
        min_score = float(random.choice([-1.0, -1.0, 0.0, 0.4, 2.0]))
        where = Filter("c", exclude_ids=frozenset(crop.id for crop in scan.crops[::7]))
        k = int(random.integers(1, 12))
        assert_as_slow(scan, k, group_by, min_score, where)
        assert len(scan.depths) <= k + 1
        looks[len(scan.depths)] += 1
    assert looks[1]
    assert group_by == "crop" or looks.total() > looks[1], "some must need more than one look"


def test_a_score_equal_to_the_least_counts() -> None:
    scan = scene(1, [3, 1, 5, 2])
    for hit in scan.ranked(EVERYTHING):
        assert_as_slow(scan, 2, "track", hit.score)


def test_large_tracks_are_not_waded_through() -> None:
    scan = scene(4, [4000, 3000, 1, 2500, 2, 6])
    for k in (1, 3, 5, 6, 20):
        scan.depths.clear()
        assert_as_slow(scan, k, "track", -1.0)
        assert max(scan.depths) <= max(DEEPEST, 4 * (k + 1))
        assert sum(scan.depths) < 1000
        assert len(scan.depths) <= 7


def test_no_further_look_is_deeper_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many groups of many crops: what is expected of a group grows, the depth stays."""
    monkeypatch.setattr(module, "DEEPEST", 300)
    scan = scene(5, [60] * 120)
    assert_as_slow(scan, 70, "track", -1.0)
    assert max(scan.depths[1:]) == 300


def test_the_first_look_is_as_deep_as_asked_and_no_deeper_than_needed() -> None:
    scan = scene(6, [1] * 50)
    assert_as_slow(scan, 5, "crop", -1.0)
    assert scan.depths == [6]
    scan.depths.clear()
    best_groups(scan.search, EVERYTHING, 5, "crop", lambda hits: [Found(hit) for hit in hits], depth=30)
    assert scan.depths == [30]


def test_groups_come_in_the_order_given_not_in_that_of_the_scores() -> None:
    scan = scene(7, [2, 3, 1, 4, 2])
    found = best_groups(scan.search, EVERYTHING, 3, "track", lambda hits: [Found(hit) for hit in reversed(hits)])
    ids = [group[0].hit.sighting.id for group in found.groups]
    worst_first = scan.ranked(EVERYTHING)[::-1]
    assert ids[0] == worst_first[0].sighting.id


def test_approximate_if_one_of_the_looks_was() -> None:
    def mode(scan: Scan, k: int, *, later: bool) -> str:
        def search(depth: int, where: Filter) -> Hits:
            scan.mode = "approximate" if bool(where.exclude_tracks) == later else "exact"
            return scan.search(depth, where)

        return best_groups(search, EVERYTHING, k, "track", lambda hits: [Found(hit) for hit in hits]).mode

    assert mode(scene(8, [1] * 9), 2, later=True) == "exact"
    assert mode(scene(8, [60, 60]), 20, later=True) == "approximate"
    assert mode(scene(8, [60, 60]), 20, later=False) == "approximate"
