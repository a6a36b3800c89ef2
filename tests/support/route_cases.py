"""A request for every route of openapi.json, about things of one tenant's: something happens to them if it may.

In the order in which one tenant can send them all: what only reads, what changes, what deletes. A new route has to be
added here, or tests/contract/test_walls.py fails.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from support.tenants import Names

Request = dict[str, Any]
DESCRIPTION: Final = json.loads((Path(__file__).parents[2] / "openapi.json").read_text())


@dataclass(frozen=True, slots=True)
class Case:
    """A request.

    Attributes:
        ask: What the request says: `path` fills the address, the rest goes to httpx.
        status: What somebody who may is answered; None for a success.
        operator: Whether that takes a key that is bound to no collection.
        counts_only: Whether it only counts what it would do.
    """

    ask: Callable[[Names], Request]
    status: int | None = None
    operator: bool = False
    counts_only: bool = False


def _path(**path: str) -> Request:
    return {"path": path}


def _of_vehicle(names: Names, **rest: Any) -> Request:
    return {"path": {"vehicle_id": names.vehicle}, "params": {"collection": names.collection}, **rest}


def _form(names: Names, **fields: str) -> Request:
    return {"files": [("images", ("crop", names.picture))], "data": {"collection": names.collection, **fields}}


def _body(names: Names, **fields: Any) -> Request:
    return {"json": {"collection": names.collection, **fields}}


def _query(names: Names, **fields: Any) -> Request:
    return {"params": {"collection": names.collection, **fields}}


def _nothing(_: Names) -> Request:
    return {}


READING: Final[Mapping[str, tuple[Case, ...]]] = {
    "get_health": (Case(_nothing),),
    "get_readiness": (Case(_nothing),),
    "get_model": (Case(_nothing),),
    "get_index": (Case(_nothing, operator=True),),
    "get_metrics": (Case(_nothing, operator=True),),
    "get_stats": (Case(_nothing),),
    "get_own_key": (Case(_nothing),),
    "list_collections": (Case(_nothing),),
    "get_collection": (Case(lambda n: _path(name=n.collection)),),
    "get_calibration": (Case(lambda n: _path(name=n.collection)),),
    "list_gallery": (
        Case(_query),
        Case(lambda n: _query(n, external_id=n.external)),
        Case(lambda n: _query(n, camera_ids=[n.camera], vehicle_ids=[n.vehicle], vehicle_confirmed=True)),
        Case(lambda n: _query(n, attributes=json.dumps({"note": f"{n.collection}-attribute"}))),
        Case(lambda n: _query(n, cursor=n.crop)),
    ),
    "get_crop": (Case(lambda n: _path(crop_id=n.crop)),),
    "get_crop_image": (
        Case(lambda n: _path(crop_id=n.crop)),
        Case(lambda n: {**_path(crop_id=n.crop), "headers": {"If-None-Match": "*"}}),
    ),
    "get_timeline": (Case(_query), Case(lambda n: _query(n, camera_ids=[n.camera]))),
    "list_cameras": (Case(_query), Case(lambda n: _query(n, cursor=f"{n.camera[:-1]}"))),
    "get_camera": (Case(lambda n: {**_path(camera_id=n.camera), **_query(n)}),),
    "list_tracks": (Case(_query), Case(lambda n: _query(n, session_id=n.session, camera_ids=[n.camera]))),
    "get_track": (Case(lambda n: _query(n, camera_id=n.camera, session_id=n.session, track_id=n.track)),),
    "list_vehicles": (Case(_query), Case(lambda n: _query(n, claimed=True))),
    "get_vehicle": (Case(_of_vehicle),),
    "list_sightings": (Case(_of_vehicle),),
    "list_judgements": (Case(_query), Case(lambda n: _query(n, crop_id=n.crop))),
    "list_jobs": (Case(_nothing), Case(_query), Case(lambda n: {"params": {"cursor": n.job}})),
    "get_job": (Case(lambda n: _path(job_id=n.job)),),
    "list_watches": (Case(_nothing), Case(_query), Case(lambda n: {"params": {"cursor": n.watch}})),
    "get_watch": (Case(lambda n: _path(watch_id=n.watch)),),
    "list_watch_hits": (Case(lambda n: {**_path(watch_id=n.watch), "params": {"after": 0}}),),
    "list_deliveries": (Case(lambda n: {**_path(watch_id=n.watch), "params": {"state": "pending"}}),),
    "list_keys": (Case(_nothing, operator=True), Case(lambda n: {"params": {"cursor": n.key}}, operator=True)),
    "get_key": (Case(lambda n: _path(key_id=n.key), operator=True),),
    "list_audit": (
        Case(_nothing),
        Case(_query),
        Case(lambda n: {"params": {"crop_id": n.crop}}),
        Case(lambda n: {"params": {"key_id": n.key}}),
    ),
    "export_audit": (Case(_nothing), Case(_query), Case(lambda n: {"params": {"crop_id": n.crop, "format": "csv"}})),
    "search_by_image": (
        Case(lambda n: _form(n, k="1000", group_by="crop")),
        Case(lambda n: _form(n, camera_ids=n.camera, vehicle_ids=n.vehicle)),
        Case(lambda n: _form(n, camera_id=n.camera, rerank="k_reciprocal", camera_normalization="true")),
    ),
    "search_by_crop": (
        Case(lambda n: _body(n, crop_ids=[n.crop])),
        Case(lambda n: _body(n, crop_ids=[n.own], not_crop_ids=[n.crop])),
    ),
    "search_by_embedding": (Case(lambda n: _body(n, vector=n.vector, model_id=n.model_id, group_by="vehicle")),),
}
"""What answers and leaves all as it was."""

CHANGING: Final[Mapping[str, tuple[Case, ...]]] = {
    "enroll_crops": (
        Case(lambda n: _form(n, camera_id="gate", external_id=f"{n.external}-more")),
        Case(lambda n: _form(n, camera_id="gate", external_id=n.external)),
    ),
    "update_crop": (Case(lambda n: {**_path(crop_id=n.crop), "json": {"attributes": {"colour": "red"}}}),),
    "create_collection": (Case(lambda n: {"json": {"name": n.collection}}, status=409),),
    "update_collection": (Case(lambda n: {**_path(name=n.collection), "json": {"description": "other"}}),),
    "create_camera": (Case(lambda n: _body(n, camera_id=f"{n.camera}-new")),),
    "update_camera": (Case(lambda n: {**_path(camera_id=n.camera), **_query(n), "json": {"name": "other"}}),),
    "create_calibration": (
        Case(
            lambda n: {
                **_path(name=n.collection),
                "json": {"pairs": [{"crop_id": n.crop, "other_crop_id": n.other, "same": True}]},
            },
            status=422,  # one pair is too few
        ),
    ),
    "create_vehicle": (Case(lambda n: _body(n, crop_ids=[n.crop])),),
    "update_vehicle": (Case(lambda n: _of_vehicle(n, json={"label": "other"})),),
    "confirm_vehicle_crops": (Case(lambda n: _of_vehicle(n, json={"crop_ids": [n.other]})),),
    "remove_vehicle_crops": (Case(lambda n: _of_vehicle(n, json={"crop_ids": [n.other]})),),
    "split_vehicle": (Case(lambda n: _of_vehicle(n, json={"crop_ids": [n.vehicle_crop]})),),
    "create_judgement": (
        Case(lambda n: _body(n, crop_id=n.other, same=False, score=0.5)),
        Case(lambda n: _body(n, crop_id=n.own, query_crop_id=n.other, same=False)),
    ),
    "create_watch": (Case(lambda n: _body(n, name="taxi", crop_ids=[n.crop], min_score=0.5)),),
    "create_watch_by_image": (Case(lambda n: _form(n, name="taxi", min_score="0.99")),),
    "update_watch": (
        Case(lambda n: {**_path(watch_id=n.watch), "json": {"name": "other"}}),
        Case(lambda n: {**_path(watch_id=n.watch), "json": {"crop_ids": [n.other]}}),
    ),
    "retry_delivery": (Case(lambda n: _path(watch_id=n.watch, delivery_id=n.delivery)),),
    "test_webhook": (Case(lambda n: _path(watch_id=n.watch)),),
    "rotate_webhook_secret": (Case(lambda n: {**_path(watch_id=n.watch), "json": {}}),),
    "create_key": (
        Case(lambda n: {"json": {"name": "x", "scopes": ["read"], "collections": [n.collection]}}, operator=True),
    ),
    "update_key": (Case(lambda n: {**_path(key_id=n.key), "json": {"name": "other"}}, operator=True),),
    "rotate_key": (Case(lambda n: {**_path(key_id=n.key), "json": {}}, operator=True),),
    "create_job": (
        Case(lambda n: _body(n, kind="reembed_collection")),
        Case(lambda n: _body(n, kind="remove_images"), status=409),  # it keeps pictures
        Case(lambda _: {"json": {"kind": "rebuild_index"}}, operator=True),
    ),
    "cancel_job": (Case(lambda n: _path(job_id=n.job), status=409),),  # it has ended
}
"""What adds or changes something."""

DELETING: Final[Mapping[str, tuple[Case, ...]]] = {
    "merge_vehicles": (Case(lambda n: _body(n, **{"into": n.vehicle, "from": [n.second_vehicle]})),),
    "delete_vehicle": (Case(_of_vehicle),),
    "delete_judgement": (Case(lambda n: _path(judgement_id=n.judgement)),),
    "delete_calibration": (Case(lambda n: _path(name=n.collection)),),
    "delete_watch": (Case(lambda n: _path(watch_id=n.watch)),),
    "delete_crop": (Case(lambda n: _path(crop_id=n.other)),),
    "delete_crops": (
        Case(lambda n: _body(n, crop_ids=[n.crop], dry_run=True), counts_only=True),
        Case(lambda n: _body(n, camera_ids=[n.camera], dry_run=True), counts_only=True),
        Case(lambda n: _body(n, crop_ids=[n.crop])),
    ),
    "revoke_key": (Case(lambda n: _path(key_id=n.key), operator=True),),
    "delete_collection": (Case(lambda n: _path(name=n.collection)),),
}
"""What takes something away."""

CASES: Final = {**READING, **CHANGING, **DELETING}

_ROUTES: Final = {
    operation["operationId"]: (method.upper(), path)
    for path, operations in DESCRIPTION["paths"].items()
    for method, operation in operations.items()
}
OPERATIONS: Final = tuple(_ROUTES)
"""Every operation of the file."""


def requests(names: Names, cases: Mapping[str, tuple[Case, ...]] = CASES) -> Iterator[tuple[str, Case, Request]]:
    """Every request with these names: what it asks for, its case, and the arguments of httpx."""
    for operation, some in cases.items():
        method, path = _ROUTES[operation]
        for case in some:
            asked = case.ask(names)
            url = path.format(**asked.pop("path", {}))
            yield operation, case, {"method": method, "url": url, **asked}
