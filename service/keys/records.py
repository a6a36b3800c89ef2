"""A key as the service knows it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from service.access import Scope

State = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A key.

    Attributes:
        prefix: The part of its text that names it.
        secret_sha256: SHA-256 of its text, 32 bytes.
        collections: Names of those it is bound to; None for all.
        requests_per_minute: How many it may make; None for any number.
        created_by: Name of the key with which it was made, or who made it on the command line.
        last_used_at: To the minute; None where it was never used.
        replaced_by: The key that a rotation put in its place.
    """

    id: UUID
    name: str
    prefix: str
    secret_sha256: bytes = field(repr=False)
    scopes: frozenset[Scope]
    collections: frozenset[str] | None
    requests_per_minute: int | None
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: UUID | None

    def state(self, now: datetime) -> State:
        """Whether it is valid at a time, and if not, why."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"
