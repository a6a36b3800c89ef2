"""Whether the keys that answer for watches may still search: a watch has no right that its key has lost."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from service.database.engine import Session
from service.database.tables import TEXT, ApiKey

Claim = tuple[UUID | None, str]
"""The key that answers for a watch, and the watch's collection."""


class RightsRepository:
    """Reads what keys may do within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def permitted(self, claims: Iterable[Claim]) -> set[Claim]:
        """Those of which the key may search the collection. A watch that was made without a key always may.

        A key that was rotated is looked for in the one that took its place.
        """
        wanted = set(claims)
        keys = {key_id for key_id, _ in wanted if key_id is not None}
        if not keys:
            return wanted
        heirs = select(ApiKey.id.label("origin"), ApiKey.id).where(ApiKey.id.in_(keys)).cte("heirs", recursive=True)
        heirs = heirs.union(
            select(heirs.c.origin, ApiKey.replaced_by)
            .join(ApiKey, ApiKey.id == heirs.c.id)
            .where(ApiKey.replaced_by.is_not(None))
        )
        valid = (
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()),
            ApiKey.scopes.overlap(literal(["search", "admin"], ARRAY(TEXT))),
        )
        rows = await self._session.execute(
            select(heirs.c.origin, ApiKey.collections).join(ApiKey, ApiKey.id == heirs.c.id).where(*valid)
        )
        bounds: dict[UUID, list[list[str] | None]] = {}
        for origin, collections in rows:
            bounds.setdefault(origin, []).append(collections)
        return {claim for claim in wanted if _allowed(claim, bounds)}


def _allowed(claim: Claim, bounds: dict[UUID, list[list[str] | None]]) -> bool:
    key_id, collection = claim
    if key_id is None:
        return True
    return any(bound is None or collection in bound for bound in bounds.get(key_id, ()))
