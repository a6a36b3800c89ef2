"""Groups instead of crops: the best tracks or vehicles, each by its best crop, fetched a little deeper than asked for.

An index answers crops, and one parked vehicle can fill thousands of places. So a first look goes deeper than the number
of groups wanted, and where it is not enough, the next one leaves out the groups that are known. Each look brings at
least one new group and none is deeper than a bound, however large a track is: nothing is fetched only to be passed by.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, Protocol, TypeVar
from uuid import UUID

from index.contract import Filter, Hit, Hits, Sighting, Track

GroupBy = Literal["crop", "track", "vehicle"]
"""What crops are grouped by; a crop of no track, or of no known vehicle, is a group of its own."""

CROPS_PER_GROUP = 4
"""How many crops a group is first expected to have; twice as many at each further look."""
DEEPEST = 1024
"""Crops that a further look asks for at most."""

Key = Track | str | UUID
"""A group: its track, its vehicle, or the one crop that it is."""


class Found(Protocol):
    """A crop as whoever orders the first look anew hands it back."""

    @property
    def hit(self) -> Hit:
        """The crop."""


Entry = TypeVar("Entry", bound=Found)


@dataclass(frozen=True, slots=True)
class Groups(Generic[Entry]):
    """The best groups.

    Attributes:
        groups: At most as many as were asked for, best first; each its crops looked at, best first.
        mode: "approximate" where one of the looks was.
        candidates: Crops that the filter left.
        exhausted: Whether there are no other groups.
        watermark: Change that the index had reached at the first look; later looks may have seen more.
    """

    groups: Sequence[Sequence[Entry]]
    mode: Literal["exact", "approximate"]
    candidates: int
    exhausted: bool
    watermark: int


def best_groups(
    search: Callable[[int, Filter], Hits],
    where: Filter,
    k: int,
    group_by: GroupBy,
    in_order: Callable[[Sequence[Hit]], Iterable[Entry]],
    *,
    min_score: float | None = None,
    depth: int = 1,
) -> Groups[Entry]:
    """The k best groups among the crops that the filter leaves.

    Args:
        search: The best crops of a filter, at most as many as the number says, best first.
        where: The filter.
        k: Groups at most, >= 1.
        group_by: What a group is.
        in_order: Puts the crops of a look in the order in which they count. It is asked at each look: what comes at a
            later one counts less than everything before.
        min_score: Crops of lower scores do not count; None where all do.
        depth: Crops that the first look takes at least.
    """
    per_group = 1 if group_by == "crop" else CROPS_PER_GROUP
    first = found = search(max(depth, (k + 1) * per_group), where)
    approximate = False
    groups: dict[Key, list[Entry]] = {}
    while True:
        approximate |= found.mode == "approximate"
        reached = [hit for hit in found.hits if min_score is None or hit.score >= min_score]
        for entry in in_order(reached):
            groups.setdefault(group_of(entry.hit.sighting, group_by), []).append(entry)
        # One group more than k tells whether the k are all.
        if len(groups) > k or found.exhausted or len(reached) < len(found.hits):
            break
        per_group *= 2
        found = search(min((k + 1 - len(groups)) * per_group, DEEPEST), _without(where, groups))
    return Groups(
        groups=list(groups.values())[:k],
        mode="approximate" if approximate else "exact",
        candidates=first.candidates,
        exhausted=len(groups) <= k,
        watermark=first.watermark,
    )


def group_of(sighting: Sighting, group_by: GroupBy) -> Key:
    """The group that a crop belongs to."""
    if group_by == "track" and sighting.track is not None:
        return sighting.camera_id, *sighting.track
    if group_by == "vehicle" and sighting.vehicle_id is not None:
        return sighting.vehicle_id
    return sighting.id


def _without(where: Filter, groups: Iterable[Key]) -> Filter:
    """The filter less the groups that are known."""
    known = frozenset(groups)
    alone = frozenset(key for key in known if isinstance(key, UUID))
    return replace(
        where,
        exclude_ids=where.exclude_ids | alone,
        exclude_tracks=where.exclude_tracks | {key for key in known if isinstance(key, tuple)},
        exclude_vehicle_ids=where.exclude_vehicle_ids | {key for key in known if isinstance(key, str)},
    )
