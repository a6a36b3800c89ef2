"""What a JSON body holds is taken as it stands, and nothing else is made of it."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.json_bodies import MOST_FIELDS, JsonBody
from service.problems import install_problem_handlers
from service.values import Attributes, Name, Time

CROP = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"


class Inner(BaseModel):
    width: int | None = None


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["body"] = "body"
    flag: bool = False
    share: float | None = None
    count: int | None = None
    name: Name | None = None
    ids: list[UUID] = []
    words: frozenset[str] = frozenset()
    inner: Inner | None = None
    sizes: list[int] = []
    time: Time | None = None
    attributes: Attributes | None = None

    @model_validator(mode="after")
    def _no_seven(self) -> "Body":
        if self.count == 7:
            raise ValueError("no seven")
        return self


class Other(BaseModel):
    kind: Literal["other"]


app = FastAPI()
install_problem_handlers(app)
took: list[Any] = []


@app.post("/body")
async def post_body(body: JsonBody[Body]) -> None:
    took.append(body)


@app.post("/choice")
async def post_choice(body: Annotated[JsonBody[Body] | JsonBody[Other], Field(discriminator="kind")]) -> None:
    took.append(body)


async def send(text: str, path: str = "/body") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
        return await client.post(path, content=text, headers={"Content-Type": "application/json"})


async def test_takes_what_json_can_say() -> None:
    text = json.dumps(
        {
            "flag": True,
            "share": 1,
            "count": 3,
            "name": "Süd 🚕",
            "ids": [CROP],
            "words": ["a", "a"],
            "inner": {"width": None},
            "time": "2026-11-23T08:30:00+01:00",
            "attributes": {"axles": 2, "new": True},
        }
    )
    assert (await send(text)).status_code == 200
    assert took[-1] == Body(
        flag=True,
        share=1.0,
        count=3,
        name="Süd 🚕",
        ids=[UUID(CROP)],
        words=frozenset("a"),
        inner=Inner(width=None),
        time=datetime(2026, 11, 23, 7, 30, tzinfo=UTC),
        attributes={"axles": 2, "new": True},
    )
    assert took[-1].attributes["new"] is True
    assert took[-1].inner.model_fields_set == {"width"}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"flag": 0}', "flag"),
        ('{"flag": "true"}', "flag"),
        ('{"share": false}', "share"),
        ('{"share": "0.5"}', "share"),
        ('{"count": "3"}', "count"),
        ('{"count": true}', "count"),
        ('{"count": 3.5}', "count"),
        ('{"name": 3}', "name"),
        ('{"ids": [3]}', "ids.0"),
        ('{"ids": {}}', "ids"),
        ('{"inner": {"width": "3"}}', "inner.width"),
        ('{"time": 1700000000}', "time"),
        ('{"nonsense": 1}', "nonsense"),
        ('{"name": "\\ud800"}', "name"),
        ('{"attributes": {"a": "\\ud800"}}', "attributes"),
        ('{"count": 7}', ""),
        ("[]", ""),
        ("null", ""),
    ],
)
async def test_refuses_what_would_have_to_be_converted_and_names_the_field(text: str, field: str) -> None:
    answer = await send(text)
    assert answer.status_code == 422, answer.text
    assert [entry["field"] for entry in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("text", ["{", "", '{"inner": ' * 3000 + "1" + "}" * 3000, '{"share": ' + "9" * 5000 + "}"])
async def test_what_is_no_json_is_malformed(text: str) -> None:
    answer = await send(text)
    assert answer.status_code in {400, 422}
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_whole_number_is_an_integer_however_it_is_written() -> None:
    text = '{"count": 3.0, "inner": {"width": 5e3}, "sizes": [1, 2.0], "attributes": {"axles": 2.0}}'
    assert (await send(text)).status_code == 200
    body = took[-1]
    assert (body.count, body.inner.width, body.sizes) == (3, 5000, [1, 2])
    assert {type(number) for number in (body.count, body.inner.width, *body.sizes)} == {int}
    assert type(body.attributes["axles"]) is float
    assert (await send('{"kind": "body", "count": 4.0}', "/choice")).status_code == 200
    assert took[-1].count == 4


@pytest.mark.parametrize("text", ['{"count": 7.0}', '{"count": 3.0, "flag": 0}', '{"sizes": [1.0, 2.5]}', "3.0"])
async def test_what_is_wrong_besides_is_refused_all_the_same(text: str) -> None:
    assert (await send(text)).status_code == 422


async def test_json_of_any_depth_is_answered() -> None:
    """Reading, writing and validating give up at depths of their own; whatever lies between them is malformed."""
    statuses = {depth: (await send('{"name": ' + "[" * depth + "]" * depth + "}")).status_code for depth in range(1200)}
    assert statuses[0] == 400
    assert statuses[1] == statuses[100] == 422
    assert statuses[1199] == 400
    assert set(statuses.values()) == {400, 422}


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_json_under_another_name_is_malformed(media_type: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
        answer = await client.post("/body", content=b'{"flag": true}', headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert "application/json" in answer.json()["detail"]


async def test_one_of_several_bodies_is_told_by_its_kind() -> None:
    assert (await send('{"kind": "other"}', "/choice")).status_code == 200
    assert took[-1] == Other(kind="other")
    refused = await send('{"kind": "body", "flag": 0}', "/choice")
    assert refused.status_code == 422
    assert "flag" in refused.json()["errors"][0]["field"]


def test_the_description_is_that_of_the_body_itself() -> None:
    described = app.openapi()
    body = described["paths"]["/body"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Body"}
    choice = described["paths"]["/choice"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert choice["oneOf"] == [{"$ref": "#/components/schemas/Body"}, {"$ref": "#/components/schemas/Other"}]
    assert choice["discriminator"]["mapping"]["other"] == "#/components/schemas/Other"


async def test_more_fields_than_any_request_takes_are_not_named_one_by_one() -> None:
    answer = await send(json.dumps({f"field {number}": 0 for number in range(MOST_FIELDS + 1)}))
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    answer = await send(json.dumps({f"field {number}": 0 for number in range(MOST_FIELDS)}))
    assert answer.status_code == 422


async def test_an_answer_names_a_hundred_faults_at_most() -> None:
    answer = await send(json.dumps({"sizes": ["no number"] * 1000}))
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 100
