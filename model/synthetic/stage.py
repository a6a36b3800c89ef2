"""The stage: one off-screen VTK window that draws a road with vehicles on it. Needs the extra `synthetic` (VTK)."""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkDataObject, vtkImageData, vtkPolyData

from vtkmodules.vtkCommonCore import vtkPoints  # isort: skip
from vtkmodules.vtkRenderingCore import vtkActor, vtkRenderer, vtkRenderWindow, vtkTexture
from vtkmodules.vtkRenderingOpenGL2 import vtkOpenGLPolyDataMapper

from model.synthetic.shaders import GROUND, VEHICLE, VERTEX
from model.synthetic.shapes import Surface

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from model.synthetic.light import Light
    from model.synthetic.shapes import Array
    from model.synthetic.vehicle import Vehicle

Uniform = float | tuple[float, ...]
SHADOW_METRES: Final = 16.0
_SHADOW_PIXELS: Final = 128
_CHART_PIXELS: Final = 64
_KEPT: Final = 24
_SIDES: Final[dict[str, tuple[float, float, float]]] = {
    "grass": (0.10, 0.14, 0.05),
    "pavement": (0.30, 0.28, 0.26),
    "gravel": (0.24, 0.20, 0.15),
}


class RenderingUnavailableError(RuntimeError):
    """No way to draw on this machine: VTK or a software OpenGL is missing."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A vehicle on the road: x and y of its middle in metres, and its heading in degrees."""

    vehicle: Vehicle
    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0


@dataclass(frozen=True, slots=True)
class Shot:
    """All that a picture of the stage is made from.

    Attributes:
        clip: World to clip space, shape (4, 4), OpenGL convention.
        eye: Place of the camera, metres.
        size: Width and height of the picture in pixels.
        light: Light of the moment.
        ground: Values of the ground's uniforms that belong to the camera: uShift, uLane, uAsphalt.
        roadside: What lies beside the road.
        beam: Half the length of the first vehicle: where its lamps are.
        skyline: Any number; shapes the reflected skyline and clouds.
    """

    clip: Array
    eye: Array
    size: tuple[int, int]
    light: Light
    ground: Mapping[str, Uniform]
    roadside: str
    beam: float
    skyline: float


class Stage:
    """Draws shots. One per process and thread: an OpenGL context belongs to the thread that made it."""

    def __init__(self) -> None:
        self._window = _off_screen_window()
        self._renderer = vtkRenderer()
        # Cullers judge by VTK's own camera; the shader uses the clip matrix of the shot instead.
        self._renderer.GetCullers().RemoveAllItems()
        self._window.AddRenderer(self._renderer)
        self._actors: OrderedDict[int, tuple[Vehicle, vtkActor]] = OrderedDict()
        self._chart = _texture(np.zeros((_CHART_PIXELS, 2 * _CHART_PIXELS, 3), np.uint8), repeat=False)
        self._shadow = _texture(np.zeros((_SHADOW_PIXELS, _SHADOW_PIXELS, 3), np.uint8), repeat=False)
        noise = np.random.default_rng(7).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        smooth = (
            Image.fromarray(np.tile(noise, (3, 3, 1)))
            .resize((768, 768), Image.Resampling.BICUBIC)
            .crop((256, 256, 512, 512))
        )
        self._ground = _actor(
            _ground_mesh(),
            GROUND,
            {
                "chartTexture": self._chart,
                "shadowTexture": self._shadow,
                "noiseTexture": _texture(np.asarray(smooth), repeat=True),
            },
        )

    def draw(self, placed: list[Placed], shot: Shot) -> NDArray[np.uint8]:
        """Picture of the vehicles on the road, uint8, shape (height, width, 3), sRGB.

        Raises:
            RenderingUnavailableError: The window gives no picture.
        """
        self._renderer.RemoveAllViewProps()
        chart = _surroundings(shot)
        self._chart.SetInputData(_image_data((chart / chart.max() * 255).astype(np.uint8)))
        common = _light_uniforms(shot) | {"uChartScale": float(chart.max())}
        self._set_shadow(placed, shot.light)
        lit = shot.light.dark
        own = {
            **shot.ground,
            "uSide": _SIDES[shot.roadside],
            "uShadowSize": SHADOW_METRES,
            "uWet": shot.light.wet,
            "uBeam": (shot.beam, 0.9 * lit, 0.25 * lit),
        }
        _set_uniforms(self._ground, common | own, shot.clip, (0.0, 0.0, 0.0))
        self._renderer.AddActor(self._ground)
        for one in placed:
            actor = self._actor_of(one.vehicle)
            _set_uniforms(actor, common, shot.clip, (one.x, one.y, one.yaw))
            self._renderer.AddActor(actor)
        haze = np.clip(np.array(shot.light.horizon) * shot.light.exposure, 0, 1) ** (1 / 2.2)
        self._renderer.SetBackground(*(float(channel) for channel in haze * 0.8))
        return self._picture(shot.size)

    def _picture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        self._window.SetSize(*size)
        self._window.Render()
        pixels = vtkUnsignedCharArray()
        self._window.GetPixelData(0, 0, size[0] - 1, size[1] - 1, 0, pixels, 0)
        if pixels.GetNumberOfTuples() != size[0] * size[1]:
            raise RenderingUnavailableError(_HELP)
        values: NDArray[np.uint8] = vtk_to_numpy(pixels)  # type: ignore[no-untyped-call]
        picture: NDArray[np.uint8] = values.reshape(size[1], size[0], -1)[::-1, :, :3].copy()
        return picture

    def _actor_of(self, vehicle: Vehicle) -> vtkActor:
        key = id(vehicle)
        if key not in self._actors:
            textures = {
                "chartTexture": self._chart,
                "colourTexture": _texture(vehicle.colour, repeat=False),
                "finishTexture": _texture(vehicle.finish, repeat=False),
            }
            # The vehicle is kept beside its actor, so that its id is not given to another while this entry lives.
            self._actors[key] = (vehicle, _actor(vehicle.surface, VEHICLE, textures))
            while len(self._actors) > _KEPT:
                _, (_, old) = self._actors.popitem(last=False)
                old.ReleaseGraphicsResources(self._window)
        self._actors.move_to_end(key)
        return self._actors[key][1]

    def _set_shadow(self, placed: list[Placed], light: Light) -> None:
        sun = np.zeros((_SHADOW_PIXELS, _SHADOW_PIXELS), np.float32)
        sky = np.zeros_like(sun)
        for one in placed:
            points, large = _on_road(one)
            slope = np.array(light.direction[:2]) / max(light.direction[2], 0.15)
            sun = np.maximum(sun, _stencil(points[:, :2] - points[:, 2:] * slope, large, light.softness))
            sky = np.maximum(sky, np.minimum(1.35 * _stencil(points[:, :2], large, 0.30), 1.0))
        image = np.stack([sun, sky, np.zeros_like(sun)], axis=-1)
        self._shadow.SetInputData(_image_data((image * 255).astype(np.uint8)))


def _on_road(one: Placed) -> tuple[Array, NDArray[np.int64]]:
    """Points of a vehicle on the road, and its large triangles, between whose points the shadow would have gaps."""
    cos, sin = np.cos(np.radians(one.yaw)), np.sin(np.radians(one.yaw))
    surface = one.vehicle.surface
    x, y = surface.points[:, 0], surface.points[:, 1]
    points = np.stack([cos * x - sin * y + one.x, sin * x + cos * y + one.y, surface.points[:, 2]], axis=1)
    corners = surface.points[surface.triangles]
    reach = np.abs(corners - np.roll(corners, 1, axis=1)).max(axis=(1, 2))
    return points, surface.triangles[reach > 2 * SHADOW_METRES / _SHADOW_PIXELS]


def _stencil(points: Array, triangles: NDArray[np.int64], softness: float) -> NDArray[np.float32]:
    """Blurred picture, 0..1, of where a vehicle's points, shape (N, 2), fall on the road; row 0 is the largest y."""
    pixel = SHADOW_METRES / _SHADOW_PIXELS
    place = _SHADOW_PIXELS / 2 + points * np.array([1.0, -1.0]) / pixel
    column, row = np.floor(place).astype(int).T
    inside = (column >= 0) & (column < _SHADOW_PIXELS) & (row >= 0) & (row < _SHADOW_PIXELS)
    count = np.bincount(row[inside] * _SHADOW_PIXELS + column[inside], minlength=_SHADOW_PIXELS**2)
    mask = Image.fromarray(((count > 0) * 255).astype(np.uint8).reshape(_SHADOW_PIXELS, _SHADOW_PIXELS))
    draw = ImageDraw.Draw(mask)
    for corners in place[triangles].reshape(-1, 6).tolist():
        draw.polygon(corners, fill=255)
    mask = mask.filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.MinFilter(3))
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(softness / pixel)), np.float32) / np.float32(255)


def _surroundings(shot: Shot) -> Array:
    """What mirrors: sky, clouds and a skyline, linear light, shape (rows, 2 x rows, 3).

    The upper half space in stereographic projection (the shader's `surroundings` is its inverse), sharp and blurred.
    """
    steps = (np.arange(_CHART_PIXELS) + 0.5) / _CHART_PIXELS * 2 - 1
    x, y = np.meshgrid(steps, steps[::-1])
    square = np.minimum(x**2 + y**2, 1.0)
    up = (1 - square) / (1 + square)
    bearing = np.arctan2(y, x)
    phase = shot.skyline
    skyline = (
        0.16
        + 0.07 * np.sin(3 * bearing + phase)
        + 0.05 * np.sin(7 * bearing + 2.1 * phase)
        + 0.03 * np.sin(17 * bearing)
    )
    east, north = 2 * x / (1 + square), 2 * y / (1 + square)
    cloud = np.sin(4 * east / (up + 0.4) + phase) * np.sin(3 * north / (up + 0.4) + 1.7 * phase)
    horizon, zenith = np.array(shot.light.horizon), np.array(shot.light.zenith)
    sky = (horizon + (zenith - horizon) * np.sqrt(up)[..., None]) * (1 + 0.22 * cloud)[..., None]
    share = np.clip((up - skyline) / 0.06 + 0.5, 0, 1)[..., None]
    sharp = 0.22 * horizon * (1 - share) + sky * share
    # A wide mean, taken from a strongly reduced picture, is what a dull surface mirrors.
    peak = sharp.max()
    small = Image.fromarray((sharp / peak * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(_CHART_PIXELS / 7))
    return np.concatenate([sharp, np.asarray(small) / 255 * peak], axis=1)


def _light_uniforms(shot: Shot) -> dict[str, Uniform]:
    light = shot.light
    up = 0.45 * np.array(light.zenith) + 0.55 * np.array(light.horizon)
    asphalt = float(np.asarray(shot.ground["uAsphalt"]))
    road = asphalt * (0.8 * up + np.array(light.sun) * light.direction[2] * 0.7)
    return {
        "uEye": tuple(float(value) for value in shot.eye),
        "uSunDirection": light.direction,
        "uSunColour": light.sun,
        "uZenith": light.zenith,
        "uHorizon": light.horizon,
        "uRoadLight": tuple(float(value) for value in road),
        "uExposure": light.exposure,
        "uHeadlight": light.headlight,
        "uTaillight": light.taillight,
    }


def _set_uniforms(
    actor: vtkActor, values: Mapping[str, Uniform], clip: Array, pose: tuple[float, float, float]
) -> None:
    shader = actor.GetShaderProperty()
    vertex, fragment = shader.GetVertexCustomUniforms(), shader.GetFragmentCustomUniforms()
    for name, row in zip(("uClipX", "uClipY", "uClipZ", "uClipW"), clip.tolist(), strict=True):
        vertex.SetUniform4f(name, row)
    turn = np.radians(pose[2])
    vertex.SetUniform4f("uPose", [pose[0], pose[1], float(np.cos(turn)), float(np.sin(turn))])
    for name, value in values.items():
        if isinstance(value, tuple):
            fragment.SetUniform3f(name, list(value))
        else:
            fragment.SetUniformf(name, float(value))


def _actor(surface: Surface, fragment: str, textures: Mapping[str, vtkTexture]) -> vtkActor:
    mapper = vtkOpenGLPolyDataMapper()
    mapper.SetInputData(_poly_data(surface))
    mapper.MapDataArrayToVertexAttribute("aNormal", "normal", vtkDataObject.FIELD_ASSOCIATION_POINTS, -1)
    mapper.MapDataArrayToVertexAttribute("aPlace", "place", vtkDataObject.FIELD_ASSOCIATION_POINTS, -1)
    # VTK would rescale large meshes and undo that in matrices of its own, which the shader does not read.
    mapper.SetVBOShiftScaleMethod(0)
    mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetShaderProperty().SetVertexShaderCode(VERTEX)
    actor.GetShaderProperty().SetFragmentShaderCode(fragment)
    for name, texture in textures.items():
        actor.GetProperty().SetTexture(name, texture)
    actor.GetProperty().BackfaceCullingOn()
    # Holes are cut in the shader; VTK must not sort by the atlas' opacity.
    actor.ForceOpaqueOn()
    return actor


def _poly_data(surface: Surface) -> vtkPolyData:
    points = vtkPoints()
    points.SetData(_array(surface.points.astype(np.float32)))
    cells = vtkCellArray()
    offsets = np.arange(0, 3 * len(surface.triangles) + 1, 3)
    cells.SetData(_array(offsets), _array(surface.triangles.ravel()))
    data = vtkPolyData()
    data.SetPoints(points)
    data.SetPolys(cells)
    for name, values in (("normal", surface.normals), ("place", surface.uv)):
        array = _array(np.ascontiguousarray(values, np.float32))
        array.SetName(name)
        data.GetPointData().AddArray(array)
    return data


def _ground_mesh() -> Surface:
    corners = np.array([[-150.0, -150, 0], [150, -150, 0], [150, 150, 0], [-150, 150, 0]])
    return Surface(corners, np.tile([0.0, 0, 1], (4, 1)), np.zeros((4, 2)), np.array([[0, 1, 2], [0, 2, 3]]))


def _texture(pixels: NDArray[np.uint8], *, repeat: bool) -> vtkTexture:
    texture = vtkTexture()
    texture.SetInputData(_image_data(pixels))
    texture.SetColorModeToDirectScalars()
    texture.InterpolateOn()
    texture.MipmapOn()
    if repeat:
        texture.RepeatOn()
    else:
        texture.RepeatOff()
    return texture


def _image_data(pixels: NDArray[np.uint8]) -> vtkImageData:
    rows, columns, channels = pixels.shape
    data = vtkImageData()
    data.SetDimensions(columns, rows, 1)
    data.GetPointData().SetScalars(_array(np.ascontiguousarray(pixels[::-1]).reshape(-1, channels)))
    return data


def _array(values: NDArray[Any]) -> Any:  # noqa: ANN401 - VTK's arrays share no type that its methods accept
    """A copy of values in VTK's own memory, in their own type (indices as VTK's id type)."""
    convert: Any = numpy_to_vtkIdTypeArray if values.dtype == np.int64 else numpy_to_vtk
    return convert(values, deep=True)


def _off_screen_window() -> vtkRenderWindow:
    """A window that needs neither a screen nor an X server.

    VTK's own choice tries X first and warns when there is none; EGL, then OSMesa, are asked for by name instead.
    """
    if sys.platform != "linux":
        return _prepared(vtkRenderWindow())
    import vtkmodules.vtkRenderingOpenGL2

    for name in ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow"):
        kind: Any = getattr(vtkmodules.vtkRenderingOpenGL2, name, None)
        if kind is not None:
            window = _prepared(kind())
            if window.SupportsOpenGL():
                return window
    raise RenderingUnavailableError(_HELP)


def _prepared(window: vtkRenderWindow) -> vtkRenderWindow:
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(64, 64)
    return window


_HELP: Final = (
    "no OpenGL to draw with: install a software renderer "
    "(Debian and Ubuntu: libegl1 and libgl1-mesa-dri, or libosmesa6)"
)
