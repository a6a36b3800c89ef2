"""Uploaded bytes to upright RGB pictures, their measured quality, and pictures back to bytes that are safe to serve."""

from service.imaging.decode import DecodedImage, ImageDecoder, ImageLimits
from service.imaging.pool import DecodePool, RenditionPool
from service.imaging.quality import Quality, measure_quality
from service.imaging.rendition import render_jpeg

__all__ = [
    "DecodePool",
    "DecodedImage",
    "ImageDecoder",
    "ImageLimits",
    "Quality",
    "RenditionPool",
    "measure_quality",
    "render_jpeg",
]
