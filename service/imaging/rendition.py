"""Pictures as they are served: always re-encoded, so that nothing but pixels of an upload reaches a browser."""

import io

from PIL import Image

_JPEG_QUALITY = 90


def render_jpeg(picture: Image.Image, longest_side: int | None) -> bytes:
    """Encode a picture as JPEG without any metadata.

    Args:
        picture: Mode RGB.
        longest_side: Pixels to shrink the longest side to; smaller pictures and None keep their size.
    """
    if longest_side is not None and max(picture.size) > longest_side:
        picture = picture.copy()
        picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    # exif and icc_profile are given empty, because Pillow otherwise copies what the upload carried.
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, exif=b"", icc_profile=b"", comment=b"")
    return buffer.getvalue()
