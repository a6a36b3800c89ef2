"""Served pictures carry pixels and nothing else."""

import io

import pytest
from PIL import Image

from service.imaging import render_jpeg


@pytest.mark.parametrize(
    ("longest", "size"), [(None, (400, 200)), (1000, (400, 200)), (100, (100, 50)), (399, (399, 200))]
)
def test_longest_side(longest: int | None, size: tuple[int, int]) -> None:
    rendered = Image.open(io.BytesIO(render_jpeg(Image.new("RGB", (400, 200)), longest)))
    assert rendered.format == "JPEG"
    assert rendered.size == size


def test_metadata_of_the_upload_is_left_out() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20)).save(buffer, "JPEG", exif=exif, comment=b"a secret place", icc_profile=b"a secret place")
    assert buffer.getvalue().count(b"a secret place") == 3
    upload = Image.open(io.BytesIO(buffer.getvalue()))
    assert b"secret" not in render_jpeg(upload, None)
    assert b"secret" not in render_jpeg(upload, 20)


def test_the_picture_given_is_not_changed() -> None:
    picture = Image.new("RGB", (40, 20))
    render_jpeg(picture, 10)
    assert picture.size == (40, 20)
