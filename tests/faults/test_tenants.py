"""Two tenants hammer one service at once, each with threads for all that it can do: neither ever sees the other.

Every answer is looked at for names and ids of the other one, every request about the other's things has to be answered
as if these were not, and at the end each holds what it enrolled and did not delete, to the crop. Beside that a
collection of each comes and goes, while others write into it. CLIP_SENET_FAULT_ROUNDS sets how long it goes on.
"""

import asyncio
import json
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from support.keys import header
from support.processes import ServiceProcess, data_folder

ROUNDS = int(os.environ.get("CLIP_SENET_FAULT_ROUNDS", "3"))
TURNS = 2
"""Of each thread in a round."""
TENANTS = ("harbour-town", "airport-city")
PASSING = {"harbour-town": "harbour-fair", "airport-city": "airport-fair"}
"""The collection of each that comes and goes."""
MOST = 1000

MakeJpeg = Callable[..., bytes]


@dataclass
class Tenant:
    """A tenant, and what it knows to be its own."""

    name: str
    key: dict[str, str]
    first_seed: int
    crops: dict[str, int] = field(default_factory=dict)
    """Seeds of the pictures by crop."""
    deleted: set[str] = field(default_factory=set)
    said: set[str] = field(default_factory=set)
    """Crops of the other one that it asked to delete: its own audit log says so."""
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    other: "Tenant" = field(init=False, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock)
    seeds: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        self.seeds = count(self.first_seed)

    def some(self, chance: random.Random, number: int = 1) -> list[str]:
        """Crops that are not deleted."""
        with self.lock:
            return chance.sample(sorted(self.crops.keys() - self.deleted), number)


class Worker:
    """One thread of a tenant's: asks, and looks at every answer."""

    def __init__(self, address: str, tenant: Tenant, make_jpeg: MakeJpeg, seed: int) -> None:
        self.tenant, self.make_jpeg, self.chance = tenant, make_jpeg, random.Random(seed)
        self.client = httpx.Client(base_url=address, headers=tenant.key, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def ask(self, method: str, path: str, *statuses: int, secret: bool = False, **options: Any) -> Any:
        """An answer with one of these statuses; `secret` where the request itself names what is the other one's."""
        answer = self.client.request(method, path, **options)
        self.tenant.answers[f"{method} {path.split('/')[1]} {answer.status_code}"] += 1
        if answer.status_code not in (statuses or (200, 201, 202, 204)):
            self.tenant.faults.append(f"{method} {path} {options.get('json')}: {answer.status_code} {answer.text}")
        if not secret:
            self._look(answer.text, f"{method} {path}")
        kind = answer.headers.get("Content-Type", "")
        return answer.json() if answer.content and kind in ("application/json", "application/problem+json") else None

    def _look(self, text: str, asked: str) -> None:
        other = self.tenant.other
        with other.lock:
            theirs = {other.name, PASSING[other.name], *other.crops} - self.tenant.said
        self.tenant.faults.extend(f"{asked} answers {name}" for name in theirs if name in text)

    def enroll(self) -> None:
        with self.tenant.lock:
            seeds = [next(self.tenant.seeds), next(self.tenant.seeds)]
        name = self.tenant.name
        items = [{"camera_id": f"{name}-{seed % 3}", "track_id": f"{seed}", "external_id": f"{seed}"} for seed in seeds]
        files = [("images", ("crop", self.make_jpeg(seed))) for seed in seeds]
        form = {"collection": name, "items": json.dumps(items)}
        answered = self.ask("POST", "/gallery", 201, files=files, data=form)
        with self.tenant.lock:
            self.tenant.crops |= {item["id"]: seed for item, seed in zip(answered["items"], seeds, strict=True)}

    def search(self) -> None:
        """By all three doors."""
        name, (crop,) = self.tenant.name, self.tenant.some(self.chance)
        form = {"collection": name, "k": str(MOST), "group_by": "crop"}
        picture = self.make_jpeg(self.tenant.crops[crop])
        self._hits(self.ask("POST", "/search", 200, files={"images": picture}, data=form))
        body = {"collection": name, "k": MOST, "group_by": "crop"}
        by_crop = self.ask("POST", "/search/crop", 200, 404, json={**body, "crop_ids": [crop]})
        if crop not in self.tenant.deleted:
            self._hits(by_crop)
        model = self.ask("GET", "/model", 200)
        vector = [1.0] + [0.0] * (model["dimension"] - 1)
        embedded = {**body, "vector": vector, "model_id": model["model_id"], "rerank": "k_reciprocal"}
        self._hits(self.ask("POST", "/search/embedding", 200, json=embedded))

    def _hits(self, answer: Any) -> None:
        if answer is None or "hits" not in answer:
            return
        strangers = [hit["crop"]["id"] for hit in answer["hits"] if hit["crop"]["collection"] != self.tenant.name]
        self.tenant.faults.extend(f"a hit of another: {crop}" for crop in strangers)

    def read(self) -> None:
        """Every list, and a picture."""
        named = {"collection": self.tenant.name}
        for path in ("/gallery", "/cameras", "/tracks", "/vehicles", "/judgements", "/timeline"):
            self.ask("GET", path, 200, params=named)
        for path in ("/collections", "/stats", "/jobs", "/watches", "/audit", "/audit/export"):
            self.ask("GET", path, 200)
        self.ask("GET", f"/gallery/{self.tenant.some(self.chance)[0]}/image", 200, 404)

    def delete(self) -> None:
        """One crop, which nothing answers afterwards."""
        with self.tenant.lock:
            (crop,) = self.chance.sample(sorted(self.tenant.crops.keys() - self.tenant.deleted), 1)
            self.tenant.deleted.add(crop)
        self.ask("DELETE", f"/gallery/{crop}", 202, 204)
        self.ask("GET", f"/gallery/{crop}", 404)
        form = {"collection": self.tenant.name, "k": str(MOST), "group_by": "crop"}
        picture = self.make_jpeg(self.tenant.crops[crop])
        found = self.ask("POST", "/search", 200, files={"images": picture}, data=form)
        if found is not None and crop in {hit["crop"]["id"] for hit in found.get("hits", [])}:
            self.tenant.faults.append(f"{crop} is deleted and found")

    def judge(self) -> None:
        crop, other = self.tenant.some(self.chance, 2)
        named = {"collection": self.tenant.name}
        words = {**named, "crop_id": crop, "query_crop_id": other, "same": False}
        self.ask("POST", "/judgements", 201, 404, 409, json=words)
        vehicle = self.ask("POST", "/vehicles", 200, 201, 404, 409, json={**named, "crop_ids": [crop]})
        if vehicle is not None and "vehicle" in vehicle:
            vehicle_id = vehicle["vehicle"]["vehicle_id"]
            self.ask("GET", f"/vehicles/{vehicle_id}/sightings", 200, 404, params=named)

    def watch(self) -> None:
        (crop,) = self.tenant.some(self.chance)
        body = {"collection": self.tenant.name, "name": self.tenant.name, "crop_ids": [crop], "min_score": -1}
        made = self.ask("POST", "/watches", 201, 404, json=body)
        if "id" not in made:
            return
        for _ in range(2):
            self.enroll()
            for hit in self.ask("GET", f"/watches/{made['id']}/hits", 200)["items"]:
                if hit["crop"]["collection"] != self.tenant.name:
                    self.tenant.faults.append(f"a watch found {hit['crop']['id']} of another")
        self.ask("PATCH", f"/watches/{made['id']}", 200, json={"paused": True})
        self.ask("DELETE", f"/watches/{made['id']}", 204)

    def try_the_others(self) -> None:
        """Ask for what is the other one's."""
        other = self.tenant.other
        (crop,) = other.some(self.chance)
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/image")):
            self.ask(method, f"/gallery/{crop}{path}", 404, secret=True)
        self.ask("PATCH", f"/gallery/{crop}", 404, secret=True, json={"vehicle_id": "stolen"})
        named = {"collection": self.tenant.name}
        self.ask("POST", "/search/crop", 404, secret=True, json={**named, "crop_ids": [crop]})
        self.ask("POST", "/vehicles", 404, secret=True, json={**named, "crop_ids": [crop]})
        self.ask("POST", "/judgements", 404, secret=True, json={**named, "crop_id": crop, "same": True, "score": 1})
        self.tenant.said.add(crop)
        self.ask("POST", "/gallery/delete", 200, secret=True, json={**named, "crop_ids": [crop]})
        self.ask("POST", "/search/crop", 403, secret=True, json={"collection": other.name, "crop_ids": [crop]})

    def come_and_go(self) -> None:
        """Write into a collection that other threads delete."""
        name = PASSING[self.tenant.name]
        named = {"collection": name}
        form = {**named, "camera_id": f"{name}-gate"}
        made = self.ask("POST", "/gallery", 201, files={"images": self.make_jpeg(7)}, data=form)
        crop = made["items"][0]["id"]
        self.ask("POST", "/cameras", 201, 404, 409, json={**named, "camera_id": f"{name}-{self.chance.random()}"})
        body = {**named, "name": name, "crop_ids": [crop], "min_score": 0.5}
        watch = self.ask("POST", "/watches", 201, 404, json=body)
        self.ask("POST", "/vehicles", 201, 404, json={**named, "crop_ids": [crop], "vehicle_id": crop})
        self.ask("POST", "/judgements", 201, 404, json={**named, "crop_id": crop, "same": False, "score": 0})
        self.ask("PATCH", f"/collections/{name}", 200, 404, json={"description": name})
        if "id" in watch:
            self.ask("PATCH", f"/watches/{watch['id']}", 200, 404, json={"crop_ids": [crop], "name": "other"})
        self.ask("DELETE", f"/collections/{name}", 202, 204, 404)


@pytest.fixture
def service(untrained_weights: Path, postgres_url: str) -> Iterator[ServiceProcess]:
    settings = {"weights": untrained_weights, "preset": "tiny", "device": "cpu", "torch_threads": 1}
    quick = {"watch_poll_s": 0.05, "deletion_wait_s": 0.2}
    with (
        data_folder() as folder,
        ServiceProcess(folder, auth="on", database_url=postgres_url, **settings, **quick) as service,
    ):
        yield service


def test_neither_sees_the_other(service: ServiceProcess, postgres_url: str, make_jpeg: MakeJpeg) -> None:
    tenants = [
        Tenant(name, asyncio.run(header(postgres_url, "admin", name=name, collections=[name, PASSING[name]])), seed)
        for seed, name in zip((0, 100_000), TENANTS, strict=True)
    ]
    for tenant, other in zip(tenants, reversed(tenants), strict=True):
        tenant.other = other
        with Worker(service.address, tenant, make_jpeg, 0) as worker:
            for _ in range(6):  # enough for those that choose some
                worker.enroll()
    hammer(service.address, tenants, make_jpeg)
    for tenant in tenants:
        assert tenant.faults == []
        with Worker(service.address, tenant, make_jpeg, 0) as worker:
            settle(worker)
            check_account(worker)
        assert tenant.faults == []
        done = {name.rpartition(" ")[2] for name in tenant.answers}
        assert {"200", "201", "204", "403", "404"} <= done, tenant.answers
    assert "Traceback" not in service.log


def hammer(address: str, tenants: list[Tenant], make_jpeg: MakeJpeg) -> None:
    """Let every thread of every tenant have its turns, all at once."""
    deeds = (
        Worker.enroll,
        Worker.search,
        Worker.read,
        Worker.delete,
        Worker.judge,
        Worker.watch,
        Worker.try_the_others,
        Worker.come_and_go,
        Worker.come_and_go,
    )

    def work(worker: Worker, deed: Callable[[Worker], None]) -> None:
        with worker:
            for _ in range(TURNS * ROUNDS):
                deed(worker)

    jobs = [
        (Worker(address, tenant, make_jpeg, 10 * number + place), deed)
        for number, tenant in enumerate(tenants)
        for place, deed in enumerate(deeds)
    ]
    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(work, *job) for job in jobs]:
            future.result()


def settle(worker: Worker) -> None:
    """Wait until every job has ended well."""
    while worker.ask("GET", "/jobs", 200, params={"states": ["queued", "running"]})["items"]:
        threading.Event().wait(0.1)
    assert worker.ask("GET", "/jobs", 200, params={"states": ["failed"]})["items"] == []


def check_account(worker: Worker) -> None:
    """A tenant holds what it enrolled and did not delete, in the lists, the counts and the index."""
    tenant = worker.tenant
    kept = tenant.crops.keys() - tenant.deleted
    listed: set[str] = set()
    cursor: dict[str, str] = {}
    while True:
        page = worker.ask("GET", "/gallery", 200, params={"collection": tenant.name, "limit": MOST, **cursor})
        listed |= {crop["id"] for crop in page["items"]}
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert listed == kept
    counts = {one["name"]: one["crops"] for one in worker.ask("GET", "/stats", 200)["items"]}
    assert counts[tenant.name] == len(kept)
    assert counts.keys() <= {tenant.name, PASSING[tenant.name]}
    for crop in random.Random(1).sample(sorted(kept), 5):
        form = {"collection": tenant.name, "k": "1", "group_by": "crop"}
        picture = worker.make_jpeg(tenant.crops[crop])
        (hit,) = worker.ask("POST", "/search", 200, files={"images": picture}, data=form)["hits"]
        assert hit["crop"]["id"] == crop
        assert hit["score"] == pytest.approx(1, abs=1e-3)
