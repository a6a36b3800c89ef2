"""What the collections' routes take and answer."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from service.imaging import QualityLimits
from service.values import CollectionName, Name, Notes

CodecName = Literal["fp32", "fp16", "sq8", "rabitq"]
LONGEST_RETENTION_DAYS = 36_500
_LARGEST_SIDE = 1_000_000

_COLLECTION_EXAMPLE: JsonDict = {
    "name": "harbour",
    "model_id": "starter-3f6a2b9c8d10-5d1e77f0",
    "model_loaded": True,
    "created_at": "2026-11-02T06:12:09Z",
    "description": "Gates and berths, from November on",
    "codec": "sq8",
    "retention_days": 90.0,
    "quality_floor": {"min_width": 32, "min_height": 32, "min_sharpness": 0.0002},
    "keep_images": True,
    "require_purpose": False,
    "crops": 41830,
    "cameras": 12,
    "calibration": "valid",
}

Luma = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Side = Annotated[int, Field(ge=1, le=_LARGEST_SIDE)]


class QualityFloor(BaseModel):
    """What a crop must show to be enrolled; what is null or absent is not asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_width: Side | None = Field(None, description="Pixels.")
    min_height: Side | None = Field(None, description="Pixels.")
    min_sharpness: Annotated[float, Field(ge=0, le=16, allow_inf_nan=False)] | None = Field(
        None, description="Variance of the Laplacian of luma at 256 px; an answer of a search shows that of its query."
    )
    min_brightness: Luma | None = Field(None, description="Mean luma, 0 black to 1 white.")
    max_brightness: Luma | None = Field(None, description="Mean luma, 0 black to 1 white.")
    min_aspect: Ratio | None = Field(None, description="width / height")
    max_aspect: Ratio | None = Field(None, description="width / height")

    @model_validator(mode="after")
    def _leave_something(self) -> Self:
        for name in ("brightness", "aspect"):
            least, most = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if least is not None and most is not None and least > most:
                raise ValueError(f"min_{name} must not be above max_{name}")
        return self

    def limits(self) -> QualityLimits:
        """As pictures are judged by."""
        return QualityLimits(**self.model_dump())


class _Settings(BaseModel):
    """What may be said of a collection when it is made and later on."""

    model_config = ConfigDict(extra="forbid")

    description: Notes | None = Field(None, description="What it is, for people.", examples=["Gates and berths"])
    codec: CodecName | None = Field(
        None, description="How its vectors are kept in the index; null: as the service is set to."
    )
    retention_days: Annotated[float, Field(gt=0, le=LONGEST_RETENTION_DAYS, allow_inf_nan=False)] | None = Field(
        None,
        description="Crops older than this are deleted, by captured_at, or by created_at where no time is known; "
        "null: crops stay until they are deleted.",
    )
    quality_floor: QualityFloor | None = Field(
        None, description="Pictures below it are not enrolled; null: whatever can be decoded is."
    )
    keep_images: bool = Field(
        default=True, description="Whether pictures are kept. Where not, they are embedded and forgotten."
    )
    require_purpose: bool = Field(
        default=False, description="Whether whoever searches, looks at a picture or deletes must say why."
    )


class NewCollection(_Settings):
    """Body of POST /collections."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "harbour", "retention_days": 90, "quality_floor": {"min_width": 32}}],
        }
    )

    name: CollectionName = Field(description="What to call it; stays as it is.", examples=["harbour"])


class CollectionPatch(_Settings):
    """Body of PATCH /collections/{name}, a merge patch: what is absent stays, what is null is cleared."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"retention_days": 30, "quality_floor": {"min_width": 48, "min_height": None}}]}
    )


class CollectionQuery(BaseModel):
    """Query of GET /collections."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, ge=1, le=1000, description="Collections on a page at most.")
    cursor: Name | None = Field(None, description="next_cursor of the page before.")


class CollectionView(BaseModel):
    """A collection: a gallery that is searched on its own."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_COLLECTION_EXAMPLE]})

    name: str
    model_id: str = Field(description="The model of all its vectors.")
    model_loaded: bool = Field(
        description="Whether that is the model loaded; where not, it can be neither searched nor enrolled in."
    )
    created_at: datetime
    description: str | None
    codec: CodecName | None = Field(
        description="How its vectors are kept in the index; null: as the service is set to."
    )
    retention_days: float | None = Field(description="Days after which crops are deleted; null: never.")
    quality_floor: QualityFloor
    keep_images: bool = Field(description="Whether pictures of crops enrolled from now on are kept.")
    require_purpose: bool
    crops: int = Field(description="Crops that it holds now.")
    cameras: int
    calibration: Literal["none", "stale", "valid"] = Field(
        description="Whether scores have been calibrated; stale: for another model than its own."
    )


class CollectionPage(BaseModel):
    """One page of collections in the order of their names."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_COLLECTION_EXAMPLE], "next_cursor": "harbour"}]}
    )

    items: list[CollectionView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")
