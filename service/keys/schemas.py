"""What the routes of the keys take and answer."""

from datetime import datetime
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.access import SCOPES, Scope
from service.values import CollectionName, Name, Time

LONGEST_OVERLAP_S = 30 * 86_400
_MOST_COLLECTIONS = 1000
_MOST_A_MINUTE = 1_000_000

Entry = TypeVar("Entry", bound=str)

_KEY: JsonDict = {
    "id": "019ab3c4-9e20-7a1b-8c3d-5e6f70819a2b",
    "name": "gate terminals",
    "prefix": "4f1d0a9be37c",
    "scopes": ["enroll", "search"],
    "collections": ["harbour"],
    "requests_per_minute": 600,
    "created_at": "2026-11-02T06:12:09.104000Z",
    "created_by": "operations",
    "expires_at": "2026-11-24T06:12:09.104000Z",
}
_NEW_KEY_EXAMPLE: JsonDict = {
    **_KEY,
    "key": "csk_4f1d0a9be37c_" + "".join(f"{byte:02x}" for byte in range(0x60, 0x80)),
}
_KEY_EXAMPLE: JsonDict = {
    **_KEY,
    "state": "revoked",
    "revoked_at": "2026-11-23T08:30:00.017000Z",
    "last_used_at": "2026-11-23T08:29:41.300000Z",
    "replaced_by": "019ab3c4-a111-7b2c-9d4e-6f708192a3b4",
}


def _each_once(values: list[Entry]) -> list[Entry]:
    if len(set(values)) < len(values):
        raise ValueError("must hold each entry once")
    return values


_SET: JsonDict = {"uniqueItems": True}
Scopes = Annotated[
    list[Scope], Field(min_length=1, max_length=len(SCOPES), json_schema_extra=_SET), AfterValidator(_each_once)
]
Bindings = Annotated[
    list[CollectionName],
    Field(min_length=1, max_length=_MOST_COLLECTIONS, json_schema_extra=_SET),
    AfterValidator(_each_once),
]
Rate = Annotated[int, Field(ge=1, le=_MOST_A_MINUTE)]


class NewKey(BaseModel):
    """Body of POST /keys."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "gate terminals", "scopes": ["enroll", "search"], "collections": ["harbour"]},
                {"name": "operations", "scopes": ["admin"]},
            ]
        },
    )

    name: Name = Field(description="Whose it is, for people and the audit log.")
    scopes: Scopes = Field(description="What it may do; admin may do everything.")
    collections: Bindings | None = Field(
        None, description="The collections that it is bound to, which need not exist yet; null: all, those to come too."
    )
    requests_per_minute: Rate | None = Field(None, description="How many requests it may make; null: any number.")
    expires_at: Time | None = Field(None, description="When it ends; null: when it is revoked.")


class KeyPatch(BaseModel):
    """Body of PATCH /keys/{key_id}, a merge patch: what is absent stays, what is null is cleared."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"requests_per_minute": 1200, "expires_at": None}]}
    )

    # Made by a factory, the default is in no description: neither of the two can be null or empty.
    name: Name = Field(default_factory=str, description="Whose it is, for people and the audit log.")
    scopes: Scopes = Field(default_factory=list, description="What it may do; admin may do everything.")
    collections: Bindings | None = Field(None, description="The collections that it is bound to; null: all.")
    requests_per_minute: Rate | None = Field(None, description="How many requests it may make; null: any number.")
    expires_at: Time | None = Field(None, description="When it ends; null: when it is revoked.")


class Rotation(BaseModel):
    """Body of POST /keys/{key_id}/rotate."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"overlap_s": 86400}]})

    overlap_s: Annotated[float, Field(ge=0, le=LONGEST_OVERLAP_S, allow_inf_nan=False)] = Field(
        86_400.0, description="For how long the old key stays valid, in seconds; 0 ends it at once."
    )
    expires_at: Time | None = Field(None, description="When the new key ends; absent or null: when the old one was to.")


class KeyQuery(BaseModel):
    """Query of GET /keys."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, ge=1, le=1000, description="Keys on a page at most.")
    cursor: UUID | None = Field(None, description="next_cursor of the page before.")


class _Key(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    prefix: str = Field(description="The part of the key that names it: csk_<prefix>_...")
    scopes: list[Scope]
    collections: list[str] | None = Field(description="The collections that it is bound to; null: all.")
    requests_per_minute: int | None = Field(description="How many requests it may make; null: any number.")
    created_at: datetime
    created_by: str | None = Field(description="Name of the key with which it was made.")
    expires_at: datetime | None = Field(description="When it ends; null: when it is revoked.")


class NewKeyView(_Key):
    """A key just made, with its text, which is shown this once and stored nowhere."""

    model_config = ConfigDict(json_schema_extra={"examples": [_NEW_KEY_EXAMPLE]})

    key: str = Field(description="What to send in the header X-API-Key. Nobody can show it again.")


class KeyView(_Key):
    """A key without its text."""

    model_config = ConfigDict(json_schema_extra={"examples": [_KEY_EXAMPLE]})

    state: Literal["active", "expired", "revoked"]
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="When it was last used, to the minute; null: never.")
    replaced_by: UUID | None = Field(description="The key that a rotation put in its place.")


class KeyPage(BaseModel):
    """One page of keys, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_KEY_EXAMPLE], "next_cursor": _KEY_EXAMPLE["id"]}]}
    )

    items: list[KeyView]
    next_cursor: UUID | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class SelfView(BaseModel):
    """Who the service takes the caller for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key_id": "019ab3c4-9e20-7a1b-8c3d-5e6f70819a2b",
                    "name": "gate terminals",
                    "scopes": ["enroll", "search"],
                    "collections": ["harbour"],
                }
            ]
        }
    )

    key_id: UUID | None = Field(description="The key shown; null where the service asks for none.")
    name: str
    scopes: list[Scope] = Field(description="What the caller may do; admin may do everything.")
    collections: list[str] | None = Field(description="The collections that it may use; null: all.")
