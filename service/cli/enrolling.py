"""Sends crops to POST /gallery in batches, several at a time, and keeps count of what became of each."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.cli.client import ServiceProblem, send

if TYPE_CHECKING:
    import httpx

_DIVISIBLE = {400, 413, 415, 422}
"""Statuses of a whole request that a smaller one may escape: one item is at fault, or all together are too large."""
_EACH_REJECTED = {"all_rejected", "external_id_conflict"}
"""Codes of a whole request none of whose items was taken, each for the reason that `errors` gives."""


@dataclass(frozen=True, slots=True)
class CropFile:
    """A crop to enroll.

    Attributes:
        path: The picture.
        fields: Its item as POST /gallery takes it, `external_id` included.
    """

    path: Path
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A crop that was not taken, and why."""

    file: str
    external_id: str
    code: str
    reason: str


@dataclass(slots=True)
class Tally:
    """What became of the crops.

    Attributes:
        enrolled: New in the gallery.
        duplicate: Enrolled before: the same external id with the same picture.
        rejected: Refused, each with its reason.
        failure: Why sending stopped before the end; None where it did not.
    """

    enrolled: int = 0
    duplicate: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    failure: ServiceProblem | None = None

    @property
    def done(self) -> int:
        """Crops that the service has answered for."""
        return self.enrolled + self.duplicate + len(self.rejected)

    def add(self, other: "Tally") -> None:
        """Count another tally in."""
        self.enrolled += other.enrolled
        self.duplicate += other.duplicate
        self.rejected += other.rejected


@dataclass(frozen=True, slots=True)
class Enroller:
    """How to send.

    Attributes:
        client: Of the service.
        collection: Which one; the service's default where None.
        batch_size: Crops per request, 1 to 64.
        parallel: Requests at a time.
        patience_s: For how long to go on where the service is busy or away.
    """

    client: "httpx.Client"
    collection: str | None = None
    batch_size: int = 16
    parallel: int = 2
    patience_s: float = 300.0

    def enroll(self, files: Sequence[CropFile], tally: Tally, on_progress: Callable[[Tally], None]) -> None:
        """Enroll crops, adding to a tally as answers come. An interruption leaves the tally right.

        A failure of the service, as opposed to a rejection, ends the run and is told in the tally.
        """
        batches = [files[start : start + self.batch_size] for start in range(0, len(files), self.batch_size)]
        pool = ThreadPoolExecutor(self.parallel, thread_name_prefix="enroll")
        try:
            for future in as_completed([pool.submit(self._enroll_batch, batch) for batch in batches]):
                _count(future, tally)
                on_progress(tally)
                if tally.failure is not None:
                    break
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _enroll_batch(self, batch: Sequence[CropFile]) -> Tally:
        tally = Tally()
        readable: list[CropFile] = []
        contents: list[bytes] = []
        for file in batch:
            try:
                contents.append(file.path.read_bytes())
            except OSError as error:
                tally.rejected.append(_rejection(file, "unreadable_file", error.strerror or str(error)))
            else:
                readable.append(file)
        if readable:
            self._send(readable, contents, tally)
        return tally

    def _send(self, batch: Sequence[CropFile], contents: Sequence[bytes], tally: Tally) -> None:
        images = [("images", (file.path.name, content)) for file, content in zip(batch, contents, strict=True)]
        data = {"items": json.dumps([file.fields for file in batch])}
        if self.collection is not None:
            data["collection"] = self.collection
        try:
            answer = send(self.client, "POST", "gallery", patience_s=self.patience_s, data=data, files=images).json()
        except ServiceProblem as problem:
            reasons = _reasons(problem)
            if problem.code in _EACH_REJECTED and reasons.keys() == set(range(len(batch))):
                tally.rejected += [
                    _rejection(file, reasons[index]["code"], reasons[index]["detail"])
                    for index, file in enumerate(batch)
                ]
            elif problem.status in _DIVISIBLE:
                self._send_smaller(batch, contents, tally, problem)
            else:
                raise
            return
        for file, item in zip(batch, answer["items"], strict=True):
            _count_item(file, item, tally)

    def _send_smaller(
        self, batch: Sequence[CropFile], contents: Sequence[bytes], tally: Tally, problem: ServiceProblem
    ) -> None:
        if len(batch) == 1:
            reason = problem.errors[0] if problem.errors else {}
            tally.rejected.append(
                _rejection(
                    batch[0], reason.get("code") or problem.code or "refused", reason.get("detail") or str(problem)
                )
            )
            return
        middle = len(batch) // 2
        self._send(batch[:middle], contents[:middle], tally)
        self._send(batch[middle:], contents[middle:], tally)


def _count(future: "Future[Tally]", tally: Tally) -> None:
    try:
        tally.add(future.result())
    except ServiceProblem as problem:
        tally.failure = problem


def _count_item(file: CropFile, item: dict[str, Any], tally: Tally) -> None:
    if item["status"] == "enrolled":
        tally.enrolled += 1
    elif item["status"] == "duplicate":
        tally.duplicate += 1
    else:
        tally.rejected.append(_rejection(file, item["code"], item["reason"]))


def _reasons(problem: ServiceProblem) -> dict[int, dict[str, Any]]:
    """What is wrong with each item, by its place in the request."""
    return {error["index"]: error for error in problem.errors if "index" in error}


def _rejection(file: CropFile, code: str, reason: str) -> Rejection:
    return Rejection(str(file.path), file.fields.get("external_id", ""), code, reason)
