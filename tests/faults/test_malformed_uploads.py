"""Damaged and hostile picture files against the live service: each is answered, none of them harms it or another.

CLIP_SENET_FAULT_ROUNDS sets how many files are sent, CLIP_SENET_FAULT_SEED which ones.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from support.malformed import BOMB_EVERY, BOMBS, DAMAGES, malformed
from support.processes import ServiceProcess, data_folder

FILES = int(os.environ.get("CLIP_SENET_FAULT_ROUNDS", "300"))
FIRST = int(os.environ.get("CLIP_SENET_FAULT_SEED", "0")) * 1_000_000
CLIENTS = 4
WITH_A_GOOD_ONE = 10
"""Each so-manieth file is sent beside a good picture."""

ANSWER_WITHIN_S = 30.0
"""Three times what one picture may take: four clients wait for two processes."""

GROWTH_MIB = 400
"""What all processes of the service may take beyond the beginning. Two pictures of 50 million pixels are decoded in
passing and given back; a leak of 100 kB a file would be a gigabyte at 10,000 files."""

REFUSALS = {("/gallery", 422), ("/search", 413), ("/search", 415), ("/search", 422)}

logger = logging.getLogger(__name__)


@dataclass
class Account:
    """What became of the files."""

    answers: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


@pytest.fixture
def service(untrained_weights: Path) -> Iterator[ServiceProcess]:
    settings = {"weights": untrained_weights, "preset": "tiny", "device": "cpu", "torch_threads": 1}
    with data_folder() as folder, ServiceProcess(folder, **settings) as service:
        yield service


def memory_mib(service: ServiceProcess) -> float:
    """Of the service and all the processes that decode; not of PostgreSQL."""
    assert service._process is not None
    root = psutil.Process(service._process.pid)
    ours = [process for process in (root, *root.children(recursive=True)) if "postgres" not in process.name()]
    return sum(process.memory_full_info().uss for process in ours) / 2**20


def send(client: httpx.Client, number: int, good: bytes, account: Account) -> None:
    one = malformed(number)
    begun = time.monotonic()
    if number % WITH_A_GOOD_ONE == 1:
        files = [("images", ("good", good)), ("images", ("bad", one.data))]
        answer = client.post("/gallery", files=files, data={"camera_id": "camera-1"})
        fault = None if accompanied(answer) else "the good picture beside it was not enrolled"
    else:
        path = "/search" if number % 2 else "/gallery"
        answer = client.post(path, files={"images": ("bad", one.data)}, data={"camera_id": "camera-1"})
        fault = judged(path, answer)
    took_s = time.monotonic() - begun
    account.slowest_s = max(account.slowest_s, took_s)
    account.answers[f"{answer.request.url.path} {answer.status_code}"] += 1
    account.kinds[f"{one.kind}: {outcome(answer)}"] += 1
    if fault is not None or took_s > ANSWER_WITHIN_S:
        account.faults.append(
            f"{number} ({one.kind}, {len(one.data)} bytes) {took_s:.1f} s: {fault} {answer.text[:300]}"
        )


def accompanied(answer: httpx.Response) -> bool:
    return answer.status_code == 201 and answer.json()["items"][0]["status"] == "enrolled"


def judged(path: str, answer: httpx.Response) -> str | None:
    if answer.status_code in (200, 201):
        return None
    if (path, answer.status_code) not in REFUSALS:
        return f"answered {answer.status_code}"
    problem = answer.json()
    (entry,) = problem["errors"]
    if entry["code"] not in {"undecodable_image", "unsupported_image_type", "too_large"} or not entry["detail"]:
        return f"refused as {entry}"
    return None


def outcome(answer: httpx.Response) -> str:
    body = answer.json()
    if answer.status_code == 201:
        return str(body["items"][-1]["status"])
    return "searched" if answer.status_code == 200 else str(body["errors"][0]["code"])


def test_each_is_answered_and_the_service_goes_on(service: ServiceProcess, make_jpeg: Callable[..., bytes]) -> None:
    account, good = Account(), make_jpeg(1)
    with httpx.Client(base_url=service.address, timeout=4 * ANSWER_WITHIN_S) as client:
        for _ in range(20):  # what the first requests load is not what the files take
            assert client.post("/gallery", files={"images": good}, data={"camera_id": "camera-1"}).status_code == 201
        before = memory_mib(service)
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda number: send(client, number, good, account), range(FIRST, FIRST + FILES)))
        growth = memory_mib(service) - before
        after = client.post("/search", files={"images": good}, data={"k": "1"})
        ready = client.get("/readyz")
    logger.info("%s, slowest %.1f s, %+.0f MiB", dict(account.answers), account.slowest_s, growth)
    logger.info("\n".join(f"{times:6} {kind}" for kind, times in sorted(account.kinds.items())))
    assert account.faults == []
    assert sum(account.answers.values()) == FILES
    assert after.status_code == 200
    assert after.json()["hits"][0]["score"] == pytest.approx(1, abs=1e-3)
    assert ready.status_code == 200
    assert growth < GROWTH_MIB
    assert "Traceback" not in service.log
    # Were all refused by their first bytes, or none by a decoder, nothing would have been tried.
    outcomes = {kind.rpartition(": ")[2] for kind in account.kinds}
    assert {"enrolled", "searched", "undecodable_image", "unsupported_image_type", "too_large"} <= outcomes
    types = {kind.partition(" ")[0] for kind in account.kinds}
    assert types == {"jpeg", "png", "webp", "tiff", "bmp", "bomb"}


def test_files_are_the_same_in_every_run() -> None:
    assert malformed(7) == malformed(7)
    assert len({malformed(number).data for number in range(200)}) > 150


def test_files_are_made_of_all_kinds() -> None:
    kinds = {malformed(number).kind for number in range(BOMB_EVERY * len(BOMBS))}
    assert {f"bomb {name}" for name in BOMBS} < kinds
    assert {kind.partition(" ")[2] for kind in kinds} >= {damage.__name__ for damage in DAMAGES}
