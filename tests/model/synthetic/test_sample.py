"""The shipped sample: complete, small, and honestly the generator's own."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from model.synthetic import plan, render
from model.synthetic.sample import SAMPLE, load_sample


def test_manifest_is_what_the_generator_plans() -> None:
    arguments = dict(SAMPLE)
    sizes = arguments.pop("identities"), arguments.pop("cameras"), arguments.pop("seed")
    assert [crop.row for crop in load_sample()] == plan(*sizes, **arguments)


def test_every_crop_is_there_and_the_folder_is_small() -> None:
    crops = load_sample()
    assert all(crop.path.is_file() for crop in crops)
    assert sum(crop.path.stat().st_size for crop in crops) < 2_500_000
    assert {path.name for path in crops[0].path.parent.glob("*.jpg")} == {crop.row.file for crop in crops}


def test_is_a_fair_everyday_mix() -> None:
    crops = load_sample()
    vehicles = {crop.row.vehicle_id: crop.row for crop in crops}
    assert 24 <= len(vehicles) <= 30
    assert len({row.type for row in vehicles.values()}) == 8
    assert len({row.colour for row in vehicles.values()}) >= 6
    # Colour and type alone do not tell the vehicles apart.
    assert Counter((row.type, row.colour) for row in vehicles.values()).most_common(1)[0][1] >= 2
    assert Counter(crop.row.split for crop in crops)["query"] == 6
    assert len({crop.row.captured_at[:10] for crop in crops}) == 2
    assert len({crop.row.camera_id for crop in crops}) == 4


def test_each_query_has_its_vehicle_in_the_gallery_on_another_camera() -> None:
    crops = load_sample()
    seen = {(crop.row.vehicle_id, crop.row.camera_id) for crop in crops if crop.row.split == "gallery"}
    for crop in crops:
        if crop.row.split == "query":
            assert any(vehicle == crop.row.vehicle_id and camera != crop.row.camera_id for vehicle, camera in seen)


def test_loads_without_vtk() -> None:
    script = (
        "import sys; from model.synthetic.sample import load_sample; load_sample();"
        "print(any(name.startswith(('vtk', 'torch')) for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.usefixtures("opengl")
@pytest.mark.parametrize("number", [0, 40, 80, -1])
def test_crop_can_be_drawn_again(number: int) -> None:
    row, path = load_sample()[number]
    with Image.open(path) as shipped:
        stored = np.asarray(shipped.convert("RGB"), dtype=float)
    drawn = np.asarray(render(row.identity(), row.camera(), row.view()), dtype=float)
    assert drawn.shape == stored.shape
    # JPEG and another driver's rounding move single pixels; another vehicle, light or pose would move them all.
    assert np.abs(drawn - stored).mean() < 6
    assert np.corrcoef(drawn.ravel(), stored.ravel())[0, 1] > 0.97
