"""Decoding a crop: the pixels are those that the service sees, and whatever is wrong is told with the crop's name."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.datasets import DatasetError, LabelledCrop
from service.imaging import ImageDecoder, ImageLimits

GREY = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
COLOURS = np.random.default_rng(1).integers(0, 256, (32, 32, 4), np.uint8)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.fromarray(COLOURS[:, :20, :3]), "PNG", exif=exif)


@pytest.mark.parametrize(
    "content",
    [
        encoded(Image.fromarray(COLOURS[..., :3]), "JPEG"),
        encoded(Image.fromarray(COLOURS), "PNG"),
        encoded(Image.fromarray(COLOURS[..., :2], "LA"), "PNG"),
        encoded(Image.fromarray(COLOURS[..., :3]).quantize(16), "PNG", transparency=1),
        encoded(Image.fromarray(GREY), "PNG"),
        encoded(Image.fromarray(COLOURS, "CMYK"), "TIFF"),
        turned(),
    ],
    ids=["jpeg", "rgba", "la", "palette", "grey of 16 bits", "cmyk", "turned"],
)
def test_pixels_are_those_that_the_service_sees(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "crop").write_bytes(content)
    served = ImageDecoder(ImageLimits(10**6, 10**6, 1)).decode(content).picture
    np.testing.assert_array_equal(LabelledCrop(tmp_path / "crop", "a", "").open(), served)


def huge() -> bytes:
    """A small PNG whose header claims 20,000 x 20,000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        huge(),
        encoded(Image.fromarray(COLOURS), "PNG")[:200],
        # Its byte order is not known; Pillow raises a SyntaxError.
        turned().replace(b"eXIfMM", b"eXIfQQ").replace(b"eXIfII", b"eXIfQQ"),
        encoded(Image.new("F", (8, 8)), "TIFF"),
    ],
    ids=["empty", "text", "too many pixels", "cut short", "damaged EXIF", "grey of 32 bits"],
)
def test_a_crop_that_cannot_be_decoded_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "crop.png").write_bytes(content)
    with pytest.raises(DatasetError, match=r"The crop .*crop\.png cannot be decoded: "):
        LabelledCrop(tmp_path / "crop.png", "a", "").open()
