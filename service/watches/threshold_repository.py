"""Reading what scores mean in many collections at once."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from service.database.engine import Session
from service.database.tables import Calibration
from service.watches.thresholds import Thresholds


class ThresholdRepository:
    """Reads thresholds within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def of_collections(self, collections: Iterable[UUID]) -> dict[tuple[UUID, str], Thresholds]:
        """Those of some collections, by collection and model; without those that are not calibrated."""
        query = select(
            Calibration.collection_id, Calibration.model_id, Calibration.match_score, Calibration.possible_score
        ).where(Calibration.collection_id.in_(set(collections)))
        return {(row[0], row[1]): Thresholds(row[2], row[3]) for row in await self._session.execute(query)}
