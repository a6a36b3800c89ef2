"""What lens, sensor and weather do to a drawn picture: occluders in front, motion blur, bloom, colour cast, noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from model.synthetic.camera import Camera, View

Floats = NDArray[np.float32]


def photograph(picture: Image.Image, camera: Camera, view: View, dark: float) -> Image.Image:
    """The crop as the camera stores it, before JPEG.

    Args:
        picture: Clean drawing, RGB, in the crop's size.
        camera: Lens and sensor.
        view: The moment.
        dark: 0 day, 1 night.
    """
    # One generator per effect, so that switching one on leaves the others as they were.
    if view.occluder in {"pole", "leaves"}:
        picture = _occluded(picture, view, dark)
    picture = _motion_blurred(picture, view.speed_blur)
    if dark > 0:
        picture = _bloomed(picture, dark)
    picture = picture.filter(ImageFilter.GaussianBlur(camera.softness))
    levels = np.asarray(picture, np.float32)
    if view.weather == "rain":
        levels = _rained(levels, np.random.default_rng([view.seed, 1]))
    levels = _graded(levels, camera, view)
    levels = _noised(levels, camera.noise * (1 + 1.4 * dark), np.random.default_rng([view.seed, 2]))
    return Image.fromarray(np.clip(levels + 0.5, 0, 255).astype(np.uint8))


def _occluded(picture: Image.Image, view: View, dark: float) -> Image.Image:
    rng = np.random.default_rng([view.seed, 0])
    mask, front = (_pole if view.occluder == "pole" else _leaves)(picture.size, view, rng)
    dimmed = Image.fromarray((np.asarray(front, np.float32) * (1 - 0.75 * dark)).astype(np.uint8))
    return Image.composite(dimmed, picture, mask.filter(ImageFilter.GaussianBlur(0.8)))


def _pole(size: tuple[int, int], view: View, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    width, height = size
    thick = view.occlusion * width * 0.7
    middle = width * (0.5 + view.occluder_side * float(rng.uniform(0.12, 0.35)))
    lean = float(rng.uniform(-0.03, 0.03)) * height
    mask = Image.new("L", size, 0)
    corners = [
        (middle - thick / 2 + lean, 0),
        (middle + thick / 2 + lean, 0),
        (middle + thick / 2 - lean, height),
        (middle - thick / 2 - lean, height),
    ]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    # Lit from one side, as a round pole is.
    across = np.clip((np.arange(width) - middle) / thick + 0.5, 0, 1)
    tone = 70 + 70 * np.sin(np.pi * (0.15 + 0.7 * across))
    front = np.repeat(np.repeat(tone[None, :, None], height, 0), 3, 2) * np.array([1.0, 1.0, 0.97])
    return mask, Image.fromarray(front.astype(np.uint8))


def _leaves(size: tuple[int, int], view: View, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    width, height = size
    mask, front = Image.new("L", size, 0), Image.new("RGB", size, (50, 70, 34))
    on_mask, on_front = ImageDraw.Draw(mask), ImageDraw.Draw(front)
    corner = 0.0 if view.occluder_side < 0 else float(width)
    reach = view.occlusion * 1.6
    for _ in range(150):
        x = corner - view.occluder_side * abs(float(rng.normal(0, reach * 0.55))) * width
        y = abs(float(rng.normal(0, reach * 0.55))) * height
        long, turn = float(rng.uniform(0.02, 0.045)) * width, float(rng.uniform(0, np.pi))
        angle = np.linspace(0, 2 * np.pi, 9)
        leaf_x, leaf_y = long * np.cos(angle), 0.42 * long * np.sin(angle)
        outline = np.stack(
            [x + leaf_x * np.cos(turn) - leaf_y * np.sin(turn), y + leaf_x * np.sin(turn) + leaf_y * np.cos(turn)], 1
        )
        shape = [(float(a), float(b)) for a, b in outline]
        shade = float(rng.uniform(0.55, 1.5))
        on_mask.polygon(shape, fill=255)
        on_front.polygon(shape, fill=(int(52 * shade), int(76 * shade), int(34 * shade)))
    return mask, front


def _motion_blurred(picture: Image.Image, length: float) -> Image.Image:
    """Mean over a shift along the horizontal, `length` pixels long."""
    if length < 0.5:  # pixels: less is not seen
        return picture
    levels = np.asarray(picture, np.float32)
    reach = int(np.ceil(length / 2))
    padded = np.pad(levels, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    weights = np.clip((length + 1) / 2 - np.abs(np.arange(-reach, reach + 1)), 0, 1)
    blurred = sum(
        weight * padded[:, start : start + levels.shape[1]] for start, weight in enumerate(weights / weights.sum())
    )
    return Image.fromarray(np.asarray(blurred).astype(np.uint8))


def _bloomed(picture: Image.Image, dark: float) -> Image.Image:
    levels = np.asarray(picture, np.float32)
    bright = Image.fromarray(np.clip((levels - 150) * 2.2, 0, 255).astype(np.uint8))
    glow = sum(
        np.asarray(bright.filter(ImageFilter.GaussianBlur(radius)), np.float32) * weight
        for radius, weight in ((2, 0.4), (7, 0.45))
    )
    return Image.fromarray(np.clip(levels + dark * np.asarray(glow), 0, 255).astype(np.uint8))


def _rained(levels: Floats, rng: np.random.Generator) -> Floats:
    height, width = levels.shape[:2]
    streaks = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(streaks)
    for x, y, long, tone in rng.uniform(0, 1, (int(width * height / 900), 4)):
        start = (x * width, y * height)
        draw.line([start, (start[0] + 1 + long, start[1] + 5 + 9 * long)], fill=int(30 + 60 * tone))
    veil = np.asarray(streaks.filter(ImageFilter.GaussianBlur(0.5)), np.float32)[..., None]
    mist = np.float32(0.93) * levels + np.float32(0.07 * 150)
    return mist + veil * np.float32(0.55)


def _graded(levels: Floats, camera: Camera, view: View) -> Floats:
    grey = levels @ np.array([0.299, 0.587, 0.114], np.float32)
    strength = camera.saturation * (0.85 if view.weather == "rain" else 1.0)
    mixed = grey[..., None] + (levels - grey[..., None]) * np.float32(strength)
    return mixed * np.array([1 + 0.045 * camera.warmth, 1.0, 1 - 0.06 * camera.warmth], np.float32)


def _noised(levels: Floats, sigma: float, rng: np.random.Generator) -> Floats:
    """Sensor noise: stronger in the dark tones, and partly smeared over neighbours by the camera's own processing."""
    fine = rng.standard_normal((*levels.shape[:2], 1), np.float32) + 0.4 * rng.standard_normal(levels.shape, np.float32)
    smeared = (fine + np.roll(fine, 1, 0) + np.roll(fine, 1, 1)) / np.float32(1.73)
    return levels + smeared * np.float32(sigma) * (np.float32(1.3) - levels / np.float32(255) * np.float32(0.6))
