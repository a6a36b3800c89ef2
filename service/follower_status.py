"""What is known about a follower and its index, for those who watch over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from index.contract import CollectionStats
from service.follower_repository import Totals

NOTHING = Totals(0, 0)


@dataclass(frozen=True, slots=True)
class CollectionDrift:
    """A collection in which index and database disagreed at one and the same change."""

    collection: str
    index: Totals
    database: Totals


@dataclass(frozen=True, slots=True)
class Drift:
    """A disagreement that was found.

    Attributes:
        found_at: When.
        sequence: The change at which both were compared.
        collections: Where they disagreed.
    """

    found_at: datetime
    sequence: int
    collections: tuple[CollectionDrift, ...]


@dataclass(frozen=True, slots=True)
class Rebuild:
    """An index built from the database.

    Attributes:
        reason: Why.
        finished_at: When it was whole.
        seconds: How long it took.
        crops: How many crops were read.
    """

    reason: str
    finished_at: datetime
    seconds: float
    crops: int


@dataclass(frozen=True, slots=True)
class FollowerStatus:
    """A follower at one moment. Ages are seconds, None where the thing has not happened in this process.

    Attributes:
        sequence: Change that the index has reached.
        lag_changes: Numbers of the change log between it and the newest when the log was last seen.
        lag_s: Seconds since the index was last known to hold everything committed; infinite before the first time.
        clean_sequence: Nothing that was deleted by this change is in the index's files.
        doubt: Why there is no index to search, or the present one may not be used; None where all is well.
        files_problem: Why the index keeps its newest crops in memory instead of its files; None where it does not.
        snapshot_sequence: Change at which a restart would begin; 0 where it would build the index.
        snapshot_age_s: Age of the last snapshot.
        snapshot_problem: Why the last attempt at one failed; None where it did not.
        reconciled_age_s: Age of the last comparison with the database.
        drift: The last disagreement found; it stays after the index was rebuilt.
        rebuild: The last rebuild.
    """

    sequence: int
    lag_changes: int
    lag_s: float
    clean_sequence: int
    doubt: str | None
    files_problem: str | None
    snapshot_sequence: int
    snapshot_age_s: float | None
    snapshot_problem: str | None
    reconciled_age_s: float | None
    drift: Drift | None
    rebuild: Rebuild | None


def disagreements(held: Mapping[str, CollectionStats], database: Mapping[str, Totals]) -> tuple[CollectionDrift, ...]:
    """The collections in which an index and the database disagree, by name."""
    index = {name: Totals(stats.crops, stats.fingerprint) for name, stats in held.items()}
    return tuple(
        CollectionDrift(name, index.get(name, NOTHING), database.get(name, NOTHING))
        for name in sorted(index.keys() | database.keys())
        if index.get(name, NOTHING) != database.get(name, NOTHING)
    )
