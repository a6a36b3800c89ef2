"""Decoded pictures to RGB: one way for uploads, training and evaluation, since an embedding depends on it."""

import numpy as np
from PIL import Image

_SIXTEEN_BIT_GREY = {"I;16", "I;16L", "I;16B", "I;16N"}
_WITH_ALPHA = {"RGBA", "RGBa", "LA", "La", "PA"}
_PLAIN = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"}


class PixelFormatError(ValueError):
    """Pixels without a defined conversion to RGB."""


def to_rgb(image: Image.Image) -> Image.Image:
    """A decoded picture in mode RGB: transparency laid on white, 16-bit grey scaled and not clipped.

    Colour profiles are ignored.

    Raises:
        PixelFormatError: The mode has no defined colours, such as grey of 32 bits.
    """
    if image.mode in _SIXTEEN_BIT_GREY:
        # Pillow's own conversion clips at 255, which leaves a white picture.
        grey = np.asarray(image, dtype=np.float32) * (255 / 65535)
        return Image.fromarray(np.rint(grey).astype(np.uint8)).convert("RGB")
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    if image.mode not in _PLAIN:
        raise PixelFormatError(
            f"Pixels of the format {image.mode} have no defined colours; expected 8-bit RGB, or grey of 8 or 16 bits."
        )
    return image.convert("RGB")
