"""Light of a moment: sun, sky, street lamps and exposure, from the time of day and the weather."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from model.synthetic.camera import Camera, View

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Light:
    """Linear-light colours; 1 is a white wall under a clear sky.

    Attributes:
        direction: Towards the sun (at night: the nearest street lamp), unit length.
        sun, zenith, horizon: Colours of the sun and of the sky above and at the horizon.
        exposure: Factor before the tone curve.
        headlight, taillight: Brightness of lamps that are on.
        wet: 0 dry road, 1 rain.
        dark: 0 day, 1 night.
        softness: Width of the shadow's edge, metres.
    """

    direction: Vector
    sun: Vector
    zenith: Vector
    horizon: Vector
    exposure: float
    headlight: float
    taillight: float
    wet: float
    dark: float
    softness: float


def light_of(camera: Camera, view: View) -> Light:
    """Light that falls on the vehicle at the moment of the view."""
    bearing, elevation = view.sun(camera)
    dark = float(np.clip((4 - elevation) / 8, 0, 1))
    height = max(elevation, 4.0) if dark < 1 else 64.0
    direction = _towards(bearing if dark < 1 else 35.0, height)
    low = float(np.clip(1 - elevation / 25, 0, 1))
    veil = {"clear": 1.0, "cloudy": 0.12, "rain": 0.0}[view.weather]
    day_sun = np.array([1.55, 1.45 - 0.35 * low, 1.30 - 0.75 * low]) * veil * (1 - 0.35 * low)
    blue = {"clear": (0.34, 0.50, 0.82), "cloudy": (0.66, 0.70, 0.76), "rain": (0.44, 0.47, 0.51)}[view.weather]
    pale = {"clear": (0.78, 0.84, 0.92), "cloudy": (0.80, 0.82, 0.84), "rain": (0.52, 0.54, 0.56)}[view.weather]
    night_sun, night_sky = np.array([0.34, 0.27, 0.17]), np.array([0.030, 0.032, 0.042])
    dim = 1 - 0.5 * low
    sun = day_sun * (1 - dark) + night_sun * dark
    zenith = np.array(blue) * dim * (1 - dark) + night_sky * dark
    horizon = np.array(pale) * dim * (1 - dark) + night_sky * np.array([2.6, 2.1, 1.6]) * dark
    brightness = 0.72 / (0.30 + 0.55 * float((zenith + horizon).mean() / 2) + 0.45 * float(sun.mean()) * direction[2])
    lit = max(dark, 0.6 if view.weather == "rain" else 0.0)
    return Light(
        direction=direction,
        sun=_vector(sun),
        zenith=_vector(zenith),
        horizon=_vector(horizon),
        exposure=camera.exposure * brightness * (1 + 0.1 * dark),
        headlight=2.4 * lit,
        taillight=1.6 * lit + (2.2 if view.braking else 0.0),
        wet=1.0 if view.weather == "rain" else 0.0,
        dark=dark,
        softness=0.07 if view.weather == "clear" else 0.35,
    )


def _towards(bearing: float, elevation: float) -> Vector:
    level = cos(radians(elevation))
    return level * cos(radians(bearing)), level * sin(radians(bearing)), sin(radians(elevation))


def _vector(colour: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Vector:
    red, green, blue = (float(channel) for channel in colour)
    return red, green, blue
