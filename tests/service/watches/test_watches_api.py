"""Watches over HTTP: made, found, told, changed, refused, and by whom."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import delete, func, select, update
from support.keys import header
from support.webhooks import Receiver

from service.database.engine import Database
from service.database.tables import ApiKey, AuditEntry, Calibration, Change, Collection, Embedding, Watch, WatchCursor
from service.settings import Settings
from service.watches import making

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAME = 0.9999
"""Reached by the same picture and no other."""
_NUMBERS = count()


class Town:
    """A collection of the test's own, and what is asked of it with a key for everything."""

    def __init__(self, client: httpx.AsyncClient, key: dict[str, str], make_jpeg: Callable[[int], bytes]) -> None:
        self.name = f"town-{next(_NUMBERS)}"
        self.client, self.key, self._make_jpeg = client, key, make_jpeg

    async def enroll(self, *seeds: int, **fields: Any) -> list[str]:
        files = [("images", ("crop", self._make_jpeg(seed))) for seed in seeds]
        data = {"collection": self.name, "camera_id": "gate", **fields}
        answer = await self.client.post("/gallery", files=files, data=data, headers=self.key)
        assert answer.status_code == 201, answer.text
        return [item["id"] for item in answer.json()["items"]]

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.key, **options.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **options)

    async def post(self, *crop_ids: str, **fields: Any) -> httpx.Response:
        threshold = {} if {"decision", "min_score"} & fields.keys() else {"min_score": SAME}
        body = {"collection": self.name, "name": "taxi", "crop_ids": list(crop_ids), **threshold, **fields}
        return await self.ask("POST", "/watches", json=body)

    async def watch(self, *crop_ids: str, **fields: Any) -> str:
        answer = await self.post(*crop_ids, **fields)
        assert answer.status_code == 201, answer.text
        watch_id: str = answer.json()["id"]
        return watch_id

    async def get(self, watch_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask("GET", f"/watches/{watch_id}")).json()
        return found

    async def patch(self, watch_id: str, **fields: Any) -> httpx.Response:
        return await self.ask("PATCH", f"/watches/{watch_id}", json=fields)

    async def hits(self, watch_id: str, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask("GET", f"/watches/{watch_id}/hits", params=query)).json()
        return found

    async def found(self, watch_id: str, number: int) -> list[str]:
        """Crops that a watch found, oldest first, once all that was enrolled so far has been looked at."""
        await self.looked_at()
        crops = [hit["crop"]["id"] for hit in (await self.hits(watch_id, after=0))["items"]]
        assert len(crops) == number
        return crops

    async def looked_at(self) -> None:
        """Wait until all that was enrolled so far has been compared with the watches."""
        head = select(func.max(Change.sequence)).scalar_subquery()
        loaded = self.client._transport.app.state.runtime.embedder.model_id  # type: ignore[attr-defined]
        async with asyncio.timeout(15):
            while True:
                async with self.database.reading() as session:
                    if await session.scalar(select(WatchCursor.sequence >= head).where(WatchCursor.model_id == loaded)):
                        return
                await asyncio.sleep(0.01)

    @property
    def database(self) -> Database:
        database: Database = self.client._transport.app.state.runtime.database  # type: ignore[attr-defined]
        return database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(
    serve: Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]],
    untrained_weights: Path,
    shared_postgres_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client, without a key, of a service that asks for one; the tests share it."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("service"),
        database_url=shared_postgres_url,
        auth="on",
        weights=untrained_weights,
        preset="tiny",
        device="cpu",
        torch_threads=1,
        watch_poll_s=0.02,
        webhook_allowed=frozenset({"127.0.0.1", "localhost"}),
        webhook_retry_s=0.05,
        webhook_timeout_s=1,
    )
    async with serve(settings) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(shared_postgres_url: str) -> dict[str, str]:
    return await header(shared_postgres_url, "admin", name="operations")


@pytest.fixture
def town(client: httpx.AsyncClient, admin: dict[str, str], make_jpeg: Callable[[int], bytes]) -> Town:
    return Town(client, admin, make_jpeg)


async def audited(town: Town) -> list[AuditEntry]:
    async with town.database.reading() as session:
        mine = (
            AuditEntry.collection == town.name,
            AuditEntry.action.like("%watch%")
            | (AuditEntry.action.like("%webhook%") | AuditEntry.action.like("%deliver%")),
        )
        return list(await session.scalars(select(AuditEntry).where(*mine).order_by(AuditEntry.id)))


async def change(town: Town, watch_id: str, **values: Any) -> None:
    async with town.database.transaction() as session:
        await session.execute(update(Watch).where(Watch.id == watch_id).values(**values))


async def calibrate(town: Town, model_id: str | None = None, **scores: float) -> None:
    """Write a calibration as if it had been learnt."""
    async with town.database.transaction() as session:
        owner = (await session.scalars(select(Collection).where(Collection.name == town.name))).one()
        row = {
            "collection_id": owner.id,
            "model_id": model_id or owner.model_id,
            "match_score": scores.get("match", SAME),
            "possible_score": scores.get("possible", -1.0),
            "false_match_rate": 0.001,
            "false_non_match_rate": 0.05,
            "slope": 1.0,
            "intercept": 0.0,
            "same_pairs": 100,
            "different_pairs": 1000,
            "vehicles": 40,
            "measured": {},
        }
        await session.execute(delete(Calibration).where(Calibration.collection_id == owner.id))
        session.add(Calibration(**row))


class TestMade:
    async def test_of_crops(self, town: Town) -> None:
        one, two = await town.enroll(1, 2)
        end = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        said = {"min_score": 0.25, "webhook_url": "https://example.org/hook", "expires_at": end, "purpose": "case 1"}
        where = {"camera_ids": ["b", "a"], "from": "2026-01-01T00:00:00+01:00", "attributes": {"colour": "red", "n": 1}}
        tracks = [{"camera_id": "b", "track_id": "7"}, {"camera_id": "a", "session_id": "s", "track_id": "7"}]
        answer = await town.post(two, one, exclude_tracks=tracks, **said, **where)
        assert answer.status_code == 201
        made = answer.json()
        assert made["webhook_secret"].startswith("whsec_")
        shown = await town.get(made["id"])
        assert made == {**shown, "webhook_secret": made["webhook_secret"]}
        assert (shown["state"], shown["explanation"], shown["made_of"]) == ("active", None, "crops")
        assert shown["crop_ids"] == sorted([one, two])
        assert (shown["min_score"], shown["decision"]) == (0.25, None)
        assert (shown["camera_ids"], shown["attributes"]) == (["a", "b"], where["attributes"])
        assert (shown["from"], shown["to"]) == ("2025-12-31T23:00:00Z", None)
        assert shown["exclude_tracks"] == [tracks[1], {**tracks[0], "session_id": None}]
        assert (shown["hits"], shown["dead_deliveries"], shown["created_by"]) == (0, 0, "operations")
        assert datetime.fromisoformat(shown["expires_at"]) == datetime.fromisoformat(end)

    async def test_of_pictures(self, town: Town, make_jpeg: Callable[[int], bytes]) -> None:
        await town.enroll(1)
        files = [("images", ("query", make_jpeg(5)))]
        data = {"collection": town.name, "name": "van", "min_score": SAME, "attributes": '{"colour": "red"}'}
        answer = await town.ask("POST", "/watches/image", files=files, data=data)
        assert answer.status_code == 201
        made = answer.json()
        assert (made["made_of"], made["crop_ids"], made["attributes"]) == ("images", [], {"colour": "red"})
        (red,) = await town.enroll(5, attributes='{"colour": "red"}')
        await town.enroll(5, attributes='{"colour": "blue"}')
        assert await town.found(made["id"], 1) == [red]

    async def test_the_secret_is_in_no_other_answer_nor_in_the_audit_log(self, town: Town) -> None:
        (crop,) = await town.enroll(1)
        url = "https://example.org/hook?token=of-the-url"
        made = (await town.post(crop, webhook_url=url)).json()
        secret = made["webhook_secret"].removeprefix("whsec_")
        for path in ("", f"/{made['id']}", f"/{made['id']}/deliveries", f"/{made['id']}/hits"):
            assert secret not in (await town.ask("GET", f"/watches{path}")).text
        await town.patch(made["id"], name="other", webhook_url=url)
        said = json.dumps([entry.filter for entry in await audited(town)])
        assert secret not in said
        assert "of-the-url" not in said
        assert "example.org" in said

    async def test_what_is_said_of_it_in_the_audit_log(self, town: Town) -> None:
        (crop,) = await town.enroll(1)
        watch = await town.watch(crop, purpose="case 7")
        await town.patch(watch, paused=True)
        await town.ask("DELETE", f"/watches/{watch}")
        entries = await audited(town)
        assert [entry.action for entry in entries] == ["create_watch", "update_watch", "delete_watch"]
        assert (entries[0].purpose, [str(one) for one in entries[0].crop_ids]) == ("case 7", [crop])
        assert entries[1].filter == {"watch_id": watch, "paused": True}


class TestFound:
    async def test_live_and_page_by_page(self, town: Town) -> None:
        (query,) = await town.enroll(1)
        watch = await town.watch(query, min_score=-1)
        first = [(await town.enroll(seed))[0] for seed in (2, 3, 4)]
        assert await town.found(watch, 3) == first
        newest = await town.hits(watch, limit=2)
        assert [hit["number"] for hit in newest["items"]] == [3, 2]
        more = (await town.enroll(5))[0]
        await town.looked_at()
        rest = await town.hits(watch, limit=2, cursor=newest["next_cursor"])
        assert [hit["number"] for hit in rest["items"]] == [1]
        assert rest["next_cursor"] is None
        live = await town.hits(watch, after=3)
        assert [(hit["number"], hit["crop"]["id"]) for hit in live["items"]] == [(4, more)]
        assert (await town.hits(watch, after=4)) == {"items": [], "next_cursor": None}
        page = await town.hits(watch, after=0, limit=3)
        assert [hit["number"] for hit in page["items"]] == [1, 2, 3]
        page = await town.hits(watch, after=0, limit=3, cursor=page["next_cursor"])
        assert [hit["number"] for hit in page["items"]] == [4]
        assert (await town.get(watch))["hits"] == 4

    async def test_a_hit_is_shown_with_its_crop_and_goes_with_it(self, town: Town) -> None:
        (query,) = await town.enroll(1)
        watch = await town.watch(query)
        one, two = await town.enroll(1, 1, camera_id="other")
        await town.found(watch, 2)
        hits = (await town.hits(watch))["items"]
        hit = next(hit for hit in hits if hit["crop"]["id"] == one)
        assert hit["score"] == pytest.approx(1, abs=1e-3)
        assert hit["crop"] == (await town.ask("GET", f"/gallery/{one}")).json()
        assert (await town.ask("GET", hit["image_url"])).headers["Content-Type"] == "image/jpeg"
        await town.ask("DELETE", f"/gallery/{one}")
        assert [hit["crop"]["id"] for hit in (await town.hits(watch))["items"]] == [two]
        assert (await town.get(watch))["hits"] == 2

    async def test_by_decision(self, town: Town) -> None:
        (query,) = await town.enroll(1)
        refused = await town.post(query, decision="match")
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        await calibrate(town)
        watch = await town.watch(query, decision="match")
        loose = await town.watch(query, decision="possible")
        same, other = await town.enroll(1, 2)
        assert await town.found(watch, 1) == [same]
        await town.found(loose, 2)
        decisions = {hit["crop"]["id"]: hit["decision"] for hit in (await town.hits(loose))["items"]}
        assert decisions == {same: "match", other: "possible"}
        await calibrate(town, model_id="another")
        assert (await town.get(watch))["state"] == "uncalibrated"
        await town.enroll(1)
        await town.found(watch, 1)


class TestTold:
    async def test_from_hit_to_receiver(self, town: Town, receiver: Receiver) -> None:
        (query,) = await town.enroll(1)
        watch = await town.watch(query, webhook_url=receiver.url)
        (crop,) = await town.enroll(1)
        await receiver.wait_for(1)
        assert receiver.bodies[0]["data"]["hit"]["crop"]["id"] == crop
        delivery = await self._settled(town, watch, "delivered")
        assert receiver.ids == [delivery["id"]]
        assert (delivery["crop_id"], delivery["attempts"], delivery["last_status"]) == (crop, 1, 204)
        assert await self._deliveries(town, watch, state="dead") == []

    async def test_dead_letters_are_seen_and_sent_again(self, town: Town, receiver: Receiver) -> None:
        (query,) = await town.enroll(1)
        watch = await town.watch(query, webhook_url=receiver.url)
        receiver.statuses = [410]
        await town.enroll(1)
        dead = await self._settled(town, watch, "dead")
        assert (dead["last_status"], dead["last_error"]) == (410, "The receiver answered 410.")
        assert (await town.get(watch))["dead_deliveries"] == 1
        path = f"/watches/{watch}/deliveries/{dead['id']}/retry"
        again = await town.ask("POST", path)
        assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (200, "pending", 0)
        await receiver.wait_for(2)
        assert receiver.ids == [dead["id"]] * 2
        assert (await town.ask("POST", f"/watches/{watch}/deliveries/{uuid4()}/retry")).status_code == 404
        assert (await town.get(watch))["dead_deliveries"] == 0

    async def test_a_webhook_is_tried_out(self, town: Town, receiver: Receiver) -> None:
        (query,) = await town.enroll(1)
        watch = await town.watch(query)
        refused = await town.ask("POST", f"/watches/{watch}/test")
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        await town.patch(watch, webhook_url=receiver.url)
        good = (await town.ask("POST", f"/watches/{watch}/test")).json()
        assert (good["delivered"], good["status"], good["error"]) == (True, 204, None)
        assert receiver.ids == [good["webhook_id"]]
        assert receiver.bodies[0]["type"] == "watch.test"
        assert receiver.bodies[0]["data"] == {"watch": {"id": watch, "name": "taxi", "collection": town.name}}
        receiver.statuses = [500]
        bad = (await town.ask("POST", f"/watches/{watch}/test")).json()
        assert (bad["delivered"], bad["status"], bad["error"]) == (False, 500, "The receiver answered 500.")
        await asyncio.sleep(0.1)
        assert len(receiver.received) == 2  # it is not tried again

    async def test_a_secret_is_rotated(self, town: Town, receiver: Receiver) -> None:
        (query,) = await town.enroll(1)
        made = (await town.post(query, webhook_url=receiver.url)).json()
        path = f"/watches/{made['id']}"
        rotated = await town.ask("POST", f"{path}/secret", json={"overlap_s": 60})
        assert rotated.status_code == 201
        assert rotated.json()["webhook_secret"] != made["webhook_secret"]
        assert datetime.fromisoformat(rotated.json()["previous_valid_until"]) > datetime.now(UTC)
        await town.ask("POST", f"{path}/test")
        alone = await town.ask("POST", f"{path}/secret", json={"overlap_s": 0})
        assert alone.json()["previous_valid_until"] is None
        await town.ask("POST", f"{path}/test")
        assert [len(headers["webhook-signature"].split()) for headers in receiver.received] == [2, 1]

    async def _settled(self, town: Town, watch: str, state: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while not (found := await self._deliveries(town, watch, state=state)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found[0]

    async def _deliveries(self, town: Town, watch: str, **query: Any) -> list[dict[str, Any]]:
        answer = await town.ask("GET", f"/watches/{watch}/deliveries", params=query)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


class TestChanged:
    async def test_what_is_absent_stays_and_null_clears(self, town: Town) -> None:
        one, two = await town.enroll(1, 2)
        url = "https://example.org/"
        watch = await town.watch(one, webhook_url=url, camera_ids=["a"], attributes={"colour": "red", "axles": 2})
        changed = (
            await town.patch(watch, name="van", camera_ids=None, attributes={"axles": None, "type": "van"})
        ).json()
        assert (changed["name"], changed["camera_ids"], changed["webhook_url"]) == ("van", None, url)
        assert changed["attributes"] == {"colour": "red", "type": "van"}
        changed = (await town.patch(watch, crop_ids=[two], webhook_url=None, min_score=0.5)).json()
        assert (changed["crop_ids"], changed["webhook_url"], changed["min_score"]) == ([two], None, 0.5)
        assert await town.get(watch) == changed

    async def test_it_holds_for_what_comes_from_then_on(self, town: Town) -> None:
        (query,) = await town.enroll(1)
        watch = await town.watch(query)
        await town.enroll(2)
        await town.found(watch, 0)
        await town.patch(watch, min_score=-1)
        (crop,) = await town.enroll(3)
        assert await town.found(watch, 1) == [crop]

    async def test_a_pause_is_a_gap(self, town: Town) -> None:
        (query,) = await town.enroll(1)
        watch = await town.watch(query)
        paused = (await town.patch(watch, paused=True)).json()
        assert paused["state"] == "paused"
        await town.enroll(1)
        await town.patch(watch, paused=False)
        (crop,) = await town.enroll(1)
        assert await town.found(watch, 1) == [crop]

    async def test_the_crops_it_looks_for_are_deleted(self, town: Town) -> None:
        one, two = await town.enroll(1, 2)
        watch = await town.watch(one, two, min_score=0.2)
        await town.ask("DELETE", f"/gallery/{two}")
        assert ((await town.get(watch))["state"], (await town.get(watch))["crop_ids"]) == ("active", [one])
        await town.ask("DELETE", f"/gallery/{one}")
        ended = await town.get(watch)
        assert (ended["state"], ended["crop_ids"]) == ("ended", [])
        assert "deleted" in ended["explanation"]
        (other,) = await town.enroll(3)
        await town.found(watch, 0)
        assert (await town.patch(watch, crop_ids=[other])).json()["state"] == "active"

    async def test_a_watch_of_pictures_is_given_crops(self, town: Town, make_jpeg: Callable[[int], bytes]) -> None:
        (crop,) = await town.enroll(1)
        data = {"collection": town.name, "name": "van", "min_score": SAME}
        made = (await town.ask("POST", "/watches/image", files=[("images", ("q", make_jpeg(9)))], data=data)).json()
        changed = (await town.patch(made["id"], crop_ids=[crop])).json()
        assert (changed["made_of"], changed["crop_ids"]) == ("crops", [crop])

    async def test_expired(self, town: Town) -> None:
        (query,) = await town.enroll(1)
        watch = await town.watch(query)
        await change(town, watch, expires_at=datetime.now(UTC))
        assert (await town.get(watch))["state"] == "expired"
        await town.enroll(1)
        await town.found(watch, 0)


class TestStale:
    async def test_it_says_so_and_is_renewed_by_a_threshold_of_the_model(self, town: Town) -> None:
        (query,) = await town.enroll(1)
        watch = await town.watch(query)
        await change(town, watch, model_id="another")
        stale = await town.get(watch)
        assert stale["state"] == "stale"
        assert "another" in stale["explanation"]
        await town.enroll(1)
        await town.looked_at()
        refused = await town.patch(watch, crop_ids=[query])
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "min_score")
        assert (await town.patch(watch, name="still stale")).json()["state"] == "stale"
        renewed = (await town.patch(watch, min_score=SAME)).json()
        assert renewed["state"] == "active"
        assert renewed["model_id"] != "another"
        (crop,) = await town.enroll(1)
        assert await town.found(watch, 1) == [crop]

    async def test_pictures_are_not_there_to_renew_it(self, town: Town, make_jpeg: Callable[[int], bytes]) -> None:
        await town.enroll(1)
        data = {"collection": town.name, "name": "van", "min_score": SAME}
        made = (await town.ask("POST", "/watches/image", files=[("images", ("q", make_jpeg(9)))], data=data)).json()
        await change(town, made["id"], model_id="another")
        refused = await town.patch(made["id"], min_score=0.5)
        assert (refused.status_code, refused.json()["code"]) == (409, "model_mismatch")

    async def test_crops_without_a_vector_of_the_model(self, town: Town) -> None:
        (query,) = await town.enroll(1)
        watch = await town.watch(query)
        await change(town, watch, model_id="another")
        async with town.database.transaction() as session:
            await session.execute(delete(Embedding).where(Embedding.crop_id == query))
        assert (await town.patch(watch, min_score=0.5)).status_code == 404


class TestRefused:
    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"decision": "match", "min_score": 0.5}, 422),
            ({"min_score": None}, 422),
            ({"min_score": 1.1}, 422),
            ({"decision": "none"}, 422),
            ({"crop_ids": []}, 422),
            pytest.param({"crop_ids": [str(uuid4())]}, 404, id="crops that are not there"),
            ({"collection": "nowhere"}, 404),
            ({"name": "a\0b"}, 422),
            ({"name": ""}, 422),
            ({"unknown": 1}, 422),
            ({"paused": 1}, 422),
            ({"expires_at": "2020-01-01T00:00:00Z"}, 422),
            ({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 422),
            ({"camera_ids": []}, 422),
            ({"webhook_url": "http://example.org/"}, 422),
            ({"webhook_url": "https://10.0.0.1/"}, 422),
            ({"webhook_url": "https://user:secret@example.org/"}, 422),
            ({"webhook_url": "nonsense"}, 422),
            ({"webhook_url": "https://example.org/\ud800"}, 422),
            ({"attributes": {"a": {"b": 1}}}, 422),
        ],
        ids=str,
    )
    async def test_at_the_door(self, town: Town, fields: dict[str, Any], status: int) -> None:
        crops = await town.enroll(1)
        body = {"collection": town.name, "name": "w", "crop_ids": crops, "min_score": 0.5, **fields}
        content = json.dumps(body)
        answer = await town.ask("POST", "/watches", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text
        assert (await town.ask("GET", "/watches", params={"collection": town.name})).json()["items"] == []

    async def test_a_crop_named_twice_or_of_another_collection(
        self, town: Town, client: httpx.AsyncClient, admin: dict[str, str], make_jpeg: Callable[[int], bytes]
    ) -> None:
        (crop,) = await town.enroll(1)
        assert (await town.post(crop, crop)).status_code == 422
        (foreign,) = await Town(client, admin, make_jpeg).enroll(1)
        assert (await town.post(foreign)).status_code == 404
        watch = await town.watch(crop)
        assert (await town.patch(watch, crop_ids=[foreign])).status_code == 404

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": None},
            {"paused": None},
            {"crop_ids": None},
            {"crop_ids": []},
            {"exclude_same_track": None},
            {"min_score": None},
            {"min_score": 0.5, "decision": "match"},
            {"collection": "other"},
            {"webhook_url": "http://example.org/"},
            {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
            {"expires_at": "2020-01-01T00:00:00Z"},
        ],
        ids=str,
    )
    async def test_a_patch(self, town: Town, fields: dict[str, Any]) -> None:
        (crop,) = await town.enroll(1)
        watch = await town.watch(crop)
        before = await town.get(watch)
        assert (await town.patch(watch, **fields)).status_code == 422
        assert await town.get(watch) == before

    async def test_a_window_that_a_patch_would_turn_round(self, town: Town) -> None:
        (crop,) = await town.enroll(1)
        watch = await town.watch(crop, **{"from": "2026-02-01T00:00:00Z"})
        assert (await town.patch(watch, to="2026-01-01T00:00:00Z")).status_code == 422

    async def test_pictures_that_are_none(self, town: Town) -> None:
        await town.enroll(1)
        data = {"collection": town.name, "name": "van", "min_score": SAME}
        for content, status in ((b"no picture", 415), (b"\xff\xd8\xff broken", 422)):
            answer = await town.ask("POST", "/watches/image", files=[("images", ("q", content))], data=data)
            assert answer.status_code == status
        assert (await town.ask("POST", "/watches/image", json=data)).status_code == 400

    async def test_without_saying_why_where_that_is_asked(self, town: Town) -> None:
        crop, other = await town.enroll(1, 2)
        await town.ask("PATCH", f"/collections/{town.name}", json={"require_purpose": True})
        refused = await town.post(crop)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "purpose")
        watch = await town.watch(crop, purpose="case 1")
        assert (await town.patch(watch, name="as it was")).status_code == 200
        assert (await town.patch(watch, crop_ids=[other])).status_code == 422
        why = {"headers": {"X-Purpose": "case 2"}, "json": {"crop_ids": [other]}}
        assert (await town.ask("PATCH", f"/watches/{watch}", **why)).status_code == 200

    async def test_too_many(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(making, "MOST_WATCHES", 1)
        (crop,) = await town.enroll(1)
        await town.watch(crop)
        assert (await town.post(crop)).status_code == 409

    @pytest.mark.parametrize(
        "cursor", ["x", "WyJ1cCIsICIwIl0=", "WyJ1cCIsICItMSJd", "WyJ1cCIsICI5OTk5OTk5OTk5OTk5OTk5OTk5OSJd"]
    )
    async def test_cursors_of_others(self, town: Town, cursor: str) -> None:
        (crop,) = await town.enroll(1)
        watch = await town.watch(crop)
        for path in ("", f"/{watch}/hits", f"/{watch}/deliveries"):
            assert (await town.ask("GET", f"/watches{path}", params={"cursor": cursor})).status_code == 422


class TestListed:
    async def test_newest_first_page_by_page(self, town: Town) -> None:
        (crop,) = await town.enroll(1)
        made = [await town.watch(crop, name=f"w{number}") for number in range(3)]
        query: dict[str, Any] = {"collection": town.name, "limit": 2}
        page = (await town.ask("GET", "/watches", params=query)).json()
        assert [one["id"] for one in page["items"]] == made[:0:-1]
        await town.watch(crop)
        rest = (await town.ask("GET", "/watches", params={**query, "cursor": page["next_cursor"]})).json()
        assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == ([made[0]], None)

    async def test_deleted(self, town: Town) -> None:
        (crop,) = await town.enroll(1)
        watch = await town.watch(crop)
        await town.enroll(1)
        await town.found(watch, 1)
        assert (await town.ask("DELETE", f"/watches/{watch}")).status_code == 204
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/hits"), ("GET", "/deliveries"), ("POST", "/test")):
            assert (await town.ask(method, f"/watches/{watch}{path}")).status_code == 404
        assert (await town.ask("GET", f"/gallery/{crop}")).status_code == 200

    async def test_a_collection_goes_with_its_watches(self, town: Town) -> None:
        (crop,) = await town.enroll(1)
        watch = await town.watch(crop)
        await town.ask("DELETE", f"/gallery/{crop}")
        assert (await town.ask("DELETE", f"/collections/{town.name}")).status_code == 204
        assert (await town.ask("GET", f"/watches/{watch}")).status_code == 404


class TestKeys:
    async def test_a_key_of_another_collection_sees_nothing(self, town: Town, shared_postgres_url: str) -> None:
        (crop,) = await town.enroll(1)
        watch = await town.watch(crop)
        foreign = await header(shared_postgres_url, "search", "read", collections=["elsewhere"])
        bodies: dict[tuple[str, str], Any] = {
            ("GET", ""): None,
            ("PATCH", ""): {"name": "mine"},
            ("DELETE", ""): None,
            ("GET", "/hits"): None,
            ("GET", "/deliveries"): None,
            ("POST", "/test"): None,
            ("POST", "/secret"): {},
            ("POST", f"/deliveries/{uuid4()}/retry"): None,
        }
        for (method, path), body in bodies.items():
            for wanted in (watch, str(uuid4())):  # one that there is and one that there is not are the same
                answer = await town.ask(method, f"/watches/{wanted}{path}", json=body, headers=foreign)
                assert (answer.status_code, answer.json()["detail"]) == (
                    404,
                    f"There is no watch {wanted}; it may have been deleted.",
                )
        assert (await town.ask("GET", "/watches", headers=foreign)).json() == {"items": [], "next_cursor": None}
        for name in (town.name, "no-such-collection"):
            query = {"collection": name}
            assert (await town.ask("GET", "/watches", params=query, headers=foreign)).status_code == 403
            body = {"collection": name, "name": "w", "crop_ids": [crop], "min_score": 0}
            assert (await town.ask("POST", "/watches", json=body, headers=foreign)).status_code == 403

    async def test_a_key_sees_the_watches_of_its_collections(self, town: Town, shared_postgres_url: str) -> None:
        (crop,) = await town.enroll(1)
        watch = await town.watch(crop)
        bound = await header(shared_postgres_url, "search", collections=[town.name, "elsewhere"])
        assert [one["id"] for one in (await town.ask("GET", "/watches", headers=bound)).json()["items"]] == [watch]

    @pytest.mark.parametrize("scope", ["read", "enroll", "delete"])
    async def test_it_takes_the_scope_of_searches(self, town: Town, shared_postgres_url: str, scope: str) -> None:
        key = await header(shared_postgres_url, scope)
        for method, path in (("GET", ""), ("POST", ""), ("GET", f"/{uuid4()}"), ("GET", f"/{uuid4()}/hits")):
            assert (await town.ask(method, f"/watches{path}", headers=key)).status_code == 403

    async def test_a_watch_ends_with_its_key_until_another_takes_it_over(
        self, town: Town, shared_postgres_url: str
    ) -> None:
        (crop,) = await town.enroll(1)
        key = await header(shared_postgres_url, "search", name="patrol")
        body = {"collection": town.name, "name": "w", "crop_ids": [crop], "min_score": SAME}
        watch = (await town.ask("POST", "/watches", json=body, headers=key)).json()["id"]
        async with town.database.transaction() as session:
            await session.execute(update(ApiKey).where(ApiKey.name == "patrol").values(revoked_at=func.now()))
        forbidden = await town.get(watch)
        assert (forbidden["state"], forbidden["created_by"]) == ("forbidden", "patrol")
        await town.enroll(1)
        await town.found(watch, 0)
        taken = (await town.patch(watch)).json()
        assert (taken["state"], taken["created_by"]) == ("active", "patrol")
        (found,) = await town.enroll(1)
        assert await town.found(watch, 1) == [found]
