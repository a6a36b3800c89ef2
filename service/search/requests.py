"""What the search routes take."""

from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from index.contract import UNIT_TOLERANCE
from index.rerank.grouping import GroupBy
from service.selection import Selection, SelectionBody
from service.values import PLAIN_TEXT, Name, plain_text

MAX_QUERY_CROPS = 16
MAX_REJECTED_CROPS = 256
MAX_HITS = 1000
_LARGEST_SEQUENCE = 2**53  # what a double holds, which JSON readers and the API description count with
_LONGEST_VECTOR = 8192
_LARGEST_COMPONENT = 1 + UNIT_TOLERANCE
_CROP_SEARCH_EXAMPLE: JsonDict = {
    "crop_ids": ["019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"],
    "not_crop_ids": ["019ab3c4-7a10-7c3e-8f52-6b1d90e4a7c5"],
    "from": "2026-11-23T06:00:00Z",
    "purpose": "case 2026-118",
}

Rerank = Literal["none", "k_reciprocal", "query_expansion"]


class SearchFields(BaseModel):
    """What every search may ask for, whatever its query is."""

    k: int = Field(20, ge=1, le=MAX_HITS, description="Hits at most.")
    min_score: float | None = Field(
        None, ge=-1, le=1, allow_inf_nan=False, description="Lowest cosine similarity answered."
    )
    group_by: GroupBy = Field(
        "track",
        description="One hit for each crop, track or vehicle, shown by its best crop. A crop without a track (or "
        "vehicle) is a group of its own.",
    )
    rerank: Rerank = Field("none", description="How the best candidates are ordered anew.")
    camera_normalization: bool = Field(
        default=False,
        description="Order the best candidates by embeddings that are normalised by their camera's statistics.",
    )
    min_sequence: int | None = Field(
        None, ge=0, le=_LARGEST_SEQUENCE, description="Search only when the index has this change; see enroll_crops."
    )
    purpose: (
        Annotated[str, Field(min_length=1, max_length=1000, json_schema_extra=PLAIN_TEXT), AfterValidator(plain_text)]
        | None
    ) = Field(None, description="Why this search is made; kept in the audit log.", examples=["case 2026-118"])


class _SeenByCamera(BaseModel):
    """The camera of a query that only the caller knows."""

    camera_id: Name | None = Field(None, description="The camera that saw the query, where it is known.")
    exclude_same_camera: bool | None = Field(
        None, description="Leave out the query's own camera. Default: true where camera_id is given, otherwise false."
    )


class SearchForm(_SeenByCamera, SearchFields, Selection):
    """The multipart form of POST /search."""

    images: list[UploadFile] = Field(
        min_length=1,
        max_length=MAX_QUERY_CROPS,
        description="1 to 16 crops of ONE vehicle; their embeddings are averaged.",
    )


class CropSearch(SearchFields, SelectionBody):
    """The body of POST /search/crop."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CROP_SEARCH_EXAMPLE]})

    crop_ids: list[UUID] = Field(
        min_length=1,
        max_length=MAX_QUERY_CROPS,
        description="1 to 16 crops of the collection that show ONE vehicle; their embeddings are averaged. They are "
        "not answered themselves.",
    )
    not_crop_ids: list[UUID] = Field(
        [],
        max_length=MAX_REJECTED_CROPS,
        description="Crops of the collection that show another vehicle: not this one. They, their tracks and, where a "
        "person confirmed whose they are, that vehicle's other crops are left out.",
    )
    exclude_same_camera: bool | None = Field(
        None,
        description="Leave out the cameras of crop_ids. Default: true where one camera took them all, otherwise false.",
    )
    exclude_same_track: bool = Field(
        default=True, description="Leave out the tracks of crop_ids, which are the same sighting."
    )
    exclude_rejected: bool = Field(
        default=True,
        description="Leave out what people judged not to be the vehicle, as if not_crop_ids named it: hits rejected "
        "for one of crop_ids, or for the vehicle that they are confirmed to be.",
    )

    @model_validator(mode="after")
    def _name_each_crop_once(self) -> Self:
        named = [*self.crop_ids, *self.not_crop_ids]
        twice = next((crop_id for place, crop_id in enumerate(named) if crop_id in named[:place]), None)
        if twice is not None:
            raise ValueError(f"crop_ids and not_crop_ids name the crop {twice} twice")
        return self


class EmbeddingSearch(_SeenByCamera, SearchFields, SelectionBody):
    """The body of POST /search/embedding."""

    vector: list[Annotated[float, Field(ge=-_LARGEST_COMPONENT, le=_LARGEST_COMPONENT, allow_inf_nan=False)]] = Field(
        min_length=1,
        max_length=_LONGEST_VECTOR,
        description="The query: an embedding of unit length by the model that the service has loaded.",
    )
    model_id: str = Field(
        min_length=1,
        max_length=256,
        description="The model that made the vector, as enroll_crops answers it.",
        examples=["starter-3f6a2b9c8d10-5d1e77f0"],
    )
