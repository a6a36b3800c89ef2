"""Whatever people do to vehicles, in whatever order: they and the index are as a plain model of them says."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from support.vehicles import Vehicles

from service.runtime import Runtime

Crops = Callable[..., Awaitable[list[str]]]
NAMES = ("a", "b", "c", "d")
STEPS = 100

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Plain:
    """Vehicles as a dictionary.

    Attributes:
        said: Of each crop, which vehicle it shows and whether that is confirmed.
        made: The confirmed vehicles.
    """

    def __init__(self, said: dict[str, tuple[str | None, bool]]) -> None:
        self.said = said
        self.made: set[str] = set()

    def of(self, vehicle_id: str, *, confirmed: bool) -> set[str]:
        return {crop for crop, said in self.said.items() if said == (vehicle_id, confirmed)}

    def free(self, crop_ids: list[str], vehicle_id: str) -> bool:
        return all(not sure or name == vehicle_id for name, sure in map(self.said.__getitem__, crop_ids))

    def create(self, crop_ids: list[str], vehicle_id: str) -> int:
        if not self.free(crop_ids, vehicle_id):
            return 409
        status = 200 if vehicle_id in self.made else 201
        self.made.add(vehicle_id)
        self.said |= dict.fromkeys(crop_ids, (vehicle_id, True))
        return status

    def confirm(self, crop_ids: list[str], vehicle_id: str) -> int:
        if vehicle_id not in self.made:
            return 404
        return 409 if self.create(crop_ids, vehicle_id) == 409 else 200

    def remove(self, crop_ids: list[str], vehicle_id: str) -> int:
        if vehicle_id not in self.made:
            return 404
        self.said |= {crop: (None, False) for crop in crop_ids if self.said[crop][0] == vehicle_id}
        return 200

    def merge(self, into: str, others: list[str]) -> int:
        there = self.made | {name for name, _ in self.said.values() if name is not None}
        if into not in self.made or not there.issuperset(others):
            return 404
        self.said |= {crop: (into, sure) for crop, (name, sure) in self.said.items() if name in others}
        self.made -= set(others)
        return 200

    def split(self, crop_ids: list[str], vehicle_id: str, new_id: str) -> int:
        if vehicle_id not in self.made:
            return 404
        if new_id in self.made or not self.of(vehicle_id, confirmed=True).issuperset(crop_ids):
            return 409
        self.made.add(new_id)
        self.said |= dict.fromkeys(crop_ids, (new_id, True))
        return 201

    def delete(self, vehicle_id: str) -> int:
        if vehicle_id not in self.made:
            return 404
        self.made.remove(vehicle_id)
        self.said |= dict.fromkeys(self.of(vehicle_id, confirmed=True), (None, False))
        return 204


class Both:
    """Does the same to the service and to the model, drawn at random."""

    def __init__(self, vehicles: Vehicles, client: httpx.AsyncClient, collection: str, plain: Plain, seed: int) -> None:
        self.vehicles, self.client, self.collection, self.plain = vehicles, client, collection, plain
        self.draw = random.Random(seed)

    async def step(self) -> tuple[str, int, int]:
        """What was done, the status that came of it and the one that was expected."""
        doing = self.draw.choice(
            [self.create, self.create, self.confirm, self.remove, self.merge, self.split, self.split, self.delete]
            + ([self.forget] if len(self.plain.said) > 8 else [])
        )
        there = sorted(self.plain.made) if self.draw.random() < 0.7 else []
        done, expected = await doing(self.draw.choice(there or NAMES))
        return doing.__name__, done, expected

    def some(self, name: str, own: float) -> list[str]:
        """Crops: with a probability, those of a vehicle; otherwise any."""
        confirmed = sorted(self.plain.of(name, confirmed=True))
        among = confirmed if confirmed and self.draw.random() < own else sorted(self.plain.said)
        return self.draw.sample(among, min(len(among), self.draw.randrange(1, 4)))

    async def create(self, name: str) -> tuple[int, int]:
        crop_ids = self.some(name, 0.1)
        return (await self.vehicles.create(*crop_ids, vehicle_id=name)).status_code, self.plain.create(crop_ids, name)

    async def confirm(self, name: str) -> tuple[int, int]:
        crop_ids = self.some(name, 0.1)
        return await self._send("POST", f"{name}/crops", {"crop_ids": crop_ids}), self.plain.confirm(crop_ids, name)

    async def remove(self, name: str) -> tuple[int, int]:
        crop_ids = self.some(name, 0.5)
        body = {"crop_ids": crop_ids}
        return await self._send("POST", f"{name}/crops/remove", body), self.plain.remove(crop_ids, name)

    async def merge(self, name: str) -> tuple[int, int]:
        others = self.draw.sample([one for one in NAMES if one != name], self.draw.randrange(1, 3))
        body = {"collection": self.collection, "into": name, "from": others}
        answer = await self.client.post("/vehicles/merge", json=body)
        return answer.status_code, self.plain.merge(name, others)

    async def split(self, name: str) -> tuple[int, int]:
        crop_ids, new_id = self.some(name, 0.8), self.draw.choice(NAMES)
        body = {"crop_ids": crop_ids, "vehicle_id": new_id}
        return await self._send("POST", f"{name}/split", body), self.plain.split(crop_ids, name, new_id)

    async def delete(self, name: str) -> tuple[int, int]:
        return await self._send("DELETE", name), self.plain.delete(name)

    async def forget(self, _: str) -> tuple[int, int]:
        """Delete a crop."""
        crop_id = self.draw.choice(sorted(self.plain.said))
        del self.plain.said[crop_id]
        return (await self.client.delete(f"/gallery/{crop_id}")).status_code, 204

    async def _send(self, method: str, path: str, body: Any = None) -> int:
        return (await self.vehicles.send(method, path, body)).status_code


@pytest.mark.parametrize("seed", range(3))
async def test_as_the_model_says(
    *,
    shared_client: httpx.AsyncClient,
    vehicles: Vehicles,
    crops: Crops,
    collection: str,
    runtime: Runtime,
    seed: int,
) -> None:
    claims = [None, None, None, None, None, None, "a", "a", "b", "b", "c", "d"]
    ids = await crops(*({"vehicle_id": claim} if claim else {} for claim in claims))
    plain = Plain({crop: (claim, False) for crop, claim in zip(ids, claims, strict=True)})
    both = Both(vehicles, shared_client, collection, plain, seed)
    came_to = set()
    for number in range(STEPS):
        what, status, expected = await both.step()
        assert status == expected, f"step {number}: {what}"
        came_to.add((what, status < 400))
        assert await _said(shared_client, collection) == plain.said
    listed = await _listed(shared_client, collection)
    claimed_only = {name for name, sure in plain.said.values() if name is not None and not sure} - plain.made
    assert {one["vehicle_id"]: one["confirmed"] for one in listed} == {
        **dict.fromkeys(plain.made, True),
        **dict.fromkeys(claimed_only, False),
    }
    for one in listed:
        counts = [len(plain.of(one["vehicle_id"], confirmed=sure)) for sure in (True, False)]
        assert [one["crops"], one["claimed_crops"]] == counts
    assert await runtime.follower.wait_for(runtime.follower.committed, 10)
    await runtime.follower.reconcile()
    assert runtime.follower.status().drift is None
    assert {what for what, worked in came_to if worked} >= {"create", "confirm", "remove", "merge", "split", "delete"}


async def _said(client: httpx.AsyncClient, collection: str) -> dict[str, tuple[str | None, bool]]:
    """Of each crop, which vehicle it shows and whether that is confirmed."""
    page = (await client.get("/gallery", params={"collection": collection})).json()
    return {crop["id"]: (crop["vehicle_id"], crop["vehicle_confirmed"]) for crop in page["items"]}


async def _listed(client: httpx.AsyncClient, collection: str) -> list[dict[str, Any]]:
    query: dict[str, Any] = {"collection": collection, "claimed": True, "limit": 2}
    found: list[dict[str, Any]] = []
    while True:
        page = (await client.get("/vehicles", params=query)).json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]
