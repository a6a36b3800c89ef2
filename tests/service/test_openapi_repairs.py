"""Repairs change how a description says something, and only where generators stumble."""

from typing import Any

from service.openapi_repairs import repaired

Json = dict[str, Any]
NULL: Json = {"type": "null"}


def described(**parts: Any) -> Json:
    operation = {"operationId": "send", "responses": {}, **parts.get("operation", {})}
    return {"paths": {"/things": {"post": operation}}, "components": {"schemas": parts.get("schemas", {})}}


def form(**fields: Json) -> Json:
    body = {"content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/Form"}}}}
    schemas = {"Form": {"type": "object", "properties": fields}, "Other": {"properties": {"a": {"anyOf": [{}, NULL]}}}}
    return repaired(described(operation={"requestBody": body}, schemas=schemas))["components"]["schemas"]


def test_uploads_are_binary() -> None:
    raw = {"type": "array", "items": {"type": "string", "contentMediaType": "application/octet-stream"}}
    assert form(images=raw)["Form"]["properties"]["images"]["items"] == {"type": "string", "format": "binary"}


def test_text_of_another_media_type_is_left() -> None:
    page = {"type": "string", "contentMediaType": "text/html"}
    assert form(page=page)["Form"]["properties"]["page"] == {"minLength": 1, **page}


def test_no_field_of_a_form_is_null() -> None:
    told = {"title": "When", "description": "At first."}
    fields = form(
        time={"anyOf": [{"type": "string", "format": "date-time"}, NULL], **told},
        either={"anyOf": [{"type": "string"}, {"type": "integer"}, NULL], "default": None},
        plain={"type": "string", "default": "a"},
    )["Form"]["properties"]
    assert fields == {
        "time": {"type": "string", "minLength": 1, "format": "date-time", **told},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "plain": {"type": "string", "minLength": 1, "default": "a"},
    }


def test_bodies_of_json_may_hold_null() -> None:
    assert form()["Other"] == {"properties": {"a": {"anyOf": [{}, NULL]}}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}
    body = {"Body": {"properties": {"a": {"anyOf": [{"type": "string"}, NULL]}}}}
    assert repaired(described(operation={"requestBody": {"content": content}}, schemas=body))["components"] == {
        "schemas": body
    }


def test_no_parameter_is_null() -> None:
    limit = {"in": "query", "name": "limit", "schema": {"anyOf": [{"type": "integer"}, NULL], "title": "Limit"}}
    (parameter,) = repaired(described(operation={"parameters": [limit]}))["paths"]["/things"]["post"]["parameters"]
    assert parameter == {"in": "query", "name": "limit", "schema": {"type": "integer", "title": "Limit"}}


def test_what_asks_for_no_key_says_so() -> None:
    key = [{"api_key": []}]
    assert repaired(described())["paths"]["/things"]["post"]["security"] == []
    assert repaired(described(operation={"security": key}))["paths"]["/things"]["post"]["security"] == key


def test_no_text_of_a_form_is_empty() -> None:
    fields = form(
        name={"anyOf": [{"type": "string"}, NULL]},
        longer={"type": "string", "minLength": 3},
        choice={"type": "string", "enum": ["a"]},
        count={"type": "integer"},
        names={"type": "array", "items": {"type": "string"}},
        image={"type": "string", "contentMediaType": "application/octet-stream"},
    )["Form"]["properties"]
    assert fields["name"] == {"type": "string", "minLength": 1}
    assert fields["longer"]["minLength"] == 3
    assert not any("minLength" in fields[name] for name in ("choice", "count", "names", "image"))
