"""Evaluating the watches on each enrolment, in the background: what the change log names is compared with all of them.

One process at a time does it for all watches of a model: whoever holds the row of their cursor. Hits, their messages
and the cursor are committed together, so that a process which is killed leaves nothing half done and whoever goes on
finds nothing twice.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from service.access import Caller
from service.audit.repository import AuditRepository
from service.database.engine import Database, Session
from service.errors import UnavailableError
from service.follower_repository import FollowerRepository
from service.follower_rows import sightings
from service.tasks import ended
from service.watches.comparing import Hit, Standing, compare, standings
from service.watches.evaluation_repository import LONGEST_TRANSACTION, Cursor, EvaluationRepository, Found, LogLine
from service.watches.rights_repository import RightsRepository
from service.watches.threshold_repository import ThresholdRepository

logger = logging.getLogger(__name__)

LINES: Final = 1000
"""Of the change log, read in one transaction at most."""
_LONGEST_PAUSE_S: Final = 10.0


class WatchEvaluator:
    """Evaluates the watches of one model.

    Args:
        database: The truth.
        model_id: The model that is loaded; watches of others wait.
        dimension: Length of its embeddings.
        poll_s: Seconds between two looks at the change log.
        on_hits: Called after hits were committed.
    """

    def __init__(
        self, database: Database, model_id: str, dimension: int, poll_s: float, on_hits: Callable[[], None]
    ) -> None:
        self._database = database
        self._model_id = model_id
        self._dimension = dimension
        self._poll_s = poll_s
        self._on_hits = on_hits
        self._task: asyncio.Task[None] | None = None
        self._standings: Mapping[str, Standing] = {}
        self._known: tuple[int, int] | None = None
        """The cursor's revision and the log's line at which the standings were true."""

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._work(), name="watch evaluator")

    async def stop(self) -> None:
        """End; a step that was not committed is done again by whoever is next."""
        if self._task is not None:
            await ended(self._task)
            self._task = None

    async def evaluate(self) -> None:
        """Evaluate all that is in the log now, unless another process is at it.

        Raises:
            UnavailableError: The database does not answer; what was committed stays.
        """
        async with self._database.reading() as session:
            behind = await EvaluationRepository(session, self._model_id).behind()
        while behind:
            behind = await self._step()

    async def _work(self) -> None:
        pause_s = self._poll_s
        while True:
            try:
                await self.evaluate()
                pause_s = self._poll_s
            except UnavailableError as error:
                logger.warning("Watches have to wait: %s", error.detail)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            except Exception:
                logger.exception("Watches could not be evaluated; it is tried again")
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def _step(self) -> bool:
        """Read some lines; whether there may be more."""
        async with self._database.transaction() as session:
            evaluation = EvaluationRepository(session, self._model_id)
            cursor = await evaluation.take_cursor()
            if cursor is None:
                return False
            lines = await evaluation.lines_after(cursor.sequence, LINES)
            first, head = await evaluation.span()  # after the lines: what is trimmed in between was read
            trimmed = first > cursor.sequence + 1
            hits = 0
            if lines and not trimmed:
                await self._refresh(evaluation, cursor)
                hits = await self._evaluate_lines(session, evaluation, lines)
                await evaluation.move_cursor(lines[-1].sequence, lines[-1].created_at)
                self._known = (cursor.revision, lines[-1].sequence)
        if trimmed:
            return await self._catch_up(cursor, head)
        if hits:
            self._on_hits()
        return len(lines) == LINES

    async def _refresh(self, evaluation: EvaluationRepository, cursor: Cursor) -> None:
        """Read the watches anew, unless nobody has changed one or deleted a crop since."""
        revision, sequence = self._known or (None, 0)
        if revision == cursor.revision and not await evaluation.deleted_since(sequence):
            return
        watches, crops = await evaluation.watches(), await evaluation.query_crops()
        self._standings = await asyncio.to_thread(standings, watches, crops)

    async def _evaluate_lines(
        self, session: Session, evaluation: EvaluationRepository, lines: Sequence[LogLine]
    ) -> int:
        """Write down the hits among the crops that some lines name; how many there are."""
        watched = {standing.collection_id for standing in self._standings.values()}
        named = {
            line.crop_id: line.sequence
            for line in lines
            if line.crop_id is not None and not line.deleted and line.collection_id in watched
        }
        return await self._evaluate_crops(session, evaluation, named)

    async def _evaluate_crops(
        self, session: Session, evaluation: EvaluationRepository, named: Mapping[UUID, int]
    ) -> int:
        """Write down the hits among crops, each named with its line; how many there are."""
        packed = await FollowerRepository(session, self._model_id).existing(named)
        if packed is None:
            return 0
        collections = [standing.collection_id for standing in self._standings.values()]
        thresholds = await ThresholdRepository(session).of_collections(collections)

        def hits() -> list[Hit]:
            return [
                hit
                for crops in sightings(packed, self._dimension)
                if (standing := self._standings.get(crops.collection)) is not None
                for hit in compare(crops, standing, thresholds.get((standing.collection_id, self._model_id)))
            ]

        found = [
            Found(hit.watch_id, hit.crop_id, hit.score, named[hit.crop_id]) for hit in await asyncio.to_thread(hits)
        ]
        return await _record(session, evaluation, found) if found else 0

    async def _catch_up(self, cursor: Cursor, head: int) -> bool:
        """Go on where lines were trimmed that nobody has read for the watches; whether that was done to the end.

        Which crops those lines named is not known, but when they came: not before the last line that was read. So all
        crops since then are looked at that are still there, whichever line they had. A crop that was looked at before
        is a hit already or none.
        """
        logger.warning("Changes after %d were trimmed before the watches had read them", cursor.sequence)
        after: UUID | None = UUID(int=0)
        while after is not None:
            async with self._database.transaction() as session:
                evaluation = EvaluationRepository(session, self._model_id)
                now = await evaluation.take_cursor()
                if now is None or now.sequence != cursor.sequence:
                    return False  # another process is at it
                self._known = None
                await self._refresh(evaluation, now)
                collections = {standing.collection_id for standing in self._standings.values()}
                crop_ids = await evaluation.crops_since(collections, cursor.read_at, after, LINES)
                hits = await self._evaluate_crops(session, evaluation, dict.fromkeys(crop_ids, head))
                after = crop_ids[-1] if len(crop_ids) == LINES else None
                if after is None:
                    lines = await evaluation.lines_after(head - 1, 1)
                    await evaluation.move_cursor(head, lines[0].created_at if lines else cursor.read_at)
            if hits:
                self._on_hits()
        return True


async def _record(session: Session, evaluation: EvaluationRepository, found: Iterable[Found]) -> int:
    """Write hits down, in the audit log, too; how many are new."""
    found = sorted(found, key=lambda one: (one.sequence, one.crop_id))
    crops = await evaluation.new_crops({one.crop_id for one in found})
    receivers = await evaluation.receivers({one.watch_id for one in found})
    permitted = await RightsRepository(session).permitted((one.key_id, one.collection) for one in receivers.values())
    allowed = {key: one for key, one in receivers.items() if (one.key_id, one.collection) in permitted}
    known = await evaluation.known(found)
    fresh = [
        one
        for one in found
        if one.watch_id in allowed
        and one.crop_id in crops
        and one.sequence > allowed[one.watch_id].sequence
        # a crop from before the watch that somebody changes is no news
        and crops[one.crop_id] >= allowed[one.watch_id].started_at - LONGEST_TRANSACTION
        and (one.watch_id, one.crop_id) not in known
    ]
    if not fresh:
        return 0
    await evaluation.add_hits(fresh, allowed)
    crops_of: dict[UUID, list[UUID]] = {}
    for one in fresh:
        crops_of.setdefault(one.watch_id, []).append(one.crop_id)
    for watch_id, crop_ids in crops_of.items():
        watch = allowed[watch_id]
        await AuditRepository(session).record(
            Caller(key_id=watch.key_id, name=watch.key_name or "anyone", scopes=frozenset()),
            "evaluate_watch",
            watch.collection,
            purpose=watch.purpose,
            filter={"watch_id": str(watch_id)},
            crop_ids=crop_ids,
        )
    return len(fresh)
