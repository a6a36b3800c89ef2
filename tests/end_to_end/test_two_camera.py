"""The service against the offline evaluation of the same weights, on real crops."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.processes import ServiceProcess, data_folder

from model.datasets import Crops, open_dataset
from model.embedder import Embedder
from model.evaluation import evaluate

pytestmark = pytest.mark.shared_data

PATTERN = r"(?P<vehicle>.+)_cam(?P<camera>\d+)\.jpg"


@pytest.fixture(scope="module")
def service(two_camera: Path) -> Iterator[ServiceProcess]:
    with data_folder() as folder, ServiceProcess(folder, device="cpu") as service:
        yield service


def ingest_val(two_camera: Path, service: ServiceProcess) -> None:
    listed = [two_camera / "images", "--list", two_camera / "val.txt", "--pattern", PATTERN]
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "ingest", *map(str, listed), "--url", service.address],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def first_hits(crops: Crops, service: ServiceProcess) -> list[str]:
    """The vehicle ranked first for each crop as query, its own camera left out."""
    vehicles = []
    with httpx.Client(base_url=service.address, timeout=60) as client:
        for crop in crops:
            camera = crop.camera.removeprefix("cam")  # as PATTERN has it
            answer = client.post(
                "/search",
                files={"images": crop.path.read_bytes()},
                data={"camera_id": camera, "exclude_same_camera": "true", "k": 1, "group_by": "crop"},
            )
            assert answer.status_code == 200, answer.text
            (hit,) = answer.json()["hits"]
            assert hit["crop"]["camera_id"] != camera
            vehicles.append(hit["crop"]["vehicle_id"])
    return vehicles


def test_r1_of_the_service_is_that_of_the_offline_evaluation(two_camera: Path, service: ServiceProcess) -> None:
    val = open_dataset(two_camera).test("val")
    crops = val.query
    ingest_val(two_camera, service)
    cameras = httpx.get(f"{service.address}/cameras").json()["items"]
    assert sum(camera["crops"] for camera in cameras) == len(crops) == 204
    found = first_hits(crops, service)
    r1 = 100 * sum(vehicle == crop.vehicle for vehicle, crop in zip(found, crops, strict=True)) / len(crops)
    offline = evaluate(Embedder.load(), val).figures()["all"]["R1"]
    assert r1 == pytest.approx(offline)


def test_ingesting_the_list_again_enrolls_nothing_twice(two_camera: Path, service: ServiceProcess) -> None:
    ingest_val(two_camera, service)
    ingest_val(two_camera, service)
    cameras = httpx.get(f"{service.address}/cameras").json()["items"]
    assert sum(camera["crops"] for camera in cameras) == 204
