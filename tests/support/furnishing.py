"""A service in which there is what the examples of openapi.json are about, so that they are no requests for nothing."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

VEHICLES: Final = 20
CAMERAS: Final = ("gate-north", "gate-south", "depot")
"""Each saw each vehicle once: pairs enough to learn a calibration from, as the example of one wants it."""
TAXI: Final = {
    "label": "Taxi 139",
    "notes": "Left rear door is dented.",
    "attributes": {"colour": "red", "type": "van"},
}
"""What the example of a vehicle says of it."""
NOWHERE: Final = "http://127.0.0.1:9"
"""Nobody listens there: a message stays on its way."""

_EXAMPLES: Final = {
    "crop": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
    "other crop": "019ab3c4-7a10-7c3e-8f52-6b1d90e4a7c5",
    "key": "019ab3c4-9e20-7a1b-8c3d-5e6f70819a2b",
    "job": "019ab3c4-9d10-7c2e-8f55-6b0d1e2f3a4b",
    "judgement": "019ab3d0-11f2-7b44-a0c9-83e5d2f61b07",
    "watch": "019ab3d0-1b2c-7d3e-8f40-516273849506",
    "delivery": "019ab3d4-77ab-7012-8a3b-4c5d6e7f8091",
}
"""Ids in the examples, by what they are ids of."""


def furnish(client: httpx.Client, make_jpeg: Callable[..., bytes]) -> dict[str, str]:
    """Fill a service with what the examples are about, and with more of each kind.

    Args:
        client: Of a service, with a key that may do everything.
        make_jpeg: Makes a picture of a seed and a size.

    Returns:
        Ids that the service has chosen, by the names of `_EXAMPLES`.
    """
    _post(client, "/collections", {"name": "harbour"})
    crops = _enroll(client, make_jpeg)
    for number, crop_ids in enumerate(crops, 139):
        _post(client, "/vehicles", {"vehicle_id": f"taxi-{number:04}", "crop_ids": crop_ids, **TAXI})
    judgement = _post(client, "/judgements", {"crop_id": crops[0][0], "query_crop_id": crops[1][0], "same": False})
    _post(client, "/collections/default/calibration", {"from_vehicles": True})
    watch = {"name": "taxi", "crop_ids": crops[0], "min_score": -1, "webhook_url": NOWHERE}
    watches = [_post(client, "/watches", watch) for _ in range(3)]
    jobs = [_post(client, "/jobs", {"kind": "reembed_collection", "collection": "default"}) for _ in range(2)]
    keys = [_post(client, "/keys", {"name": "gate", "scopes": ["read"]}) for _ in range(3)]
    _enroll(client, make_jpeg, first=100)  # the watches find them
    return {
        "crop": crops[0][0],
        "other crop": crops[2][0],
        "key": keys[0]["id"],
        "job": jobs[0]["id"],
        "judgement": judgement["id"],
        "watch": watches[0]["id"],
        "delivery": _awaited(client, f"/watches/{watches[0]['id']}/deliveries")["id"],
    }


def about(description: Path, things: Mapping[str, str], model: Mapping[str, Any], folder: Path) -> Path:
    """A copy of the description, its examples about what is there.

    Args:
        description: openapi.json.
        things: What `furnish` made.
        model: What GET /model says.
        folder: For the copy.
    """
    text = description.read_text()
    for name, example in _EXAMPLES.items():
        assert example in text, f"the examples have another id for a {name} than {example}"
        text = text.replace(example, things[name])
    told = json.loads(text)
    query = told["components"]["schemas"]["EmbeddingSearch"]["properties"]
    query["model_id"]["examples"] = [model["model_id"]]
    query["vector"]["examples"] = [[1.0] + [0.0] * (model["dimension"] - 1)]
    for operation in told["paths"]["/collections/{name}/calibration"].values():
        operation["parameters"][0]["schema"]["examples"] = ["default"]  # its crops show vehicles, those of harbour none
    copy = folder / description.name
    copy.write_text(json.dumps(told))
    return copy


def _enroll(client: httpx.Client, make_jpeg: Callable[..., bytes], first: int = 0) -> list[list[str]]:
    """Ids of the crops of each vehicle, which its pictures show larger and smaller."""
    pictures = [(vehicle, crop) for vehicle in range(VEHICLES) for crop in range(len(CAMERAS))]
    items = [{"camera_id": CAMERAS[crop], "track_id": str(17 + vehicle)} for vehicle, crop in pictures]
    files = [
        ("images", ("crop", make_jpeg(first + vehicle, (96 - 8 * crop, 64 - 8 * crop)))) for vehicle, crop in pictures
    ]
    common = {"session_id": "2026-11-23", "captured_at": "2026-11-23T08:30:00Z", "attributes": '{"colour": "red"}'}
    answer = client.post("/gallery", files=files, data={"items": json.dumps(items), **common})
    assert answer.status_code == 201, answer.text
    ids = [item["id"] for item in answer.json()["items"]]
    return [ids[start : start + len(CAMERAS)] for start in range(0, len(ids), len(CAMERAS))]


def _post(client: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    answer = client.post(path, json=body)
    assert answer.is_success, f"{path}: {answer.text}"
    return answer.json()


def _awaited(client: httpx.Client, path: str) -> Any:
    """The first entry of a list, once it has one."""
    deadline = time.monotonic() + 20
    while not (items := client.get(path).json()["items"]):
        assert time.monotonic() < deadline, f"{path} stays empty"
        time.sleep(0.05)
    return items[0]
