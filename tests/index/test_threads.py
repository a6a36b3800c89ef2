"""Searches beside a busy writer: every answer must be one that some applied batch left, whole."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from support.indexes import Backend
from support.vectors import unit

from index.contract import Filter, Hits, Sighting, VectorIndex
from index.segmented import SegmentedIndex

SECONDS = float(os.environ.get("CLIP_SENET_FAULT_SECONDS", "1.5"))
"""How long each backend is searched beside its writers: minutes in `make test-faults`."""
BATCHES = 25
DIMENSION = 64
CROPS = 120

_random = np.random.default_rng(11)
_vectors = unit(_random.standard_normal((CROPS, 5, DIMENSION)))


def state(batch: int) -> dict[UUID, tuple[str, int, int]]:
    """What the index holds after a batch: for each id the collection, the crop's number and its version."""
    held = {}
    for number in range(CROPS):
        version = batch // (number % 5 + 1)  # some crops change with every batch, some with every fifth
        if (version + number) % 7:  # and some are gone for a while
            held[UUID(int=number + 1)] = ("even" if version % 2 == 0 else "odd", number, version)
    return held


def embedding(number: int, version: int) -> NDArray[np.float32]:
    return _vectors[number, version % 5]


def sighting(crop: UUID, collection: str, number: int, version: int) -> Sighting:
    attributes = {"version": version}
    return Sighting(crop, collection, embedding(number, version), f"cam-{number % 3}", attributes=attributes)


def write(index: VectorIndex, stop: Event) -> int:
    batch, before = 0, {}
    while not stop.is_set():
        batch += 1
        after = state(batch)
        upserts = [sighting(crop, *what) for crop, what in after.items() if before.get(crop) != what]
        index.apply(upserts, before.keys() - after.keys(), batch)
        before = after
    return batch


def check(answer: Hits, where: Filter, query: NDArray[np.float32], backend: Backend) -> None:
    then = state(answer.watermark) if answer.watermark else {}
    expected = {crop: what for crop, what in then.items() if what[0] == where.collection}
    if where.camera_ids is not None:
        expected = {crop: what for crop, what in expected.items() if f"cam-{what[1] % 3}" in where.camera_ids}
    expected = {crop: what for crop, what in expected.items() if crop not in where.exclude_ids}
    assert {hit.sighting.id for hit in answer.hits} == expected.keys()
    assert answer.candidates == len(expected)
    for hit in answer.hits:
        _, number, version = expected[hit.sighting.id]
        assert hit.sighting.attributes == {"version": version}
        held = backend.held(embedding(number, version)[None])[0]
        assert hit.sighting.embedding.tobytes() == held.tobytes()
        assert abs(hit.score - float(query @ held)) < 1e-5


def work_on_files(index: VectorIndex, stop: Event) -> int:
    snapshots = 0
    while not stop.is_set() and isinstance(index, SegmentedIndex):
        while index.maintain() and not stop.is_set():
            pass
        index.snapshot()
        snapshots += 1
    return snapshots


def search(index: VectorIndex, backend: Backend, stop: Event, seed: int) -> tuple[int, set[int]]:
    random = np.random.default_rng(seed)
    searches, seen = 0, [0]
    while not stop.is_set():
        collection = "even" if random.integers(2) else "odd"
        cameras = None if random.integers(2) else frozenset({"cam-0", "cam-2"})
        left_out = frozenset(UUID(int=int(one)) for one in random.integers(1, CROPS + 1, int(random.integers(4))))
        where = Filter(collection, camera_ids=cameras, exclude_ids=left_out)
        query = embedding(int(random.integers(CROPS)), 0)
        queries = np.array([query, embedding(int(random.integers(CROPS)), 1)])
        answer, other = index.search(queries, CROPS, where)
        check(answer, where, query, backend)
        check(other, where, queries[1], backend)
        assert answer.watermark == other.watermark
        assert answer.watermark >= seen[-1], "an answer is older than one given before"
        seen.append(answer.watermark)
        searches += 1
    return searches, set(seen)


def test_no_search_sees_half_a_batch(backend: Backend, make_index: Callable[[int], VectorIndex]) -> None:
    index, stop = make_index(DIMENSION), Event()
    with ThreadPoolExecutor() as pool:
        writer = pool.submit(write, index, stop)
        searchers = [pool.submit(search, index, backend, stop, seed) for seed in range(3)]
        files = pool.submit(work_on_files, index, stop)
        running = [writer, *searchers] + ([files] if isinstance(index, SegmentedIndex) else [])
        end = time.monotonic() + SECONDS
        while (time.monotonic() < end or index.watermark < BATCHES) and not any(one.done() for one in running):
            time.sleep(0.05)
        stop.set()
        batches = writer.result()
        results = [one.result() for one in searchers]
        assert files.result() > 0 or not isinstance(index, SegmentedIndex)
    assert batches >= BATCHES
    assert sum(searches for searches, _ in results) >= 20
    assert len(set().union(*(seen for _, seen in results))) > 5


def test_batches_of_several_writers_are_applied_one_after_the_other(make_index: Callable[[int], VectorIndex]) -> None:
    index = make_index(DIMENSION)

    def enroll(writer: int) -> None:
        for turn in range(40):
            number = (writer * 40 + turn) % CROPS
            crop = UUID(int=1000 * (writer + 1) + turn)
            index.apply([sighting(crop, "c", number, 0)], [UUID(int=1000 * (writer + 1) + turn - 3)], 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(enroll, range(4)))
    answer = index.search(embedding(0, 0)[None], 1000, Filter("c"))[0]
    left = {UUID(int=1000 * (writer + 1) + turn) for writer in range(4) for turn in (37, 38, 39)}
    assert {hit.sighting.id for hit in answer.hits} == left
    assert sum(one.count for one in index.camera_statistics("c").values()) == index.stats().crops == len(left)
