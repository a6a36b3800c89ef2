"""Sightings out of crops, held to a plain walk over the same crops."""

import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.database.engine import Database
from service.errors import InvalidValueError
from service.gallery.records import NewCrop
from service.vehicles.sighting_repository import SightingRepository, Stop

Enrol = Callable[..., Awaitable[list[NewCrop]]]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
GAP = timedelta(seconds=300)


def _walk(crops: Sequence[NewCrop], longest_gap: timedelta) -> list[list[NewCrop]]:
    """The sightings of crops, found by looking at one after the other."""

    def in_turn(crop: NewCrop) -> tuple[Any, ...]:
        return crop.captured_at is None, crop.captured_at or NOON, crop.id

    found: list[list[NewCrop]] = []
    for crop in sorted(crops, key=in_turn):
        last = found[-1][-1] if found else None
        goes_on = (
            last is not None
            and (last.camera_id, last.session_id, last.track_id) == (crop.camera_id, crop.session_id, crop.track_id)
            and (last.captured_at is None) == (crop.captured_at is None)
            and (
                last.captured_at is None
                or crop.captured_at is None
                or crop.captured_at - last.captured_at <= longest_gap
            )
        )
        if goes_on:
            found[-1].append(crop)
        else:
            found.append([crop])
    return found


def _expected(crops: Sequence[NewCrop], longest_gap: timedelta) -> list[Stop]:
    walked = _walk(crops, longest_gap)
    return [
        Stop(
            camera_id=one[0].camera_id,
            session_id=one[0].session_id,
            track_id=one[0].track_id,
            first_crop_id=one[0].id,
            first_captured_at=one[0].captured_at,
            last_captured_at=one[-1].captured_at,
            crops=len(one),
            confirmed_crops=sum(crop.vehicle_confirmed for crop in one),
            best_crop_id=min(one, key=lambda crop: (not crop.has_image, -crop.width * crop.height, crop.id)).id,
            camera_before=before[0].camera_id if before else None,
            left_before=before[-1].captured_at if before else None,
        )
        for before, one in zip([[], *walked], walked, strict=False)
    ]


async def _pages(database: Database, crop: NewCrop, *, limit: int, **wanted: Any) -> list[Stop]:
    """Every sighting of vehicle "v", page by page."""
    found: list[Stop] = []
    cursor = None
    async with database.reading() as session:
        sightings = SightingRepository(session, crop.collection_id)
        while True:
            page, cursor = await sightings.page(
                "v", **{"claimed": True, "longest_gap": GAP, **wanted}, limit=limit, cursor=cursor
            )
            assert len(page) == limit or cursor is None
            found += page
            if cursor is None:
                return found


@pytest.mark.parametrize("seed", range(3))
async def test_like_a_walk_over_the_crops(database: Database, enrol: Enrol, seed: int) -> None:
    draw = random.Random(seed)
    crops: list[NewCrop] = []
    for _ in range(60):
        timed = draw.random() < 0.9
        crops += await enrol(
            database,
            vehicle_id="v",
            vehicle_confirmed=draw.random() < 0.7,
            camera_id=draw.choice("ab"),
            session_id=draw.choice([None, None, "s"]),
            track_id=draw.choice([None, None, "1"]),
            # few different times, so that crops often have the same one and gaps are often exactly the longest
            captured_at=NOON + timedelta(seconds=100 * draw.randrange(90)) if timed else None,
            width=draw.randrange(1, 4),
            height=draw.randrange(1, 4),
            has_image=draw.random() < 0.8,
        )
    await enrol(database, 5, vehicle_id="w", vehicle_confirmed=True, captured_at=NOON)
    await enrol(database, 5, vehicle_id="v", vehicle_confirmed=True, captured_at=NOON, collection="other")
    for gap in (GAP, timedelta(0), timedelta(days=365)):
        expected = _expected(crops, gap)
        assert await _pages(database, crops[0], limit=100, longest_gap=gap) == expected
        assert await _pages(database, crops[0], limit=4, longest_gap=gap) == expected
    confirmed = [crop for crop in crops if crop.vehicle_confirmed]
    assert await _pages(database, crops[0], limit=7, claimed=False) == _expected(confirmed, GAP)


async def test_pages_go_on_where_they_were_while_crops_come_and_go(database: Database, enrol: Enrol) -> None:
    async def seen(minutes: int, camera_id: str) -> NewCrop:
        at = NOON + timedelta(minutes=minutes)
        return (await enrol(database, vehicle_id="v", camera_id=camera_id, captured_at=at))[0]

    crops = [await seen(minutes, "ab"[minutes % 2]) for minutes in range(4)]
    async with database.reading() as session:
        sightings = SightingRepository(session, crops[0].collection_id)
        first, cursor = await sightings.page("v", claimed=True, longest_gap=GAP, limit=2, cursor=None)
    assert [stop.first_crop_id for stop in first] == [crops[0].id, crops[1].id]
    await seen(-1, "c")
    late = await seen(5, "b")
    async with database.reading() as session:
        sightings = SightingRepository(session, crops[0].collection_id)
        rest, cursor = await sightings.page("v", claimed=True, longest_gap=GAP, limit=9, cursor=cursor)
    assert cursor is None
    assert [(stop.first_crop_id, stop.crops) for stop in rest] == [(crops[2].id, 1), (crops[3].id, 2)]
    assert rest[-1].last_captured_at == late.captured_at


@pytest.mark.parametrize("cursor", ["", "x", "WyJhIl0=", "W251bGwsbnVsbF0=", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwieCJd"])
async def test_a_foreign_cursor(database: Database, enrol: Enrol, cursor: str) -> None:
    (crop,) = await enrol(database, vehicle_id="v")
    async with database.reading() as session:
        sightings = SightingRepository(session, crop.collection_id)
        with pytest.raises(InvalidValueError, match="cursor"):
            await sightings.page("v", claimed=True, longest_gap=GAP, limit=2, cursor=cursor)
