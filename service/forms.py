"""What must hold for a multipart form before its fields are looked at."""

from fastapi import Depends, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile

from service.errors import MalformedRequestError
from service.problems import invalid_field

_MEDIA_TYPE = b"multipart/form-data"


async def _check(request: Request) -> None:
    """Refuse what FastAPI would take for a form with nothing in it, or for a form without the field.

    FastAPI reads a body of another type as an empty form and an empty field as an absent one: a condition of a search
    would be dropped in silence.

    Raises:
        MalformedRequestError: The body is no multipart form.
        InvalidValueError: A field is empty.
    """
    media_type, _ = parse_options_header(request.headers.get("content-type"))
    if media_type != _MEDIA_TYPE:
        raise MalformedRequestError("The body must be a form of the content type multipart/form-data.")
    form = await request.form()  # read already, within the application's limits
    for name, value in form.multi_items():
        if value == "" or (isinstance(value, UploadFile) and not value.filename and not value.size):
            raise invalid_field(name, "is empty; leave the field out instead")


MULTIPART_FORM = Depends(_check)
"""For `dependencies=` of a route that takes a multipart form."""
