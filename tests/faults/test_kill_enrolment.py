"""kill -9 in the middle of enrolment: what was acknowledged is found, what was not is not half there.

The service runs as a process of its own with the embedded PostgreSQL, in slow motion, so that the kill falls between
two known steps, after a random number of enrolments. CLIP_SENET_FAULT_ROUNDS sets how often it is killed,
CLIP_SENET_FAULT_SEED when.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest
from sqlalchemy.engine import make_url
from support.processes import data_folder
from support.slow_services import SlowService

from service.database.embedded import EmbeddedPostgres

ROUNDS = int(os.environ.get("CLIP_SENET_FAULT_ROUNDS", "3"))
CLIENTS = 3
IMAGES_PER_REQUEST = 4
STEPS = ("put", "log_changes", "commit")
SEARCHED_PER_ROUND = 4

MakeJpeg = Callable[..., bytes]


@dataclass
class Enrolments:
    """What the clients sent and what was acknowledged, over all rounds."""

    acknowledged: dict[UUID, int] = field(default_factory=dict)
    """Seed of the picture by crop id."""
    interrupted: int = 0
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_seeds(self) -> list[int]:
        with self.lock:
            self.sent += IMAGES_PER_REQUEST
            return list(range(self.sent - IMAGES_PER_REQUEST, self.sent))


@pytest.fixture
def service(untrained_weights: Path) -> Iterator[SlowService]:
    with data_folder() as folder:
        # orphan_age_s: nobody else enrolls while it starts, so every file without a row is an orphan
        service = SlowService(folder, "slow_service.py", untrained_weights, orphan_age_s=0)
        yield service
        service.stop()


def enroll_until_killed(address: str, enrolments: Enrolments, make_jpeg: MakeJpeg) -> None:
    with httpx.Client(base_url=address, timeout=60) as client:
        while True:
            seeds = enrolments.next_seeds()
            files = [("images", (str(seed), make_jpeg(seed))) for seed in seeds]
            try:
                answer = client.post("/gallery", files=files, data={"camera_id": f"camera-{seeds[0] % 5}"})
            except httpx.TransportError:
                with enrolments.lock:
                    enrolments.interrupted += 1
                return
            assert answer.status_code == 201, answer.text
            with enrolments.lock:
                for seed, item in zip(seeds, answer.json()["items"], strict=True):
                    enrolments.acknowledged[UUID(item["id"])] = seed


def kill_while_enrolling(
    service: SlowService, enrolments: Enrolments, make_jpeg: MakeJpeg, step: str, times: int
) -> None:
    """Kill the service right after `step` was done for the `times`-th time from now, while clients enroll."""
    clients = [
        threading.Thread(target=enroll_until_killed, args=(service.address, enrolments, make_jpeg))
        for _ in range(CLIENTS)
    ]
    goal = service.times_done(step) + times
    for client in clients:
        client.start()
    deadline = time.monotonic() + 60
    while service.times_done(step) < goal:
        assert time.monotonic() < deadline, f"{step} was not done often enough"
        time.sleep(0.005)
    service.kill()
    for client in clients:
        client.join()


def check_acknowledged(
    service: SlowService, acknowledged: dict[UUID, int], make_jpeg: MakeJpeg, chance: random.Random
) -> None:
    with httpx.Client(base_url=service.address, timeout=60) as client:
        for crop_id in acknowledged:
            assert client.get(f"/gallery/{crop_id}").json()["id"] == str(crop_id)
            assert client.get(f"/gallery/{crop_id}/image").headers["Content-Type"] == "image/jpeg"
        for crop_id in chance.sample(sorted(acknowledged), min(SEARCHED_PER_ROUND, len(acknowledged))):
            files = [("images", ("query", make_jpeg(acknowledged[crop_id])))]
            answer = client.post("/search", files=files, data={"k": 1, "group_by": "crop"}).json()
            assert answer["hits"][0]["crop"]["id"] == str(crop_id)
            assert answer["hits"][0]["score"] == pytest.approx(1, abs=1e-3)


def check_nothing_is_half_there(service: SlowService) -> None:
    postgres = EmbeddedPostgres(service.folder / "postgres")
    url = make_url(postgres.start()).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(url) as connection:

            def ids(query: str) -> list[str]:
                return sorted(str(row[0]) for row in connection.execute(query))

            crops = ids("SELECT id FROM crops")
            assert ids("SELECT crop_id FROM embeddings") == crops
            assert ids("SELECT crop_id FROM changes WHERE NOT deleted") == crops
    finally:
        postgres.stop()
    files = sorted(path.name for path in (service.folder / "crops").glob("??/*"))
    assert files == crops
    assert httpx.get(f"{service.address}/index").json()["crops"] == len(crops)


def test_kill_in_the_middle_of_enrolment(service: SlowService, make_jpeg: MakeJpeg) -> None:
    chance = random.Random(int(os.environ.get("CLIP_SENET_FAULT_SEED", "1")))
    enrolments = Enrolments()
    service.start()
    for number in range(ROUNDS):
        step = STEPS[number % len(STEPS)]
        kill_while_enrolling(service, enrolments, make_jpeg, step, times=chance.randint(3, 9))
        service.start()
        check_acknowledged(service, enrolments.acknowledged, make_jpeg, chance)
        check_nothing_is_half_there(service)
    assert enrolments.interrupted == CLIENTS * ROUNDS
    assert enrolments.acknowledged
