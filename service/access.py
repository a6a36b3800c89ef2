"""Who asks, and what they may do.

Every route but those of operation names the scope that it needs as the type of a parameter: `caller: Searcher`. Which
collections a caller may use is asked of the caller: `enter` for a collection that a request names, `sees` for what
belongs to one that it does not name. What a caller does not see does not exist for it.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal, TypeAlias, get_args
from uuid import UUID

from fastapi import Security
from fastapi.security import APIKeyHeader, SecurityScopes
from starlette.requests import Request

from service.errors import ForbiddenError

Scope: TypeAlias = Literal["enroll", "search", "read", "delete", "admin"]
SCOPES: Final[frozenset[Scope]] = frozenset(get_args(Scope))
_API_KEY: Final = APIKeyHeader(
    name="X-API-Key",
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
    """

    key_id: UUID | None
    name: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None = None
    request_id: str | None = None

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


ANYONE: Final = Caller(key_id=None, name="anyone", scopes=SCOPES)
"""The caller of a service that asks for no key."""


async def _caller(request: Request, scopes: SecurityScopes, key: Annotated[str | None, Security(_API_KEY)]) -> Caller:
    del scopes, key  # no key is asked for
    return replace(ANYONE, request_id=request.state.request_id)


Enroller = Annotated[Caller, Security(_caller, scopes=["enroll"])]
"""An endpoint's parameter of this type, and of those below, gets the caller, who has the scope."""
Searcher = Annotated[Caller, Security(_caller, scopes=["search"])]
Reader = Annotated[Caller, Security(_caller, scopes=["read"])]
Deleter = Annotated[Caller, Security(_caller, scopes=["delete"])]
Admin = Annotated[Caller, Security(_caller, scopes=["admin"])]
