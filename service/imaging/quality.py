"""How well a crop shows its vehicle: measured on the picture itself, and judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from PIL import Image

_SHARPNESS_SIDE = 256


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured properties of one crop.

    Attributes:
        width: Pixels, after turning upright.
        height: Pixels.
        aspect: width / height.
        brightness: Mean of ITU-R 601 luma, 0 black to 1 white.
        sharpness: Variance of the 4-neighbour Laplacian of luma in [0, 1], on the picture shrunk to 256 px at its
            longest side where it is larger (never enlarged). 0 is a plain area; blur lowers it.
    """

    width: int
    height: int
    aspect: float
    brightness: float
    sharpness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLimits:
    """What a crop must show. None leaves a property unjudged; units are those of `Quality`."""

    min_width: int | None = None
    min_height: int | None = None
    min_sharpness: float | None = None
    min_brightness: float | None = None
    max_brightness: float | None = None
    min_aspect: float | None = None
    max_aspect: float | None = None


USUAL_LIMITS: Final = QualityLimits(
    min_width=24,
    min_height=24,
    min_sharpness=0.0002,
    min_brightness=0.08,
    max_brightness=0.85,
    min_aspect=0.25,
    max_aspect=4.0,
)
"""Beyond these the starter weights find clearly less: docs/decisions/0135 has the figures."""

Complaint = Literal["too_small", "too_blurred", "too_dark", "too_bright", "too_narrow", "too_wide"]


@dataclass(frozen=True, slots=True)
class QualityProblem:
    """A limit that a crop breaks.

    Attributes:
        code: Which, for programs.
        measured: What was measured.
        limit: What it is held against.
        detail: A sentence with both.
    """

    code: Complaint
    measured: float
    limit: float
    detail: str


def quality_problems(quality: Quality, limits: QualityLimits = USUAL_LIMITS) -> list[QualityProblem]:
    """What keeps a crop from showing its vehicle well; empty where nothing does."""
    return list(_problems(quality, limits))


def _problems(quality: Quality, limits: QualityLimits) -> Iterator[QualityProblem]:
    checks: list[tuple[Complaint, str, float, Literal["below", "above"], float | None]] = [
        ("too_small", "width in pixels", quality.width, "below", limits.min_width),
        ("too_small", "height in pixels", quality.height, "below", limits.min_height),
        ("too_blurred", "sharpness", quality.sharpness, "below", limits.min_sharpness),
        ("too_dark", "brightness", quality.brightness, "below", limits.min_brightness),
        ("too_bright", "brightness", quality.brightness, "above", limits.max_brightness),
        ("too_narrow", "aspect (width / height)", quality.aspect, "below", limits.min_aspect),
        ("too_wide", "aspect (width / height)", quality.aspect, "above", limits.max_aspect),
    ]
    for code, name, measured, side, limit in checks:
        if limit is not None and (measured < limit if side == "below" else measured > limit):
            detail = f"The {name} is {measured:.6g}, {side} the limit of {limit:.6g}."
            yield QualityProblem(code, measured, limit, detail)


def measure_quality(picture: Image.Image) -> Quality:
    """Measure one RGB picture; see `Quality` for the definitions and units."""
    grey = picture.convert("L")
    brightness = float(np.asarray(grey, dtype=np.float32).mean() / 255)
    grey.thumbnail((_SHARPNESS_SIDE, _SHARPNESS_SIDE), Image.Resampling.BOX)
    luma = np.asarray(grey, dtype=np.float32) / 255
    padded = np.pad(luma, 1, mode="edge")
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * luma
    width, height = picture.size
    return Quality(width, height, width / height, brightness, float(laplacian.var()))
