"""How a process stands, as Prometheus reads it (text exposition format 1.0.0)."""

import math
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

import service
from service.errors import UnavailableError
from service.follower_status import FollowerStatus
from service.jobs.records import KINDS
from service.jobs.repository import OPEN
from service.ops.backlog_repository import Backlog, BacklogRepository
from service.ops.request_metrics import RequestMetrics
from service.runtime import Runtime


async def exposition(runtime: Runtime, requests: RequestMetrics) -> bytes:
    """All figures as text: those of the requests, and how everything stands now.

    Where the database does not answer, what is in it is left out, and `clip_senet_database_up` says so.
    """
    status, backlog = runtime.follower.status(), None
    crops = await crops_in_index(runtime, status)
    try:
        async with runtime.database.reading() as session:
            backlog = await BacklogRepository(session).backlog()
    except UnavailableError:
        pass
    families = [
        InfoMetricFamily(
            "clip_senet",
            "Release and model.",
            {"version": service.__version__, "model_id": runtime.embedder.model_id},
        ),
        _gauge("database_up", "Whether the database answers.", backlog is not None),
        _gauge_by("embedding_queue_crops", "Crops that wait for the model.", ["lane"], _lanes(runtime)),
        *_of_index(status, crops),
        *(_of_backlog(backlog) if backlog is not None else ()),
    ]
    now = CollectorRegistry()
    now.register(_Gathered(families))
    return generate_latest(requests.registry) + generate_latest(now)


async def crops_in_index(runtime: Runtime, status: FollowerStatus) -> int | None:
    """How many crops the index holds; None where it is in doubt."""
    if status.doubt is not None:
        return None
    return (await runtime.follower.ask(lambda index: index.stats())).crops


class _Gathered(Collector):
    """Figures that were gathered already: a collector cannot wait for a database."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _lanes(runtime: Runtime) -> Mapping[tuple[str, ...], float]:
    return {(lane.name.lower(),): count for lane, count in runtime.queue.waiting().items()}


def _of_index(status: FollowerStatus, crops: int | None) -> Iterator[Metric]:
    yield _gauge("index_usable", "Whether there is an index to search.", status.doubt is None)
    yield _gauge("index_lag_changes", "Changes that the index has not read.", status.lag_changes)
    if crops is not None:
        yield _gauge("index_crops", "Crops in the index.", crops)
    if math.isfinite(status.lag_s):
        yield _gauge("index_lag_seconds", "Since the index held everything committed.", status.lag_s)
    if status.snapshot_age_s is not None:
        yield _gauge("index_snapshot_age_seconds", "Age of the last snapshot.", status.snapshot_age_s)
    yield _gauge("index_snapshot_failed", "Whether the last snapshot failed.", status.snapshot_problem is not None)
    yield _gauge("index_files_failed", "Whether the newest crops cannot be filed.", status.files_problem is not None)
    yield _gauge("index_drift", "Whether index and database were ever found to differ.", status.drift is not None)


def _of_backlog(backlog: Backlog) -> Iterator[Metric]:
    jobs: dict[tuple[str, ...], int] = {(kind, state): 0 for kind in KINDS for state in OPEN}
    held_up: dict[tuple[str, ...], int] = {(kind,): 0 for kind in KINDS}
    for (kind, state, waits), count in backlog.jobs.items():
        jobs[kind, state] += count
        held_up[kind,] += count if waits else 0
    yield _gauge_by("jobs", "Jobs that are open.", ["kind", "state"], jobs)
    yield _gauge_by("jobs_held_up", "Open jobs that could not be done when they were tried last.", ["kind"], held_up)
    messages: dict[tuple[str, ...], int] = {(state,): backlog.messages.get(state, 0) for state in ("pending", "dead")}
    yield _gauge_by("webhook_messages", "Messages that are to be sent, or were given up.", ["state"], messages)
    yield _gauge("pictures_to_remove", "Pictures of deleted crops that are not removed yet.", backlog.pictures)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"clip_senet_{name}", what, value=value)


def _gauge_by(name: str, what: str, labels: list[str], values: Mapping[tuple[str, ...], float]) -> Metric:
    family = GaugeMetricFamily(f"clip_senet_{name}", what, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
