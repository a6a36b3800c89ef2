"""One occurrence of each error that routes declare, as the service words it: for the API description."""

from collections.abc import Mapping
from typing import Any

from service.errors import (
    AllRejectedError,
    ConflictError,
    ExternalIdConflictError,
    ForbiddenError,
    ForeignRequestError,
    IndexBehindError,
    MalformedRequestError,
    ModelMismatchError,
    NoImageError,
    NotFoundError,
    OverloadedError,
    RateLimitedError,
    ServiceError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UndecodableImageError,
    UnsupportedImageError,
)
from service.problems import TYPE_PREFIX, invalid_field


def _of_image(kind: type[ServiceError], detail: str) -> ServiceError:
    return kind(f"Image 0: {detail}", errors=[{"index": 0, "code": kind.code, "detail": detail}])


_TAKEN = {"index": 0, "code": ExternalIdConflictError.code, "detail": "external_id: is taken by another image"}
_DAMAGED = "The file begins like image/jpeg but is damaged or cut short."
_OCCURRENCES: tuple[ServiceError, ...] = (
    MalformedRequestError("attributes: is not JSON"),
    UnauthorizedError("Send a key in the header X-API-Key; an operator makes one with clip-senet keys create."),
    ForbiddenError("This key may not use the collection 'harbour'."),
    ForeignRequestError("A page of 'https://example.org' may not use this service; only its own pages may."),
    NotFoundError("There is no collection 'harbour'; a collection appears at its first enrolment."),
    NoImageError("The picture of crop 019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071 is not kept, only what was made of it."),
    ConflictError("There is a collection 'harbour' already; PATCH /collections/harbour changes it."),
    ExternalIdConflictError("Every external id is taken by another image.", errors=[_TAKEN]),
    ModelMismatchError(
        "The collection 'default' belongs to model starter-91c7e0d2ab54-5d1e77f0, the one loaded is "
        "starter-3f6a2b9c8d10-5d1e77f0."
    ),
    IndexBehindError("The index has reached change 1204, not yet 1207; try again.", retry_after_s=1),
    TooLargeError("The body of a request may have 268435456 bytes at most; send fewer or smaller images."),
    _of_image(UnsupportedImageError, "The file is no JPEG, PNG, WebP, BMP or TIFF; its content decides, not its name."),
    invalid_field("captured_at", "must carry a time zone: end it with Z or an offset such as +01:00"),
    AllRejectedError(
        "No image could be enrolled: undecodable_image (1).",
        errors=[{"index": 0, "code": UndecodableImageError.code, "detail": _DAMAGED}],
    ),
    _of_image(UndecodableImageError, _DAMAGED),
    OverloadedError("256 crops are waiting for the model; try again in a moment.", retry_after_s=1),
    RateLimitedError("This key may make 600 requests a minute; try again in 4 s.", retry_after_s=4),
    UnavailableError("Every database connection is in use.", retry_after_s=5),
)

OCCURRENCES: Mapping[type[ServiceError], ServiceError] = {type(error): error for error in _OCCURRENCES}
"""By the error's class."""


def example_of(kind: type[ServiceError]) -> dict[str, Any]:
    """The problem-details body of an occurrence of an error."""
    error = OCCURRENCES[kind]
    return {
        "type": TYPE_PREFIX + kind.code,
        "title": kind.title,
        "status": kind.status,
        "detail": error.detail,
        "code": kind.code,
        "request_id": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
        "errors": error.errors,
    }
