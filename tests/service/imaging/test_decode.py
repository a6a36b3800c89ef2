"""Decoding, against files that Pillow wrote, that were damaged afterwards, or that were built byte by byte."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from service.errors import TooLargeError, UndecodableImageError, UnsupportedImageError
from service.imaging import ImageDecoder, ImageLimits

MAX_PIXELS = 1_000_000
MIN_SIDE = 8
TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "BMP": "image/bmp", "TIFF": "image/tiff"}
ORANGE = (200, 100, 50)
ORIENTATION = 0x0112

MakePicture = Callable[..., Image.Image]


@pytest.fixture
def decoder(monkeypatch: pytest.MonkeyPatch) -> ImageDecoder:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # restored afterwards: the decoder sets it for the process
    return ImageDecoder(ImageLimits(max_bytes=2**20, max_pixels=MAX_PIXELS, min_side=MIN_SIDE))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    return start + png_chunk(b"IDAT", zlib.compress(pixels)) + png_chunk(b"IEND", b"")


def colour(picture: Image.Image) -> tuple[float, ...]:
    assert picture.mode == "RGB"
    return tuple(np.asarray(picture).reshape(-1, 3).mean(axis=0))


class TestTypes:
    @pytest.mark.parametrize("kind", TYPES)
    def test_reads_each_type_and_names_it(self, decoder: ImageDecoder, kind: str) -> None:
        decoded = decoder.decode(encoded(Image.new("RGB", (40, 20), ORANGE), kind))
        assert decoded.media_type == TYPES[kind]
        assert decoded.picture.size == (40, 20)
        assert colour(decoded.picture) == pytest.approx(ORANGE, abs=2)

    @pytest.mark.parametrize(
        "data", [b"hello, this is no image", b"%PDF-1.7\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x00" * 100]
    )
    def test_refuses_what_is_no_image(self, decoder: ImageDecoder, data: bytes) -> None:
        with pytest.raises(UnsupportedImageError):
            decoder.decode(data)

    @pytest.mark.parametrize("kind", ["GIF", "PPM", "ICO", "TGA"])
    def test_refuses_types_that_pillow_could_read(self, decoder: ImageDecoder, kind: str) -> None:
        with pytest.raises(UnsupportedImageError):
            decoder.decode(encoded(Image.new("RGB", (32, 32), ORANGE), kind))

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
    def test_refuses_files_of_several_pictures(self, decoder: ImageDecoder, kind: str) -> None:
        first, second = (Image.new("RGB", (32, 32), name) for name in ("red", "blue"))
        with pytest.raises(UnsupportedImageError):
            decoder.decode(encoded(first, kind, save_all=True, append_images=[second]))

    def test_takes_the_picture_of_a_jpeg_with_a_preview(self, decoder: ImageDecoder) -> None:
        first, second = (Image.new("RGB", (32, 32), name) for name in ("red", "blue"))
        decoded = decoder.decode(encoded(first, "MPO", save_all=True, append_images=[second]))
        assert colour(decoded.picture) == pytest.approx((255, 0, 0), abs=3)


class TestDamage:
    def test_empty_file(self, decoder: ImageDecoder) -> None:
        with pytest.raises(UndecodableImageError, match="empty"):
            decoder.decode(b"")

    @pytest.mark.parametrize("kind", TYPES)
    @pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
    def test_truncated_file(self, decoder: ImageDecoder, make_picture: MakePicture, kind: str, share: float) -> None:
        data = encoded(make_picture(1, (200, 150)), kind)
        with pytest.raises(UndecodableImageError):
            decoder.decode(data[: int(share * len(data))])

    @pytest.mark.parametrize("kind", TYPES)
    def test_nothing_but_a_signature(self, decoder: ImageDecoder, kind: str) -> None:
        with pytest.raises(UndecodableImageError):
            decoder.decode(encoded(Image.new("RGB", (32, 32)), kind)[:12])

    def test_damaged_png_data_is_no_black_picture(self, decoder: ImageDecoder, make_picture: MakePicture) -> None:
        data = bytearray(encoded(make_picture(1, (200, 150)), "PNG"))
        data[60:62] = b"zz"
        with pytest.raises(UndecodableImageError):
            decoder.decode(bytes(data))

    def test_png_data_under_a_wrong_checksum(self, decoder: ImageDecoder) -> None:
        good = png(32, 32, bytes(33 * 32))
        end = good.index(b"IEND") - 4
        assert decoder.decode(good)
        with pytest.raises(UndecodableImageError):
            decoder.decode(good[: end - 4] + b"\x00\x00\x00\x00" + good[end:])

    def test_damaged_png_data_under_a_right_checksum(self, decoder: ImageDecoder) -> None:
        header = struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
        broken = b"\x78\x9c" + b"\xff" * 200
        data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", broken) + png_chunk(b"IEND", b"")
        with pytest.raises(UndecodableImageError):
            decoder.decode(data)

    @pytest.mark.parametrize("seed", range(40))
    def test_random_damage_decodes_or_is_refused(
        self, decoder: ImageDecoder, make_picture: MakePicture, seed: int
    ) -> None:
        random = np.random.default_rng(seed)
        data = bytearray(encoded(make_picture(seed, (64, 48)), list(TYPES)[seed % len(TYPES)]))
        for position in random.integers(12, len(data), 8):
            data[position] = random.integers(256)
        try:
            picture = decoder.decode(bytes(data)).picture
        except (UndecodableImageError, TooLargeError, UnsupportedImageError):
            return
        assert picture.mode == "RGB"


class TestLimits:
    def test_a_header_that_claims_too_much_is_refused_before_decoding(self, decoder: ImageDecoder) -> None:
        # Were the pixels looked at, this would be undecodable: there are none.
        with pytest.raises(TooLargeError, match="pixels"):
            decoder.decode(png(20_000, 20_000, b""))

    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # outside of tests it is only a warning
    def test_one_pixel_too_many(self, decoder: ImageDecoder) -> None:
        assert decoder.decode(png(1000, 1000, bytes(1001 * 1000))).picture.size == (1000, 1000)
        with pytest.raises(TooLargeError):
            decoder.decode(png(1001, 1000, bytes(1002 * 1000)))

    def test_file_too_large(self, decoder: ImageDecoder) -> None:
        with pytest.raises(TooLargeError, match="bytes"):
            decoder.decode(b"\xff\xd8\xff" + bytes(2**20))

    @pytest.mark.parametrize("size", [(1, 1), (MIN_SIDE - 1, 100), (100, MIN_SIDE - 1)])
    def test_too_small(self, decoder: ImageDecoder, size: tuple[int, int]) -> None:
        with pytest.raises(UndecodableImageError, match="pixels"):
            decoder.decode(encoded(Image.new("RGB", size), "PNG"))

    def test_smallest(self, decoder: ImageDecoder) -> None:
        assert decoder.decode(encoded(Image.new("RGB", (MIN_SIDE, MIN_SIDE)), "PNG")).picture.size == (
            MIN_SIDE,
            MIN_SIDE,
        )


class TestPixels:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_is_turned_as_exif_says(self, decoder: ImageDecoder, kind: str, orientation: int) -> None:
        # Red in the upper left corner, green in the upper right, as a person is to see it.
        upright = Image.new("RGB", (64, 32), "blue")
        upright.paste("red", (0, 0, 16, 16))
        upright.paste("green", (48, 0, 64, 16))
        turns = Image.Transpose
        back = {
            2: turns.FLIP_LEFT_RIGHT,
            3: turns.ROTATE_180,
            4: turns.FLIP_TOP_BOTTOM,
            5: turns.TRANSPOSE,
            6: turns.ROTATE_90,
            7: turns.TRANSVERSE,
            8: turns.ROTATE_270,
        }
        stored = upright.transpose(back[orientation]) if orientation in back else upright
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        picture = decoder.decode(encoded(stored, kind, exif=exif)).picture
        assert picture.size == (64, 32)
        assert picture.getpixel((8, 8)) == pytest.approx((255, 0, 0), abs=40)
        assert picture.getpixel((56, 8)) == pytest.approx((0, 128, 0), abs=40)
        assert picture.getpixel((8, 24)) == pytest.approx((0, 0, 255), abs=40)

    @pytest.mark.filterwarnings("ignore:.*EXIF:UserWarning")
    def test_damaged_exif_does_not_spoil_a_whole_picture(self, decoder: ImageDecoder) -> None:
        data = encoded(Image.new("RGB", (32, 32), ORANGE), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
        assert colour(decoder.decode(data).picture) == pytest.approx(ORANGE, abs=2)

    @pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
    def test_cmyk(self, decoder: ImageDecoder, kind: str) -> None:
        data = encoded(Image.new("RGB", (32, 32), ORANGE).convert("CMYK"), kind)
        assert colour(decoder.decode(data).picture) == pytest.approx(ORANGE, abs=3)

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_sixteen_bit_grey_is_scaled(self, decoder: ImageDecoder, kind: str) -> None:
        ramp = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
        grey = np.asarray(decoder.decode(encoded(Image.fromarray(ramp), kind)).picture)[..., 0]
        assert np.abs(grey - ramp / 257).max() <= 0.5 + 1e-3

    def test_sixteen_bit_colour(self, decoder: ImageDecoder) -> None:
        row = b"\x00" + struct.pack(">3H", 200 * 257, 100 * 257, 50 * 257) * 32
        header = struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)
        data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
        data += png_chunk(b"IDAT", zlib.compress(row * 32)) + png_chunk(b"IEND", b"")
        assert colour(decoder.decode(data).picture) == pytest.approx(ORANGE, abs=1)

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_transparency_is_laid_on_white(self, decoder: ImageDecoder, mode: str, kind: str) -> None:
        image = Image.new(mode, (32, 32), (0,) * len(mode))
        assert colour(decoder.decode(encoded(image, kind)).picture) == (255, 255, 255)

    def test_palette(self, decoder: ImageDecoder) -> None:
        image = Image.new("P", (32, 32), 1)
        image.putpalette([0, 0, 0, *ORANGE])
        assert colour(decoder.decode(encoded(image, "PNG")).picture) == ORANGE
        assert colour(decoder.decode(encoded(image, "PNG", transparency=1)).picture) == (255, 255, 255)
        assert colour(decoder.decode(encoded(image, "PNG", transparency=b"\xff\x80")).picture) == pytest.approx(
            [255 - (255 - part) * 128 / 255 for part in ORANGE], abs=1
        )

    def test_black_and_white(self, decoder: ImageDecoder) -> None:
        assert colour(decoder.decode(encoded(Image.new("1", (32, 32), 1), "PNG")).picture) == (255, 255, 255)

    @pytest.mark.parametrize("mode", ["F", "I", "LAB"])
    def test_pixels_without_defined_colours_are_refused(self, decoder: ImageDecoder, mode: str) -> None:
        with pytest.raises(UndecodableImageError, match=mode):
            decoder.decode(encoded(Image.new(mode, (32, 32)), "TIFF"))

    def test_digest_is_that_of_the_file(self, decoder: ImageDecoder) -> None:
        one, other = (encoded(Image.new("RGB", (32, 32), ORANGE), "PNG", compress_level=level) for level in (1, 9))
        assert decoder.decode(one).sha256 != decoder.decode(other).sha256
        assert decoder.decode(one).sha256 == decoder.decode(one).sha256
