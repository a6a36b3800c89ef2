"""openapi.json: it is what the service says, breaks nobody without saying so, and linters have no complaint."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.breaking import breaking_changes, may_break
from support.generators import Generators
from typer.testing import CliRunner

from service.app import create_app
from service.cli import app
from service.settings import Settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "openapi.json"
RELEASED = Path(__file__).with_name("released.json")
"""openapi.json as it was at the last release: what the clients that are out there were made of."""

Json = dict[str, Any]


def read(path: Path) -> Json:
    description: Json = json.loads(path.read_text())
    return description


@pytest.fixture(scope="module")
def described() -> Json:
    return json.loads(json.dumps(create_app(Settings()).openapi()))  # type: ignore[no-any-return]


def test_is_what_the_service_says(described: Json) -> None:
    assert read(FILE) == described, "openapi.json is not current: make openapi"


def test_the_command_writes_it(tmp_path: Path) -> None:
    written = tmp_path / "new" / "openapi.json"
    result = CliRunner().invoke(app, ["openapi", "--out", str(written)])
    assert result.exit_code == 0, result.output
    assert written.read_bytes() == FILE.read_bytes(), "openapi.json is not current: make openapi"
    assert CliRunner().invoke(app, ["openapi"]).stdout == FILE.read_text()


def test_the_command_says_where_it_cannot_write(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["openapi", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert str(tmp_path) in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_client_of_the_last_release_breaks_unless_the_version_says_so(described: Json) -> None:
    released = read(RELEASED)
    if not may_break(released["info"]["version"], described["info"]["version"]):
        assert breaking_changes(released, described) == []


CHANGES: dict[str, tuple[Callable[[Json, Json], object], str]] = {
    "a route is gone": (lambda paths, _: paths.pop("/search"), "POST /search is gone"),
    "a field of an answer is gone": (
        lambda _, schemas: schemas["CropView"]["properties"].pop("camera_id"),
        "answer 200, items, each: camera_id is gone",
    ),
    "a field is required": (
        lambda _, schemas: schemas["NewVehicle"].update(required=["crop_ids", "label"]),
        "POST /vehicles: body: label is required",
    ),
    "a pattern is narrower": (
        lambda _, schemas: schemas["NewCollection"]["properties"]["name"].update(pattern="^[a-z]+$"),
        "POST /collections: body, name: pattern is ^[a-z]+$",
    ),
}
"""Changes of the paths and schemas of the file, and what is said of them."""


@pytest.mark.parametrize("name", CHANGES)
def test_the_released_file_is_held_to_account(described: Json, name: str) -> None:
    """Were it another service's, or empty, nothing could break."""
    change, sentence = CHANGES[name]
    new = copy.deepcopy(described)
    change(new["paths"], new["components"]["schemas"])
    assert any(sentence in one for one in breaking_changes(read(RELEASED), new))


def test_a_linter_has_no_complaint(generators: Generators, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(FILE.read_text())
    assert "Your API description is valid" in generators.lint(file)
    broken = read(FILE)
    broken["paths"]["/search"]["post"].pop("operationId")
    file.write_text(json.dumps(broken))
    with pytest.raises(AssertionError, match="operation-operationId"):
        generators.lint(file)
