"""What many ask for at once, done together."""

import asyncio
from collections.abc import Sequence

import pytest

from service.batches import MOST_AT_ONCE, Batches


class Work:
    """Doubles numbers. While `gate` is closed no batch ends."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = 0

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.under_way += 1
        assert self.under_way == 1
        await self.gate.wait()
        self.under_way -= 1
        if -13 in numbers:
            raise ValueError("thirteen")
        return [2 * number for number in numbers]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def doubles(work: Work) -> Batches[int, int]:
    return Batches(work, "doubling")


async def test_each_gets_its_own(doubles: Batches[int, int]) -> None:
    assert await asyncio.gather(*map(doubles.ask, range(100))) == [2 * number for number in range(100)]


async def test_one_alone_waits_for_nobody(doubles: Batches[int, int], work: Work) -> None:
    assert await doubles.ask(4) == 8
    assert await doubles.ask(5) == 10
    assert work.batches == [[4], [5]]


async def test_what_is_asked_meanwhile_makes_the_next_batch(doubles: Batches[int, int], work: Work) -> None:
    work.gate.clear()
    asked = [asyncio.create_task(doubles.ask(1))]
    await asyncio.sleep(0.01)
    asked += [asyncio.create_task(doubles.ask(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0.01)
    assert work.batches == [[1]]
    work.gate.set()
    assert await asyncio.gather(*asked) == [2, 4, 6, 8]
    assert work.batches == [[1], [2, 3, 4]]


async def test_a_batch_has_an_end(doubles: Batches[int, int], work: Work) -> None:
    numbers = range(2 * MOST_AT_ONCE + 1)
    assert await asyncio.gather(*map(doubles.ask, numbers)) == [2 * number for number in numbers]
    assert max(map(len, work.batches)) == MOST_AT_ONCE


async def test_a_failure_is_told_to_its_batch_and_to_no_other(doubles: Batches[int, int]) -> None:
    outcomes = await asyncio.gather(doubles.ask(1), doubles.ask(-13), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["thirteen"] * 2
    assert await doubles.ask(1) == 2


async def test_it_is_done_though_whoever_asked_goes_away(doubles: Batches[int, int], work: Work) -> None:
    work.gate.clear()
    first, second = (asyncio.create_task(doubles.ask(number)) for number in (1, 2))
    await asyncio.sleep(0.01)
    first.cancel()
    work.gate.set()
    assert await second == 4
    assert work.batches == [[1, 2]]


async def test_closing_leaves_nobody_waiting(doubles: Batches[int, int], work: Work) -> None:
    work.gate.clear()
    asked = [asyncio.create_task(doubles.ask(1))]
    await asyncio.sleep(0.01)
    asked.append(asyncio.create_task(doubles.ask(2)))
    await asyncio.sleep(0.01)
    await doubles.close()
    await asyncio.wait(asked, timeout=5)
    assert all(task.cancelled() for task in asked)
