"""What the timeline's route takes and answers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.selection import Selection

MAX_BUCKETS = 500
_EXAMPLE: JsonDict = {
    "start": "2026-11-23T06:00:00Z",
    "end": "2026-11-23T10:00:00Z",
    "bucket_s": 3600.0,
    "counts": [12, 418, 377, 64],
    "without_time": 3,
}


class TimelineQuery(Selection):
    """Query of GET /timeline."""

    buckets: int = Field(60, ge=1, le=MAX_BUCKETS, description="Equal parts into which the time is divided.")


class TimelineView(BaseModel):
    """Crops by time of capture."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    start: datetime | None = Field(
        description="Start of the first bucket: as asked for, or the earliest capture; null without any."
    )
    end: datetime | None = Field(
        description="End of the last bucket: as asked for, or just after the latest capture; null without any."
    )
    bucket_s: float = Field(description="Length of a bucket in seconds; 0 without any.")
    counts: list[int] = Field(description="Crops in each bucket, earliest first; a bucket's end belongs to the next.")
    without_time: int = Field(description="Crops that meet the other conditions and whose time is not known.")
