"""Crops by time of capture over HTTP."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

Post = Callable[..., Awaitable[httpx.Response]]

HOURS = ["06:00:00", "06:59:59.999999", "07:00:00", "09:30:00", "09:59:59"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gallery(shared_client: httpx.AsyncClient, enroll_shared: Post) -> str:
    """Crops of one morning by two cameras, and one without a time."""
    items = [
        {"camera_id": f"gate-{number % 2}", "captured_at": f"2026-11-23T{hour}Z"} for number, hour in enumerate(HOURS)
    ]
    await enroll_shared(*range(6), items=[*items, {"camera_id": "gate-0"}], collection="morning")
    await enroll_shared(7, camera_id="gate-0", captured_at="2026-11-23T07:30:00Z", collection="another")
    return "morning"


async def test_counts_in_half_open_buckets(shared_client: httpx.AsyncClient, gallery: str) -> None:
    query = {"collection": gallery, "from": "2026-11-23T06:00:00Z", "to": "2026-11-23T10:00:00Z", "buckets": 4}
    answer = await shared_client.get("/timeline", params=query)
    assert answer.json() == {
        "start": "2026-11-23T06:00:00Z",
        "end": "2026-11-23T10:00:00Z",
        "bucket_s": 3600,
        "counts": [2, 1, 0, 2],
        "without_time": 1,
    }


async def test_spans_what_there_is_where_no_window_is_given(shared_client: httpx.AsyncClient, gallery: str) -> None:
    found = (await shared_client.get("/timeline", params={"collection": gallery, "buckets": 7})).json()
    assert (found["start"], found["end"]) == ("2026-11-23T06:00:00Z", "2026-11-23T09:59:59.000001Z")
    assert sum(found["counts"]) == len(HOURS)
    assert (found["counts"][0], found["counts"][-1]) == (1, 2)


async def test_takes_the_conditions_of_a_search(shared_client: httpx.AsyncClient, gallery: str) -> None:
    query = {
        "collection": gallery,
        "camera_ids": "gate-1",
        "from": "2026-11-23T06:00:00Z",
        "to": "2026-11-23T10:00:00Z",
    }
    found = (await shared_client.get("/timeline", params=query | {"buckets": 2})).json()
    assert (found["counts"], found["without_time"]) == ([1, 1], 0)


async def test_one_moment_is_one_bucket_of_a_microsecond(shared_client: httpx.AsyncClient) -> None:
    found = (await shared_client.get("/timeline", params={"collection": "another", "buckets": 3})).json()
    assert sum(found["counts"]) == 1
    assert found["end"] == "2026-11-23T07:30:00.000001Z"


async def test_no_time_known_is_no_timeline(shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
    await enroll_shared(1, camera_id="a", collection="timeless")
    found = (await shared_client.get("/timeline", params={"collection": "timeless"})).json()
    assert found == {"start": None, "end": None, "bucket_s": 0, "counts": [], "without_time": 1}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"collection": "nowhere"}, 404),
        ({"collection": "morning", "buckets": 0}, 422),
        ({"collection": "morning", "buckets": 501}, 422),
        ({"collection": "morning", "from": "2026-11-23T07:00:00Z", "to": "2026-11-23T07:00:00Z"}, 422),
        # Only one end is given, and nothing lies beyond it.
        ({"collection": "morning", "from": "2027-01-01T00:00:00Z"}, 200),
        ({"collection": "morning", "to": "2020-01-01T00:00:00Z"}, 200),
        ({"collection": "morning", "from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}, 200),
    ],
)
async def test_what_is_refused(
    shared_client: httpx.AsyncClient, gallery: str, query: dict[str, str], status: int
) -> None:
    assert (await shared_client.get("/timeline", params=query)).status_code == status
