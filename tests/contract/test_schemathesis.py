"""Schemathesis over the whole of openapi.json: no 5xx, no undocumented status, no answer that is not as described.

CLIP_SENET_CONTRACT_SECONDS is for how long what is random is tried, with each key; without it little of that is.
CLIP_SENET_CONTRACT_SEED says what is random.
"""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.api_tries import Tries, tried
from support.furnishing import about, furnish
from support.keys import header
from support.processes import ServiceProcess, data_folder

SECONDS = int(os.environ.get("CLIP_SENET_CONTRACT_SECONDS", "0"))
SEED = int(os.environ.get("CLIP_SENET_CONTRACT_SEED", "1"))
FILE = Path(__file__).parents[2] / "openapi.json"

logger = logging.getLogger(__name__)


@dataclass
class Furnished:
    """A service that asks for keys, and what is in it."""

    process: ServiceProcess
    database_url: str
    things: dict[str, str]
    model: dict[str, Any]

    def key(self, *scopes: str, **fields: object) -> tuple[str, str]:
        """Id and text of a new key."""
        text = asyncio.run(header(self.database_url, *scopes, **fields))["X-API-Key"]
        answer = httpx.get(f"{self.process.address}/keys/self", headers={"X-API-Key": text})
        return answer.json()["key_id"], text

    def tried(self, description: Path, key: tuple[str, str], folder: Path, **how: Any) -> Tries:
        """What comes of trying a description, its examples about what is there."""
        copy = about(description, self.things, self.model, folder)
        tries = tried(copy, self.process.address, key, folder, seed=SEED, **how)
        logger.info("seed %d: %d cases, %d no findings by the hooks", SEED, tries.cases, tries.dropped)
        logger.info("findings: %s; never a success: %s", dict(tries.findings) or "none", tries.never_accepted)
        return tries


@pytest.fixture(scope="module")
def furnished(
    untrained_weights: Path, shared_postgres_url: str, make_jpeg: Callable[..., bytes]
) -> Iterator[Furnished]:
    settings = {"weights": untrained_weights, "preset": "tiny", "device": "cpu", "torch_threads": 1}
    with (
        data_folder() as folder,
        ServiceProcess(
            folder, auth="on", webhook_allowed="127.0.0.1", database_url=shared_postgres_url, **settings
        ) as process,
    ):
        key = asyncio.run(header(shared_postgres_url, "admin"))
        with httpx.Client(base_url=process.address, headers=key, timeout=60) as client:
            things = furnish(client, make_jpeg)
            model = client.get("/model").json()
        yield Furnished(process, shared_postgres_url, things, model)
        _, traceback, rest = process.log.partition("Traceback")
        assert not traceback, rest[:5000]


def test_a_key_for_everything_finds_nothing(furnished: Furnished, tmp_path: Path) -> None:
    phases = "examples,coverage,fuzzing,stateful" if SECONDS else "examples,coverage"
    tries = furnished.tried(FILE, furnished.key("admin"), tmp_path, phases=phases, seconds=SECONDS)
    assert not tries.findings, tries.said
    assert tries.cases > 5000
    assert len(tries.never_accepted) < 10, f"much was asked about what is not there: {tries.never_accepted}"


def test_a_key_of_one_collection_finds_nothing(furnished: Furnished, tmp_path: Path) -> None:
    key = furnished.key("admin", collections=["default"])
    phases = "examples,coverage,fuzzing,stateful" if SECONDS else "fuzzing,stateful"
    tries = furnished.tried(FILE, key, tmp_path, phases=phases, seconds=SECONDS, examples=None if SECONDS else 2)
    assert not tries.findings, tries.said
    assert tries.cases > (5000 if SECONDS else 100)


def _only(*operations: str) -> dict[str, Any]:
    """The description of a few operations."""
    described: dict[str, Any] = json.loads(FILE.read_text())
    for methods in described["paths"].values():
        for method in [method for method, one in methods.items() if one["operationId"] not in operations]:
            del methods[method]
    described["paths"] = {path: methods for path, methods in described["paths"].items() if methods}
    return described


def test_what_is_not_so_is_found(furnished: Furnished, tmp_path: Path) -> None:
    """Were the checks off, or dropped all that they find, nothing would be found in a description that lies."""
    told = _only("get_model", "get_job", "list_jobs", "list_collections")
    paths, schemas = told["paths"], told["components"]["schemas"]
    schemas["ModelView"]["properties"]["dimension"] = {"type": "string"}
    del paths["/jobs/{job_id}"]["get"]["responses"]["404"]
    limits = {path: _limit(paths[path]["get"]) for path in ("/jobs", "/collections")}
    limits["/jobs"]["maximum"] += 1
    limits["/collections"]["maximum"] -= 1
    lies = tmp_path / "lies.json"
    lies.write_text(json.dumps(told))
    tries = tried(lies, furnished.process.address, furnished.key("admin"), tmp_path, phases="coverage", seed=SEED)
    assert tries.findings.keys() == {
        "Response violates schema",
        "Undocumented status code",
        "Schema-valid request rejected",
        "Schema-violating request accepted",
        "Wrong response to undeclared method",  # such as POST /jobs, of which the excerpt does not tell
        "Allow header mismatch",
    }, tries.said


def _limit(operation: dict[str, Any]) -> dict[str, Any]:
    (schema,) = [one["schema"] for one in operation["parameters"] if one["name"] == "limit"]
    assert isinstance(schema, dict)
    return schema
