"""How often a key may be used."""

from uuid import uuid4

import pytest

from service.errors import RateLimitedError
from service.keys.rates import RateLimits

KEY = uuid4()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> RateLimits:
    return RateLimits(clock)


def allowed(limits: RateLimits, per_minute: int | None, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            limits.take(KEY, per_minute)
        except RateLimitedError:
            continue
        count += 1
    return count


def test_a_minutes_worth_at_once_and_no_more(limits: RateLimits) -> None:
    assert allowed(limits, 30, 100) == 30


def test_then_as_many_as_its_rate_gives(limits: RateLimits, clock: Clock) -> None:
    allowed(limits, 30, 100)
    clock.now += 10
    assert allowed(limits, 30, 100) == 5


def test_a_long_rest_saves_up_a_minutes_worth(limits: RateLimits, clock: Clock) -> None:
    allowed(limits, 30, 100)
    clock.now += 3600
    assert allowed(limits, 30, 100) == 30


def test_what_is_refused_does_not_count(limits: RateLimits, clock: Clock) -> None:
    """Otherwise whoever goes on asking would never be let in again."""
    allowed(limits, 60, 60)
    for _ in range(10):
        clock.now += 0.1
        allowed(limits, 60, 1)
    assert allowed(limits, 60, 10) <= 1
    clock.now += 1
    assert allowed(limits, 60, 10) == 1


@pytest.mark.parametrize(("per_minute", "wait_s"), [(60, 1), (600, 1), (6, 10), (1, 60)])
def test_the_time_told_is_the_time_it_takes(limits: RateLimits, clock: Clock, per_minute: int, wait_s: int) -> None:
    allowed(limits, per_minute, per_minute)
    with pytest.raises(RateLimitedError) as refused:
        limits.take(KEY, per_minute)
    assert refused.value.retry_after_s == wait_s
    assert f"{per_minute} requests a minute; try again in {wait_s} s" in refused.value.detail
    clock.now += wait_s
    limits.take(KEY, per_minute)


def test_keys_do_not_share_a_bucket(limits: RateLimits) -> None:
    allowed(limits, 1, 1)
    limits.take(uuid4(), 1)


def test_no_limit(limits: RateLimits) -> None:
    assert allowed(limits, None, 10_000) == 10_000


def test_a_limit_that_is_lowered_holds_at_once(limits: RateLimits) -> None:
    allowed(limits, 1000, 1)
    assert allowed(limits, 2, 10) == 2
