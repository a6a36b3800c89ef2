"""Bodies of JSON mean what they say: 0 is no false, "5" no number, 5.0 the integer 5, as the API description has it.

Forms and queries hold nothing but text, so there a number or a truth value has to be read out of it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, core_schema

from service.errors import MalformedRequestError

T = TypeVar("T")

MOST_FIELDS = 100
"""Of a body; each that is unknown is named, which takes longer than reading it."""


class _AsJson:
    """Validates what FastAPI has read as strict JSON; pydantic's strict mode for Python would refuse ids and times."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        strict: TypeAdapter[Any] = TypeAdapter(source)

        def validate(value: Any, lax: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401
            if isinstance(value, dict) and len(value) > MOST_FIELDS:
                raise MalformedRequestError(f"The body has more than {MOST_FIELDS} fields; no request takes as many.")
            if isinstance(value, bytes):  # FastAPI reads JSON only where the header says that it is
                raise MalformedRequestError("The body must be JSON, of the content type application/json.")
            try:
                return _validated(strict, value)
            except ValidationError as error:
                entries = error.errors()
                if any(entry["type"] == "json_invalid" for entry in entries):
                    return lax(value)  # a lone surrogate, which Python reads; the kind of value names the field
                fractions = [entry["loc"] for entry in entries if _is_whole_float(entry)]
                if not fractions:
                    raise
            for location in fractions:
                _make_integer(value, location)
            return _validated(strict, value)

        return core_schema.no_info_wrap_validator_function(validate, handler(source))


def _validated(strict: TypeAdapter[Any], value: Any) -> Any:  # noqa: ANN401
    try:
        text = json.dumps(value)
    except RecursionError as error:  # Python reads a little deeper than it writes
        raise MalformedRequestError("The body is nested too deep.") from error
    return strict.validate_json(text, strict=True)


def _is_whole_float(entry: Mapping[str, Any]) -> bool:
    """Whether an integer was wanted and is there, written as 5.0 or 5e3: by JSON Schema these are integers."""
    given = entry["input"]
    return entry["type"] == "int_type" and isinstance(given, float) and given.is_integer()


def _make_integer(value: Any, location: Sequence[int | str]) -> None:  # noqa: ANN401
    """Write what stands at a place as the integer that it is; others stay, as an attribute of 2.0 comes back as 2.0.

    Steps of a location that lead nowhere are names of choices that pydantic made.
    """
    for step in location:
        leads_on = step in value if isinstance(value, dict) else isinstance(step, int)
        if not leads_on:
            continue
        if isinstance(value[step], float):
            value[step] = int(value[step])
        value = value[step]


JsonBody = Annotated[T, _AsJson()]
"""`JsonBody[Model]` is the type of an endpoint's parameter that takes its whole body."""
