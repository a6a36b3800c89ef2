"""The application as a whole: its description, its documentation, its guard at start."""

from typing import Any

import httpx
import pytest

from service.app import create_app
from service.settings import Settings

GUARDED = {
    "enroll_crops": ("post", "/gallery", {201, 400, 409, 413, 422, 503}),
    "list_gallery": ("get", "/gallery", {200, 400, 404, 422, 503}),
    "get_crop": ("get", "/gallery/{crop_id}", {200, 404, 422, 503}),
    "update_crop": ("patch", "/gallery/{crop_id}", {200, 400, 404, 409, 422, 503}),
    "delete_crop": ("delete", "/gallery/{crop_id}", {202, 204, 404, 422, 503}),
    "delete_crops": ("post", "/gallery/delete", {200, 202, 400, 404, 422, 503}),
    "get_crop_image": ("get", "/gallery/{crop_id}/image", {200, 304, 404, 422, 503}),
    "search_by_image": ("post", "/search", {200, 400, 404, 409, 413, 415, 422, 503}),
    "search_by_crop": ("post", "/search/crop", {200, 400, 404, 409, 422, 503}),
    "search_by_embedding": ("post", "/search/embedding", {200, 400, 404, 409, 422, 503}),
    "create_calibration": ("post", "/collections/{name}/calibration", {201, 400, 404, 409, 422, 503}),
    "get_calibration": ("get", "/collections/{name}/calibration", {200, 404, 422, 503}),
    "delete_calibration": ("delete", "/collections/{name}/calibration", {204, 404, 422, 503}),
    "get_timeline": ("get", "/timeline", {200, 400, 404, 422, 503}),
    "create_collection": ("post", "/collections", {201, 400, 409, 422, 503}),
    "list_collections": ("get", "/collections", {200, 422, 503}),
    "get_collection": ("get", "/collections/{name}", {200, 404, 422, 503}),
    "update_collection": ("patch", "/collections/{name}", {200, 400, 404, 422, 503}),
    "delete_collection": ("delete", "/collections/{name}", {202, 204, 404, 422, 503}),
    "get_stats": ("get", "/stats", {200, 422, 503}),
    "get_model": ("get", "/model", {200}),
    "list_tracks": ("get", "/tracks", {200, 400, 404, 422, 503}),
    "get_track": ("get", "/tracks/one", {200, 404, 422, 503}),
    "create_vehicle": ("post", "/vehicles", {200, 201, 400, 404, 409, 422, 503}),
    "list_vehicles": ("get", "/vehicles", {200, 404, 422, 503}),
    "merge_vehicles": ("post", "/vehicles/merge", {200, 400, 404, 422, 503}),
    "get_vehicle": ("get", "/vehicles/{vehicle_id}", {200, 404, 422, 503}),
    "update_vehicle": ("patch", "/vehicles/{vehicle_id}", {200, 400, 404, 422, 503}),
    "delete_vehicle": ("delete", "/vehicles/{vehicle_id}", {204, 404, 422, 503}),
    "list_sightings": ("get", "/vehicles/{vehicle_id}/sightings", {200, 404, 422, 503}),
    "confirm_vehicle_crops": ("post", "/vehicles/{vehicle_id}/crops", {200, 400, 404, 409, 422, 503}),
    "remove_vehicle_crops": ("post", "/vehicles/{vehicle_id}/crops/remove", {200, 400, 404, 422, 503}),
    "split_vehicle": ("post", "/vehicles/{vehicle_id}/split", {201, 400, 404, 409, 422, 503}),
    "create_judgement": ("post", "/judgements", {201, 400, 404, 409, 422, 503}),
    "list_judgements": ("get", "/judgements", {200, 404, 422, 503}),
    "delete_judgement": ("delete", "/judgements/{judgement_id}", {204, 404, 422, 503}),
    "create_camera": ("post", "/cameras", {201, 400, 409, 422, 503}),
    "get_camera": ("get", "/cameras/{camera_id}", {200, 404, 422, 503}),
    "update_camera": ("patch", "/cameras/{camera_id}", {200, 400, 404, 422, 503}),
    "list_jobs": ("get", "/jobs", {200, 422, 503}),
    "create_job": ("post", "/jobs", {202, 400, 404, 409, 422, 503}),
    "get_job": ("get", "/jobs/{job_id}", {200, 404, 422, 503}),
    "cancel_job": ("post", "/jobs/{job_id}/cancel", {200, 404, 409, 422, 503}),
    "list_cameras": ("get", "/cameras", {200, 404, 422, 503}),
    "create_watch": ("post", "/watches", {201, 400, 404, 409, 422, 503}),
    "create_watch_by_image": ("post", "/watches/image", {201, 400, 404, 409, 413, 415, 422, 503}),
    "list_watches": ("get", "/watches", {200, 422, 503}),
    "get_watch": ("get", "/watches/{watch_id}", {200, 404, 422, 503}),
    "update_watch": ("patch", "/watches/{watch_id}", {200, 400, 404, 409, 422, 503}),
    "delete_watch": ("delete", "/watches/{watch_id}", {204, 404, 422, 503}),
    "list_watch_hits": ("get", "/watches/{watch_id}/hits", {200, 404, 422, 503}),
    "list_deliveries": ("get", "/watches/{watch_id}/deliveries", {200, 404, 422, 503}),
    "retry_delivery": ("post", "/watches/{watch_id}/deliveries/{delivery_id}/retry", {200, 404, 422, 503}),
    "test_webhook": ("post", "/watches/{watch_id}/test", {200, 404, 409, 422, 503}),
    "rotate_webhook_secret": ("post", "/watches/{watch_id}/secret", {201, 400, 404, 422, 503}),
    "create_key": ("post", "/keys", {201, 400, 422, 503}),
    "list_keys": ("get", "/keys", {200, 422, 503}),
    "get_own_key": ("get", "/keys/self", {200, 422}),
    "get_key": ("get", "/keys/{key_id}", {200, 404, 422, 503}),
    "update_key": ("patch", "/keys/{key_id}", {200, 400, 404, 409, 422, 503}),
    "rotate_key": ("post", "/keys/{key_id}/rotate", {201, 400, 404, 409, 422, 503}),
    "revoke_key": ("delete", "/keys/{key_id}", {204, 404, 422, 503}),
    "list_audit": ("get", "/audit", {200, 422, 503}),
    "export_audit": ("get", "/audit/export", {200, 422, 503}),
    "get_index": ("get", "/index", {200, 422, 503}),
    "get_metrics": ("get", "/metrics", {200, 422, 503}),
}
"""Operations that ask for a key, so that they may also answer 401, 403 and 429."""
OPEN = {
    "get_health": ("get", "/healthz", {200, 403}),
    "get_readiness": ("get", "/readyz", {200, 403, 503}),
}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return create_app(Settings()).openapi()


class TestDescription:
    def test_operations_and_their_answers(self, description: dict[str, Any]) -> None:
        found = {
            operation["operationId"]: (method, path, {int(status) for status in operation["responses"]})
            for path, operations in description["paths"].items()
            for method, operation in operations.items()
        }
        guarded = {name: (*route, answers | {401, 403, 429}) for name, (*route, answers) in GUARDED.items()}
        assert found == guarded | OPEN

    def test_what_asks_for_a_key_says_so(self, description: dict[str, Any]) -> None:
        operations = [one for path in description["paths"].values() for one in path.values()]
        asking = {one["operationId"] for one in operations if one.get("security")}
        assert asking == GUARDED.keys()

    def test_version(self, description: dict[str, Any]) -> None:
        assert description["openapi"].startswith("3.1.")

    def test_every_operation_is_explained(self, description: dict[str, Any]) -> None:
        for operations in description["paths"].values():
            for operation in operations.values():
                assert operation["summary"]
                assert operation["description"]
                assert "\n" not in operation["summary"]

    def test_errors_are_problem_details(self, description: dict[str, Any]) -> None:
        for operations in description["paths"].values():
            for operation in operations.values():
                for status, answer in operation["responses"].items():
                    if int(status) >= 400:
                        (media_type,) = answer["content"]
                        assert media_type == "application/problem+json"
                        assert answer["content"][media_type]["schema"] == {"$ref": "#/components/schemas/Problem"}
                    if int(status) in (429, 503):
                        assert "Retry-After" in answer["headers"]

    @pytest.mark.parametrize(("form", "most"), [("EnrolmentForm", 64), ("SearchForm", 16)])
    def test_uploads_are_binary(self, description: dict[str, Any], form: str, most: int) -> None:
        images = description["components"]["schemas"][form]["properties"]["images"]
        assert images["items"] == {"type": "string", "format": "binary"}
        assert (images["minItems"], images["maxItems"]) == (1, most)
        path = {"EnrolmentForm": "/gallery", "SearchForm": "/search"}[form]
        assert list(description["paths"][path]["post"]["requestBody"]["content"]) == ["multipart/form-data"]

    def test_every_reference_leads_somewhere(self, description: dict[str, Any]) -> None:
        def references(node: Any) -> set[str]:
            if isinstance(node, dict):
                own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
                return own.union(*(references(value) for value in node.values()))
            return set().union(*map(references, node)) if isinstance(node, list) else set()

        parts = {f"#/components/{kind}/{name}" for kind, named in description["components"].items() for name in named}
        assert references(description) <= parts


async def test_documentation_needs_no_other_host() -> None:
    transport = httpx.ASGITransport(app=create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        page = await client.get("/docs")
        assert page.status_code == 200
        assert "//" not in page.text.replace("<!doctype html>", "")
        assert "<script>" not in page.text
        for name, media_type in [
            ("swagger-ui-bundle.js", "text/javascript"),
            ("swagger-ui.css", "text/css"),
            ("start.js", "text/javascript"),
            ("favicon.png", "image/png"),
        ]:
            assert f"docs/assets/{name}" in page.text
            asset = await client.get(f"/docs/assets/{name}")
            assert asset.status_code == 200
            assert asset.headers["Content-Type"].startswith(media_type)
        assert (await client.get("/docs/assets/..%2f__init__.py")).status_code == 404
