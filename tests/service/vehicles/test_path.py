"""From one sighting to the next."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from service.vehicles.path import EARTH_RADIUS_M, Leg, Place, distance, leg

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HAMBURG, MUNICH = Place(53.5511, 9.9937), Place(48.1374, 11.5755)


def _north(metres: float) -> Place:
    """A place that far north of the origin."""
    return Place(metres / EARTH_RADIUS_M * 180 / math.pi, 0)


def _leg(seconds: float, metres: float) -> Leg:
    return leg(NOON, Place(0, 0), NOON + timedelta(seconds=seconds), _north(metres))


class TestDistance:
    def test_of_two_cities(self) -> None:
        # 612 km is what maps give for the straight line between their town halls
        assert distance(HAMBURG, MUNICH) == pytest.approx(612_000, rel=0.005)
        assert distance(MUNICH, HAMBURG) == distance(HAMBURG, MUNICH)

    @pytest.mark.parametrize(
        ("one", "other", "share"),
        [
            (Place(0, 0), Place(0, 180), 0.5),
            (Place(90, 0), Place(-90, 77), 0.5),
            (Place(0, 179), Place(0, -179), 2 / 360),
            (Place(60, 0), Place(60, 0), 0),
        ],
    )
    def test_around_the_earth(self, one: Place, other: Place, share: float) -> None:
        assert distance(one, other) == pytest.approx(2 * math.pi * EARTH_RADIUS_M * share)


class TestLeg:
    def test_time_distance_and_speed(self) -> None:
        way = _leg(360, 5000)
        assert way.gap_s == 360
        assert way.distance_m == pytest.approx(5000)
        assert way.speed_kmh == pytest.approx(50)
        assert way.implausible is False

    @pytest.mark.parametrize(
        ("seconds", "metres", "implausible"),
        [
            (90, 5190, False),
            (90, 5210, True),
            (1, 200, False),
            (0, 190, False),
            (0, 210, True),
            (0, 0, False),
        ],
    )
    def test_200_km_h_from_100_m_before_the_one_to_100_m_before_the_other(
        self, seconds: float, metres: float, *, implausible: bool
    ) -> None:
        assert _leg(seconds, metres).implausible is implausible

    def test_no_time_no_speed(self) -> None:
        assert _leg(0, 5000).speed_kmh is None

    def test_what_is_not_known(self) -> None:
        here = Place(0, 0)
        assert leg(None, here, NOON, here) == Leg(None, 0.0, None, None)
        assert leg(NOON, here, None, here) == Leg(None, 0.0, None, None)
        assert leg(NOON, None, NOON, here) == Leg(0.0, None, None, None)
        assert leg(NOON, here, NOON, None) == Leg(0.0, None, None, None)
