"""What the calibration routes take and answer."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

MOST_LABELLED_PAIRS = 20_000
_REQUEST_EXAMPLE: JsonDict = {
    "from_vehicles": True,
    "pairs": [
        {
            "crop_id": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
            "other_crop_id": "019ab3c4-7a10-7c3e-8f52-6b1d90e4a7c5",
            "same": False,
        }
    ],
    "false_match_rate": 0.001,
}
_EXAMPLE: JsonDict = {
    "collection": "default",
    "state": "valid",
    "model_id": "starter-3f6a2b9c8d10-5d1e77f0",
    "match_score": 0.7806,
    "possible_score": 0.5539,
    "false_match_rate": 0.001,
    "false_non_match_rate": 0.05,
    "intercept": -7.8825,
    "slope": 17.2485,
    "same_pairs": 102,
    "different_pairs": 10302,
    "vehicles": 102,
    "measured": {
        "area_under_curve": 0.9951,
        "match_false_match_rate": 0.0012,
        "match_true_match_rate": 0.3235,
        "possible_false_non_match_rate": 0.049,
        "roc": [
            {"wanted": 0.01, "score": 0.5942, "false_match_rate": 0.01, "true_match_rate": 0.8725},
            {"wanted": 0.001, "score": 0.7806, "false_match_rate": 0.0012, "true_match_rate": 0.3235},
        ],
    },
    "created_at": "2026-11-23T08:30:02.417000Z",
    "created_by": "operations",
}


class PairLabel(BaseModel):
    """Two crops of the collection and whether they show one vehicle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop_id: UUID
    other_crop_id: UUID
    same: bool = Field(description="Whether both show one vehicle.")


class CalibrationRequest(BaseModel):
    """What to learn from, and which mistakes are accepted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_REQUEST_EXAMPLE]})

    pairs: list[PairLabel] = Field(
        [],
        max_length=MOST_LABELLED_PAIRS,
        description="Labelled pairs. Draw those of different vehicles at random, not from the top of lists.",
    )
    from_vehicles: bool = Field(
        default=False,
        description="Learn also from what people confirmed: pairs of crops of one confirmed vehicle and pairs judged "
        "to be the same, against pairs of different confirmed vehicles drawn at random; of different cameras.",
    )
    false_match_rate: float = Field(
        0.001,
        ge=1e-6,
        le=0.1,
        allow_inf_nan=False,
        description="Share of pairs of different vehicles that may reach match_score.",
    )
    false_non_match_rate: float = Field(
        0.05,
        ge=0.001,
        le=0.5,
        allow_inf_nan=False,
        description="Share of pairs of one vehicle that may stay below possible_score.",
    )

    @model_validator(mode="after")
    def _label_each_pair_once(self) -> Self:
        labels: dict[frozenset[UUID], bool] = {}
        for pair in self.pairs:
            ends = frozenset((pair.crop_id, pair.other_crop_id))
            if len(ends) == 1:
                raise ValueError(f"pairs: the crop {pair.crop_id} is paired with itself")
            if labels.setdefault(ends, pair.same) != pair.same:
                raise ValueError(f"pairs: {pair.crop_id} and {pair.other_crop_id} are labelled both ways")
        return self


class RocPointView(BaseModel):
    """A threshold, and what was measured of it on vehicles that it was not learnt from."""

    model_config = ConfigDict(from_attributes=True)

    wanted: float = Field(description="The false match rate that it was chosen for.")
    score: float = Field(description="The threshold.")
    false_match_rate: float = Field(description="Share of different pairs that reached it.")
    true_match_rate: float = Field(description="Share of same pairs that reached it.")


class MeasuredView(BaseModel):
    """What ten-fold cross-validation by vehicles found."""

    area_under_curve: float = Field(
        description="Probability that a pair of one vehicle scores higher than a pair of two; 0.5 is chance."
    )
    match_false_match_rate: float = Field(description="Share of different pairs that reached match_score.")
    match_true_match_rate: float = Field(description="Share of same pairs that reached match_score.")
    possible_false_non_match_rate: float = Field(description="Share of same pairs that stayed below possible_score.")
    roc: list[RocPointView] = Field(description="Other thresholds, as low as the pairs can show.")


class CalibrationView(BaseModel):
    """What scores of a collection mean."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_EXAMPLE]})

    collection: str
    state: Literal["stale", "valid"] = Field(
        description="Stale: of another model than the collection's own, so that searches carry no decision."
    )
    model_id: str = Field(description="The model whose scores it is about.")
    match_score: float = Field(description="From this cosine similarity on, a hit is a match.")
    possible_score: float = Field(description="From this one on it is possible, below it none.")
    false_match_rate: float = Field(description="As asked for.")
    false_non_match_rate: float = Field(description="As asked for.")
    intercept: float = Field(
        description="intercept + slope * score is the natural logarithm of the likelihood ratio of one vehicle to two."
    )
    slope: float
    same_pairs: int = Field(description="Pairs of one vehicle learnt from.")
    different_pairs: int = Field(description="Pairs of two vehicles learnt from.")
    vehicles: int = Field(description="Vehicles that the pairs of one vehicle show.")
    measured: MeasuredView
    created_at: datetime
    created_by: str | None = Field(description="Name of the key that asked for it.")
