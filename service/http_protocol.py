"""HTTP as uvicorn speaks it, but for the answer to what is no HTTP: that too is a problem-details answer."""

import json

import h11
import uuid_utils
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.errors import MalformedRequestError
from service.problems import PROBLEM_MEDIA_TYPE, TYPE_PREFIX

MAX_HEAD_BYTES = 256 * 2**10
"""Of address and headers together. The conditions of a list are in its address, and each may name many cameras."""


class ProblemProtocol(H11Protocol):
    """Answers a head that is too long, or that is none, in the one shape of every error; uvicorn answers in plain text.

    No application is asked for that, so this does not pass the middleware.
    """

    def send_400_response(self, msg: str) -> None:
        """Answer and close the connection.

        Args:
            msg: uvicorn's word for it, which says nothing more.
        """
        request_id = str(uuid_utils.uuid7())
        problem = {
            "type": TYPE_PREFIX + MalformedRequestError.code,
            "title": MalformedRequestError.title,
            "status": MalformedRequestError.status,
            "detail": f"{msg} Address and headers may have {MAX_HEAD_BYTES} bytes; long lists belong into a body.",
            "code": MalformedRequestError.code,
            "request_id": request_id,
            "errors": [],
        }
        body = json.dumps(problem).encode()
        headers = [
            (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        answer = h11.Response(status_code=MalformedRequestError.status, headers=headers, reason=b"Bad Request")
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()
