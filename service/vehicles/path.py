"""From one sighting to the next: how long it took, how far it is, and whether a vehicle can have gone there so fast."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius of the Earth (IUGG), metres."""
FASTEST_KMH: Final = 200.0
"""Faster than this, on the straight line, no vehicle is believed to have gone from one camera to another."""
REACH_M: Final = 100.0
"""How far from its place a camera is taken to see a vehicle, metres."""
_KMH_PER_M_S: Final = 3.6


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera stands, degrees of WGS 84."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Leg:
    """The way from one sighting to the next, as far as it is known.

    Attributes:
        gap_s: Seconds from the last crop of the one to the first of the other; None where a time is not known.
        distance_m: Metres between the two cameras on the straight line; None where a place is not known.
        speed_kmh: What the two come to; None where one is missing or no time passed.
        implausible: Whether that is faster than `FASTEST_KMH`, though either camera sees `REACH_M` far; None where it
            cannot be said. It may be a wrong crop, a wrong place or a wrong clock: people decide.
    """

    gap_s: float | None
    distance_m: float | None
    speed_kmh: float | None
    implausible: bool | None


UNKNOWN: Final = Leg(None, None, None, None)
"""Of a sighting that none goes before."""


def leg(left_at: datetime | None, left: Place | None, reached_at: datetime | None, reached: Place | None) -> Leg:
    """The way between two sightings.

    Args:
        left_at: Capture of the last crop of the one.
        left: Its camera's place.
        reached_at: Capture of the first crop of the other, not before `left_at`.
        reached: Its camera's place.
    """
    gap_s = None if left_at is None or reached_at is None else (reached_at - left_at).total_seconds()
    distance_m = None if left is None or reached is None else distance(left, reached)
    if gap_s is None or distance_m is None:
        return Leg(gap_s, distance_m, None, None)
    speed_kmh = _KMH_PER_M_S * distance_m / gap_s if gap_s > 0 else None
    at_least_m = max(0.0, distance_m - 2 * REACH_M)
    return Leg(gap_s, distance_m, speed_kmh, _KMH_PER_M_S * at_least_m > FASTEST_KMH * gap_s)


def distance(one: Place, other: Place) -> float:
    """Metres between two places along the great circle (haversine)."""
    latitudes = math.radians(one.latitude), math.radians(other.latitude)
    half_height = (latitudes[1] - latitudes[0]) / 2
    half_width = math.radians(other.longitude - one.longitude) / 2
    haversine = math.sin(half_height) ** 2 + math.cos(latitudes[0]) * math.cos(latitudes[1]) * math.sin(half_width) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, haversine)))
