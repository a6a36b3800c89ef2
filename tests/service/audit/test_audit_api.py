"""The audit log over HTTP: what gets into it, who reads what of it, page by page and as a file."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from support.keys import header, made_key

from service.audit import service as audit_service
from service.database.engine import Database
from service.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]]


class Tenants:
    """Two collections with crops, keys for each, and an operator's key."""

    client: httpx.AsyncClient
    operator: dict[str, str]
    key: dict[str, dict[str, str]]
    crops: dict[str, list[str]]

    async def entries(self, key: dict[str, str] | None = None, **query: Any) -> list[dict[str, Any]]:
        answer = await self.client.get("/audit", params={"limit": 1000, **query}, headers=key or self.operator)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tenants(
    serve: Serve,
    untrained_weights: Path,
    shared_postgres_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    make_jpeg: Callable[..., bytes],
) -> AsyncIterator[Tenants]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("service"),
        database_url=shared_postgres_url,
        auth="on",
        weights=untrained_weights,
        preset="tiny",
        device="cpu",
        torch_threads=1,
    )
    found = Tenants()
    found.operator = await header(shared_postgres_url, "admin", name="operations")
    found.key = {
        name: await header(shared_postgres_url, "admin", name=f"{name} admin", collections=[name])
        for name in ("harbour", "airport")
    }
    async with serve(settings) as found.client:
        found.crops = {}
        for seed, (name, key) in enumerate(found.key.items()):
            files = [("images", ("crop", make_jpeg(10 * seed + number))) for number in range(3)]
            answer = await found.client.post(
                "/gallery", files=files, data={"camera_id": "c", "collection": name}, headers=key
            )
            found.crops[name] = [item["id"] for item in answer.json()["items"]]
        yield found


class TestWhatGetsIn:
    async def test_a_search(self, tenants: Tenants, make_jpeg: Callable[..., bytes]) -> None:
        answer = await tenants.client.post(
            "/search",
            files=[("images", ("query", make_jpeg(1)))],
            data={"collection": "harbour", "purpose": "case 1", "k": "2", "group_by": "crop"},
            headers=tenants.key["harbour"],
        )
        (entry,) = await tenants.entries(action="search_by_image")
        assert entry["crop_ids"] == [hit["crop"]["id"] for hit in answer.json()["hits"]]
        assert (entry["collection"], entry["purpose"], entry["filter"]["k"]) == ("harbour", "case 1", 2)
        assert entry["key_name"] == "harbour admin"
        assert entry["request_id"] == answer.headers["X-Request-Id"]

    async def test_every_view_of_a_picture(self, tenants: Tenants) -> None:
        crop = tenants.crops["harbour"][0]
        key = tenants.key["harbour"] | {"X-Purpose": "case%202"}
        first = await tenants.client.get(f"/gallery/{crop}/image", headers=key)
        # A browser that has the picture asks whether it is current, and shows it.
        again = await tenants.client.get(
            f"/gallery/{crop}/image", headers=key | {"If-None-Match": first.headers["ETag"]}
        )
        assert (first.status_code, again.status_code) == (200, 304)
        entries = await tenants.entries(action="get_crop_image", crop_id=crop)
        assert [entry["request_id"] for entry in entries] == [
            answer.headers["X-Request-Id"] for answer in (again, first)
        ]
        assert {entry["purpose"] for entry in entries} == {"case 2"}

    async def test_no_view_where_none_was_shown(self, tenants: Tenants) -> None:
        foreign = tenants.crops["airport"][0]
        before = len(await tenants.entries(action="get_crop_image"))
        answer = await tenants.client.get(f"/gallery/{foreign}/image", headers=tenants.key["harbour"])
        assert answer.status_code == 404
        assert len(await tenants.entries(action="get_crop_image")) == before

    async def test_no_picture_where_the_view_cannot_be_written(
        self, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = tenants.client._transport.app.state.runtime  # type: ignore[attr-defined]
        nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
        monkeypatch.setattr(runtime.viewings, "_database", nowhere)
        crop = tenants.crops["harbour"][0]
        answer = await tenants.client.get(f"/gallery/{crop}/image", headers=tenants.key["harbour"])
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        await nowhere.close()

    async def test_a_deletion(self, tenants: Tenants) -> None:
        crop = tenants.crops["airport"].pop()
        answer = await tenants.client.delete(f"/gallery/{crop}", headers=tenants.key["airport"] | {"X-Purpose": "end"})
        assert answer.status_code in (202, 204)
        (entry,) = await tenants.entries(crop_id=crop, action="delete_crop")
        assert (entry["collection"], entry["purpose"], entry["crop_ids"]) == ("airport", "end", [crop])

    async def test_a_change_of_keys(self, tenants: Tenants) -> None:
        made = await tenants.client.post("/keys", json={"name": "x", "scopes": ["read"]}, headers=tenants.operator)
        entries = await tenants.entries(action="create_key")
        (entry,) = [entry for entry in entries if entry["filter"]["key_id"] == made.json()["id"]]
        assert (entry["key_name"], entry["collection"]) == ("operations", None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crop_of_court(tenants: Tenants, make_jpeg: Callable[..., bytes]) -> str:
    new = {"name": "court", "require_purpose": True}
    assert (await tenants.client.post("/collections", json=new, headers=tenants.operator)).status_code == 201
    answer = await tenants.client.post(
        "/gallery",
        files=[("images", ("crop", make_jpeg(77)))],
        data={"camera_id": "c", "collection": "court"},
        headers=tenants.operator,
    )
    crop: str = answer.json()["items"][0]["id"]
    return crop


class TestWhereAPurposeIsAskedFor:
    @pytest.mark.parametrize("operation", ["search", "search/crop", "image", "delete", "delete by filter", "end"])
    async def test_nothing_goes_without_one(
        self, tenants: Tenants, crop_of_court: str, make_jpeg: Callable[..., bytes], operation: str
    ) -> None:
        requests: dict[str, tuple[str, str, dict[str, Any]]] = {
            "search": (
                "POST",
                "/search",
                {"files": [("images", ("q", make_jpeg(77)))], "data": {"collection": "court"}},
            ),
            "search/crop": ("POST", "/search/crop", {"json": {"collection": "court", "crop_ids": [crop_of_court]}}),
            "image": ("GET", f"/gallery/{crop_of_court}/image", {}),
            "delete": ("DELETE", f"/gallery/{crop_of_court}", {}),
            "delete by filter": ("POST", "/gallery/delete", {"json": {"collection": "court", "camera_ids": ["c"]}}),
            "end": ("DELETE", "/collections/court", {}),
        }
        method, path, body = requests[operation]
        refused = await tenants.client.request(method, path, headers=tenants.operator, **body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "purpose"
        assert "X-Purpose" in refused.json()["detail"]
        assert (await tenants.client.get(f"/gallery/{crop_of_court}", headers=tenants.operator)).status_code == 200

    async def test_with_one_it_goes(self, tenants: Tenants, crop_of_court: str) -> None:
        key = tenants.operator | {"X-Purpose": "case 3"}
        searched = await tenants.client.post(
            "/search/crop", json={"collection": "court", "crop_ids": [crop_of_court]}, headers=key
        )
        shown = await tenants.client.get(f"/gallery/{crop_of_court}/image", headers=key)
        assert (searched.status_code, shown.status_code) == (200, 200)
        entries = await tenants.entries(collection="court", key_id=(await _self(tenants))["key_id"])
        stated = {entry["action"]: entry["purpose"] for entry in entries}
        assert (stated["search_by_crop"], stated["get_crop_image"]) == ("case 3", "case 3")


async def _self(tenants: Tenants) -> dict[str, Any]:
    own: dict[str, Any] = (await tenants.client.get("/keys/self", headers=tenants.operator)).json()
    return own


class TestReading:
    async def test_pages_newest_first_while_entries_come(self, tenants: Tenants) -> None:
        everything = await tenants.entries()
        assert [entry["at"] for entry in everything] == sorted((entry["at"] for entry in everything), reverse=True)
        seen: list[str] = []
        cursor = None
        while True:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await tenants.client.get("/audit", params=query, headers=tenants.operator)).json()
            seen += [entry["id"] for entry in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            if len(seen) == 2:  # a newer entry
                await tenants.client.get(f"/gallery/{tenants.crops['harbour'][0]}/image", headers=tenants.operator)
        assert seen == [entry["id"] for entry in everything]

    async def test_by_time(self, tenants: Tenants) -> None:
        everything = await tenants.entries()
        middle = everything[len(everything) // 2]["at"]
        assert await tenants.entries(**{"from": middle}) == [one for one in everything if one["at"] >= middle]
        assert await tenants.entries(to=middle) == [one for one in everything if one["at"] < middle]

    async def test_by_key_and_collection(self, tenants: Tenants, shared_postgres_url: str) -> None:
        database = Database(shared_postgres_url, pool_size=1)
        record, key = await made_key(database, "read", name="one more")
        await database.close()
        crop = tenants.crops["airport"][0]
        await tenants.client.get(f"/gallery/{crop}/image", headers={"X-API-Key": key})
        (entry,) = await tenants.entries(key_id=str(record.id))
        assert (entry["key_name"], entry["crop_ids"]) == ("one more", [crop])
        assert await tenants.entries(key_id=str(record.id), collection="harbour") == []

    @pytest.mark.parametrize(
        "query",
        [
            {"cursor": "x"},
            {"cursor": "WyJhIiwiYiJd"},
            {"cursor": "WyIyMDI2LTExLTIzIiwgIjAxOWFiM2M0LTVkNmUtN2Y4MC05YTFiLTJjM2Q0ZTVmNjA3MSJd"},
            {"cursor": "W251bGwsIG51bGxd"},
            {"from": "yesterday"},
            {"from": "2026-11-24T00:00:00Z", "to": "2026-11-23T00:00:00Z"},
            {"action": "DROP TABLE"},
            {"crop_id": "7"},
            {"collection": "a\0b"},
            {"limit": "0"},
            {"unknown": "1"},
        ],
    )
    async def test_nonsense_is_refused(self, tenants: Tenants, query: dict[str, str]) -> None:
        for path in ("/audit", "/audit/export"):
            answer = await tenants.client.get(path, params=query, headers=tenants.operator)
            assert answer.status_code == 422, answer.text


class TestWhoSees:
    async def test_a_bound_admin_sees_its_collection_only(self, tenants: Tenants) -> None:
        key = tenants.key["harbour"]
        everything = await tenants.entries()
        assert {entry["collection"] for entry in everything} >= {"harbour", "airport", None}
        assert await tenants.entries(key) == [one for one in everything if one["collection"] == "harbour"]

    async def test_not_even_by_the_id_of_a_crop(self, tenants: Tenants) -> None:
        foreign = tenants.crops["airport"][0]
        await tenants.client.get(f"/gallery/{foreign}/image", headers=tenants.key["airport"])
        assert await tenants.entries(tenants.key["airport"], crop_id=foreign)
        assert await tenants.entries(tenants.key["harbour"], crop_id=foreign) == []

    async def test_another_collection_may_not_be_named(self, tenants: Tenants) -> None:
        for path in ("/audit", "/audit/export"):
            for name in ("airport", "nowhere"):
                answer = await tenants.client.get(path, params={"collection": name}, headers=tenants.key["harbour"])
                assert answer.status_code == 403

    async def test_only_admins(self, tenants: Tenants, shared_postgres_url: str) -> None:
        key = await header(shared_postgres_url, "search", "read", "enroll", "delete")
        assert (await tenants.client.get("/audit", headers=key)).status_code == 403


class TestExport:
    async def export(self, tenants: Tenants, key: dict[str, str] | None = None, **query: str) -> httpx.Response:
        answer = await tenants.client.get("/audit/export", params=query, headers=key or tenants.operator)
        assert answer.status_code == 200
        return answer

    async def test_json_lines_are_the_entries_oldest_first(
        self, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(audit_service, "EXPORTED_AT_ONCE", 3)
        everything = await tenants.entries()
        answer = await self.export(tenants)
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.ndjson"'
        assert [json.loads(line) for line in answer.text.splitlines()] == everything[::-1]

    async def test_csv_has_the_same(self, tenants: Tenants) -> None:
        everything = await tenants.entries(action="get_crop_image")
        answer = await self.export(tenants, format="csv", action="get_crop_image")
        assert answer.headers["Content-Type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        for row, entry in zip(rows, everything[::-1], strict=True):
            assert row["crop_ids"].split() == entry["crop_ids"]
            assert json.loads(row["filter"]) == entry["filter"]
            assert (row["id"], row["at"], row["collection"]) == (entry["id"], entry["at"], entry["collection"])
            assert row["purpose"] == (entry["purpose"] or "")

    @pytest.mark.parametrize("purpose", ["=1+1", "+1", "-1", "@SUM(A1)"])
    async def test_no_cell_is_a_formula(self, tenants: Tenants, purpose: str) -> None:
        crop = tenants.crops["harbour"][0]
        await tenants.client.get(f"/gallery/{crop}/image", headers=tenants.key["harbour"] | {"X-Purpose": purpose})
        answer = await self.export(tenants, format="csv", crop_id=crop)
        *_, row = csv.DictReader(io.StringIO(answer.text, newline=""))
        assert row["purpose"] == f"'{purpose}"

    async def test_nothing_is_an_empty_file(self, tenants: Tenants) -> None:
        query = {"to": "2001-01-01T00:00:00Z"}
        assert (await self.export(tenants, **query)).text == ""
        assert len((await self.export(tenants, format="csv", **query)).text.splitlines()) == 1

    async def test_the_export_is_an_entry_itself(self, tenants: Tenants) -> None:
        await self.export(tenants, tenants.key["harbour"], collection="harbour", format="csv")
        newest, *_ = await tenants.entries()
        assert (newest["action"], newest["collection"]) == ("export_audit", "harbour")
        assert newest["filter"] == {"collection": "harbour", "format": "csv"}

    async def test_a_bound_admin_exports_its_collection_only(self, tenants: Tenants) -> None:
        answer = await self.export(tenants, tenants.key["harbour"])
        assert {json.loads(line)["collection"] for line in answer.text.splitlines()} == {"harbour"}
