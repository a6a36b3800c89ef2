"""Several people change vehicles at once, beside enrolments and deletions: nothing is lost, and the index follows."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import pytest
from support.vehicles import Vehicles, said_of

from service.access import ANYONE
from service.deletion.repository import DeletionRepository
from service.runtime import Runtime
from service.vehicles.work import vehicle_work

Crops = Callable[..., Awaitable[list[str]]]
ROUNDS = 5

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _together(*work: Awaitable[httpx.Response]) -> list[int]:
    """Statuses of requests that are sent at once."""
    answers = await asyncio.gather(*work)
    assert all(answer.status_code < 500 for answer in answers), [answer.text for answer in answers]
    return [answer.status_code for answer in answers]


async def _require_index_equal(runtime: Runtime) -> None:
    """The index is level with the log, and the comparison with the database finds no difference."""
    assert await runtime.follower.wait_for(runtime.follower.committed, 10)
    await runtime.follower.reconcile()
    status = runtime.follower.status()
    assert (status.lag_changes, status.drift) == (0, None)


async def test_a_vehicle_is_made_once(vehicles: Vehicles, crops: Crops, runtime: Runtime) -> None:
    for number in range(ROUNDS):
        one, two = await crops({}, {})
        statuses = await _together(*(vehicles.create(one, two, vehicle_id=f"v{number}") for _ in range(4)))
        assert sorted(statuses) == [200, 200, 200, 201]
        assert (await vehicles.get(f"v{number}")).json()["crops"] == 2
    await _require_index_equal(runtime)


async def test_a_crop_is_one_vehicle(vehicles: Vehicles, crops: Crops, shared_client: httpx.AsyncClient) -> None:
    for number in range(ROUNDS):
        one, two = await crops({}, {})
        statuses = await _together(
            vehicles.create(one, two, vehicle_id=f"a{number}"), vehicles.create(two, one, vehicle_id=f"b{number}")
        )
        assert sorted(statuses) == [201, 409]
        winner = f"{'ab'[statuses.index(201)]}{number}"
        assert await said_of(shared_client, one) == await said_of(shared_client, two) == (winner, True)


async def test_two_merges_into_each_other(
    vehicles: Vehicles, crops: Crops, runtime: Runtime, shared_client: httpx.AsyncClient, collection: str
) -> None:
    for number in range(ROUNDS):
        ids = await crops({}, {}, {}, {})
        a, b = f"a{number}", f"b{number}"
        await vehicles.create(*ids[:2], vehicle_id=a)
        await vehicles.create(*ids[2:], vehicle_id=b)
        statuses = await _together(
            *(
                shared_client.post("/vehicles/merge", json={"collection": collection, "into": into, "from": [other]})
                for into, other in ((a, b), (b, a))
            )
        )
        assert sorted(statuses) == [200, 404]
        left = (a, b)[statuses.index(200)]
        assert (await vehicles.get(left)).json()["crops"] == 4
        assert {await said_of(shared_client, crop) for crop in ids} == {(left, True)}
        await _require_index_equal(runtime)


async def test_confirming_beside_deleting(
    vehicles: Vehicles, crops: Crops, runtime: Runtime, shared_client: httpx.AsyncClient, collection: str
) -> None:
    for number in range(ROUNDS):
        ids = await crops({}, {}, {})
        name = f"v{number}"
        await vehicles.create(ids[0], vehicle_id=name)
        wanted = {"collection": collection, "crop_ids": ids}
        statuses = await _together(
            vehicles.send("POST", f"{name}/crops", {"crop_ids": ids}),
            vehicles.send("DELETE", name),
            shared_client.post("/gallery/delete", json=wanted | {"crop_ids": ids[1:2]}),
            shared_client.delete(f"/gallery/{ids[2]}"),
        )
        assert statuses[0] in (200, 404)
        assert statuses[1] == 204
        assert (await vehicles.get(name)).status_code == 404
        assert await said_of(shared_client, ids[0]) == (None, False)
        assert [(await shared_client.get(f"/gallery/{crop}")).status_code for crop in ids[1:]] == [404, 404]
        await _require_index_equal(runtime)


async def test_merging_beside_an_enrolment_under_the_old_id(
    vehicles: Vehicles, crops: Crops, runtime: Runtime, shared_client: httpx.AsyncClient, collection: str
) -> None:
    for number in range(ROUNDS):
        a, b = f"a{number}", f"b{number}"
        one, two, claimed = await crops({}, {}, {"vehicle_id": b})
        await vehicles.create(one, vehicle_id=a)
        await vehicles.create(two, vehicle_id=b)
        merge = {"collection": collection, "into": a, "from": [b]}
        (status,), (late,) = await asyncio.gather(
            _together(shared_client.post("/vehicles/merge", json=merge)), crops({"vehicle_id": b})
        )
        assert status == 200
        assert [await said_of(shared_client, crop) for crop in (one, two, claimed)] == [
            (a, True),
            (a, True),
            (a, False),
        ]
        vehicle_id, confirmed = await said_of(shared_client, late)
        assert vehicle_id in (a, b)
        assert not confirmed
        await _require_index_equal(runtime)


async def test_a_crop_that_is_being_deleted_is_not_confirmed(
    vehicles: Vehicles, crops: Crops, runtime: Runtime, shared_client: httpx.AsyncClient
) -> None:
    one, two = await crops({}, {})
    async with runtime.database.transaction() as session:
        _, sequence = await DeletionRepository(session).delete([UUID(two)])
        waiting = asyncio.create_task(vehicles.create(one, two, vehicle_id="a"))
        await asyncio.sleep(0.3)
        assert not waiting.done()
    runtime.follower.note_commit(sequence)
    refused = await waiting
    assert (refused.status_code, two in refused.json()["detail"]) == (404, True)
    assert await said_of(shared_client, one) == (None, False)
    await _require_index_equal(runtime)


async def test_enrolments_do_not_wait_for_people(
    vehicles: Vehicles, crops: Crops, runtime: Runtime, collection: str, shared_client: httpx.AsyncClient
) -> None:
    (one,) = await crops({})
    await vehicles.create(one, vehicle_id="a")
    async with vehicle_work(runtime, ANYONE, collection) as work:
        await work.vehicles.lock_crops_of(work.collection.id, ["a"])
        waiting = asyncio.create_task(vehicles.send("DELETE", "a"))
        (late,) = await asyncio.wait_for(crops({"vehicle_id": "a"}), 10)
        assert not waiting.done()
    assert (await waiting).status_code == 204
    assert [await said_of(shared_client, crop) for crop in (one, late)] == [(None, False), ("a", False)]
    await _require_index_equal(runtime)
