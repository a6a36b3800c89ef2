"""What the demo makes of an answer; the demo as a whole is in tests/end_to_end."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model.synthetic.sample import load_sample
from service.cli.client import ServiceProblem, connect
from service.cli.demo import _advice, _service_environment, _show_search
from service.settings import Settings

QUERY = next(crop.row for crop in load_sample() if crop.row.split == "query")


def hit(rank: int, vehicle_id: str) -> dict[str, Any]:
    crop = {"id": str(rank), "vehicle_id": vehicle_id, "camera_id": "cam9", "captured_at": None}
    return {"rank": rank, "score": 0.9, "crop": crop}


def answering(*vehicles: str, rejected: str | None = None) -> Any:
    def answer(body: bytes) -> tuple[int, dict[str, str], object]:
        if b'name="items"' in body:
            count = len(re.findall(rb'name="images"', body))
            status, reason = ("rejected", f"{rejected} in words") if rejected else ("duplicate", None)
            items = [{"status": status, "id": "", "reason": reason, "code": rejected}] * count
            return 201, {}, {"items": items, "sequence": 1, "model_id": "m"}
        assert b'name="camera_id"\r\n\r\n' + QUERY.camera_id.encode() in body
        hits = [hit(at + 1, vehicle) for at, vehicle in enumerate(vehicles)]
        return 200, {}, {"hits": hits, "search": {"candidates": 7, "took_ms": {"total": 1.0}}}

    return answer


@pytest.mark.parametrize(
    ("vehicles", "right"),
    [((QUERY.vehicle_id, "other"), True), (("other", QUERY.vehicle_id), False), ((), False)],
)
def test_is_right_only_where_the_querys_vehicle_is_first(
    script: SimpleNamespace, capsys: pytest.CaptureFixture[str], vehicles: tuple[str, ...], *, right: bool
) -> None:
    script.answers = [answering(*vehicles)]
    with connect(script.address) as client:
        assert _show_search(client) is right
    assert capsys.readouterr().out.count("the same vehicle") == vehicles.count(QUERY.vehicle_id)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((409, {}, {"title": "Another model", "detail": "", "code": "model_mismatch"}), "Another model."),
        (answering(rejected="external_id_conflict"), "was rejected. external_id_conflict in words"),
    ],
)
def test_says_what_to_do_about_the_folder_of_another_release(script: SimpleNamespace, answer: Any, reason: str) -> None:
    script.answers = [answer]
    with connect(script.address) as client, pytest.raises(ServiceProblem) as problem:
        _show_search(client)
    advice = _advice(problem.value, Path("data/demo"))
    assert reason in advice
    assert "rm -r data/demo" in advice


def test_its_service_takes_no_setting_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the sample would be enrolled in whatever database the user works with."""
    for name in Settings.model_fields:
        monkeypatch.setenv(f"CLIP_SENET_{name.upper()}", "mine")
    monkeypatch.setenv("clip_senet_database_url", "mine")
    monkeypatch.setenv("HTTPS_PROXY", "kept")
    environment = _service_environment()
    assert "mine" not in environment.values()
    assert environment["HTTPS_PROXY"] == "kept"


def test_leaves_the_folder_alone_where_something_else_is_wrong() -> None:
    assert "rm -r" not in _advice(ServiceProblem("No service answers"), Path("data/demo"))
