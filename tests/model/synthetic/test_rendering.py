"""Pictures: deterministic, headless, true to the identity, and changed by what is said to change them."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from model.synthetic import Camera, Identity, View, render
from model.synthetic.camera import FIRST_DAY
from model.synthetic.identity import BODIES, Paint

pytestmark = pytest.mark.usefixtures("opengl")


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, dtype=float)


def sharpness(picture: Image.Image) -> float:
    """Mean step between neighbours along a row."""
    return float(np.abs(np.diff(pixels(picture), axis=1)).mean())


def test_same_arguments_give_the_same_pixels(camera: Camera) -> None:
    first = render(Identity.sample(8), camera, 4)
    render(Identity.sample(9), camera, 5)
    again = render(Identity.sample(8), camera, 4)
    assert first.tobytes() == again.tobytes()


@pytest.mark.parametrize("body", BODIES)
def test_every_body_is_cut_as_a_detector_would(body: str, camera: Camera, noon: View) -> None:
    picture = render(Identity.sample(2, body), camera, noon)
    assert picture.mode == "RGB"
    assert 100 <= max(picture.size) <= 300
    assert min(picture.size) > 40


@pytest.mark.parametrize("body", [body for body in BODIES if body != "motorcycle"])
def test_crop_is_tight_around_the_vehicle(body: str, camera: Camera, noon: View) -> None:
    identity = Identity.sample(2, body)
    white, black = (
        pixels(render(dataclasses.replace(identity, paint=Paint("", rgb, 0.0, None, rgb, "none")), camera, noon))
        for rgb in ((240, 240, 240), (10, 10, 10))
    )
    # What the paint changes is the vehicle (of a truck, the cab): it fills the crop, and the corners show the road.
    changed = np.abs(white - black).max(axis=2) > 40
    height, width = changed.shape
    across = np.flatnonzero(changed.any(axis=0))
    assert np.ptp(across) > (0.12 if body == "box_truck" else 0.75) * width
    assert not any(changed[row, column] for row in (0, height - 1) for column in (0, width - 1))


def test_two_vehicles_of_one_type_and_colour_differ(camera: Camera, noon: View) -> None:
    sedans = [one for one in (Identity.sample(seed, "sedan") for seed in range(60)) if one.paint.name == "white"][:2]
    first, second = (render(one, camera, noon).resize((160, 100)) for one in sedans)
    assert np.abs(pixels(first) - pixels(second)).mean() > 6


def test_paint_keeps_its_colour_across_cameras(noon: View) -> None:
    def hue(identity: Identity, camera: Camera) -> np.ndarray:
        levels = pixels(render(identity, camera, noon))
        height, width = levels.shape[:2]
        middle = levels[height // 4 : -height // 4, width // 4 : -width // 4].reshape(-1, 3).mean(axis=0)
        return middle - middle.mean()

    plain = [
        one
        for one in (Identity.sample(seed, "van") for seed in range(400))
        if one.paint.second_name is None and one.dirt < 0.3
    ]
    red = next(one for one in plain if one.paint.name == "red")
    blue = next(one for one in plain if one.paint.name == "blue")
    cameras = [Camera.sample(1, "rear"), Camera.sample(2, "front")]
    for camera in cameras:
        reddish, bluish = hue(red, camera), hue(blue, camera)
        assert reddish[0] > 10 > reddish[2]
        assert bluish[2] > 10 > bluish[0]


def test_motion_blur_softens(camera: Camera, noon: View) -> None:
    identity = Identity.sample(4, "suv")
    still, moving = (render(identity, camera, dataclasses.replace(noon, speed_blur=length)) for length in (0.0, 6.0))
    assert sharpness(moving) < 0.85 * sharpness(still)


@pytest.mark.parametrize("facing", ["rear", "side"])
@pytest.mark.parametrize("occluder", ["pole", "leaves", "traffic"])
def test_occluder_covers_a_part_only(occluder: str, facing: str, noon: View) -> None:
    identity, camera = Identity.sample(6, "sedan"), Camera.sample(5 if facing == "rear" else 3, facing)
    free = pixels(render(identity, camera, noon))
    covered = pixels(render(identity, camera, dataclasses.replace(noon, occluder=occluder, occlusion=0.2)))
    changed = (np.abs(free - covered).max(axis=2) > 25).mean()
    assert 0.005 < changed < 0.5


def test_night_is_dark_and_rear_lamps_shine(camera: Camera, noon: View) -> None:
    identity = Identity.sample(3, "hatchback")
    day = pixels(render(identity, camera, noon))
    night = pixels(render(identity, camera, dataclasses.replace(noon, captured_at=FIRST_DAY.replace(hour=22))))
    assert night.mean() < 0.75 * day.mean()
    redness = night[..., 0] - night[..., 1:].max(axis=2)
    assert redness.max() > 60


def test_brake_lights_show(camera: Camera, noon: View) -> None:
    identity = Identity.sample(3, "hatchback")
    off, on = (pixels(render(identity, camera, dataclasses.replace(noon, braking=lit))) for lit in (False, True))
    assert (on - off)[..., 0].max() > 40


def test_margin_widens_the_crop(camera: Camera, noon: View) -> None:
    identity = Identity.sample(3, "van")
    tight, wide = (render(identity, camera, dataclasses.replace(noon, margin=(m, 0.0, m, 0.0))) for m in (0.0, 0.3))
    assert wide.width / wide.height > 1.4 * tight.width / tight.height


def test_draws_without_screen_and_says_nothing() -> None:
    script = (
        "from model.synthetic import Camera, Identity, render\n"
        "print(render(Identity.sample(1), Camera.sample(1), 1).size[0] > 0)"
    )
    hidden = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=hidden, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")


def test_missing_vtk_is_said_in_one_sentence() -> None:
    script = (
        "import sys; sys.modules['vtkmodules'] = None\n"
        "from model.synthetic import Camera, Identity, render\n"
        "try: render(Identity.sample(1), Camera.sample(1), 1)\n"
        "except RuntimeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "pictures are drawn with VTK: pip install 'clip-senet-service[synthetic]'"
