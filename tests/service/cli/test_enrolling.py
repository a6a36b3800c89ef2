import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from service.cli.client import connect
from service.cli.enrolling import CropFile, Enroller, Tally

TOO_LARGE = (413, {}, {"title": "Too large", "detail": "Body above the limit.", "code": "too_large"})


def names(body: bytes) -> list[str]:
    return [name.decode() for name in re.findall(rb'filename="([^"]+)"', body)]


def all_enrolled(body: bytes) -> tuple[int, dict[str, str], object]:
    items = [
        {"index": at, "status": "enrolled", "id": name, "reason": None, "code": None}
        for at, name in enumerate(names(body))
    ]
    return 201, {}, {"items": items, "sequence": 1, "model_id": "m"}


@pytest.fixture
def crops(tmp_path: Path) -> list[CropFile]:
    made = [
        CropFile(tmp_path / f"{number}.jpg", {"external_id": str(number), "camera_id": "1"}) for number in range(10)
    ]
    for crop in made:
        crop.path.write_bytes(b"picture")
    return made


def enroll(address: str, crops: list[CropFile], **how: float) -> tuple[Tally, list[int]]:
    tally, seen = Tally(), []
    with connect(address) as client:
        Enroller(client, **how).enroll(crops, tally, lambda so_far: seen.append(so_far.done))
    return tally, seen


class TestEnroller:
    def test_sends_every_crop_once_in_batches_and_tells_its_progress(
        self, script: SimpleNamespace, crops: list[CropFile]
    ) -> None:
        script.answers = [all_enrolled]
        tally, seen = enroll(script.address, crops, batch_size=4, parallel=2)
        assert (tally.enrolled, tally.duplicate, tally.rejected, tally.failure) == (10, 0, [], None)
        assert sorted(len(names(body)) for body in script.bodies) == [2, 4, 4]
        assert sorted(name for body in script.bodies for name in names(body)) == sorted(
            crop.path.name for crop in crops
        )
        assert len(seen) == 3
        assert seen[-1] == 10

    def test_waits_for_a_busy_service(self, script: SimpleNamespace, crops: list[CropFile]) -> None:
        script.answers = [(429, {"Retry-After": "0"}, {"title": "Overloaded"}), all_enrolled]
        tally, _ = enroll(script.address, crops, patience_s=5)
        assert (tally.enrolled, tally.failure) == (10, None)

    def test_sends_smaller_requests_where_one_is_too_large_and_rejects_what_alone_is(
        self, script: SimpleNamespace, crops: list[CropFile]
    ) -> None:
        crops[6].path.write_bytes(b"x" * 5000)
        script.answers = [lambda body: TOO_LARGE if len(body) > 4500 else all_enrolled(body)]
        tally, _ = enroll(script.address, crops, batch_size=10)
        assert tally.enrolled == 9
        (rejection,) = tally.rejected
        assert (rejection.file, rejection.external_id, rejection.code) == (str(crops[6].path), "6", "too_large")
        assert "Body above the limit." in rejection.reason

    @pytest.mark.parametrize(
        ("status", "code", "reasons"),
        [
            (409, "external_id_conflict", ["external_id_conflict"] * 4),
            (422, "all_rejected", ["undecodable_image", "external_id_conflict", "too_large", "invalid_value"]),
        ],
    )
    def test_goes_on_after_a_batch_in_which_every_crop_was_rejected(
        self, script: SimpleNamespace, crops: list[CropFile], status: int, code: str, reasons: list[str]
    ) -> None:
        errors = [{"index": at, "code": reason, "detail": f"crop {at}"} for at, reason in enumerate(reasons)]
        answer = (status, {}, {"title": "None", "detail": "None at all.", "code": code, "errors": errors})
        script.answers = [answer, all_enrolled]
        tally, _ = enroll(script.address, crops, batch_size=4, parallel=1)
        assert (tally.enrolled, tally.failure) == (6, None)
        assert [(one.external_id, one.code, one.reason) for one in tally.rejected] == [
            (str(at), reason, f"crop {at}") for at, reason in enumerate(reasons)
        ]
        assert len(script.bodies) == 3

    def test_stops_where_the_whole_collection_is_in_conflict(
        self, script: SimpleNamespace, crops: list[CropFile]
    ) -> None:
        script.answers = [(409, {}, {"title": "Another model", "code": "model_mismatch", "errors": []})]
        tally, _ = enroll(script.address, crops, parallel=1)
        assert (tally.done, len(script.bodies)) == (0, 1)
        assert tally.failure is not None
        assert tally.failure.code == "model_mismatch"

    def test_rejects_an_unreadable_file_and_sends_the_others(
        self, script: SimpleNamespace, crops: list[CropFile]
    ) -> None:
        crops[3].path.unlink()
        script.answers = [all_enrolled]
        tally, _ = enroll(script.address, crops)
        assert tally.enrolled == 9
        assert [(one.external_id, one.code) for one in tally.rejected] == [("3", "unreadable_file")]

    def test_stops_at_a_failure_of_the_service_and_keeps_count_of_what_was_answered(
        self, script: SimpleNamespace, crops: list[CropFile]
    ) -> None:
        broken = (500, {}, {"title": "Unexpected error", "code": "internal_error"})
        script.answers = [all_enrolled, broken]
        tally, _ = enroll(script.address, crops, batch_size=2, parallel=1)
        assert tally.enrolled == 2
        assert tally.failure is not None
        assert tally.failure.code == "internal_error"
        assert len(script.bodies) < 5
