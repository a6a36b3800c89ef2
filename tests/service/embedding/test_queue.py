"""The queue before the model, with a model that the test can hold, break and watch."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.embedding import EmbeddingQueue, Lane
from service.errors import OverloadedError, UnavailableError

CAPACITY = 8
BATCH = 4
BROKEN = 99
FATAL = 100


class ModelUnderTest:
    """Embeds a crop as (its first value, 1). Waits while held; fails on BROKEN, ends its thread's patience on FATAL."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.released = threading.Event()
        self.released.set()
        self.entered = threading.Event()

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = [int(crop[0, 0, 0]) for crop in crops]
        self.threads.add(threading.get_ident())
        self.entered.set()
        assert self.released.wait(10)
        self.batches.append(values)
        if FATAL in values:
            raise SystemExit
        if BROKEN in values:
            raise RuntimeError("broken crop")
        return np.array([[value, 1] for value in values], dtype=np.float32)

    def hold(self) -> None:
        self.released.clear()
        self.entered.clear()

    async def busy(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, 10)


def crop(value: int) -> NDArray[np.uint8]:
    return np.full((2, 2, 3), value, dtype=np.uint8)


@pytest.fixture
def model() -> ModelUnderTest:
    return ModelUnderTest()


@pytest.fixture
async def queue(model: ModelUnderTest) -> AsyncIterator[EmbeddingQueue]:
    queue = EmbeddingQueue(model, BATCH, CAPACITY)
    queue.start()
    yield queue
    model.released.set()
    await asyncio.to_thread(queue.stop)


Embed = Callable[..., "asyncio.Task[list[NDArray[np.float32] | Exception]]"]


@pytest.fixture
def embed(queue: EmbeddingQueue) -> Embed:
    def start(*values: int, lane: Lane = Lane.ENROLMENT) -> "asyncio.Task[list[NDArray[np.float32] | Exception]]":
        return asyncio.ensure_future(queue.embed([crop(value) for value in values], lane))

    return start


class TestBatches:
    async def test_each_crop_gets_its_own_embedding(self, embed: Embed, model: ModelUnderTest) -> None:
        results = await asyncio.gather(*(embed(value, value + 1) for value in range(0, 20, 2)))
        assert [[int(vector[0]) for vector in result] for result in results] == [[v, v + 1] for v in range(0, 20, 2)]
        assert all(len(batch) <= BATCH for batch in model.batches)
        assert len(model.threads) == 1

    async def test_a_lone_crop_does_not_wait(self, embed: Embed, model: ModelUnderTest) -> None:
        await asyncio.wait_for(embed(1), 1)
        assert model.batches == [[1]]

    async def test_what_arrives_while_the_model_is_busy_forms_a_batch(
        self, embed: Embed, model: ModelUnderTest
    ) -> None:
        model.hold()
        tasks = [embed(0)]
        await model.busy()
        tasks += [embed(value) for value in (1, 2, 3)]
        await asyncio.sleep(0)
        model.released.set()
        await asyncio.gather(*tasks)
        assert model.batches == [[0], [1, 2, 3]]

    async def test_searches_go_ahead_of_enrolments(self, embed: Embed, model: ModelUnderTest) -> None:
        model.hold()
        tasks = [embed(0)]
        await model.busy()
        tasks += [embed(1, 2, 3, 4, 5), embed(50, 51, lane=Lane.SEARCH)]
        await asyncio.sleep(0)
        model.released.set()
        await asyncio.gather(*tasks)
        assert model.batches == [[0], [50, 51, 1, 2], [3, 4, 5]]


class TestAdmission:
    def test_a_full_lane_refuses(self, model: ModelUnderTest) -> None:
        queue = EmbeddingQueue(model, BATCH, CAPACITY)
        with queue.admit(Lane.ENROLMENT, CAPACITY - 1):
            with (
                queue.admit(Lane.ENROLMENT, 1),
                pytest.raises(OverloadedError) as refusal,
                queue.admit(Lane.ENROLMENT, 1),
            ):
                pass
            assert refusal.value.retry_after_s is not None
            with queue.admit(Lane.SEARCH, CAPACITY):
                pass
        with queue.admit(Lane.ENROLMENT, CAPACITY):
            pass

    def test_room_is_given_back_after_a_failure(self, model: ModelUnderTest) -> None:
        queue = EmbeddingQueue(model, BATCH, CAPACITY)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError), queue.admit(Lane.SEARCH, CAPACITY):
                _ = 1 / 0

    def test_a_request_larger_than_the_lane_is_not_refused_for_ever(self, model: ModelUnderTest) -> None:
        queue = EmbeddingQueue(model, BATCH, CAPACITY)
        with queue.admit(Lane.ENROLMENT, 2 * CAPACITY), pytest.raises(OverloadedError), queue.admit(Lane.ENROLMENT, 1):
            pass


class TestFailures:
    async def test_one_broken_crop_fails_alone(self, embed: Embed, model: ModelUnderTest) -> None:
        model.hold()
        first = embed(0)
        await model.busy()
        mixed = embed(1, BROKEN, 2)
        await asyncio.sleep(0)
        model.released.set()
        await first
        good, broken, also_good = await mixed
        assert [good[0], also_good[0]] == [1, 2]
        assert isinstance(broken, RuntimeError)

    async def test_the_thread_outlives_what_ends_threads(self, embed: Embed) -> None:
        with pytest.raises(UnavailableError):
            await asyncio.wait_for(embed(FATAL), 5)
        (vector,) = await asyncio.wait_for(embed(3), 5)
        assert vector[0] == 3

    async def test_success_is_remembered_failure_is_not(self, queue: EmbeddingQueue, embed: Embed) -> None:
        await embed(BROKEN)
        assert queue.last_success == 0
        await embed(1)
        assert queue.last_success > 0


class TestLeaving:
    async def test_work_of_a_cancelled_caller_is_dropped(self, embed: Embed, model: ModelUnderTest) -> None:
        model.hold()
        first = embed(0)
        await model.busy()
        gone = embed(1, 2, 3)
        stays = embed(4)
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        model.released.set()
        await asyncio.gather(first, stays)
        assert model.batches == [[0], [4]]

    async def test_stop_finishes_what_was_accepted(
        self, queue: EmbeddingQueue, embed: Embed, model: ModelUnderTest
    ) -> None:
        model.hold()
        tasks = [embed(value) for value in range(6)]
        await model.busy()
        stopping = asyncio.create_task(asyncio.to_thread(queue.stop))
        model.released.set()
        results = await asyncio.gather(*tasks)
        await stopping
        assert [int(vector[0]) for (vector,) in results] == list(range(6))
        with pytest.raises(UnavailableError):
            await embed(7)
