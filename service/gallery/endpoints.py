"""Routes of the gallery."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Header, Path, Query, Request, Response, status
from pydantic import Field

from service.access import Enroller, Reader, Viewer
from service.errors import (
    AllRejectedError,
    ConflictError,
    ExternalIdConflictError,
    InvalidValueError,
    MalformedRequestError,
    ModelMismatchError,
    NoImageError,
    NotFoundError,
    OverloadedError,
    TooLargeError,
    UnavailableError,
)
from service.forms import MULTIPART_FORM
from service.gallery.changing import change_crop
from service.gallery.enrolment import Enrolment
from service.gallery.filter_repository import RowConditions
from service.gallery.form_fields import fields_of
from service.gallery.schemas import CropPage, CropPatch, CropView, EnrolmentAnswer, EnrolmentForm
from service.gallery.service import crop_by_id, crop_jpeg, crop_to_show, page_of_crops
from service.json_bodies import JsonBody
from service.openapi import problems
from service.runtime import CurrentRuntime
from service.selection import Selection
from service.values import Name

SMALLEST_RENDITION = 16
LARGEST_RENDITION = 4096

router = APIRouter(prefix="/gallery", tags=["gallery"])

CropId = Annotated[UUID, Path(description="The crop's id.", examples=["019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"])]


class GalleryQuery(Selection):
    """Query of GET /gallery."""

    external_id: Name | None = Field(None, description="Only the crop with this external id.")
    has_vehicle: bool | None = Field(None, description="Only crops with, or without, a vehicle id.")
    vehicle_confirmed: bool | None = Field(
        None, description="Only crops whose vehicle id a person has, or has not, confirmed."
    )
    has_image: bool | None = Field(None, description="Only crops whose picture is, or is not, kept.")
    limit: int = Field(100, ge=1, le=1000, description="Crops on a page at most.")
    cursor: str | None = Field(None, max_length=512, description="next_cursor of the page before.")

    def rows(self) -> RowConditions:
        """The conditions that no index knows of."""
        return RowConditions(
            external_id=self.external_id,
            has_vehicle=self.has_vehicle,
            vehicle_confirmed=self.vehicle_confirmed,
            has_image=self.has_image,
        )


@router.post(
    "",
    operation_id="enroll_crops",
    summary="Enroll vehicle crops",
    status_code=status.HTTP_201_CREATED,
    dependencies=[MULTIPART_FORM],
    responses=problems(
        MalformedRequestError,
        ExternalIdConflictError,
        ModelMismatchError,
        TooLargeError,
        AllRejectedError,
        InvalidValueError,
        OverloadedError,
        UnavailableError,
    ),
)
async def enroll_crops(
    request: Request, runtime: CurrentRuntime, caller: Enroller, form: Annotated[EnrolmentForm, File()]
) -> EnrolmentAnswer:
    """Enroll 1 to 64 crops, each for itself: a bad one is rejected with a reason and the others are enrolled.

    What is answered as enrolled is committed, and a search sent afterwards finds it (give `sequence` as `min_sequence`
    where several replicas serve). With `external_id` a request may be repeated safely. Where every image is rejected
    the answer is 422, or 409 where each was rejected because its external id belongs to another image.
    """
    caller.enter(form.collection)
    fields = fields_of(form)
    return await Enrolment(runtime, form.collection, len(form.images)).run(request, form.images, fields)


@router.get(
    "",
    operation_id="list_gallery",
    summary="List enrolled crops",
    responses=problems(MalformedRequestError, NotFoundError, InvalidValueError, UnavailableError),
)
async def list_gallery(runtime: CurrentRuntime, caller: Reader, query: Annotated[GalleryQuery, Query()]) -> CropPage:
    """Crops that meet every condition given, newest enrolment first."""
    records, cursor = await page_of_crops(
        runtime, caller, query.where(), limit=query.limit, cursor=query.cursor, rows=query.rows()
    )
    return CropPage(items=[CropView.model_validate(record) for record in records], next_cursor=cursor)


@router.get(
    "/{crop_id}",
    operation_id="get_crop",
    summary="Get one crop",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def get_crop(runtime: CurrentRuntime, caller: Reader, crop_id: CropId) -> CropView:
    """What is known about one enrolled crop."""
    return CropView.model_validate(await crop_by_id(runtime, caller, crop_id))


@router.patch(
    "/{crop_id}",
    operation_id="update_crop",
    summary="Change what is said of a crop",
    responses=problems(
        MalformedRequestError,
        NotFoundError,
        ConflictError,
        ExternalIdConflictError,
        InvalidValueError,
        UnavailableError,
    ),
)
async def patch_crop(
    runtime: CurrentRuntime, caller: Enroller, crop_id: CropId, patch: JsonBody[CropPatch]
) -> CropView:
    """A merge patch (RFC 7396): what is absent stays, what is null is cleared; attributes are merged one by one.

    The camera, the picture and the collection stay: a crop seen elsewhere is another crop. A vehicle id that a person
    has confirmed is changed with the vehicle.
    """
    return CropView.model_validate(await change_crop(runtime, caller, crop_id, patch))


@router.get(
    "/{crop_id}/image",
    operation_id="get_crop_image",
    summary="Get a crop's picture",
    response_class=Response,
    responses=problems(NotFoundError, NoImageError, InvalidValueError, OverloadedError, UnavailableError)
    | {
        200: {
            "description": "The picture.",
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        },
        304: {"description": "The picture that the client holds is current."},
    },
)
async def get_crop_image(
    runtime: CurrentRuntime,
    caller: Viewer,
    crop_id: CropId,
    size: Annotated[
        int | None,
        Query(
            ge=SMALLEST_RENDITION,
            le=LARGEST_RENDITION,
            description="Longest side in pixels at most; absent: as enrolled.",
        ),
    ] = None,
    if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """The picture as JPEG: upright, re-encoded, without the metadata of the upload. The audit log tells who saw it."""
    crop, purpose = await crop_to_show(runtime, caller, crop_id)
    etag = f'"{crop.image_sha256.hex()[:32]}-{size or "full"}"'
    # The browser keeps it but asks each time, so that a deleted picture is not shown from its cache.
    headers = {"Cache-Control": "private, no-cache", "ETag": etag, "Content-Disposition": "inline"}
    if if_none_match is not None and etag in {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}:
        await runtime.viewings.record(caller, crop.collection, crop_id, purpose)
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    picture = await crop_jpeg(runtime, crop_id, size)
    await runtime.viewings.record(caller, crop.collection, crop_id, purpose)
    return Response(picture, media_type="image/jpeg", headers=headers)
