"""One vehicle, one camera, one moment: a crop as a detector would cut it."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from model.synthetic.camera import View
from model.synthetic.identity import BODIES, Identity
from model.synthetic.light import light_of
from model.synthetic.photo import photograph
from model.synthetic.vehicle import build

if TYPE_CHECKING:
    from types import ModuleType

    from model.synthetic.camera import Camera
    from model.synthetic.shapes import Array
    from model.synthetic.stage import Placed, Stage
    from model.synthetic.vehicle import Vehicle

SHORTEST: Final = 100
LONGEST: Final = 300
"""The longer side of a crop, in pixels, lies between these two."""
_OVERSAMPLING: Final = 2
_NEAR, _FAR = 1.0, 400.0
_local = threading.local()


def render(identity: Identity, camera: Camera, view: View | int) -> Image.Image:
    """Picture of a vehicle as a camera's detector would cut it, RGB, 100 to 300 pixels on its longer side.

    The same arguments give the same pixels on one machine; another OpenGL driver may differ by a few grey levels.

    Args:
        identity: The vehicle.
        camera: Who looks.
        view: The moment, or the seed of one.

    Raises:
        RenderingUnavailableError: VTK or a software OpenGL is missing; the message says what to install.
        ValueError: Negative seed.
    """
    moment = View.sample(view) if isinstance(view, int) else view
    stage_module = _stage_module()
    placed = _placed(identity, camera, moment)
    eye, axes = _pose(camera, moment)
    box, focal = _crop(placed[0], camera, moment, eye, axes)
    size = round(box[2] - box[0]), round(box[3] - box[1])
    light = light_of(camera, moment)
    shot = stage_module.Shot(
        clip=_clip(box, focal, eye, axes),
        eye=eye,
        size=(size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING),
        light=light,
        ground={
            "uShift": (moment.along + 100.0, moment.across, 0.0),
            "uLane": (camera.lane_width, float(camera.lanes[0]), float(camera.lanes[1])),
            "uAsphalt": camera.asphalt,
        },
        roadside=camera.roadside,
        beam=identity.length / 2,
        skyline=camera.north / 57.3 + moment.along * 0.15,
    )
    drawn = Image.fromarray(_stage().draw(placed, shot)).resize(size, Image.Resampling.BOX)
    return photograph(drawn, camera, moment, light.dark)


@lru_cache(maxsize=32)
def _built(identity: Identity) -> Vehicle:
    return build(identity)


def _stage_module() -> ModuleType:
    try:
        from model.synthetic import stage
    except ImportError as error:
        raise RuntimeError("pictures are drawn with VTK: pip install 'clip-senet-service[synthetic]'") from error
    return stage


def _stage() -> Stage:
    """The stage of this thread."""
    if not hasattr(_local, "stage"):
        _local.stage = _stage_module().Stage()
    stage: Stage = _local.stage
    return stage


def _placed(identity: Identity, camera: Camera, view: View) -> list[Placed]:
    """The vehicle itself, in the middle of the stage, and the traffic beside it."""
    placed = _stage_module().Placed
    own = [placed(_built(identity), 0.0, 0.0, view.yaw)]
    if view.occluder != "traffic":
        return own
    other = Identity.sample(view.traffic_seed, BODIES[view.traffic_seed % 3])
    reach = (identity.length + other.length) / 2
    if camera.facing == "side":
        # Half beside it, in the next lane on the camera's side: it covers a corner, not the middle.
        side = 1 if camera.bearing > 0 else -1
        shift = view.occluder_side * reach * (0.95 - 2 * view.occlusion)
        return [*own, placed(_built(other), shift, side * camera.lane_width, 0.0)]
    # In the same queue, on the camera's side: it covers the lower part of the end that the camera sees.
    towards = 1 if camera.facing == "front" else -1
    return [*own, placed(_built(other), towards * (reach + 1.8 - 5 * view.occlusion), 0.35 * view.occluder_side, 0.0)]


def _pose(camera: Camera, view: View) -> tuple[Array, Array]:
    """Place of the camera relative to the vehicle, and its axes (right, down, ahead), shape (3, 3)."""
    fixed = np.array(camera.position)
    ahead = np.array([0.0, 0.0, 0.6]) - fixed
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return fixed - [view.along, view.across, 0.0], np.stack([right, np.cross(ahead, right), ahead])


def _crop(
    own: Placed, camera: Camera, view: View, eye: Array, axes: Array
) -> tuple[tuple[float, float, float, float], float]:
    """Box around the vehicle with the view's margins, in pixels off the optical axis, and its focal length."""
    points = own.vehicle.surface.points
    turn = np.radians(own.yaw)
    turned = points @ np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    seen = (turned - eye) @ axes.T
    across, down = seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2]
    left, top, right, bottom = across.min(), down.min(), across.max(), down.max()
    width, height = right - left, bottom - top
    left, right = left - view.margin[0] * width, right + view.margin[2] * width
    top, bottom = top - view.margin[1] * height, bottom + view.margin[3] * height
    longer = max(right - left, bottom - top)
    focal = float(np.clip(camera.focal * longer, SHORTEST, LONGEST) / longer)
    corner = round(left * focal), round(top * focal)
    size = max(16, round((right - left) * focal)), max(16, round((bottom - top) * focal))
    return (corner[0], corner[1], corner[0] + size[0], corner[1] + size[1]), focal


def _clip(box: tuple[float, float, float, float], focal: float, eye: Array, axes: Array) -> Array:
    """World to clip space for a crop of the frame, shape (4, 4)."""
    left, top, right, bottom = box
    across, down = 2 * focal / (right - left), 2 * focal / (bottom - top)
    project = np.array([
        [across, 0, -(right + left) / (right - left), 0],
        [0, -down, (bottom + top) / (bottom - top), 0],
        [0, 0, (_FAR + _NEAR) / (_FAR - _NEAR), -2 * _FAR * _NEAR / (_FAR - _NEAR)],
        [0, 0, 1, 0],
    ])  # fmt: skip
    world = np.eye(4)
    world[:3, :3] = axes
    world[:3, 3] = -axes @ eye
    return project @ world
