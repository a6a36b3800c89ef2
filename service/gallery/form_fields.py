"""What the form of an enrolment says about each image."""

from typing import Any

from service.gallery.schemas import EnrolmentForm
from service.problems import invalid_field
from service.values import read_json

_COMMON_TEXTS = ("camera_id", "captured_at", "session_id", "track_id", "vehicle_id", "external_id")
_COMMON_JSON = ("attributes", "bbox")


def fields_of(form: EnrolmentForm) -> list[Any]:
    """What the form says about each image, unchecked: the common fields, overridden by the image's own in `items`.

    Raises:
        MalformedRequestError: A JSON field is not JSON.
        InvalidValueError: `items` is not a list of one object for each image.
    """
    common = {name: value for name in _COMMON_TEXTS if (value := getattr(form, name)) is not None}
    common |= {name: read_json(text, name) for name in _COMMON_JSON if (text := getattr(form, name)) is not None}
    items = [None] * len(form.images) if form.items is None else read_json(form.items, "items")
    if not isinstance(items, list) or len(items) != len(form.images):
        raise invalid_field("items", f"must be a JSON list with one object for each of the {len(form.images)} images")
    return [_merged(common, item) for item in items]


def _merged(common: dict[str, Any], own: Any) -> Any:  # noqa: ANN401 - unchecked JSON
    if own is None:
        return common
    return common | own if isinstance(own, dict) else own
