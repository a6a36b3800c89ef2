"""One uploaded file to one upright RGB picture, or a sentence that says why not.

The type is told by content, never by name or declared type. The size is read from the header and capped before a pixel
is decoded, so a small file that claims 20,000 x 20,000 pixels costs nothing.
"""

import hashlib
import io
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageFile

from model.pictures import PixelFormatError, to_rgb
from service.errors import ServiceError, TooLargeError, UndecodableImageError, UnsupportedImageError
from service.imaging.structure import check_structure

# A truncated file must fail; Pillow can be told to fill it up with grey, in this process nobody may.
ImageFile.LOAD_TRUNCATED_IMAGES = False

MAX_SIDE = 65_500
"""JPEG's limit in libjpeg: a longer picture could be stored but not served."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
_SIGNATURES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"BM": "image/bmp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"II+\x00": "image/tiff",
    b"MM\x00+": "image/tiff",
}
_EXIF_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What an uploaded picture may be.

    Attributes:
        max_bytes: Size of the file.
        max_pixels: Width times height, as the header says.
        min_side: Shortest side in pixels below which a crop shows nothing.
    """

    max_bytes: int
    max_pixels: int
    min_side: int


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """An uploaded picture.

    Attributes:
        picture: Upright, mode RGB.
        media_type: What the content is.
        sha256: Digest of the bytes as they came.
    """

    picture: Image.Image
    media_type: str
    sha256: bytes


class ImageDecoder:
    """Decodes JPEG, PNG, WebP, BMP and TIFF. Safe to call from several threads.

    Orientation from EXIF is applied; transparency is laid on white; 16-bit grey is scaled, not clipped; CMYK and
    palettes are converted. Colour profiles are ignored, as in training. A file of several pictures (animation, pages)
    is refused, because nothing says which of them is the crop; the preview that phones append to a JPEG is not counted
    as one.

    Args:
        limits: What a picture may be.
    """

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        # Pillow's own guard against decompression bombs, behind ours: it must not be the stricter of the two.
        Image.MAX_IMAGE_PIXELS = limits.max_pixels

    def decode(self, data: bytes) -> DecodedImage:
        """Decode one file.

        Args:
            data: The file's bytes.

        Raises:
            TooLargeError: Too many bytes or pixels, or a side longer than `MAX_SIDE`.
            UnsupportedImageError: Not one of the five types, a rare variant of one, or several pictures in one file.
            UndecodableImageError: Empty, damaged, too small, of a pixel format without a defined conversion, or of a
                structure that asks for more work than the picture needs; see `check_structure`.
        """
        if len(data) > self._limits.max_bytes:
            raise TooLargeError(f"An image may have {self._limits.max_bytes} bytes at most; this one has {len(data)}.")
        media_type = sniff_media_type(data)
        try:
            check_structure(data, media_type)
            picture = self._decode(data)
        except ServiceError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise self._too_many_pixels() from error
        except PixelFormatError as error:
            raise UndecodableImageError(str(error)) from error
        except MemoryError as error:
            raise UndecodableImageError("Decoding the picture takes more memory than one may.") from error
        except Exception as error:
            # Pillow's decoders raise nearly any exception on damaged files (OSError, SyntaxError, struct.error ...).
            # Whatever it was, it is this file's fault and must not reach another item or end the worker.
            raise UndecodableImageError(f"The file begins like {media_type} but is damaged or cut short.") from error
        return DecodedImage(picture, media_type, hashlib.sha256(data).digest())

    def _decode(self, data: bytes) -> Image.Image:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            self._check_size(image)
            _check_single(image)
            if image.format == "PNG":
                # Decoding does not look at the checksums of pixel data. A verified image cannot be decoded any more.
                Image.open(io.BytesIO(data), formats=_FORMATS).verify()
            # Before EXIF is looked at: for that Pillow decodes a PNG, and decoding a damaged one again does not fail.
            image.load()
            picture = to_rgb(image)
            turn = None if image.format == "TIFF" else _exif_turn(image)  # Pillow turns TIFF itself while loading
        return picture if turn is None else picture.transpose(turn)

    def _check_size(self, image: Image.Image) -> None:
        width, height = image.size
        if width * height > self._limits.max_pixels:
            raise self._too_many_pixels()
        if max(width, height) > MAX_SIDE:
            raise TooLargeError(f"The picture has {width} x {height} pixels; a side may have {MAX_SIDE} at most.")
        if min(width, height) < self._limits.min_side:
            raise UndecodableImageError(
                f"The picture has {width} x {height} pixels; below {self._limits.min_side} on a side it shows nothing."
            )

    def _too_many_pixels(self) -> TooLargeError:
        return TooLargeError(
            f"A picture may have {self._limits.max_pixels} pixels at most; send the crop, not the frame."
        )


def sniff_media_type(data: bytes) -> str:
    """The media type that a file's first bytes tell.

    Raises:
        UndecodableImageError: The file is empty.
        UnsupportedImageError: None of the types that the service reads.
    """
    if not data:
        raise UndecodableImageError("The file is empty.")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    for signature, media_type in _SIGNATURES.items():
        if data.startswith(signature):
            return media_type
    raise UnsupportedImageError("The file is no JPEG, PNG, WebP, BMP or TIFF; its content decides, not its name.")


def _check_single(image: Image.Image) -> None:
    # Not n_frames: counting the pages of a TIFF reads every one of them, and each against all before it.
    if image.format in ("PNG", "WEBP", "TIFF") and getattr(image, "is_animated", False):
        raise UnsupportedImageError(
            "The file holds several pictures (animation or pages); send the one that is the crop."
        )


def _exif_turn(image: Image.Image) -> Image.Transpose | None:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - see decode(); damaged EXIF beside a whole picture is shown as stored, as viewers do
        return None
    return _EXIF_TURNS.get(orientation) if isinstance(orientation, int) else None
