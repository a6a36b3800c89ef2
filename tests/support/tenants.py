"""Tenants of one service: each with something of every noun, named so that it is known wherever it turns up."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from service.calibration.repository import CalibrationRepository
from service.collections.repository import CollectionRepository

NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there: a message stays on its way."""
MORNING = "2026-05-04T08:{minute:02}:00Z"
PAGES = 2
"""Of most things there are two, so that a list of one at a time has a cursor."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a request about a tenant's things names.

    Attributes:
        crop: A crop that is watched for, judged and looked at.
        other: Another one, confirmed to be no vehicle.
        vehicle_crop: One that is confirmed to be the vehicle.
        own: A crop of the collection that the request names, whoever asks.
    """

    collection: str
    crop: str
    other: str
    vehicle_crop: str
    own: str
    camera: str
    vehicle: str
    second_vehicle: str
    session: str
    track: str
    external: str
    job: str
    watch: str
    delivery: str
    judgement: str
    key: str
    picture: bytes = field(repr=False)
    vector: list[float] = field(repr=False)
    model_id: str

    def texts(self) -> dict[str, str]:
        """Every name that is a tenant's own, by what it names."""
        shared = {"picture", "vector", "model_id"}
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in shared}


class Tenant:
    """A collection and a key that may do everything in it and nothing elsewhere.

    Args:
        client: Of a service that asks for keys.
        operator: Header of a key that may do everything everywhere.
        token: Part of every name of the tenant's, and of nothing else.
        make_jpeg: Makes pictures.
        first: Seed of the first picture.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        operator: dict[str, str],
        token: str,
        make_jpeg: Callable[[int], bytes],
        first: int,
    ) -> None:
        self.client, self.operator, self.token = client, operator, token
        self._make_jpeg, self._first = make_jpeg, first
        self.key: dict[str, str] = {}
        self.names: Names
        self.secrets: set[str] = {token}
        """Texts that nobody else may ever be answered."""
        self.pictures: list[bytes] = []
        """Pictures as they are shown."""

    async def furnish(self) -> None:
        """Make something of every noun."""
        made = await self._ask(
            "POST", "/keys", self.operator, json={"name": f"{self.token}-admin", "scopes": ["admin"], **self._bound()}
        )
        self.key = {"X-API-Key": made["key"]}
        self.secrets |= {made["id"], made["prefix"], made["key"]}
        await self._ask("POST", "/collections", json={"name": self.token, "description": f"{self.token}-description"})
        crops = await self._enroll(6, 0)
        await self._ask("POST", "/cameras", json={"collection": self.token, "camera_id": f"{self.token}-announced"})
        for number, members in enumerate(([crops[2], crops[4]], [crops[3]])):
            said = {"label": f"{self.token}-label", "notes": f"{self.token}-notes"}
            vehicle = {"collection": self.token, "vehicle_id": f"{self.token}-vehicle-{number}", "crop_ids": members}
            await self._ask("POST", "/vehicles", json={**vehicle, **said})
        judgements = [await self._judge(crops[0], other) for other in (crops[1], crops[5])]
        watches = [await self._watch(crops[0]) for _ in range(PAGES)]
        await self._enroll(2, 6)
        deliveries = await self._deliveries(watches[0]["id"])
        jobs = [await self._job() for _ in range(PAGES)]
        keys = [
            await self._ask("POST", "/keys", self.operator, json={"name": f"{self.token}-gate", **self._scopes()})
            for _ in range(PAGES)
        ]
        model_id = await self._calibrate()
        self.secrets |= {judgement["id"] for judgement in judgements}
        self.secrets |= {text for one in watches for text in (one["id"], one["webhook_secret"])}
        self.secrets |= {one["id"] for one in (*deliveries, *jobs)}
        self.secrets |= {text for one in keys for text in (one["id"], one["prefix"], one["key"])}
        self.names = Names(
            collection=self.token,
            crop=crops[0],
            other=crops[1],
            vehicle_crop=crops[2],
            own=crops[5],
            camera=f"{self.token}-camera-0",
            vehicle=f"{self.token}-vehicle-0",
            second_vehicle=f"{self.token}-vehicle-1",
            session=f"{self.token}-session",
            track=f"{self.token}-track-0",
            external=f"{self.token}-external-0",
            job=jobs[0]["id"],
            watch=watches[0]["id"],
            delivery=deliveries[0]["id"],
            judgement=judgements[0]["id"],
            key=keys[0]["id"],
            picture=self._make_jpeg(self._first),
            vector=await self._vector(),
            model_id=model_id,
        )
        await self._look(crops[0])

    def found_in(self, answer: httpx.Response, known: set[str]) -> Iterator[str]:
        """What an answer gives away of this tenant.

        Args:
            answer: Of a request by somebody else.
            known: Texts that the other one has from elsewhere, such as from the request itself.
        """
        body = answer.content
        said = [*(value for pair in answer.headers.items() for value in pair), body.decode("utf-8", "replace")]
        for secret in self.secrets:
            allowed = [text for text in known if secret in text]
            for text in said:
                left = text
                for name in sorted(allowed, key=len, reverse=True):
                    left = left.replace(name, "")
                if secret in left:
                    yield secret
        yield from ("a picture" for picture in self.pictures if picture in body or base64.b64encode(picture) in body)

    async def _ask(self, method: str, path: str, key: dict[str, str] | None = None, **options: Any) -> Any:
        answer = await self.client.request(method, path, headers={**(key or self.key)}, **options)
        assert answer.is_success, answer.text
        return answer.json()

    def _bound(self) -> dict[str, Any]:
        return {"collections": [self.token]}

    def _scopes(self) -> dict[str, Any]:
        return {"scopes": ["read", "search"], **self._bound()}

    async def _enroll(self, count: int, first: int) -> list[str]:
        items = [
            {
                "camera_id": f"{self.token}-camera-{number % 2}",
                "captured_at": MORNING.format(minute=number),
                "session_id": f"{self.token}-session",
                "track_id": f"{self.token}-track-{number // 2 % 2}",
                "external_id": f"{self.token}-external-{number}",
                "attributes": {"note": f"{self.token}-attribute"},
            }
            for number in range(first, first + count)
        ]
        # One track is one camera's: two crops of each are on the first.
        items[1]["camera_id"] = items[0]["camera_id"]
        files = [("images", ("crop", self._make_jpeg(self._first + first + number))) for number in range(count)]
        form = {"collection": self.token, "items": json.dumps(items)}
        answer = await self.client.post("/gallery", files=files, data=form, headers=self.key)
        assert answer.status_code == 201, answer.text
        ids = [item["id"] for item in answer.json()["items"]]
        self.secrets |= set(ids)
        return ids

    async def _judge(self, crop: str, other: str) -> Any:
        words = {"crop_id": crop, "query_crop_id": other, "same": False}
        return await self._ask("POST", "/judgements", json={"collection": self.token, **words})

    async def _watch(self, crop: str) -> Any:
        watch = {
            "name": f"{self.token}-watch",
            "collection": self.token,
            "crop_ids": [crop],
            "min_score": -1,
            "exclude_same_track": False,
            "webhook_url": f"{NOWHERE}/{self.token}-hook",
            "purpose": f"{self.token}-watch-purpose",
        }
        return await self._ask("POST", "/watches", json=watch)

    async def _deliveries(self, watch: str) -> Any:
        async with asyncio.timeout(20):
            while True:
                items = (await self._ask("GET", f"/watches/{watch}/deliveries"))["items"]
                if len(items) >= PAGES:
                    return items
                await asyncio.sleep(0.02)

    async def _job(self) -> Any:
        job = await self._ask("POST", "/jobs", json={"kind": "reembed_collection", "collection": self.token})
        async with asyncio.timeout(20):
            while True:
                job = await self._ask("GET", f"/jobs/{job['id']}")
                if job["finished_at"] is not None:
                    return job
                await asyncio.sleep(0.02)

    async def _vector(self) -> list[float]:
        found = await self._ask("GET", "/model")
        return [1.0] + [0.0] * (found["dimension"] - 1)

    async def _calibrate(self) -> str:
        """Write a calibration down, as learning one takes more pictures than a test has; the model that it is of."""
        database = self.client._transport.app.state.runtime.database  # type: ignore[attr-defined]
        async with database.transaction() as session:
            collection = await CollectionRepository(session).named(self.token)
            rates = {"false_match_rate": 0.01, "false_non_match_rate": 0.05}
            counts = {"same_pairs": 20, "different_pairs": 100, "vehicles": 10}
            learnt = {"intercept": -2.0, "slope": 5.0, "match_score": 0.9, "possible_score": 0.5}
            measured = {
                "area_under_curve": 0.9,
                "match_false_match_rate": 0.01,
                "match_true_match_rate": 0.6,
                "possible_false_non_match_rate": 0.05,
                "roc": [],
            }
            values = {**rates, **counts, **learnt, "measured": measured, "created_by": f"{self.token}-admin"}
            await CalibrationRepository(session).put(collection.id, collection.model_id, values)
            return collection.model_id

    async def _look(self, crop: str) -> None:
        """Search and look at a picture, saying why."""
        search = {"collection": self.token, "crop_ids": [crop], "purpose": f"{self.token}-purpose"}
        await self._ask("POST", "/search/crop", json=search)
        headers = {**self.key, "X-Purpose": f"{self.token}-view"}
        answer = await self.client.get(f"/gallery/{crop}/image", headers=headers)
        assert answer.status_code == 200, answer.text
        self.pictures.append(answer.content)
        entries = await self._ask("GET", "/audit")
        self.secrets |= {entry["id"] for entry in entries["items"]}
