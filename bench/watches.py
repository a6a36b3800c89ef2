"""What watches cost an enrolment: `python -m bench.watches`.

The whole service with an empty data folder of its own: pictures go in by POST /gallery, several requests at a time, in
phases of the same length taken in turn. There is no watch; there are a thousand, which find next to nothing; there are
ten more, which find every crop and tell a receiver that takes the connection and never answers. Each phase ends when
its crops have been compared with all watches, and tells how long that took after the last enrolment.
"""

import asyncio
import io
import shutil
import socket
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from PIL import Image
from sqlalchemy import func, select

from bench.harness import print_table, step, write_report
from service.app import create_app
from service.database.tables import Change, WatchCursor, WatchHit
from service.runtime import Runtime
from service.settings import Settings

CLIENTS: Final = 4
IMAGES: Final = 8
ROUNDS: Final = 5
GREEDY: Final = 10
MOST_WATCHES_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Phase:
    """Enrolments for some time.

    Attributes:
        watches: What watched.
        crops_per_s: Crops enrolled a second.
        request_ms: Median of the requests.
        behind_s: From the last enrolment until all crops had been compared.
        hits: Crops found.
    """

    watches: str
    crops_per_s: float
    request_ms: float
    behind_s: float
    hits: int


def pictures(number: int) -> list[bytes]:
    """JPEG files that nobody has seen, all different."""
    made = []
    for seed in range(number):
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(coarse).resize((224, 168), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        made.append(buffer.getvalue())
    return made


@contextmanager
def hanging_receiver() -> Iterator[str]:
    """Address of a receiver that takes connections and does nothing with them."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    """The service, with a client in front of it."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client,
    ):
        yield client, app.state.runtime


class Town:
    """A collection that crops are enrolled in and watched for."""

    def __init__(self, client: httpx.AsyncClient, runtime: Runtime, files: list[bytes]) -> None:
        self._client, self._runtime, self._files = client, runtime, files
        self._numbers = count()
        self._query = ""

    async def enroll(self) -> float:
        """Enroll some crops; how long it took, in seconds."""
        chosen = [next(self._numbers) % len(self._files) for _ in range(IMAGES)]
        files = [("images", (str(number), self._files[number])) for number in chosen]
        began = time.perf_counter()
        answer = await self._client.post("/gallery", files=files, data={"camera_id": "gate"})
        answer.raise_for_status()
        self._query = answer.json()["items"][0]["id"]
        return time.perf_counter() - began

    async def watch(self, number: int, **fields: object) -> None:
        """Make watches."""
        body = {"name": "bench", "crop_ids": [self._query], "min_score": 1.0, **fields}
        for start in range(0, number, MOST_WATCHES_AT_ONCE):
            some = range(start, min(start + MOST_WATCHES_AT_ONCE, number))
            for answer in await asyncio.gather(*(self._client.post("/watches", json=body) for _ in some)):
                answer.raise_for_status()

    async def forget(self) -> None:
        """Delete all watches."""
        while watches := (await self._client.get("/watches")).json()["items"]:
            for watch in watches:
                (await self._client.delete(f"/watches/{watch['id']}")).raise_for_status()

    async def hits(self) -> int:
        """Hits of all watches."""
        async with self._runtime.database.reading() as session:
            return await session.scalar(select(func.count()).select_from(WatchHit)) or 0

    async def looked_at(self) -> None:
        """Wait until all crops have been compared."""
        head = select(func.max(Change.sequence)).scalar_subquery()
        while True:
            async with self._runtime.database.reading() as session:
                if await session.scalar(select(func.bool_and(WatchCursor.sequence >= head))) is not False:
                    return
            await asyncio.sleep(0.01)

    async def phase(self, watches: str, seconds: float, *, watched: bool) -> Phase:
        """Enroll for some time, as fast as it goes."""
        taken: list[float] = []
        began = time.perf_counter()

        async def client() -> None:
            while time.perf_counter() - began < seconds:
                taken.append(await self.enroll())

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        spent = time.perf_counter() - began
        if watched:
            await self.looked_at()
        behind = time.perf_counter() - began - spent
        return Phase(watches, IMAGES * len(taken) / spent, 1e3 * float(np.median(taken)), behind, await self.hits())


async def measure(folder: Path, watches: int, seconds: float, rounds: int) -> list[Phase]:
    """All phases, in turn."""
    found: list[Phase] = []
    with hanging_receiver() as url:
        async with running(Settings(data_dir=folder)) as (client, runtime):
            town = Town(client, runtime, pictures(512))
            await town.phase("warm up", seconds, watched=False)
            for number in range(rounds):
                with step(f"round {number + 1} of {rounds}"):
                    found.append(await town.phase("none", seconds, watched=False))
                    await town.watch(watches)
                    found.append(await town.phase(f"{watches:,}", seconds, watched=True))
                    await town.watch(GREEDY, min_score=-1, webhook_url=url)
                    found.append(await town.phase(f"{watches:,} and {GREEDY} greedy", seconds, watched=True))
                    await town.forget()
    return found


def summed_up(phases: list[Phase]) -> list[Phase]:
    """The median of each kind."""
    kinds = list(dict.fromkeys(phase.watches for phase in phases))
    medians = []
    for kind in kinds:
        some = [phase for phase in phases if phase.watches == kind]
        fields = [[getattr(one, name) for one in some] for name in ("crops_per_s", "request_ms", "behind_s", "hits")]
        rate, request, behind, hits = (float(np.median(values)) for values in fields)
        medians.append(Phase(kind, rate, request, behind, int(hits)))
    return medians


def main() -> None:
    """Measure, print and write."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--watches", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    try:
        phases = asyncio.run(measure(folder, options.watches, options.seconds, options.rounds))
    finally:
        shutil.rmtree(folder)
    medians = summed_up(phases)
    alone = medians[0].crops_per_s
    print_table(
        f"{CLIENTS} clients, {IMAGES} pictures each time, {options.rounds} rounds of {options.seconds:g} s",
        ["watches", "crops/s", "of those alone", "request, ms", "compared after, s", "hits"],
        [
            (one.watches, one.crops_per_s, one.crops_per_s / alone, one.request_ms, one.behind_s, one.hits)
            for one in medians
        ],
    )
    write_report("watches", clients=CLIENTS, images=IMAGES, seconds=options.seconds, medians=medians, phases=phases)


if __name__ == "__main__":
    main()
