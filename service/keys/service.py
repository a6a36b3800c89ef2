"""Making, reading, changing, rotating and revoking keys. For the routes and for the command line."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from service.access import Caller
from service.audit.repository import AuditRepository
from service.database.engine import Database, Session
from service.errors import ConflictError, ForbiddenError, NotFoundError
from service.keys.records import KeyRecord
from service.keys.repository import KeyRepository
from service.keys.schemas import KeyPatch, NewKey, Rotation
from service.keys.secret import new_key, read_key
from service.problems import invalid_field


async def create_key(database: Database, caller: Caller, new: NewKey) -> tuple[KeyRecord, str]:
    """Make a key.

    Returns:
        The key and its text, which is not kept.

    Raises:
        ForbiddenError: The caller is bound to collections.
        InvalidValueError: It would have ended already.
    """
    _require_unbound(caller)
    _require_future(new.expires_at)
    async with database.transaction() as session:
        record, text = await _add(session, caller, new.model_dump())
        await _record(session, caller, "create_key", record, new.model_dump(mode="json", exclude_none=True))
    return record, text


async def page_of_keys(
    database: Database, caller: Caller, *, limit: int, after: UUID | None
) -> tuple[list[KeyRecord], UUID | None]:
    """One page of keys, newest first, and where the next goes on.

    Raises:
        ForbiddenError: The caller is bound to collections.
    """
    _require_unbound(caller)
    async with database.reading() as session:
        return await KeyRepository(session).page(limit=limit, after=after)


async def key_by_id(database: Database, caller: Caller, key_id: UUID) -> KeyRecord:
    """One key.

    Raises:
        ForbiddenError: The caller is bound to collections.
        NotFoundError: There is none of that id.
    """
    _require_unbound(caller)
    async with database.reading() as session:
        return _found(key_id, await KeyRepository(session).get(key_id))


async def key_by_reference(database: Database, reference: str) -> KeyRecord:
    """The key that a person names by its prefix, its id or its text.

    Raises:
        NotFoundError: There is none.
    """
    prefix = reference.removeprefix("csk_").partition("_")[0]
    async with database.reading() as session:
        keys = KeyRepository(session)
        record = (await keys.by_prefix([prefix])).get(prefix)
        if record is None:
            with suppress(ValueError):
                record = await keys.get(UUID(reference))
    if record is None:
        raise NotFoundError(f"There is no key {prefix!r}; clip-senet keys list shows those there are.")
    return record


async def change_key(database: Database, caller: Caller, key_id: UUID, patch: KeyPatch) -> KeyRecord:
    """Change what a key may do.

    Raises:
        ForbiddenError: The caller is bound to collections.
        NotFoundError: There is none of that id.
        ConflictError: It is revoked.
        InvalidValueError: It would have ended already.
    """
    _require_unbound(caller)
    _require_future(patch.expires_at)
    async with database.transaction() as session:
        keys = KeyRepository(session)
        record = _found(key_id, await keys.locked(key_id))
        if record.revoked_at is not None:
            raise ConflictError(f"The key csk_{record.prefix} has been revoked, for good; make a new one.")
        if columns := patch.model_dump(exclude_unset=True):
            record = await keys.change(key_id, columns)
            await _record(session, caller, "update_key", record, patch.model_dump(mode="json", exclude_unset=True))
    return record


async def rotate_key(
    database: Database, caller: Caller, key_id: UUID, wanted: Rotation
) -> tuple[KeyRecord, KeyRecord, str]:
    """Make a key that may do the same, and end the old one after a while.

    Returns:
        The old key, the new one, and the text of the new one, which is not kept.

    Raises:
        ForbiddenError: The caller is bound to collections.
        NotFoundError: There is none of that id.
        ConflictError: It is no longer valid, or has been rotated already.
        InvalidValueError: The new key would have ended already.
    """
    _require_unbound(caller)
    _require_future(wanted.expires_at)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        keys = KeyRepository(session)
        old = _found(key_id, await keys.locked(key_id))
        if old.replaced_by is not None:
            raise ConflictError(
                f"The key csk_{old.prefix} has been rotated already; rotate {old.replaced_by}, its heir."
            )
        if (state := old.state(now)) != "active":
            raise ConflictError(f"The key csk_{old.prefix} is {state}; make a new one.")
        end = now + timedelta(seconds=wanted.overlap_s)
        same = {name: getattr(old, name) for name in NewKey.model_fields}
        new, text = await _add(session, caller, same | {"expires_at": wanted.expires_at or old.expires_at})
        last = end if old.expires_at is None else min(end, old.expires_at)
        old = await keys.change(old.id, {"replaced_by": new.id, "expires_at": last})
        await _record(session, caller, "rotate_key", old, {"replaced_by": str(new.id), "overlap_s": wanted.overlap_s})
    return old, new, text


async def revoke_key(database: Database, caller: Caller, key_id: UUID) -> KeyRecord:
    """End a key for good. One that is revoked stays as it is.

    Raises:
        ForbiddenError: The caller is bound to collections.
        NotFoundError: There is none of that id.
    """
    _require_unbound(caller)
    async with database.transaction() as session:
        keys = KeyRepository(session)
        record = _found(key_id, await keys.locked(key_id))
        if record.revoked_at is None:
            record = await keys.change(key_id, {"revoked_at": datetime.now(UTC)})
            await _record(session, caller, "revoke_key", record, {})
    return record


async def _add(session: Session, caller: Caller, settings: Mapping[str, Any]) -> tuple[KeyRecord, str]:
    text = new_key()
    shown = read_key(text)
    assert shown is not None  # noqa: S101 - it is ours
    lists = {name: sorted(value) for name, value in settings.items() if isinstance(value, list | frozenset)}
    row = {**settings, **lists, "id": uuid7(), "prefix": shown.prefix, "secret_sha256": shown.digest}
    return await KeyRepository(session).add(row | {"created_by": caller.name}), text


async def _record(session: Session, caller: Caller, action: str, key: KeyRecord, asked: Mapping[str, Any]) -> None:
    about = {"key_id": str(key.id), "prefix": key.prefix, **asked}
    await AuditRepository(session).record(caller, action, None, filter=about)


def _require_unbound(caller: Caller) -> None:
    if caller.collections is not None:
        raise ForbiddenError("Keys are managed with one that is bound to no collection; this one is bound to some.")


def _require_future(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise invalid_field("expires_at", "must lie in the future; to end a key now, revoke it")


def _found(key_id: UUID, record: KeyRecord | None) -> KeyRecord:
    if record is None:
        raise NotFoundError(f"There is no key {key_id}.")
    return record
