"""kill -9 in the middle of a deletion: after a restart it goes on, and nothing is left of what it was about.

The service runs as a process of its own with the embedded PostgreSQL, in slow motion, so that the kill falls between
two known steps of a slice. CLIP_SENET_FAULT_ROUNDS sets how often it is killed, CLIP_SENET_FAULT_SEED when.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from support.processes import data_folder
from support.slow_services import SlowService
from support.traces import files_with, traces_of_id

ROUNDS = int(os.environ.get("CLIP_SENET_FAULT_ROUNDS", "4"))
STEPS = ("rows", "committed", "pictures", "struck out")
CROPS = 14

MakeJpeg = Callable[..., bytes]


@pytest.fixture
def service(untrained_weights: Path) -> Iterator[SlowService]:
    with data_folder() as folder:
        service = SlowService(folder, "slow_deletion.py", untrained_weights)
        yield service
        service.stop()


def enrolled(client: httpx.Client, make_jpeg: MakeJpeg, seeds: range, camera: str) -> dict[UUID, bytes]:
    pictures = [make_jpeg(seed) for seed in seeds]
    files = [("images", ("crop", picture)) for picture in pictures]
    answer = client.post("/gallery", files=files, data={"camera_id": camera})
    assert answer.status_code == 201, answer.text
    assert {item["status"] for item in answer.json()["items"]} == {"enrolled"}, answer.text
    return {UUID(item["id"]): one for item, one in zip(answer.json()["items"], pictures, strict=True)}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_kill_in_the_middle_of_a_deletion_by_job(service: SlowService, make_jpeg: MakeJpeg) -> None:
    chance = random.Random(int(os.environ.get("CLIP_SENET_FAULT_SEED", "1")))
    kept: dict[UUID, bytes] = {}
    service.start()
    for number in range(ROUNDS):
        step = STEPS[number % len(STEPS)]
        first = number * 2 * CROPS
        with httpx.Client(base_url=service.address, timeout=60) as client:
            kept |= enrolled(client, make_jpeg, range(first, first + CROPS), "kept")
            doomed = enrolled(client, make_jpeg, range(first + CROPS, first + 2 * CROPS), "doomed")
            goal = service.times_done(step) + chance.randint(1, 3)
            job = client.post("/gallery/delete", json={"camera_ids": ["doomed"]}).json()
        wait_until(lambda: service.times_done(step) >= goal, f"{step} was not done often enough")  # noqa: B023
        service.kill()
        service.start()
        with httpx.Client(base_url=service.address, timeout=60) as client:
            wait_until(lambda: client.get(f"/jobs/{job['id']}").json()["finished_at"] is not None, "the job hangs")  # noqa: B023
            ended = client.get(f"/jobs/{job['id']}").json()
            assert (ended["state"], ended["done"], ended["total"]) == ("succeeded", CROPS, CROPS)
            assert {
                UUID(item["id"]) for item in client.get("/gallery", params={"limit": 1000}).json()["items"]
            } == kept.keys()
            files = [("images", ("query", next(iter(doomed.values()))))]
            answer = client.post("/search", files=files, data={"k": 1000, "group_by": "crop"})
            assert {UUID(hit["crop"]["id"]) for hit in answer.json()["hits"]} == kept.keys()
        traces = set(doomed.values()).union(*map(traces_of_id, doomed))
        for folder in ("crops", "index"):
            assert files_with(service.folder / folder, traces) == set()
        assert {UUID(path.name) for path in (service.folder / "crops").glob("??/*")} == kept.keys()


def test_kill_between_the_rows_and_the_pictures_of_a_request(service: SlowService, make_jpeg: MakeJpeg) -> None:
    """Nobody was answered, and nobody knows the crops any longer: only the note of their pictures is left."""
    service.start()
    with httpx.Client(base_url=service.address, timeout=60) as client:
        kept = enrolled(client, make_jpeg, range(2), "kept")
        doomed = enrolled(client, make_jpeg, range(2, 4), "doomed")

        def delete() -> None:
            with suppress(httpx.TransportError):
                client.post("/gallery/delete", json={"camera_ids": ["doomed"]})

        asking = threading.Thread(target=delete)
        asking.start()
        wait_until(lambda: service.times_done("committed") >= 1, "the rows were not deleted")
        service.kill()
        asking.join()
    pictures = service.folder / "crops"
    assert {UUID(path.name) for path in pictures.glob("??/*")} == kept.keys() | doomed.keys()
    service.start()
    assert {UUID(path.name) for path in pictures.glob("??/*")} == kept.keys()
    with httpx.Client(base_url=service.address, timeout=60) as client:
        again = client.post("/gallery/delete", json={"camera_ids": ["doomed"]})
        assert (again.status_code, again.json()["count"]) == (200, 0)
