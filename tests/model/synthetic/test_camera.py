"""Cameras and views: determinism, ranges and errors."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from model.synthetic import Camera, View
from model.synthetic.camera import FIRST_DAY


def test_seed_gives_the_same_camera_and_view_on_every_machine() -> None:
    known = "".join(repr(Camera.sample(seed)) + repr(View.sample(seed)) for seed in range(100))
    assert (
        hashlib.sha256(known.encode()).hexdigest() == "e36832842d38a8ba0160eff07a8f86fbc8f2d73840aee3e9b2574a87cc2a40ab"
    )


@pytest.mark.parametrize(("facing", "ahead"), [("front", 1), ("rear", -1)])
def test_facing_decides_which_end_is_seen(facing: str, ahead: int) -> None:
    for seed in range(20):
        x, _, height = Camera.sample(seed, facing).position  # type: ignore[arg-type]
        assert x * ahead > 0
        assert 2 < height < 20


def test_position_is_at_the_distance() -> None:
    camera = Camera.sample(4)
    x, y, z = camera.position
    assert np.hypot(np.hypot(x, y), z - 0.6) == pytest.approx(camera.distance)


def test_time_of_capture_is_kept_and_turned_to_utc() -> None:
    noon = datetime(2026, 5, 4, 14, tzinfo=timezone(timedelta(hours=2)))
    assert View.sample(1, captured_at=noon).captured_at == datetime(2026, 5, 4, 12, tzinfo=UTC)


def test_sun_is_high_at_noon_and_below_the_horizon_at_night() -> None:
    camera = Camera.sample(0)
    noon = View.sample(0, captured_at=FIRST_DAY.replace(hour=13)).sun(camera)
    night = View.sample(0, captured_at=FIRST_DAY.replace(hour=22)).sun(camera)
    assert noon[1] == pytest.approx(58)
    assert night[1] < 0


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="seed must be 0 or more"):
        Camera.sample(-3)
    with pytest.raises(ValueError, match="facing must be one of front, rear, side, not 'up'"):
        Camera.sample(0, "up")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="weather must be one of"):
        View.sample(0, weather="hail")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="time zone"):
        View.sample(0, captured_at=datetime(2026, 5, 4))  # noqa: DTZ001 - a naive time is the point
