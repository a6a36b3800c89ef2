"""Uploaded bytes to upright RGB pictures, their measured quality, and pictures back to bytes that are safe to serve."""

from service.imaging.decode import DecodedImage, ImageDecoder, ImageLimits
from service.imaging.messages import PrepareCrop, RenderJpeg
from service.imaging.pool import DecodePool, RenditionPool
from service.imaging.quality import (
    USUAL_LIMITS,
    Quality,
    QualityLimits,
    QualityProblem,
    measure_quality,
    quality_problems,
)
from service.imaging.rendition import render_jpeg

__all__ = [
    "USUAL_LIMITS",
    "DecodePool",
    "DecodedImage",
    "ImageDecoder",
    "ImageLimits",
    "PrepareCrop",
    "Quality",
    "QualityLimits",
    "QualityProblem",
    "RenderJpeg",
    "RenditionPool",
    "measure_quality",
    "quality_problems",
    "render_jpeg",
]
