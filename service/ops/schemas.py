"""What the operational routes answer."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service import __version__

_READINESS_EXAMPLE: JsonDict = {
    "status": "ready",
    "model_id": "starter-3f6a2b9c8d10-5d1e77f0",
    "index_lag_s": 0.231,
}
_INDEX_EXAMPLE: JsonDict = {
    "crops": 1189,
    "doubt": "it is not what the database holds",
    "sequence": 1207,
    "lag_changes": 0,
    "lag_s": 0.231,
    "clean_sequence": 1207,
    "files_problem": "The index cannot keep its files (No space left on device).",
    "snapshot_sequence": 1180,
    "snapshot_age_s": 42.7,
    "snapshot_problem": "No space left on device",
    "reconciled_age_s": 1312.5,
    "drift": {
        "found_at": "2026-11-23T08:15:12.044000Z",
        "sequence": 1207,
        "collections": [
            {
                "collection": "harbour",
                "index": {"crops": 1012, "fingerprint": 9112385120415667201},
                "database": {"crops": 1011, "fingerprint": 1830914427743511024},
            }
        ],
    },
    "rebuild": {
        "reason": "there is no snapshot to start from",
        "finished_at": "2026-11-23T08:15:30.870000Z",
        "seconds": 0.4,
        "crops": 1012,
    },
}


class Health(BaseModel):
    """The process is alive."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive", "version": __version__}]})

    status: Literal["alive"] = "alive"
    version: str = Field(description="Release of the service.")


class TotalsView(BaseModel):
    """What the crops of a collection add up to."""

    model_config = ConfigDict(from_attributes=True)

    crops: int
    fingerprint: int = Field(description="Sum of the crops' fingerprints, modulo 2^64.")


class CollectionDriftView(BaseModel):
    """A collection in which index and database disagreed."""

    model_config = ConfigDict(from_attributes=True)

    collection: str
    index: TotalsView
    database: TotalsView


class DriftView(BaseModel):
    """A disagreement of index and database that was found. The index was built anew."""

    model_config = ConfigDict(from_attributes=True)

    found_at: datetime
    sequence: int = Field(description="Change at which both were compared.")
    collections: list[CollectionDriftView]


class RebuildView(BaseModel):
    """An index built from the database."""

    model_config = ConfigDict(from_attributes=True)

    reason: str
    finished_at: datetime
    seconds: float
    crops: int


class IndexView(BaseModel):
    """How this process's index stands beside the database."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_INDEX_EXAMPLE]})

    crops: int | None = Field(description="Crops that it holds; null while there is none to search.")
    doubt: str | None = Field(description="Why searches are not answered; null: they are.")
    sequence: int = Field(description="Change that the index has reached.")
    lag_changes: int = Field(description="Changes between it and the newest when the log was last seen.")
    lag_s: float | None = Field(
        description="Seconds since the index was last known to hold everything committed; null before the first time."
    )
    clean_sequence: int = Field(
        description="Nothing that was deleted by this change is in the files of this process's index any longer."
    )
    files_problem: str | None = Field(
        None, description="Why the newest crops stay in memory and are not written to files; null: they are."
    )
    snapshot_sequence: int = Field(description="Change at which a restart would begin; 0: it would build the index.")
    snapshot_age_s: float | None = Field(description="Age of the last snapshot; null: none by this process.")
    snapshot_problem: str | None = Field(
        None, description="Why the last attempt at a snapshot failed; null: it did not."
    )
    reconciled_age_s: float | None = Field(
        description="Seconds since the index was last compared with the database; null: not by this process."
    )
    drift: DriftView | None = Field(
        None, description="The last disagreement found; it stays after the index was rebuilt."
    )
    rebuild: RebuildView | None = Field(description="The last time the index was built from the database.")


class Readiness(BaseModel):
    """Every part works."""

    model_config = ConfigDict(json_schema_extra={"examples": [_READINESS_EXAMPLE]})

    status: Literal["ready"] = "ready"
    model_id: str = Field(description="The model loaded.")
    index_lag_s: float = Field(description="Seconds since the index was last known to hold everything committed.")
