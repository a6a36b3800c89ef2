"""Keys over HTTP: made, read, changed, rotated, revoked."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from support.keys import header

from service.database.engine import Database
from service.database.tables import AuditEntry

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = "019ab3c4-0000-7000-8000-000000000000"


async def make(client: httpx.AsyncClient, admin: dict[str, str], *scopes: str, **fields: Any) -> dict[str, Any]:
    body = {"name": "patrol", "scopes": scopes or ("read",), **fields}
    answer = await client.post("/keys", json=body, headers=admin)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def status(client: httpx.AsyncClient, key: str, path: str = "/keys/self") -> int:
    return (await client.get(path, headers={"X-API-Key": key})).status_code


async def audited(url: str, action: str, key_id: str) -> list[AuditEntry]:
    database = Database(url, pool_size=1)
    async with database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.action == action, AuditEntry.filter["key_id"].astext == key_id)
        entries = (await session.scalars(query)).all()
    await database.close()
    return list(entries)


class TestMaking:
    async def test_a_key_works_at_once(self, guarded: httpx.AsyncClient, admin: dict[str, str]) -> None:
        made = await make(guarded, admin, "search", "read", name="gate", collections=["harbour"])
        own = await guarded.get("/keys/self", headers={"X-API-Key": made["key"]})
        assert own.json() == {
            "key_id": made["id"],
            "name": "gate",
            "scopes": ["read", "search"],
            "collections": ["harbour"],
        }
        assert made["key"].startswith(f"csk_{made['prefix']}_")
        assert (made["created_by"], made["expires_at"]) == ("operations", None)

    async def test_its_text_is_shown_this_once(self, guarded: httpx.AsyncClient, admin: dict[str, str]) -> None:
        made = await make(guarded, admin)
        secret = made["key"].split("_")[2]
        for path in ("/keys", f"/keys/{made['id']}", "/keys/self"):
            answer = await guarded.get(path, headers=admin)
            assert answer.status_code == 200
            assert secret not in answer.text

    async def test_it_is_audited_without_its_text(
        self, guarded: httpx.AsyncClient, admin: dict[str, str], shared_postgres_url: str
    ) -> None:
        made = await make(guarded, admin, "delete", name="cleaner")
        (entry,) = await audited(shared_postgres_url, "create_key", made["id"])
        assert (entry.key_name, entry.collection) == ("operations", None)
        assert entry.filter["scopes"] == ["delete"]
        assert made["key"].split("_")[2] not in str(entry.filter)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("scopes", []),
            ("scopes", ["root"]),
            ("scopes", ["read", "read"]),
            ("collections", []),
            ("collections", ["a/b"]),
            ("collections", ["a", "a"]),
            ("requests_per_minute", 0),
            ("requests_per_minute", 2**40),
            ("expires_at", "2001-01-01T00:00:00Z"),
            ("expires_at", "2999-01-01T00:00:00"),
            ("name", ""),
            ("name", "a\u0000b"),
            ("name", None),
            ("secret", "mine"),
        ],
    )
    async def test_nonsense_is_refused(
        self, guarded: httpx.AsyncClient, admin: dict[str, str], field: str, value: object
    ) -> None:
        answer = await guarded.post("/keys", json={"name": "x", "scopes": ["read"], field: value}, headers=admin)
        assert answer.status_code == 422
        assert field in answer.json()["detail"]


class TestReading:
    async def test_pages_newest_first_while_keys_come(self, guarded: httpx.AsyncClient, admin: dict[str, str]) -> None:
        made = [(await make(guarded, admin))["id"] for _ in range(5)][::-1]
        first = (await guarded.get("/keys", params={"limit": 2}, headers=admin)).json()
        await make(guarded, admin)
        second = (await guarded.get("/keys", params={"limit": 2, "cursor": first["next_cursor"]}, headers=admin)).json()
        assert [item["id"] for item in first["items"] + second["items"]] == made[:4]

    async def test_the_last_page_has_no_cursor(self, guarded: httpx.AsyncClient, admin: dict[str, str]) -> None:
        assert (await guarded.get("/keys", params={"limit": 1000}, headers=admin)).json()["next_cursor"] is None

    async def test_use_is_shown(self, guarded: httpx.AsyncClient, admin: dict[str, str]) -> None:
        (own,) = [
            key
            for key in (await guarded.get("/keys", params={"limit": 1000}, headers=admin)).json()["items"]
            if key["name"] == "operations"
        ]
        assert datetime.now(UTC) - datetime.fromisoformat(own["last_used_at"]) < timedelta(minutes=2)

    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "ROTATE"])
    async def test_one_that_is_not_there(self, guarded: httpx.AsyncClient, admin: dict[str, str], method: str) -> None:
        path, method = (f"/keys/{NOBODY}/rotate", "POST") if method == "ROTATE" else (f"/keys/{NOBODY}", method)
        body = {"json": {}} if method in ("POST", "PATCH") else {}
        answer = await guarded.request(method, path, headers=admin, **body)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


class TestChanging:
    async def test_what_is_absent_stays_and_what_is_null_is_cleared(
        self, guarded: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        made = await make(guarded, admin, collections=["harbour"], requests_per_minute=60)
        changed = await guarded.patch(
            f"/keys/{made['id']}", json={"scopes": ["search", "enroll"], "collections": None}, headers=admin
        )
        assert changed.json()["scopes"] == ["enroll", "search"]
        assert (changed.json()["collections"], changed.json()["requests_per_minute"]) == (None, 60)
        assert changed.json()["name"] == "patrol"

    async def test_a_change_holds_at_once(self, guarded: httpx.AsyncClient, admin: dict[str, str]) -> None:
        made = await make(guarded, admin, "read")
        assert await status(guarded, made["key"], "/collections") == 200
        await guarded.patch(f"/keys/{made['id']}", json={"scopes": ["enroll"]}, headers=admin)
        assert await status(guarded, made["key"], "/collections") == 403

    @pytest.mark.parametrize("field", ["name", "scopes"])
    async def test_some_cannot_be_cleared(self, guarded: httpx.AsyncClient, admin: dict[str, str], field: str) -> None:
        made = await make(guarded, admin)
        answer = await guarded.patch(f"/keys/{made['id']}", json={field: None}, headers=admin)
        assert answer.status_code == 422
        assert (await guarded.get(f"/keys/{made['id']}", headers=admin)).json()["scopes"] == ["read"]

    async def test_nothing_is_a_change_to_nothing(
        self, guarded: httpx.AsyncClient, admin: dict[str, str], shared_postgres_url: str
    ) -> None:
        made = await make(guarded, admin)
        assert (await guarded.patch(f"/keys/{made['id']}", json={}, headers=admin)).status_code == 200
        assert await audited(shared_postgres_url, "update_key", made["id"]) == []

    async def test_a_revoked_key_stays_as_it_is(self, guarded: httpx.AsyncClient, admin: dict[str, str]) -> None:
        made = await make(guarded, admin)
        await guarded.delete(f"/keys/{made['id']}", headers=admin)
        answer = await guarded.patch(f"/keys/{made['id']}", json={"expires_at": None}, headers=admin)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


class TestRotating:
    async def test_both_are_valid_for_a_while(
        self, guarded: httpx.AsyncClient, admin: dict[str, str], shared_postgres_url: str
    ) -> None:
        old = await make(guarded, admin, "search", "read", collections=["harbour"], requests_per_minute=60)
        answer = await guarded.post(f"/keys/{old['id']}/rotate", json={"overlap_s": 3600}, headers=admin)
        assert answer.status_code == 201
        new = answer.json()
        same = ("name", "scopes", "collections", "requests_per_minute", "expires_at")
        assert [new[name] for name in same] == [old[name] for name in same]
        assert new["key"] != old["key"]
        assert [await status(guarded, key["key"]) for key in (old, new)] == [200, 200]
        left = (await guarded.get(f"/keys/{old['id']}", headers=admin)).json()
        assert (left["replaced_by"], left["state"]) == (new["id"], "active")
        assert abs(datetime.fromisoformat(left["expires_at"]) - datetime.now(UTC) - timedelta(hours=1)) < timedelta(
            minutes=1
        )
        (entry,) = await audited(shared_postgres_url, "rotate_key", old["id"])
        assert entry.filter["replaced_by"] == new["id"]

    async def test_without_overlap_the_old_one_ends_at_once(
        self, guarded: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        old = await make(guarded, admin)
        assert await status(guarded, old["key"]) == 200
        new = (await guarded.post(f"/keys/{old['id']}/rotate", json={"overlap_s": 0}, headers=admin)).json()
        assert [await status(guarded, key["key"]) for key in (old, new)] == [401, 200]

    async def test_the_overlap_never_makes_a_key_last_longer(
        self, guarded: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
        later = (datetime.now(UTC) + timedelta(days=90)).isoformat()
        old = await make(guarded, admin, expires_at=soon)
        wanted = {"overlap_s": 86400, "expires_at": later}
        new = (await guarded.post(f"/keys/{old['id']}/rotate", json=wanted, headers=admin)).json()
        left = (await guarded.get(f"/keys/{old['id']}", headers=admin)).json()
        assert left["expires_at"] == old["expires_at"]
        assert datetime.fromisoformat(new["expires_at"]) == datetime.fromisoformat(later)

    async def test_a_key_has_one_heir(self, guarded: httpx.AsyncClient, admin: dict[str, str]) -> None:
        old = await make(guarded, admin)
        new = (await guarded.post(f"/keys/{old['id']}/rotate", json={}, headers=admin)).json()
        again = await guarded.post(f"/keys/{old['id']}/rotate", json={}, headers=admin)
        assert again.status_code == 409
        assert new["id"] in again.json()["detail"]

    async def test_a_revoked_key_has_none(self, guarded: httpx.AsyncClient, admin: dict[str, str]) -> None:
        old = await make(guarded, admin)
        await guarded.delete(f"/keys/{old['id']}", headers=admin)
        assert (await guarded.post(f"/keys/{old['id']}/rotate", json={}, headers=admin)).status_code == 409


class TestRevoking:
    async def test_it_ends_at_once_here(
        self, guarded: httpx.AsyncClient, admin: dict[str, str], shared_postgres_url: str
    ) -> None:
        made = await make(guarded, admin)
        assert await status(guarded, made["key"]) == 200
        assert (await guarded.delete(f"/keys/{made['id']}", headers=admin)).status_code == 204
        assert await status(guarded, made["key"]) == 401
        left = (await guarded.get(f"/keys/{made['id']}", headers=admin)).json()
        assert left["state"] == "revoked"
        assert len(await audited(shared_postgres_url, "revoke_key", made["id"])) == 1

    async def test_once_is_enough(
        self, guarded: httpx.AsyncClient, admin: dict[str, str], shared_postgres_url: str
    ) -> None:
        made = await make(guarded, admin)
        for _ in range(2):
            assert (await guarded.delete(f"/keys/{made['id']}", headers=admin)).status_code == 204
        assert len(await audited(shared_postgres_url, "revoke_key", made["id"])) == 1


class TestWhoMay:
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/keys", {"name": "x", "scopes": ["admin"]}),
            ("GET", "/keys", None),
            ("GET", "/keys/{id}", None),
            ("PATCH", "/keys/{id}", {"collections": None}),
            ("POST", "/keys/{id}/rotate", {}),
            ("DELETE", "/keys/{id}", None),
        ],
    )
    async def test_a_bound_admin_manages_no_keys(
        self,
        guarded: httpx.AsyncClient,
        shared_postgres_url: str,
        method: str,
        path: str,
        body: object,
    ) -> None:
        """Otherwise it would make itself one that is not bound."""
        bound = await header(shared_postgres_url, "admin", collections=["harbour"])
        own = (await guarded.get("/keys/self", headers=bound)).json()["key_id"]
        for key_id in (own, NOBODY):
            answer = await guarded.request(method, path.format(id=key_id), json=body, headers=bound)
            assert answer.status_code == 403
            assert "bound to no collection" in answer.json()["detail"]

    async def test_where_no_key_is_asked_for_everyone_may(self, client: httpx.AsyncClient) -> None:
        own = await client.get("/keys/self")
        assert own.json()["key_id"] is None
        assert own.json()["scopes"] == ["admin", "delete", "enroll", "read", "search"]
        made = await client.post("/keys", json={"name": "first", "scopes": ["admin"]})
        assert UUID(made.json()["id"])
