"""Paint colours as they are seen on the road: how often each is met and how far shades of one name differ."""

from random import Random
from typing import Final

RGB = tuple[int, int, int]
"""sRGB, 0..255 each."""

SHADES: Final[dict[str, tuple[RGB, ...]]] = {
    "white": ((236, 237, 236), (226, 226, 220), (240, 238, 230)),
    "black": ((18, 18, 20), (28, 28, 30), (14, 16, 22)),
    "grey": ((88, 91, 95), (110, 112, 114), (66, 70, 76)),
    "silver": ((176, 179, 182), (190, 190, 188), (164, 170, 176)),
    "blue": ((24, 52, 112), (44, 92, 160), (18, 34, 72), (74, 122, 176)),
    "red": ((150, 20, 24), (184, 28, 28), (104, 16, 24)),
    "brown": ((92, 66, 48), (70, 50, 40)),
    "beige": ((196, 182, 152), (178, 164, 138)),
    "green": ((30, 74, 52), (66, 104, 66), (96, 140, 60)),
    "yellow": ((226, 180, 28), (236, 200, 60)),
    "orange": ((208, 94, 24), (224, 120, 40)),
}

CAR_SHARE: Final[dict[str, float]] = {
    "white": 24,
    "black": 17,
    "grey": 16,
    "silver": 14,
    "blue": 10,
    "red": 9,
    "brown": 3,
    "beige": 3,
    "green": 3,
    "yellow": 1.5,
    "orange": 1.5,
}
WORK_SHARE: Final[dict[str, float]] = {
    "white": 46,
    "silver": 10,
    "grey": 8,
    "blue": 12,
    "red": 9,
    "yellow": 7,
    "green": 5,
    "black": 3,
    "orange": 3,
}
"""Share in percent by which vans, trucks and buses are painted: fleets buy white."""


def pick(rng: Random, shares: dict[str, float]) -> str:
    """Draw one key of `shares` with odds in proportion to its value."""
    return rng.choices(list(shares), weights=list(shares.values()))[0]


def shade(rng: Random, name: str) -> RGB:
    """Draw one maker's shade of the named colour, strayed by a few steps per channel as batches and ageing do.

    Args:
        rng: Source of the draw.
        name: A key of `SHADES`.

    Raises:
        KeyError: No such colour.
    """
    red, green, blue = SHADES[name][int(rng.random() * len(SHADES[name]))]
    lift = rng.uniform(-7, 7)
    return (_stray(rng, red + lift), _stray(rng, green + lift), _stray(rng, blue + lift))


def _stray(rng: Random, channel: float) -> int:
    return int(min(max(channel + rng.uniform(-4, 4), 6), 246))
