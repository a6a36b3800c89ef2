"""What the search routes take."""

from typing import Annotated, Literal

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, Field

from index.rerank.grouping import GroupBy
from service.selection import Selection
from service.values import Name, plain_text

MAX_QUERY_IMAGES = 16
MAX_HITS = 1000
_LARGEST_SEQUENCE = 2**63 - 1

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
    purpose: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(plain_text)] | None = Field(
        None, description="Why this search is made; kept in the audit log.", examples=["case 2026-118"]
    )


class SearchForm(SearchFields, Selection):
    """The multipart form of POST /search."""

    images: list[UploadFile] = Field(
        min_length=1,
        max_length=MAX_QUERY_IMAGES,
        description="1 to 16 crops of ONE vehicle; their embeddings are averaged.",
    )
    camera_id: Name | None = Field(None, description="The camera that saw the query, where it is known.")
    exclude_same_camera: bool | None = Field(
        None, description="Leave out the query's own camera. Default: true where camera_id is given, otherwise false."
    )
