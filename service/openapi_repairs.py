"""What client generators need of an API description, beyond what FastAPI writes."""

from collections.abc import Iterator
from typing import Any

_FORM = "multipart/form-data"


def repaired(description: dict[str, Any]) -> dict[str, Any]:
    """A description that says no more and no less, so that generators understand it."""
    mended: dict[str, Any] = _with_binary_uploads(description)
    for operation in _operations(mended):
        operation.setdefault(
            "security", []
        )  # absent would mean: as the whole file says, which linters take for forgotten
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])
    for name in _forms(mended):
        fields = mended["components"]["schemas"][name]["properties"]
        fields.update({field: _not_empty(_without_null(schema)) for field, schema in fields.items()})
    return mended


def _operations(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in description["paths"].values():
        yield from path.values()


def _forms(description: dict[str, Any]) -> set[str]:
    """Names of the schemas that are sent as forms."""
    contents = [one["requestBody"]["content"] for one in _operations(description) if "requestBody" in one]
    return {content[_FORM]["schema"]["$ref"].rpartition("/")[2] for content in contents if _FORM in content}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A field that may be left out: no form or address can hold null, and clients would send it as the word "None"."""
    kinds = schema.get("anyOf", [])
    left = [kind for kind in kinds if kind != {"type": "null"}]
    if len(left) == len(kinds):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    return {**left[0], **rest} if len(left) == 1 else {"anyOf": left, **rest}


def _not_empty(schema: dict[str, Any]) -> dict[str, Any]:
    """A field of a form is left out or says something: see `service.forms`."""
    is_text = schema.get("type") == "string" and schema.get("format") != "binary" and "enum" not in schema
    return {"minLength": 1, **schema} if is_text else schema


def _with_binary_uploads(node: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    """Uploads as `format: binary`; several client generators take OpenAPI 3.1's contentMediaType for plain text."""
    if isinstance(node, list):
        return [_with_binary_uploads(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    patched = {key: _with_binary_uploads(value) for key, value in node.items()}
    if (patched.get("type"), patched.get("contentMediaType")) == ("string", "application/octet-stream"):
        del patched["contentMediaType"]
        patched["format"] = "binary"
    return patched
