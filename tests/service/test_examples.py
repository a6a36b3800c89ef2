"""Every answer in the API description has an example, and it is one that the service could give."""

import json

import pytest
from pydantic import BaseModel

from service import errors, problems
from service.app import create_app
from service.settings import Settings

APP = create_app(Settings())
PATHS = APP.openapi()["paths"]
SCHEMAS = APP.openapi()["components"]["schemas"]
EXAMPLES = APP.openapi()["components"]["examples"]


def _models(base: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Every model of the service by name: that of an answer is found by its name in the description."""
    found = {kind.__name__: kind for kind in base.__subclasses__() if kind.__module__.startswith("service.")}
    for kind in base.__subclasses__():
        found |= _models(kind)
    return found


MODELS = _models(BaseModel)
ANSWERS = {
    (operation["operationId"], int(status)): answer.get("content", {})
    for operations in PATHS.values()
    for operation in operations.values()
    for status, answer in operation["responses"].items()
}
SUCCESSES = [key for key, content in ANSWERS.items() if key[1] < 300 and "application/json" in content]
FAILURES = [key for key in ANSWERS if key[1] >= 400]
KINDS = {kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}

CODES = {
    ("enroll_crops", 400): {"malformed_request"},
    ("enroll_crops", 409): {"external_id_conflict", "model_mismatch"},
    ("enroll_crops", 413): {"too_large"},
    ("enroll_crops", 422): {"all_rejected", "invalid_value"},
    ("search_by_image", 400): {"malformed_request"},
    ("search_by_image", 409): {"index_behind", "model_mismatch"},
    ("search_by_image", 413): {"too_large"},
    ("search_by_image", 415): {"unsupported_image_type"},
    ("search_by_image", 422): {"invalid_value", "undecodable_image"},
    **{
        (name, status): codes
        for name in ("search_by_crop", "search_by_embedding")
        for status, codes in ((400, {"malformed_request"}), (409, {"index_behind", "model_mismatch"}))
    },
    **{
        (name, 409): {"conflict", "model_mismatch"}
        for name in ("create_watch", "create_watch_by_image", "update_watch")
    },
    ("create_watch_by_image", 415): {"unsupported_image_type"},
    ("create_watch_by_image", 413): {"too_large"},
    ("create_watch_by_image", 422): {"invalid_value", "undecodable_image"},
    ("create_calibration", 409): {"model_mismatch"},
    ("list_gallery", 400): {"malformed_request"},
    ("create_camera", 409): {"conflict", "model_mismatch"},
    ("create_judgement", 409): {"conflict", "model_mismatch"},
    ("update_crop", 409): {"conflict", "external_id_conflict"},
    ("get_crop_image", 404): {"no_image", "not_found"},
    ("get_timeline", 400): {"malformed_request"},
    ("delete_crops", 400): {"malformed_request"},
    ("create_job", 400): {"malformed_request"},
    ("create_job", 409): {"conflict"},
    ("cancel_job", 409): {"conflict"},
    **{
        (name, 429): {"overloaded", "rate_limited"}
        for name in ("enroll_crops", "get_crop_image", "search_by_image", "create_watch_by_image", "test_webhook")
    },
}
CODES |= {(name, 403): {"foreign_request"} for name in ("get_health", "get_readiness")}
CODES_ANYWHERE = {
    400: {"malformed_request"},
    409: {"conflict"},
    401: {"unauthorized"},
    403: {"forbidden", "foreign_request"},
    404: {"not_found"},
    422: {"invalid_value"},
    429: {"rate_limited"},
    503: {"unavailable"},
}


def test_all_routes_are_looked_at() -> None:
    assert {operation for operation, _ in ANSWERS} - {operation for operation, _ in SUCCESSES} == {
        "delete_calibration",
        "delete_judgement",
        "delete_vehicle",
        "delete_watch",
        "export_audit",
        "get_crop_image",
        "get_metrics",
        "revoke_key",
    }
    assert len(FAILURES) > 25


@pytest.mark.parametrize("answer", SUCCESSES, ids=str)
def test_a_success_has_a_whole_example(answer: tuple[str, int]) -> None:
    name = ANSWERS[answer]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert SCHEMAS[name]["examples"]
    for example in SCHEMAS[name]["examples"]:
        read = MODELS[name].model_validate_json(json.dumps(example), strict=True)
        assert read.model_dump(mode="json", exclude_unset=True) == example


@pytest.mark.parametrize("answer", FAILURES, ids=str)
def test_a_failure_has_an_example_of_each_of_its_codes(answer: tuple[str, int]) -> None:
    examples = ANSWERS[answer]["application/problem+json"]["examples"]
    assert examples.keys() == (CODES.get(answer) or CODES_ANYWHERE[answer[1]])
    for code, example in examples.items():
        assert example == {"$ref": f"#/components/examples/{code}"}
        value, kind = EXAMPLES[code]["value"], KINDS[code]
        read = problems.Problem.model_validate_json(json.dumps(value), strict=True)
        assert read.model_dump(mode="json", exclude_unset=True) == value
        assert (read.code, read.status, read.title) == (code, answer[1], kind.title)
        assert read.status == kind.status
        assert read.type == f"urn:clip-senet:problem:{code}"
        assert {entry.code for entry in read.errors} <= KINDS.keys() | {"not_ready"}
