"""From a query vector to the answer: wait for the index, rank, check against the truth, write the audit entry."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any
from uuid import UUID

from starlette.requests import Request

from index.contract import Filter
from index.recheck import allows
from service.access import Caller
from service.audit.repository import AuditRepository
from service.calibration.decisions import Scale, scale_of, verdict
from service.calibration.repository import Standing
from service.errors import IndexBehindError, UnavailableError
from service.gallery.records import CropRecord
from service.gallery.repository import GalleryRepository
from service.imaging import Quality, quality_problems
from service.runtime import Runtime
from service.search.hits import hit_views
from service.search.question import Question, Times
from service.search.ranking import Query, Ranked, Ranking, rank
from service.search.schemas import (
    CalibrationSummary,
    QueryProblem,
    QueryQuality,
    QueryView,
    SearchAnswer,
    SearchView,
    Timing,
)

_RETRY_AFTER_S = 1
_NOT_AUDITED = {"images", "vector", "purpose"}
"""The query itself, and what has a column of its own."""

logger = logging.getLogger(__name__)


async def answer(runtime: Runtime, request: Request, caller: Caller, question: Question) -> SearchAnswer:
    """Answer a search.

    Raises:
        IndexBehindError: The index has not reached min_sequence in time.
        UnavailableError: The index is being loaded, or has not reached what this process committed itself in time.
    """
    await _wait_for_index(runtime, question.fields.min_sequence)
    ranking, records = await _rank_and_record(runtime, caller, question)
    standing = question.entry.standing
    scale = scale_of(standing, ranking.candidates)
    found = verdict(standing, ranking.candidates, ranking.best_score, question.fields.min_score)
    return SearchAnswer(
        hits=hit_views(request, ranking, records, scale),
        decision=found.decision,
        explanation=found.explanation,
        calibration=_calibration(standing, scale),
        query=QueryView(
            model_id=runtime.embedder.model_id,
            quality=[_judged(quality) for quality in question.quality],
        ),
        search=SearchView(
            mode=ranking.mode,
            candidates=ranking.candidates,
            returned=len(ranking.groups),
            exhausted=ranking.exhausted,
            reranked=ranking.reranked,
            index_sequence=ranking.watermark,
            took_ms=_timing(question.times, time.perf_counter()),
        ),
    )


async def _wait_for_index(runtime: Runtime, min_sequence: int | None) -> None:
    """Wait until the index has what this process committed itself and what the client asks for."""
    follower = runtime.follower
    wanted = max(follower.committed, min_sequence or 0)
    if await follower.wait_for(wanted, runtime.settings.min_sequence_wait_s):
        return
    if follower.loaded and min_sequence is not None and follower.sequence < min_sequence:
        raise IndexBehindError(
            f"The index has reached change {follower.sequence}, not yet {min_sequence}; try again.",
            retry_after_s=_RETRY_AFTER_S,
        )
    if follower.loaded:
        raise UnavailableError(
            "The index has not caught up with this process's own writes yet; try again.", retry_after_s=_RETRY_AFTER_S
        )


async def _rank_and_record(
    runtime: Runtime, caller: Caller, question: Question
) -> tuple[Ranking, Mapping[UUID, CropRecord]]:
    """Rank, read the crops from the truth and write the audit entry.

    The index may be a moment behind: a crop that is gone from the truth, or no longer meets the conditions there, is
    put on the list of the excluded and the search is done again, so that the next one takes its place.
    """
    query, where = _query(runtime, question), question.where
    while True:
        ranking = await runtime.follower.ask(partial(rank, query=query, where=where))
        shown = [group[0] for group in ranking.groups]
        ids = [entry.hit.sighting.id for entry in shown]
        async with runtime.database.transaction() as session:
            records = await GalleryRepository(session).many(ids)
            stale = {entry.hit.sighting.id for entry in shown if not _still_true(entry, records, where)}
            if not stale:
                await AuditRepository(session).record(
                    caller,
                    question.action,
                    where.collection,
                    purpose=question.entry.purpose,
                    filter=_asked(question),
                    crop_ids=ids,
                )
                return ranking, records
        logger.info("%d hits are gone from the truth; the search is done again without them", len(stale))
        where = replace(where, exclude_ids=where.exclude_ids | stale)


def _query(runtime: Runtime, question: Question) -> Query:
    fields = question.fields
    return Query(
        vector=question.vector,
        camera_id=question.camera_id,
        k=fields.k,
        min_score=fields.min_score,
        group_by=fields.group_by,
        rerank=fields.rerank,
        camera_normalization=fields.camera_normalization,
        rerank_candidates=runtime.settings.rerank_candidates,
    )


def _asked(question: Question) -> dict[str, Any]:
    return question.fields.model_dump(mode="json", by_alias=True, exclude=_NOT_AUDITED, exclude_none=True)


def _still_true(entry: Ranked, records: Mapping[UUID, CropRecord], where: Filter) -> bool:
    record = records.get(entry.hit.sighting.id)
    if record is None:
        return False
    truth = replace(
        entry.hit.sighting,
        collection=record.collection,
        camera_id=record.camera_id,
        captured_at=record.captured_at,
        track=None if record.track_id is None else (record.session_id, record.track_id),
        vehicle_id=record.vehicle_id,
        attributes=record.attributes,
    )
    return allows(where, truth)


def _judged(quality: Quality) -> QueryQuality:
    problems = [QueryProblem.model_validate(problem) for problem in quality_problems(quality)]
    return QueryQuality(**asdict(quality), problems=problems)


def _calibration(standing: Standing, scale: Scale | None) -> CalibrationSummary:
    if scale is None:
        return CalibrationSummary(state=standing.state)
    return CalibrationSummary(
        state=standing.state,
        match_score=scale.calibration.match_score,
        possible_score=scale.calibration.possible_score,
        false_match_rate=scale.calibration.false_match_rate,
        expected_false_matches=scale.false_matches,
    )


def _timing(times: Times, finished: float) -> Timing:
    return Timing(
        decode=_ms(times.started, times.decoded),
        embed=_ms(times.decoded, times.embedded),
        search=_ms(times.embedded, finished),
        total=_ms(times.started, finished),
    )


def _ms(start: float, end: float) -> float:
    return round(1000 * (end - start), 2)
