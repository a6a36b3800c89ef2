"""Bodies of JSON mean what they say: 0 is no false, "5" is no number, as the API description has it.

Forms and queries hold nothing but text, so there a number or a truth value has to be read out of it.
"""

import json
from typing import Annotated, Any, TypeVar

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, core_schema

from service.errors import MalformedRequestError

T = TypeVar("T")


class _AsJson:
    """Validates what FastAPI has read as strict JSON; pydantic's strict mode for Python would refuse ids and times."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        strict: TypeAdapter[Any] = TypeAdapter(source)

        def validate(value: Any, lax: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401
            if isinstance(value, bytes):  # FastAPI reads JSON only where the header says that it is
                raise MalformedRequestError("The body must be JSON, of the content type application/json.")
            try:
                return strict.validate_json(json.dumps(value), strict=True)
            except ValidationError as error:
                if any(entry["type"] == "json_invalid" for entry in error.errors()):
                    return lax(value)  # a lone surrogate, which Python reads; the kind of value names the field
                raise

        return core_schema.no_info_wrap_validator_function(validate, handler(source))


JsonBody = Annotated[T, _AsJson()]
"""`JsonBody[Model]` is the type of an endpoint's parameter that takes its whole body."""
