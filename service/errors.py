"""The one family of errors that the service answers with: RFC 9457 problem details with a stable code."""

from typing import Any, ClassVar


class ServiceError(Exception):
    """An error with an HTTP status and a stable code.

    Attributes:
        status: HTTP status code.
        code: Stable snake_case name for programs.
        title: Short text that is the same for every occurrence.
        detail: What happened this time and what to do about it; safe to show to a client.
        errors: One entry per field or item at fault, each with at least `code` and `detail`.
        retry_after_s: Seconds for the Retry-After header, where trying again makes sense.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self, detail: str, *, errors: list[dict[str, Any]] | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []
        self.retry_after_s = retry_after_s


class MalformedRequestError(ServiceError):
    """The request itself cannot be read: broken JSON or multipart."""

    status, code, title = 400, "malformed_request", "The request cannot be read"


class UnauthorizedError(ServiceError):
    """No key, or one that is unknown, expired or revoked."""

    status, code, title = 401, "unauthorized", "A valid key is needed"


class ForbiddenError(ServiceError):
    """The key lacks the scope, or is bound to other collections."""

    status, code, title = 403, "forbidden", "Not allowed with this key"


class ForeignRequestError(ServiceError):
    """The request comes by way of another web site."""

    status, code, title = 403, "foreign_request", "Request by way of another site"


class NotFoundError(ServiceError):
    """No such crop, collection or route."""

    status, code, title = 404, "not_found", "Not found"


class NoImageError(NotFoundError):
    """The crop is there and its picture is not: the collection keeps none."""

    code, title = "no_image", "No picture is kept"


class ConflictError(ServiceError):
    """The request contradicts what is stored."""

    status, code, title = 409, "conflict", "Conflict"


class ExternalIdConflictError(ConflictError):
    """The external_id is taken by another image."""

    code, title = "external_id_conflict", "External id already used for another image"


class ModelMismatchError(ConflictError):
    """The collection's vectors come from another model than the one loaded."""

    code, title = "model_mismatch", "Collection belongs to another model"


class IndexBehindError(ConflictError):
    """The index has not reached min_sequence in time."""

    code, title = "index_behind", "Index has not caught up"


class TooLargeError(ServiceError):
    """Body, file or picture above a limit."""

    status, code, title = 413, "too_large", "Too large"


class UnsupportedImageError(ServiceError):
    """Not an image type that the service reads."""

    status, code, title = 415, "unsupported_image_type", "Not a supported image type"


class InvalidValueError(ServiceError):
    """A field has a value that makes no sense."""

    status, code, title = 422, "invalid_value", "Invalid value"


class AllRejectedError(InvalidValueError):
    """Not one image of an enrolment could be enrolled; errors has one entry for each."""

    code, title = "all_rejected", "No image was enrolled"


class UndecodableImageError(InvalidValueError):
    """The type is known but the picture cannot be decoded, or shows too little."""

    code, title = "undecodable_image", "Image cannot be decoded"


class BelowQualityFloorError(InvalidValueError):
    """A picture shows less than the collection demands."""

    code, title = "below_quality_floor", "Picture below the collection's quality floor"


class OverloadedError(ServiceError):
    """Too much is waiting already, for the model or to be shown."""

    status, code, title = 429, "overloaded", "Overloaded"


class RateLimitedError(ServiceError):
    """The key has made more requests than it may."""

    status, code, title = 429, "rate_limited", "Too many requests with this key"


class UnavailableError(ServiceError):
    """A part the request needs is down; detail says which."""

    status, code, title = 503, "unavailable", "A part of the service is down"
