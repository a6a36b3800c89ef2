"""Walls between tenants: whatever a key that is bound to one collection asks, it learns nothing of another.

Every route of openapi.json is asked about the things of another tenant. What is answered must be what is answered about
things that nobody has; nothing of the other tenant's may be in it, and nothing of theirs may change. What the other
tenant does meanwhile, from enrolling to deleting the collection, must not be seen either.
"""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from sqlalchemy.engine import make_url
from support.keys import header
from support.route_cases import CASES, CHANGING, DELETING, DESCRIPTION, OPERATIONS, READING, Case, requests
from support.tenants import Names, Tenant
from uuid_utils.compat import uuid7

from service.settings import Settings

CAUSE_ENTRIES = frozenset(
    {*CHANGING, *DELETING, "get_crop_image", "search_by_image", "search_by_crop", "search_by_embedding", "export_audit"}
) - {"enroll_crops"}
"""Searches, views of pictures, deletions and changes by people. Enrolments say themselves when they were."""
OF_ALL = {"sequence", "index_sequence", "index_lag_s", "lag_s"}
"""What the process has one of, and docs/security.md tells of."""
OF_THE_MOMENT = {"request_id", "took_ms", "last_used_at"}
WITH_CURSOR = {
    operation["operationId"]
    for operations in DESCRIPTION["paths"].values()
    for operation in operations.values()
    if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", []))
}
OF_ONE = {"list_collections", "get_stats"}
"""Lists of which a key that is bound to one collection sees one entry. Their cursor is a collection's name."""
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


@dataclass
class Answered:
    """What came of one request."""

    request: dict[str, Any]
    answer: httpx.Response
    case: Case
    given_away: list[str] = field(default_factory=list)
    like_nothing: tuple[Any, Any] | None = None


class World:
    """Two tenants, what one asked about the other, and what the other did then."""

    def __init__(self) -> None:
        self.attacks: defaultdict[str, list[Answered]] = defaultdict(list)
        self.controls: defaultdict[str, list[Answered]] = defaultdict(list)
        self.views: list[dict[str, list[Any]]] = []
        self.rows: list[dict[str, list[str]]] = []
        self.files: list[dict[str, bytes]] = []
        self.actions: dict[str, list[str]] = {}
        """What the audit log says was done, by X-Request-Id."""


def plain(answer: httpx.Response, names: Names) -> Any:
    """An answer without what differs from one time to the next, and with the names in it replaced by their kinds."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: cleaned(one) for name, one in value.items() if name not in OF_ALL | OF_THE_MOMENT}
        if isinstance(value, list):
            return [cleaned(one) for one in value]
        return _masked(value, names) if isinstance(value, str) else value

    kind = answer.headers.get("Content-Type", "")
    body: Any = answer.content
    if body and "json" in kind and "x-ndjson" not in kind:
        body = cleaned(answer.json())
    elif kind.startswith(("text/csv", "application/x-ndjson")):
        body = sorted(_masked(line, names) for line in answer.text.splitlines())
    headers = {name for name in answer.headers if name != "content-length"}
    return answer.status_code, body, headers


def _masked(text: str, names: Names) -> str:
    for kind, name in sorted(names.texts().items(), key=lambda one: len(one[1]), reverse=True):
        text = text.replace(name, f"<{kind}>")
    return TIME.sub("<time>", UUID.sub("<id>", text))


def nobodys(names: Names) -> Names:
    """Names that nobody has; in the order of names they stand where the others do."""
    token = names.collection[:-1] + chr(ord(names.collection[-1]) + 1)
    made = {
        kind: str(uuid7()) if UUID.fullmatch(name) else name.replace(names.collection, token)
        for kind, name in names.texts().items()
    }
    return replace(names, **made)


def rows_of(url: str, tenant: Tenant, collection_id: str) -> dict[str, list[str]]:
    """Every row of the database that is about a tenant, by table; what a key was last used for aside."""
    found: dict[str, list[str]] = {}
    with _connection(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            query = sql.SQL("SELECT (to_jsonb(one) - 'last_used_at')::text, to_jsonb(one) FROM {} AS one")
            rows = connection.execute(query.format(sql.Identifier(table))).fetchall()
            found[table] = sorted(text for text, row in rows if _is_about(row, text, tenant, collection_id))
    return found


def _is_about(row: dict[str, Any], text: str, tenant: Tenant, collection_id: str) -> bool:
    """Whether a row holds something of a tenant's and is none that another wrote into a collection of its own."""
    theirs = (
        row.get("collection", tenant.token) == tenant.token and row.get("collection_id", collection_id) == collection_id
    )
    return theirs and any(secret in text for secret in (collection_id, *tenant.secrets))


async def attack(world: World, mine: Tenant, theirs: Tenant) -> None:
    """Ask every route about things of the other tenant, in their collection and in the own one."""
    known: set[str] = set()
    elsewhere = replace(theirs.names, own=mine.names.own)
    at_home = replace(elsewhere, collection=mine.token)
    for names in (elsewhere, at_home):
        missing = nobodys(elsewhere)
        nothing = replace(missing, collection=names.collection if names is at_home else missing.collection)
        nothing = replace(nothing, own=mine.names.own)
        pairs = zip(requests(names), requests(nothing), strict=True)
        for (operation, case, request), (_, _, about_nothing) in pairs:
            names_nothing_of_theirs = request == about_nothing
            if names_nothing_of_theirs and operation not in READING:
                continue  # it would only change what is the own tenant's
            answer = await mine.client.request(headers={**mine.key, **request.pop("headers", {})}, **request)
            said = {text for text in theirs.names.texts().values() if text in _written(request)}
            done = Answered(request, answer, case, list(theirs.found_in(answer, known | said)))
            if answer.is_success and operation not in READING:
                known |= said  # from now on it is the own tenant's, too
            if names_nothing_of_theirs:
                world.attacks[operation].append(done)
                continue
            other = await mine.client.request(headers={**mine.key, **about_nothing.pop("headers", {})}, **about_nothing)
            done.like_nothing = plain(answer, names), plain(other, nothing)
            world.attacks[operation].append(done)


async def attack_by_cursor(world: World, mine: Tenant, theirs: Tenant) -> None:
    """Go on in own lists where a list of the other tenant's would go on."""
    begun: set[str] = set()
    pairs = zip(requests(theirs.names, READING), requests(mine.names, READING), strict=True)
    for (operation, case, request), (_, _, own) in pairs:
        if operation in begun or operation not in WITH_CURSOR:
            continue
        begun.add(operation)
        key = theirs.operator if case.operator else theirs.key
        first = await theirs.client.request(headers=key, **_paged(request, limit=1))
        cursor = first.json()["next_cursor"]
        if cursor is None:
            assert operation in OF_ONE, operation
            cursor = theirs.token
        theirs.secrets.add(cursor)
        going_on = _paged(own, cursor=cursor)
        answer = await mine.client.request(headers=mine.key, **going_on)
        known = {cursor, *(text for text in theirs.names.texts().values() if text == cursor)}
        world.attacks[operation].append(Answered(going_on, answer, case, list(theirs.found_in(answer, known))))


def _paged(request: dict[str, Any], **page: Any) -> dict[str, Any]:
    return {**request, "params": {**request.get("params", {}), **page}}


def _written(request: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in request.items() if name != "files"}, default=str)


async def view(mine: Tenant) -> dict[str, list[Any]]:
    """What a tenant is answered about its own things."""
    found = defaultdict(list)
    for operation, _, request in requests(mine.names, READING):
        answer = await mine.client.request(headers={**mine.key, **request.pop("headers", {})}, **request)
        if operation not in ("list_audit", "export_audit"):  # which tell of this very look
            found[operation].append(plain(answer, mine.names))
    return found


async def live(world: World, tenant: Tenant, *, operated: bool) -> None:
    """Do all that was tried with the tenant's own key, or what takes an operator's with that."""
    for operation, case, request in requests(tenant.names):
        if case.operator is operated:
            key = tenant.operator if operated else tenant.key
            answer = await tenant.client.request(headers={**key, **request.pop("headers", {})}, **request)
            world.controls[operation].append(Answered(request, answer, case))


async def settled(tenant: Tenant) -> None:
    """Wait until every job has ended."""
    async with asyncio.timeout(20):
        while True:
            answer = await tenant.client.get("/jobs", params={"states": ["queued", "running"]}, headers=tenant.operator)
            if not answer.json()["items"]:
                return
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    serve: Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]],
    untrained_weights: Path,
    shared_postgres_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    make_jpeg: Callable[..., bytes],
) -> AsyncIterator[World]:
    folder, found = tmp_path_factory.mktemp("service"), World()
    settings = Settings(
        data_dir=folder,
        database_url=shared_postgres_url,
        auth="on",
        weights=untrained_weights,
        preset="tiny",
        device="cpu",
        torch_threads=1,
        follower_poll_s=0.02,
        watch_poll_s=0.02,
        webhook_timeout_s=1,
        webhook_retry_s=3600,  # one attempt, before anything is looked at
        webhook_allowed=frozenset({"127.0.0.1"}),
    )
    operator = await header(shared_postgres_url, "admin", name="operations")
    async with serve(settings) as client:
        mine = Tenant(client, operator, "harbour-town", make_jpeg, 0)
        theirs = Tenant(client, operator, "airport-city", make_jpeg, 100)
        await mine.furnish()
        await theirs.furnish()
        await settled(mine)
        collection_id = _collection_id(shared_postgres_url, theirs.token)
        for _ in range(2):
            found.rows.append(rows_of(shared_postgres_url, theirs, collection_id))
            found.files.append(_pictures(folder, theirs))
            if len(found.rows) == 1:
                await attack_by_cursor(found, mine, theirs)
                await attack(found, mine, theirs)
                await settled(mine)
        found.views.append(await view(mine))
        await live(found, theirs, operated=False)
        await settled(mine)
        found.views.append(await view(mine))
        await live(found, theirs, operated=True)
        found.actions = _actions(shared_postgres_url)
        yield found


def _collection_id(url: str, name: str) -> str:
    with _connection(url) as connection:
        ((collection_id,),) = connection.execute("SELECT id FROM collections WHERE name = %s", [name]).fetchall()
    return str(collection_id)


def _actions(url: str) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    with _connection(url) as connection:
        for request_id, action in connection.execute("SELECT request_id, action FROM audit"):
            found[request_id].append(action)
    return found


def _connection(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))


def _pictures(folder: Path, tenant: Tenant) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "crops").glob("??/*") if path.name in tenant.secrets}


def test_every_route_has_a_case() -> None:
    """A new route cannot be forgotten: whoever adds it adds a request about somebody's things."""
    assert set(CASES) == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_of_theirs_is_answered(world: World, operation: str) -> None:
    for one in world.attacks[operation]:
        assert one.given_away == [], (one.request, one.answer.text)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_theirs_is_as_if_it_were_not(world: World, operation: str) -> None:
    assert world.attacks[operation]
    for one in world.attacks[operation]:
        assert one.answer.status_code < 500
        if one.like_nothing is not None:
            theirs, nothing = one.like_nothing
            assert theirs == nothing, one.request


def test_nothing_of_theirs_changes(world: World) -> None:
    before, after = world.rows
    assert before == after
    assert {"crops", "embeddings", "cameras", "vehicles", "watches", "keys", "jobs", "audit", "judgements"} <= {
        table for table, rows in before.items() if rows
    }
    before_files, after_files = world.files
    assert before_files == after_files
    assert len(before_files) == 8


@pytest.mark.parametrize("operation", OPERATIONS)
def test_their_own_key_is_answered(world: World, operation: str) -> None:
    """Otherwise a request might be refused for what it is, not for whom it is about."""
    for one in world.controls[operation]:
        expected = one.answer.status_code == one.case.status if one.case.status else one.answer.is_success
        assert expected, (one.request, one.answer.text)


@pytest.mark.parametrize("operation", READING)
def test_what_they_do_is_not_seen(world: World, operation: str) -> None:
    before, after = (view[operation] for view in world.views)
    assert before == after


@pytest.mark.parametrize("operation", sorted(CAUSE_ENTRIES))
def test_what_is_done_is_in_the_audit_log(world: World, operation: str) -> None:
    for one in (one for one in world.controls[operation] if one.answer.is_success and not one.case.counts_only):
        assert world.actions.get(one.answer.headers["X-Request-Id"]) == [operation], one.request
