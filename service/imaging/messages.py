"""What passes between the service and a process that decodes: bytes, with a line of JSON before them.

Nothing is pickled: whoever took the process over through a flaw in a decoder could run code here with a pickle.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from service.errors import ServiceError, TooLargeError, UndecodableImageError, UnsupportedImageError
from service.imaging.prepared import PreparedPicture
from service.imaging.quality import Quality

Answer_co = TypeVar("Answer_co", covariant=True)

_REFUSALS = {kind.code: kind for kind in (TooLargeError, UnsupportedImageError, UndecodableImageError)}


class AnswerError(Exception):
    """A process that decodes answered with what it cannot have been asked for."""


class Request(Generic[Answer_co]):
    """What may be asked for; the subclasses say."""


@dataclass(frozen=True, slots=True)
class PrepareCrop(Request[PreparedPicture]):
    """Asks for a file as the model takes it.

    Attributes:
        side: Of the model's square, in pixels.
    """

    side: int


@dataclass(frozen=True, slots=True)
class RenderJpeg(Request[bytes]):
    """Asks for a file as it is served.

    Attributes:
        longest_side: Pixels to shrink the longest side to; None keeps the size.
    """

    longest_side: int | None


_REQUESTS: dict[str, Any] = {kind.__name__: kind for kind in (PrepareCrop, RenderJpeg)}


def pack_request(request: Request[Any]) -> bytes:
    """The line that asks for it."""
    return json.dumps([type(request).__name__, asdict(request)]).encode()  # type: ignore[call-overload]


def unpack_request(line: bytes) -> PrepareCrop | RenderJpeg:
    """What a line asks for."""
    name, fields = json.loads(line)
    request: PrepareCrop | RenderJpeg = _REQUESTS[name](**fields)
    return request


def pack_answer(answer: PreparedPicture | bytes | ServiceError) -> bytes:
    """An answer as a line, and after it the pixels or the file."""
    fields: dict[str, Any] = {}
    content = b""
    if isinstance(answer, ServiceError):
        cause = "" if answer.__cause__ is None else repr(answer.__cause__)
        fields = {"refused": answer.code, "detail": answer.detail, "cause": cause}
    elif isinstance(answer, PreparedPicture):
        fields = {"sha256": answer.sha256.hex(), "media_type": answer.media_type, "quality": asdict(answer.quality)}
        content = answer.pixels.tobytes()
    else:
        content = answer
    return json.dumps(fields).encode() + b"\n" + content


def unpack_answer(request: Request[Answer_co], message: bytes) -> Answer_co:
    """What a process answered to a request.

    Raises:
        ServiceError: The process refused the file; the decoder's own error is a note on it.
        AnswerError: That is no answer to this request.
    """
    line, _, content = message.partition(b"\n")
    try:
        fields = json.loads(line)
        refused = fields.get("refused")
        answer: Any = content
        if refused is None and isinstance(request, PrepareCrop):
            pixels = np.frombuffer(content, np.uint8).reshape(request.side, request.side, 3)
            quality = Quality(**fields["quality"])
            answer = PreparedPicture(pixels, bytes.fromhex(fields["sha256"]), fields["media_type"], quality)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnswerError(f"{request} was answered with {line[:200]!r} and {len(content)} bytes") from error
    if refused is None:
        return answer  # type: ignore[no-any-return]
    problem = _REFUSALS.get(refused, UndecodableImageError)(str(fields.get("detail")))
    problem.add_note(str(fields.get("cause")))
    raise problem
