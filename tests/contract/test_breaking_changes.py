"""The check that is to find what breaks clients finds each kind, and nothing where nothing does."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from support.breaking import breaking_changes, may_break

Json = dict[str, Any]

OLD: Json = {
    "paths": {
        "/crops": {
            "get": {
                "operationId": "list_crops",
                "parameters": [
                    {"in": "query", "name": "limit", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
                    {"in": "query", "name": "order", "schema": {"type": "string", "enum": ["old", "new"]}},
                ],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}},
                    "404": {"content": {"application/problem+json": {"schema": {"type": "object"}}}},
                },
            },
            "post": {
                "operationId": "make_crop",
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewCrop"}}},
                },
                "responses": {
                    "201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Crop"}}}}
                },
            },
        }
    },
    "components": {
        "schemas": {
            "Page": {
                "type": "object",
                "required": ["items"],
                "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Crop"}}},
            },
            "Crop": {
                "type": "object",
                "required": ["id", "kind"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "kind": {"type": "string", "enum": ["car", "van"]},
                    "score": {"anyOf": [{"type": "number", "maximum": 1}, {"type": "null"}]},
                    "parent": {"anyOf": [{"$ref": "#/components/schemas/Crop"}, {"type": "null"}]},
                },
            },
            "NewCrop": {
                "type": "object",
                "required": ["camera"],
                "additionalProperties": False,
                "properties": {
                    "camera": {"type": "string", "minLength": 1, "maxLength": 256},
                    "speed": {"anyOf": [{"type": "number"}, {"type": "null"}]},
                    "kind": {"type": "string", "const": "car"},
                    "marks": {"type": "array", "items": {"type": "string"}},
                    "words": {
                        "type": "object",
                        "propertyNames": {"maxLength": 64},
                        "additionalProperties": {"type": "string", "maxLength": 512},
                    },
                },
            },
        }
    },
}

Change = Callable[[Json, Json, Json], object]
"""Changes a description; is given its paths, schemas and the operations of /crops."""

BREAKING: dict[str, tuple[Change, str]] = {
    "path": (lambda paths, *_: paths.clear(), "GET /crops is gone"),
    "method": (lambda _p, _s, crops: crops.pop("post"), "POST /crops is gone"),
    "name": (lambda _p, _s, crops: crops["get"].update(operationId="crops"), "no longer called list_crops"),
    "parameter": (lambda _p, _s, crops: crops["get"]["parameters"].pop(), "query parameter order is gone"),
    "parameter required": (
        lambda _p, _s, crops: crops["get"]["parameters"][0].update(required=True),
        "query parameter limit is required",
    ),
    "new parameter required": (
        lambda _p, _s, crops: crops["get"]["parameters"].append(
            {"in": "header", "name": "X-Why", "required": True, "schema": {"type": "string"}}
        ),
        "header parameter X-Why is required",
    ),
    "lower bound": (
        lambda _p, _s, crops: crops["get"]["parameters"][0]["schema"].update(minimum=2),
        "minimum is 2, not 1",
    ),
    "upper bound": (
        lambda _p, schemas, _c: schemas["NewCrop"]["properties"]["camera"].update(maxLength=99),
        "maxLength",
    ),
    "pattern": (lambda _p, schemas, _c: schemas["NewCrop"]["properties"]["camera"].update(pattern="a"), "pattern is a"),
    "new pattern": (
        lambda _p, _s, crops: crops["get"]["parameters"][0]["schema"].update(pattern="a"),
        "pattern is a, not open",
    ),
    "each once": (lambda _p, schemas, _c: words(schemas, "marks").update(uniqueItems=True), "marks: each may be there"),
    "further field": (
        lambda _p, schemas, _c: words(schemas)["additionalProperties"].update(maxLength=9),
        "words, each further field: maxLength is 9, not 512",
    ),
    "name of a further field": (
        lambda _p, schemas, _c: words(schemas)["propertyNames"].update(maxLength=9),
        "words, each name: maxLength is 9, not 64",
    ),
    "no further field": (
        lambda _p, schemas, _c: words(schemas).update(additionalProperties=False),
        "words: it takes no further fields",
    ),
    "value of a parameter": (
        lambda _p, _s, crops: crops["get"]["parameters"][1]["schema"]["enum"].remove("old"),
        "'old' is no value of it",
    ),
    "values of what was free": (
        lambda _p, schemas, _c: schemas["NewCrop"]["properties"]["camera"].update(enum=["a"]),
        "only 'a' may be there",
    ),
    "constant": (
        lambda _p, schemas, _c: schemas["NewCrop"]["properties"]["kind"].update(const="van"),
        "'car' is no value",
    ),
    "type in a body": (
        lambda _p, schemas, _c: schemas["NewCrop"]["properties"]["camera"].update(type="integer"),
        "string is integer now",
    ),
    "null in a body": (
        lambda _p, schemas, _c: schemas["NewCrop"]["properties"].update(speed={"type": "number"}),
        "null is not among the choices",
    ),
    "field of a body": (lambda _p, schemas, _c: schemas["NewCrop"]["properties"].pop("speed"), "speed is gone"),
    "field of a body required": (
        lambda _p, schemas, _c: schemas["NewCrop"]["required"].append("speed"),
        "speed is required",
    ),
    "body required": (lambda _p, _s, crops: crops["post"]["requestBody"].update(required=True), "it requires a body"),
    "body gone": (lambda _p, _s, crops: crops["post"].pop("requestBody"), "it takes no body any more"),
    "body's type": (
        lambda _p, _s, crops: crops["post"]["requestBody"].update(content={"text/csv": {"schema": {}}}),
        "no body of type application/json",
    ),
    "key": (lambda _p, _s, crops: crops["get"].update(security=[{"key": []}]), "it asks for a key"),
    "success": (lambda _p, _s, crops: crops["get"]["responses"].pop("200"), "it answers no 200"),
    "new success": (lambda _p, _s, crops: crops["get"]["responses"].update({"202": {}}), "it may answer 202"),
    "answer's type": (
        lambda _p, _s, crops: crops["get"]["responses"]["200"].update(content={"text/csv": {}}),
        "no longer of type application/json",
    ),
    "field of an answer": (lambda _p, schemas, _c: schemas["Crop"]["properties"].pop("score"), "score is gone"),
    "field of an answer optional": (
        lambda _p, schemas, _c: schemas["Crop"]["required"].remove("id"),
        "not always there",
    ),
    "field deep in an answer": (
        lambda _p, schemas, _c: schemas["Crop"]["properties"]["id"].update(type="integer"),
        "GET /crops: answer 200, items, each, id: integer is string now",
    ),
    "value of an answer": (
        lambda _p, schemas, _c: schemas["Crop"]["properties"]["kind"]["enum"].append("bus"),
        "'bus' is no value of it",
    ),
    "null in an answer": (
        lambda _p, schemas, _c: schemas["Crop"]["properties"].update(
            id={"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
        ),
        "null is not among the choices",
    ),
}

HARMLESS: dict[str, Change] = {
    "nothing": lambda *_: None,
    "new path": lambda paths, *_: paths.update({"/new": copy.deepcopy(OLD["paths"]["/crops"])}),
    "new parameter": lambda _p, _s, crops: crops["get"]["parameters"].append(
        {"in": "query", "name": "x", "schema": {"type": "string"}}
    ),
    "wider bounds": lambda _p, _s, crops: crops["get"]["parameters"][0]["schema"].update(minimum=0, maximum=1000),
    "more marks": lambda _p, schemas, _c: words(schemas, "marks").update(items={}),
    "longer further fields": lambda _p, schemas, _c: words(schemas).update(additionalProperties=True),
    "no bounds": lambda _p, _s, crops: crops["get"]["parameters"][0].update(schema={"type": "integer"}),
    "wider type": lambda _p, _s, crops: crops["get"]["parameters"][0].update(schema={"type": "number"}),
    "new value of a parameter": lambda _p, _s, crops: crops["get"]["parameters"][1]["schema"]["enum"].append("best"),
    "new field of a body": lambda _p, schemas, _c: schemas["NewCrop"]["properties"].update(lane={"type": "integer"}),
    "optional field of a body": lambda _p, schemas, _c: schemas["NewCrop"].update(required=[]),
    "null in a body": lambda _p, schemas, _c: schemas["NewCrop"]["properties"].update(
        camera={"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]}
    ),
    "new field of an answer": lambda _p, schemas, _c: schemas["Crop"]["properties"].update(lane={"type": "integer"}),
    "required field of an answer": lambda _p, schemas, _c: schemas["Crop"]["required"].append("score"),
    "no null in an answer": lambda _p, schemas, _c: schemas["Crop"]["properties"].update(score={"type": "number"}),
    "value that an answer has no more": lambda _p, schemas, _c: schemas["Crop"]["properties"]["kind"]["enum"].pop(),
    "new failure": lambda _p, _s, crops: crops["get"]["responses"].update({"409": {}}),
    "failure gone": lambda _p, _s, crops: crops["get"]["responses"].pop("404"),
    "words": lambda _p, schemas, _c: schemas["Crop"].update(description="other", title="other"),
}


def words(schemas: Json, name: str = "words") -> Any:
    """A field of NewCrop."""
    return schemas["NewCrop"]["properties"][name]


def changed(change: Change) -> Json:
    new = copy.deepcopy(OLD)
    change(new["paths"], new["components"]["schemas"], new["paths"]["/crops"])
    return new


@pytest.mark.parametrize("name", BREAKING)
def test_finds_what_breaks_clients(name: str) -> None:
    change, sentence = BREAKING[name]
    found = breaking_changes(OLD, changed(change))
    assert any(sentence in one for one in found), found


@pytest.mark.parametrize("name", HARMLESS)
def test_passes_what_does_not(name: str) -> None:
    assert breaking_changes(OLD, changed(HARMLESS[name])) == []


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.1.7", False),
        ("0.1.0", "0.2.0", True),
        ("0.9.0", "1.0.0", True),
        ("1.2.0", "1.3.0", False),
        ("1.2.0", "2.0.0", True),
        ("1.2.0", "0.9.0", False),
    ],
)
def test_versions_that_may_break(old: str, new: str, may: bool) -> None:  # noqa: FBT001
    assert may_break(old, new) is may
