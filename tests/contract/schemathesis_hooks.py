"""What Schemathesis is told beyond openapi.json: pictures, and what is no finding because no schema can say it.

CONTRACT_KEY_ID is the id of the key that it sends.
"""

import io
import json
import os
import re
from contextlib import suppress
from typing import Any
from uuid import uuid4

import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import (
    AllowHeaderMismatch,
    EnsureResourceAvailability,
    RejectedPositiveData,
    UnsupportedMethodResponse,
    UseAfterFree,
)


def _picture(seed: int) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((48, 32)).save(buffer, "JPEG")
    return buffer.getvalue()


schemathesis.openapi.format("binary", st.sampled_from([_picture(seed) for seed in range(8)]))
OWN_KEY = os.environ["CONTRACT_KEY_ID"]
MULTIPART = "multipart/form-data"
_IN_PYTHON: dict[str, Any] = {"array": list, "string": str, "integer": int, "number": int | float, "boolean": bool}

BEYOND_SCHEMAS = [
    re.compile(pattern)
    for pattern in (
        # two fields together
        r"must be later than from|^from must be before to",
        r"must be given, or null, together with",
        r"must not be above",
        r"goes with ~ in the address",
        r"name \S+ .*twice|name a vehicle twice",
        r"score and model_id: are for queries that are not enrolled",
        r"^score: is required where there is no query_crop_id",
        r"^give one of min_score and decision",
        r"^exclude_same_camera: needs camera_id",
        r"^camera_id: is required",
        r"^Deleting takes at least one condition",
        r"is paired with itself",
        # the clock
        r"must lie in the future|not in the future|lies in the future",
        # what the service itself has handed out or holds
        r"cursor",
        r"asks why; say it",
        r"^There are \d+ pairs of one vehicle|There is nothing to learn from",
        r"^vector: has \d+ numbers",
        # which hosts there are, and which of them may be told
        r"^webhook_url: ",
        # JSON in text, and what is in it
        r"is not JSON",
        r"items: |bbox: must be|bbox: width|width and height must be|^attributes: |^(exclude_)?tracks",
        # lengths in bytes, numbers that JSON may hold and doubles may not, percent-encoding
        r"bytes of UTF-8 at most",
        r"an integer may be 2\^53 at most",
        r"^X-Purpose: ",
    )
]
"""Reasons for which a request may be refused although it is what the description says."""


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, object]) -> None:
    """Leave the key alone that all is tried with: without it nothing would be."""
    if case.path_parameters and case.path_parameters.get("key_id") == OWN_KEY:
        case.path_parameters["key_id"] = str(uuid4())


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Whether it is one."""
    if isinstance(failure, RejectedPositiveData):
        return not (_refused_for_what_no_schema_can_say(response) or _names_nothing(case))
    if isinstance(failure, AcceptedNegativeData):
        return not (_is_right_as_text(case) or _was_made_right(case))
    if isinstance(failure, UseAfterFree):
        return not _is_a_revoked_key(case, response)
    if isinstance(failure, EnsureResourceAvailability):
        return not _is_part_of_what_was_made(case)
    if isinstance(failure, UnsupportedMethodResponse | AllowHeaderMismatch):
        return not _names_another_vehicle(case)
    return True


def _refused_for_what_no_schema_can_say(response: Response) -> bool:
    """Or, where all pictures were, for fields of the form that those of `items` may replace, so that they are open."""
    problem = response.json()
    reasons = [entry["detail"] for entry in problem["errors"]] or [problem["detail"]]
    return problem["code"] == "all_rejected" or all(
        any(pattern.search(reason) for pattern in BEYOND_SCHEMAS) for reason in reasons
    )


def _names_nothing(case: Case[Any]) -> bool:
    """Schemathesis takes a null that it was answered for an id, and sends the word."""
    return any(value in (None, "null") for value in (case.path_parameters or {}).values())


def _is_right_as_text(case: Case[Any]) -> bool:
    """A form cannot tell a text from a list of one or a number, which Schemathesis puts there out of other answers.

    Nor a number from its text.
    """
    if case.media_type != MULTIPART or not isinstance(case.body, dict):
        return False
    (form,) = case.operation.body
    schemas = form.definition["schema"]["properties"]
    return any(_is_another_kind(value, schemas.get(name, {})) for name, value in case.body.items())


def _was_made_right(case: Case[Any]) -> bool:
    """A form that was right until a value of another answer came into it: with a picture in it nothing tells any more.

    Schemathesis takes every body with bytes in it for wrong when it judges one anew.
    """
    made = case.meta.phase.data.description if case.meta is not None else None
    return bool(case.media_type == MULTIPART and made == "Positive test case")


def _is_another_kind(value: object, schema: dict[str, Any]) -> bool:
    """Whether it is another kind of value that a form writes as it would write one of this kind."""
    kind = schema.get("type", "")
    if kind == "array" and isinstance(value, list):
        return any(_is_another_kind(one, schema.get("items", {})) for one in value)
    if kind in {"integer", "number", "boolean"} and isinstance(value, str):
        with suppress(ValueError):
            return isinstance(json.loads(value), _IN_PYTHON[kind])
        return False
    return not isinstance(value, _IN_PYTHON.get(kind, object))


def _is_a_revoked_key(case: Case[Any], response: Response) -> bool:
    """It stays in the list of keys, and says so."""
    return bool(case.operation.path == "/keys/{key_id}" and response.json().get("revoked_at") is not None)


def _is_part_of_what_was_made(case: Case[Any]) -> bool:
    """A collection that was just made has no calibration yet."""
    return bool(case.operation.path == "/collections/{name}/calibration")


def _names_another_vehicle(case: Case[Any]) -> bool:
    """A vehicle's id may hold slashes: PATCH /vehicles/a/crops changes the vehicle "a/crops"."""
    return bool(case.operation.path.startswith("/vehicles/")) and case.method in {"GET", "PATCH", "DELETE"}
