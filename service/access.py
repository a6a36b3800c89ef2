"""Who asks, and what they may do.

Every route but those of operation names the scope that it needs as the type of a parameter: `caller: Searcher`. Which
collections a caller may use is asked of the caller: `enter` for a collection that a request names, `sees` for what
belongs to one that it does not name. What a caller does not see does not exist for it. Why it asks, where that must be
said, is asked of it too: `purpose_for`.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal, TypeAlias, cast, get_args
from urllib.parse import unquote_to_bytes
from uuid import UUID

from fastapi import Depends, Header, Security
from fastapi.security import APIKeyHeader, SecurityScopes
from starlette.requests import Request

from service.errors import ForbiddenError
from service.problems import invalid_field
from service.values import PLAIN_TEXT, plain_text

Scope: TypeAlias = Literal["enroll", "search", "read", "delete", "admin"]
SCOPES: Final[frozenset[Scope]] = frozenset(get_args(Scope))
KEY_HEADER: Final = "X-API-Key"
PURPOSE_HEADER: Final = "X-Purpose"
LONGEST_PURPOSE: Final = 1000
"""Characters."""
_API_KEY: Final = APIKeyHeader(
    name=KEY_HEADER,
    scheme_name="api_key",
    description="A key of `clip-senet keys create` or POST /keys. A service on loopback asks for none by default.",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        key_id: The key shown; None where none is asked for.
        name: What to call the caller in the audit log.
        scopes: What it may do; admin may do everything.
        collections: Names of the collections it is bound to; None for all, those to come included.
        request_id: The request's X-Request-Id; None outside of one.
        purpose: Why it asks, as the request's X-Purpose says; None where it says nothing.
    """

    key_id: UUID | None
    name: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None = None
    request_id: str | None = None
    purpose: str | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it has a scope."""
        return scope in self.scopes or "admin" in self.scopes

    def sees(self, collection: str) -> bool:
        """Whether it may use a collection, which need not exist."""
        return self.collections is None or collection in self.collections

    def enter(self, collection: str) -> None:
        """Refuse a collection that it may not use, whether there is one of that name or not.

        Raises:
            ForbiddenError: It may not.
        """
        if not self.sees(collection):
            raise ForbiddenError(f"This key may not use the collection {collection!r}.")

    def purpose_for(self, collection: str, *, required: bool, given: str | None = None) -> str | None:
        """Why it searches a collection, looks at a picture of it or deletes from it, for the audit log.

        Args:
            collection: One that it may use.
            required: Whether the collection asks why (`require_purpose`).
            given: What a field of the request says; it goes before the header X-Purpose.

        Raises:
            InvalidValueError: The collection asks why, and nothing was said.
        """
        purpose = self.purpose if given is None else given
        if purpose is None and required:
            raise invalid_field(
                "purpose", f"the collection {collection!r} asks why; say it there or in the header {PURPOSE_HEADER}"
            )
        return purpose


ANYONE: Final = Caller(key_id=None, name="anyone", scopes=SCOPES)
"""The caller of a service that asks for no key."""


async def _caller(request: Request, scopes: SecurityScopes, key: Annotated[str | None, Security(_API_KEY)]) -> Caller:
    del key  # service/keys/authentication.py has looked at it; here it tells the description that one is asked for
    caller: Caller = request.state.caller
    for scope in scopes.scopes:
        if not caller.may(cast("Scope", scope)):
            has = ", ".join(sorted(caller.scopes))
            raise ForbiddenError(f"This key lacks the scope {scope!r}; it has {has}. An admin can change that.")
    return replace(caller, request_id=request.state.request_id, purpose=_purpose(request))


def _purpose(request: Request) -> str | None:
    """What X-Purpose says. A header carries ASCII only, so percent-encoding is undone."""
    given = request.headers.get(PURPOSE_HEADER)
    if given is None:
        return None
    try:
        purpose = plain_text(unquote_to_bytes(given.encode("latin-1")).decode())
    except ValueError as error:
        reason = "must be UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise invalid_field(PURPOSE_HEADER, reason) from error
    if len(purpose) > LONGEST_PURPOSE:
        raise invalid_field(PURPOSE_HEADER, f"may have {LONGEST_PURPOSE} characters at most")
    return purpose


async def _stating_caller(
    caller: Annotated[Caller, Depends(_caller)],
    purpose: Annotated[
        str | None,
        Header(
            alias=PURPOSE_HEADER,
            description="Why, for the audit log; percent-encoded where it is not plain ASCII. Some collections ask.",
            examples=["case 2026-118"],
            json_schema_extra=PLAIN_TEXT,
        ),
    ] = None,
) -> Caller:
    """A caller of a route that has no field for the purpose: the description of the route tells of the header."""
    del purpose  # the caller has it already
    return caller


Enroller = Annotated[Caller, Security(_caller, scopes=["enroll"])]
"""An endpoint's parameter of this type, and of those below, gets the caller, who has the scope."""
Searcher = Annotated[Caller, Security(_caller, scopes=["search"])]
Reader = Annotated[Caller, Security(_caller, scopes=["read"])]
Viewer = Annotated[Caller, Security(_stating_caller, scopes=["read"])]
"""Of a picture."""
Deleter = Annotated[Caller, Security(_stating_caller, scopes=["delete"])]
Admin = Annotated[Caller, Security(_caller, scopes=["admin"])]
DeletingAdmin = Annotated[Caller, Security(_stating_caller, scopes=["admin"])]
AnyCaller = Annotated[Caller, Security(_caller)]
"""Whoever has a valid key."""
