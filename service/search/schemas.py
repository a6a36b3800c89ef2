"""What the search routes answer."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.calibration.decisions import Decision
from service.calibration.repository import State
from service.gallery.schemas import CROP_EXAMPLE, CropView
from service.imaging.quality import Complaint

_SEARCH_EXAMPLE: JsonDict = {
    "hits": [
        {
            "rank": 1,
            "score": 0.8714,
            "rerank_score": 0.6402,
            "decision": "match",
            "probability": 0.6178,
            "crop": CROP_EXAMPLE,
            "track": {
                "camera_id": "gate-north",
                "session_id": "2026-11-23",
                "track_id": "17",
                "first_captured_at": "2026-11-23T08:29:58Z",
                "last_captured_at": "2026-11-23T08:30:03Z",
            },
            "matched_crops": 4,
            "image_url": "/gallery/019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071/image",
        }
    ],
    "decision": "match",
    "explanation": "Match: the best of 771 crops compared scores 0.8714, at least 0.7806. About 0.9 of them would do "
    "so by chance, showing another vehicle.",
    "calibration": {
        "state": "valid",
        "match_score": 0.7806,
        "possible_score": 0.5539,
        "false_match_rate": 0.001,
        "expected_false_matches": 0.8981,
    },
    "query": {
        "model_id": "starter-3f6a2b9c8d10-5d1e77f0",
        "quality": [
            {
                "width": 240,
                "height": 180,
                "aspect": 1.3333,
                "brightness": 0.0624,
                "sharpness": 0.0127,
                "problems": [
                    {
                        "code": "too_dark",
                        "detail": "The brightness is 0.0624, below the limit of 0.08.",
                        "measured": 0.0624,
                        "limit": 0.08,
                    }
                ],
            }
        ],
    },
    "search": {
        "mode": "exact",
        "candidates": 771,
        "returned": 1,
        "exhausted": True,
        "reranked": 200,
        "index_sequence": 1207,
        "took_ms": {"decode": 6.2, "embed": 61.8, "search": 4.9, "total": 72.9},
    },
}


class TrackView(BaseModel):
    """The track of a hit: one vehicle on one camera, as its tracker followed it."""

    camera_id: str
    session_id: str | None
    track_id: str
    first_captured_at: datetime | None = Field(description="Earliest capture among the track's matched crops.")
    last_captured_at: datetime | None = Field(description="Latest capture among the track's matched crops.")


class HitView(BaseModel):
    """One hit, shown by its best crop."""

    rank: int = Field(description="1 is the best.", examples=[1])
    score: float = Field(description="Cosine similarity of query and crop, in [-1, 1].", examples=[0.87])
    rerank_score: float | None = Field(
        None,
        description="What it is ordered by where re-ranking or camera normalisation was asked for; higher is better.",
    )
    decision: Decision | None = Field(
        description="What the score means where the collection's scores are calibrated; otherwise null."
    )
    probability: float | None = Field(
        description="That the hit shows the vehicle, if it was as likely on any one of the crops compared as on none "
        "of them; it falls as more are compared. Null where scores are not calibrated."
    )
    crop: CropView
    track: TrackView | None = Field(description="Null where the crop belongs to no track.")
    matched_crops: int = Field(
        description="Crops of this track or vehicle among those looked at: the best candidates down to min_score, as "
        "deep as was needed to fill the answer."
    )
    image_url: str | None = Field(
        description="Address of the crop's picture, relative to this service; null where none is kept."
    )


class QueryProblem(BaseModel):
    """Why one query image shows its vehicle badly."""

    model_config = ConfigDict(from_attributes=True)

    code: Complaint
    detail: str = Field(description="What was measured and what it is held against, in a sentence.")
    measured: float
    limit: float


class QueryQuality(BaseModel):
    """Measured properties of one query image, and what is wrong with it."""

    model_config = ConfigDict(from_attributes=True)

    width: int
    height: int
    aspect: float = Field(description="width / height")
    brightness: float = Field(description="Mean luma, 0 black to 1 white.")
    sharpness: float = Field(
        description="Variance of the Laplacian of luma at 256 px; 0 is a plain area, blur lowers it."
    )
    problems: list[QueryProblem] = Field(
        description="Why less may be found than with a better picture; empty where nothing is wrong. The search is "
        "made all the same."
    )


class QueryView(BaseModel):
    """The query as the service saw it."""

    model_id: str
    quality: list[QueryQuality] = Field(description="One entry for each query image, in order.")


class Timing(BaseModel):
    """Milliseconds."""

    decode: float
    embed: float = Field(description="Waiting for the model included.")
    search: float = Field(description="Waiting for the index, searching, re-ranking and reading the crops.")
    total: float


class SearchView(BaseModel):
    """How the search was done."""

    mode: Literal["exact", "approximate"]
    candidates: int = Field(description="Crops that the conditions left.")
    returned: int
    exhausted: bool = Field(description="Whether nothing is left that could follow: no further hits at any k.")
    reranked: int = Field(description="Candidates that were ordered anew; 0 without re-ranking.")
    index_sequence: int = Field(description="Change that the index had reached.")
    took_ms: Timing


class CalibrationSummary(BaseModel):
    """What the decisions of an answer rest on; nulls where there is nothing."""

    state: State = Field(description="Stale: calibrated for another model, so that there is no decision.")
    match_score: float | None = Field(default=None, description="From this cosine similarity on, a hit is a match.")
    possible_score: float | None = Field(default=None, description="From this one on it is possible, below it none.")
    false_match_rate: float | None = Field(
        default=None, description="Share of pairs of different vehicles accepted as matches."
    )
    expected_false_matches: float | None = Field(
        default=None,
        description="Crops of other vehicles to be expected at match_score or above among those compared: where it is "
        "near 1 or more, a match alone proves little. Narrow the conditions.",
    )


class SearchAnswer(BaseModel):
    """The answer of a search. Fewer than k hits means that fewer exist."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SEARCH_EXAMPLE]})

    hits: list[HitView]
    decision: Decision | None = Field(
        description="That of the hit with the highest score; none without hits: no match. Null where the collection's "
        "scores are not calibrated, or min_score cut off what would have to be known."
    )
    explanation: str = Field(description="Why the decision is what it is, or why there is none.")
    calibration: CalibrationSummary
    query: QueryView
    search: SearchView
