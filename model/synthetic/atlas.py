"""The paint atlas: one picture that holds all sides of a vehicle, drawn in metres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model.synthetic.shapes import Array, Surface, face_normals, unshared

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from model.synthetic.colours import RGB

WIDTH: Final = 1024
HEIGHT: Final = 1280
_SWATCH: Final = 32


@dataclass(frozen=True, slots=True)
class Finish:
    """How a patch of surface looks.

    Attributes:
        rgb: Colour, sRGB.
        metal: Share of light that is mirrored in the patch's own colour: flakes in paint, 1 for chrome.
        gloss: Clear coat: 0 rubber, 0.6 paint, 1 glass.
        lamp: What shines at night: 0 nothing, 0.5 tail light, 1 head light.
        solid: False cuts a hole.
    """

    rgb: RGB
    metal: float = 0.0
    gloss: float = 0.6
    lamp: float = 0.0
    solid: bool = True


RUBBER: Final = Finish((26, 26, 27), gloss=0.1)
PLASTIC: Final = Finish((36, 37, 39), gloss=0.25)
GAP: Final = Finish((12, 12, 13), gloss=0.1)
GLASS: Final = Finish((20, 24, 27), gloss=1.0)
CHROME: Final = Finish((205, 207, 210), metal=0.9, gloss=0.9)
HEADLAMP: Final = Finish((214, 220, 226), metal=0.35, gloss=1.0, lamp=1.0)
TAILLAMP: Final = Finish((150, 12, 14), gloss=0.9, lamp=0.5)
AMBER: Final = Finish((214, 110, 20), gloss=0.9)
PLATE: Final = Finish((216, 216, 208), gloss=0.3)
HOLE: Final = Finish((0, 0, 0), gloss=0.0, solid=False)


@dataclass(frozen=True, slots=True)
class Panel:
    """One region of the atlas and the plane it shows.

    Attributes:
        box: (left, top, right, bottom) in pixels.
        across: Metres at the left and at the right border.
        up: Metres at the lower and at the upper border.
        axes: Which coordinates run across and up (0 = x, 1 = y, 2 = z).
    """

    box: tuple[int, int, int, int]
    across: tuple[float, float]
    up: tuple[float, float]
    axes: tuple[int, int]

    def pixels(self, points: Array) -> Array:
        """Places in the atlas, pixels, shape (N, 2), of points (across, up) in metres, shape (N, 2)."""
        left, top, right, bottom = self.box
        across = left + (points[:, 0] - self.across[0]) / (self.across[1] - self.across[0]) * (right - left)
        down = bottom - (points[:, 1] - self.up[0]) / (self.up[1] - self.up[0]) * (bottom - top)
        return np.stack([np.clip(across, left + 1, right - 1), np.clip(down, top + 1, bottom - 1)], axis=1)

    def uv(self, points: Array) -> Array:
        """Texture coordinates, shape (N, 2), of points in space, shape (N, 3)."""
        return to_uv(self.pixels(points[:, self.axes]))

    @property
    def scale(self) -> float:
        """Pixels per metre across."""
        return (self.box[2] - self.box[0]) / abs(self.across[1] - self.across[0])


def to_uv(pixels: Array) -> Array:
    """Texture coordinates, origin bottom left, of places in pixels, origin top left."""
    return np.stack([pixels[..., 0] / WIDTH, 1 - pixels[..., 1] / HEIGHT], axis=-1)


class Atlas:
    """Colour and finish of every side of a vehicle.

    Attributes:
        left, right, front, rear, top: The sides in the vehicle's own metres, seen from outside.
        rim: The outer face of a wheel, from -1 to 1 both ways.
        back: Square for extra pictures (a rider's back, a load), from -1 to 1 both ways.
    """

    def __init__(self, length: float, width: float, height: float) -> None:
        half_length, half_width, upper = length / 2 + 0.15, width / 2 + 0.15, height + 0.1
        self.left = Panel((0, 0, 1024, 384), (half_length, -half_length), (0.0, upper), (0, 2))
        self.right = Panel((0, 384, 1024, 768), (-half_length, half_length), (0.0, upper), (0, 2))
        self.front = Panel((0, 768, 256, 1024), (-half_width, half_width), (0.0, upper), (1, 2))
        self.rear = Panel((256, 768, 512, 1024), (half_width, -half_width), (0.0, upper), (1, 2))
        self.top = Panel((512, 768, 1024, 1024), (-half_length, half_length), (-half_width, half_width), (0, 1))
        self.rim = Panel((0, 1024, 256, 1280), (-1.0, 1.0), (-1.0, 1.0), (0, 2))
        self.back = Panel((256, 1056, 480, 1280), (-1.0, 1.0), (-1.0, 1.0), (1, 2))
        self.colour = Image.new("RGBA", (WIDTH, HEIGHT), (40, 40, 42, 255))
        self.finish = Image.new("RGB", (WIDTH, HEIGHT), (0, 40, 0))
        self._draw_colour = ImageDraw.Draw(self.colour)
        self._draw_finish = ImageDraw.Draw(self.finish)
        self._swatches: dict[Finish, Array] = {}

    def swatch(self, finish: Finish) -> Array:
        """Texture coordinate, shape (2,), of a plain patch of that finish.

        Raises:
            ValueError: More than 24 different finishes are asked for.
        """
        if finish not in self._swatches:
            if len(self._swatches) == (WIDTH - 256) // _SWATCH:
                raise ValueError("the atlas has no room for another plain finish")
            left = 256 + _SWATCH * len(self._swatches)
            self._rectangle((left, 1024, left + _SWATCH, 1024 + _SWATCH), finish)
            self._swatches[finish] = to_uv(np.array([left + _SWATCH / 2, 1024 + _SWATCH / 2]))
        return self._swatches[finish]

    def cover(self, panel: Panel, finish: Finish) -> None:
        """Paint a whole panel."""
        self._rectangle(panel.box, finish)

    def polygon(self, panel: Panel, outline: Iterable[Sequence[float] | Array] | Array, finish: Finish) -> None:
        """Fill the polygon through (across, up) points in metres."""
        pixels = panel.pixels(np.array(list(outline), dtype=float)).ravel().tolist()
        if len(pixels) >= 6:  # three corners
            self._draw_colour.polygon(pixels, fill=_rgba(finish))
            self._draw_finish.polygon(pixels, fill=_levels(finish))

    def rectangle(self, panel: Panel, across: tuple[float, float], up: tuple[float, float], finish: Finish) -> None:
        """Fill an upright rectangle given in metres."""
        self.polygon(panel, [(across[0], up[0]), (across[1], up[0]), (across[1], up[1]), (across[0], up[1])], finish)

    def ellipse(self, panel: Panel, centre: tuple[float, float], radii: tuple[float, float], finish: Finish) -> None:
        """Fill an ellipse given in metres."""
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        outline = np.stack([centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)], axis=1)
        self.polygon(panel, outline, finish)

    def line(self, panel: Panel, points: Iterable[Sequence[float]] | Array, thickness: float, finish: Finish) -> None:
        """Draw a polyline `thickness` metres wide, two pixels at least."""
        pixels = panel.pixels(np.array(list(points), dtype=float)).ravel().tolist()
        width = max(2, round(thickness * panel.scale))
        self._draw_colour.line(pixels, fill=_rgba(finish), width=width, joint="curve")
        self._draw_finish.line(pixels, fill=_levels(finish), width=width, joint="curve")

    def text(self, panel: Panel, centre: tuple[float, float], height: float, words: str, finish: Finish) -> None:
        """Write words `height` metres high around a point."""
        place = panel.pixels(np.array([centre]))[0]
        across = panel.scale
        up = (panel.box[3] - panel.box[1]) / (panel.up[1] - panel.up[0])
        font = ImageFont.load_default(size=64)
        left, top, right, bottom = (round(edge) for edge in font.getbbox(words))
        stencil = Image.new("L", (right - left + 8, bottom - top + 8), 0)
        ImageDraw.Draw(stencil).text((4 - left, 4 - top), words, fill=255, font=font, stroke_width=1)
        rows = max(4, round(height * up))
        columns = max(4, round(stencil.width / stencil.height * height * across))
        stencil = stencil.resize((columns, rows), Image.Resampling.BOX)
        corner = (round(place[0] - columns / 2), round(place[1] - rows / 2))
        self.colour.paste(_rgba(finish), (*corner, corner[0] + columns, corner[1] + rows), stencil)
        self.finish.paste(_levels(finish), (*corner, corner[0] + columns, corner[1] + rows), stencil)

    def soil(self, panel: Panel, amount: float, top: float, seed: int) -> None:
        """Mix road dirt into the lower part of a side panel, strongest at the ground and gone `top` metres up."""
        left, upper, right, lower = panel.box
        rows, columns = lower - upper, right - left
        rng = np.random.default_rng(seed)
        blotches = Image.fromarray(rng.integers(0, 256, (12, 32), dtype=np.uint8)).resize(
            (columns, rows), Image.Resampling.BICUBIC
        )
        height = np.linspace(panel.up[1], panel.up[0], rows)[:, None]
        share = np.clip(1 - height / top, 0, 1) ** 1.5 * amount * (0.5 + np.asarray(blotches) / 255)
        mask = Image.fromarray((np.clip(share, 0, 0.85) * 255).astype(np.uint8))
        alpha = self.colour.getchannel("A")
        self.colour.paste((112, 102, 88, 255), panel.box, mask)
        self.colour.putalpha(alpha)
        self.finish.paste((0, 20, 0), panel.box, mask)

    def project(self, surface: Surface) -> Surface:
        """The same surface, each triangle textured from the side panel that it faces most."""
        loose = unshared(surface)
        normal = face_normals(loose.points, loose.triangles)
        # Ends win on slopes: lamps and grilles lie there, and glass is painted on both panels alike.
        facing = np.abs(normal) * np.array([1.3, 1.0, 1.0])
        axis = np.repeat(facing.argmax(axis=1), 3)
        positive = np.repeat(np.take_along_axis(normal, facing.argmax(axis=1)[:, None], 1)[:, 0] > 0, 3)
        uv = np.zeros_like(loose.uv)
        for which, sign, panel in (
            (0, True, self.front),
            (0, False, self.rear),
            (1, True, self.left),
            (1, False, self.right),
            (2, True, self.top),
        ):
            chosen = (axis == which) & (positive == sign)
            uv[chosen] = panel.uv(loose.points[chosen])
        uv[(axis == 2) & ~positive] = self.swatch(GAP)  # the z axis: the underside
        return Surface(loose.points, loose.normals, uv, loose.triangles)

    def _rectangle(self, corners: tuple[int, int, int, int], finish: Finish) -> None:
        left, top, right, bottom = corners
        self._draw_colour.rectangle((left, top, right - 1, bottom - 1), fill=_rgba(finish))
        self._draw_finish.rectangle((left, top, right - 1, bottom - 1), fill=_levels(finish))


def darker(finish: Finish, share: float) -> Finish:
    """The same finish with its colour multiplied by `share`."""
    red, green, blue = (min(255, int(channel * share)) for channel in finish.rgb)
    return Finish((red, green, blue), finish.metal, finish.gloss, finish.lamp)


def _rgba(finish: Finish) -> tuple[int, int, int, int]:
    return (*finish.rgb, 255 if finish.solid else 0)


def _levels(finish: Finish) -> tuple[int, int, int]:
    return (round(finish.metal * 255), round(finish.gloss * 255), round(finish.lamp * 255))
