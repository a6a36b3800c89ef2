"""Small files that ask for much work are refused by their structure, before Pillow sees them; honest ones pass."""

import io
import re
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from service.errors import ServiceError, TooLargeError, UndecodableImageError, UnsupportedImageError
from service.imaging import ImageDecoder, ImageLimits, structure

MakePicture = Callable[..., Image.Image]
TIFF_COMPRESSION_LZW = 5


@pytest.fixture
def decoder(monkeypatch: pytest.MonkeyPatch) -> ImageDecoder:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # restored afterwards: the decoder sets it for the process
    return ImageDecoder(ImageLimits(max_bytes=20 * 2**20, max_pixels=50_000_000, min_side=8))


@pytest.fixture
def refused(decoder: ImageDecoder, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes, type[ServiceError], str], None]:
    """Decode a file that must be refused for the given reason without Pillow having opened it."""

    def opened(*_: object, **__: object) -> None:
        pytest.fail("Pillow was given the file.")

    def check(data: bytes, error: type[ServiceError], reason: str) -> None:
        monkeypatch.setattr(Image, "open", opened)
        with pytest.raises(error, match=reason):
            decoder.decode(data)

    return check


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def progressive(scans: int, side: int) -> bytes:
    """A grey progressive JPEG with one scan of DC and then scans of AC that say nothing but "no coefficients"."""
    blocks = (side // 8) ** 2
    first = segment(0xDA, bytes([1, 1, 0x00, 0, 0, 0])) + bytes(
        (blocks + 7) // 8
    )  # code 0 for each block: difference 0
    empty = segment(0xDA, bytes([1, 1, 0x00, 1, 63, 0])) + bytes((blocks + 7) // 8)  # code 0: end of block
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, bytes([0]) + bytes([1] * 64)),
            segment(0xC2, struct.pack(">BHHB3B", 8, side, side, 1, 1, 0x11, 0)),
            segment(0xC4, bytes([0x00, 1, *[0] * 15, 0])),
            segment(0xC4, bytes([0x10, 1, *[0] * 15, 0])),
            first,
            empty * (scans - 1),
            b"\xff\xd9",
        ]
    )


def png_with(chunk: bytes, times: int) -> bytes:
    data = encoded(Image.new("RGB", (32, 32)), "PNG")
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    start = data.index(b"IDAT") - 4
    return data[:start] + whole * times + data[start:]


def tiff(tags: dict[int, tuple[int, int, int]], order: str = "<", after: int = 0) -> bytes:
    """A TIFF of one directory; tags map to (type, count, value or offset)."""
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "I", 8)
    body = struct.pack(order + "H", len(tags))
    for tag, (kind, count, value) in sorted(tags.items()):
        value_format = "HH" if kind == 3 and count == 1 else "I"
        values = (value, 0) if value_format == "HH" else (value,)
        body += struct.pack(order + "HHI" + value_format, tag, kind, count, *values)
    return head + body + struct.pack(order + "I", after) + bytes(2048)


def tiled(width: int, length: int, order: str = "<") -> bytes:
    return tiff(
        {
            256: (3, 1, 64),
            257: (3, 1, 64),
            258: (3, 1, 8),
            259: (3, 1, TIFF_COMPRESSION_LZW),
            262: (3, 1, 1),
            277: (3, 1, 1),
            322: (4, 1, width),
            323: (4, 1, length),
            324: (4, 1, 512),
            325: (4, 1, 1000),
        },
        order,
    )


class TestJpeg:
    def test_thousands_of_scans(self, refused: Callable[..., None]) -> None:
        refused(progressive(3000, 64), UndecodableImageError, "scans")

    def test_as_many_scans_as_allowed(self, decoder: ImageDecoder) -> None:
        assert decoder.decode(progressive(structure.MAX_JPEG_SCANS, 64)).picture.size == (64, 64)
        with pytest.raises(UndecodableImageError, match="scans"):
            decoder.decode(progressive(structure.MAX_JPEG_SCANS + 1, 64))

    def test_scans_hidden_behind_a_marker_that_has_no_length_for_every_reader(
        self, refused: Callable[..., None]
    ) -> None:
        honest = progressive(2, 64)
        for marker in (0x02, 0xC8, 0xF0):
            refused(honest[:2] + segment(marker, bytes(8)) + honest[2:], UndecodableImageError, f"FF{marker:02X}")

    def test_a_picture_that_ends_before_it_begins(self, refused: Callable[..., None]) -> None:
        # Pillow reads on after such an end, the walk must not stop there.
        honest = progressive(2, 64)
        refused(honest[:2] + b"\xff\xd9" + b"\xff\xfe\x00\x02" * 5000 + honest[2:], UndecodableImageError, "FFD9")

    @pytest.mark.parametrize("empty", [b"\xff\xfe\x00\x02", b"\xff\xdd\x00\x04\x00\x00", b"\xff\xd0"])
    def test_empty_segments(self, refused: Callable[..., None], empty: bytes) -> None:
        honest = progressive(2, 64)
        refused(honest[:2] + empty * 5000 + honest[2:], UndecodableImageError, "segments")

    @pytest.mark.parametrize("fill", [b"\xff", b"\x00", b"\xff\x00"])
    def test_fill_bytes(self, refused: Callable[..., None], fill: bytes) -> None:
        honest = progressive(2, 64)
        second = honest.index(b"\xff\xc2")
        refused(honest[:second] + fill * 100_000 + honest[second:], UndecodableImageError, "between its segments")

    def test_fill_bytes_in_small_portions(self, refused: Callable[..., None]) -> None:
        honest = progressive(2, 64)
        portion = b"\xff" * 100 + b"\xff\xfe\x00\x02"
        refused(honest[:2] + portion * 500 + honest[2:], UndecodableImageError, "between its segments")

    def test_a_segment_shorter_than_its_length(self, refused: Callable[..., None]) -> None:
        honest = progressive(2, 64)
        refused(honest[:2] + b"\xff\xfe\x00\x00" + honest[2:], UndecodableImageError, "length")


class TestPng:
    @pytest.mark.parametrize("chunk", [b"tIME", b"tEXta\x00", b"IDAT", b"prVt"])
    def test_chunks_without_end(self, refused: Callable[..., None], chunk: bytes) -> None:
        refused(png_with(chunk, structure.MAX_PNG_CHUNKS), UndecodableImageError, "chunks")


class TestTiff:
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_small_picture_of_gigantic_tiles(self, refused: Callable[..., None], order: str) -> None:
        refused(tiled(46_000, 46_000, order), UndecodableImageError, "tiles of 46000 x 46000")

    def test_the_larger_of_two_tile_widths_counts(self, refused: Callable[..., None]) -> None:
        data = tiled(16, 46_000)
        entry = struct.pack("<HHII", 322, 4, 1, 46_000)
        other = struct.pack("<HHII", 325, 4, 1, 1000)
        assert other in data
        refused(data.replace(other, entry), UndecodableImageError, "two values")

    def test_a_size_that_is_no_whole_number(self, refused: Callable[..., None]) -> None:
        data = tiled(16, 16).replace(struct.pack("<HHII", 322, 4, 1, 16), struct.pack("<HHII", 322, 11, 1, 16))
        refused(data, UndecodableImageError, "whole number")

    def test_strips_without_end(self, refused: Callable[..., None]) -> None:
        data = tiff({256: (3, 1, 64), 257: (3, 1, 64), 273: (4, structure.MAX_TIFF_BLOCKS + 1, 200)})
        refused(data, UndecodableImageError, "strips")

    def test_tags_without_end(self, refused: Callable[..., None]) -> None:
        data = b"II+\x00" + struct.pack("<HHQQ", 8, 0, 16, 10**6) + bytes(1000)
        refused(data, UndecodableImageError, "tags")

    def test_big_endian_bigtiff(self, refused: Callable[..., None]) -> None:
        refused(b"MM\x00+" + struct.pack(">HHQQ", 8, 0, 16, 0) + bytes(1000), UnsupportedImageError, "BigTIFF")

    def test_pages_are_not_counted(self, decoder: ImageDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
        pages = [Image.new("L", (16, 16))] * 5
        data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
        looked_at = []
        seek = TiffImagePlugin.TiffImageFile._seek

        def watched(image: TiffImagePlugin.TiffImageFile, frame: int) -> None:
            looked_at.append(frame)
            seek(image, frame)

        monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "_seek", watched)
        with pytest.raises(UnsupportedImageError, match="several pictures"):
            decoder.decode(data)
        assert set(looked_at) == {0}


class TestBmp:
    @pytest.mark.parametrize("compression", [1, 2])
    def test_run_lengths(self, refused: Callable[..., None], compression: int) -> None:
        header = struct.pack("<IiiHHIIiiII", 40, 7000, 7000, 1, 8, compression, 0, 0, 0, 256, 0)
        data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + header + bytes(1024) + b"\x00\x01"
        refused(data, UnsupportedImageError, "Run-length")


class TestSides:
    @pytest.mark.parametrize("size", [(8, 65_501), (65_501, 8)])
    def test_a_side_that_could_not_be_served(
        self, decoder: ImageDecoder, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
    ) -> None:
        data = encoded(Image.new("L", size), "PNG")
        monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda _: pytest.fail("Pixels were decoded."))
        with pytest.raises(TooLargeError, match="65500"):
            decoder.decode(data)

    def test_the_longest_side(self, decoder: ImageDecoder) -> None:
        picture = decoder.decode(encoded(Image.new("L", (8, 65_500)), "PNG")).picture
        assert picture.size == (8, 65_500)
        assert encoded(picture, "JPEG")


class TestHonestFiles:
    @pytest.mark.parametrize(
        "options",
        [
            {"progressive": True},
            {"progressive": True, "quality": 100, "subsampling": 0},
            {"restart_marker_blocks": 1},
            {"restart_marker_rows": 1, "progressive": True},
            {"icc_profile": np.random.default_rng(0).bytes(2_000_000)},
            {"comment": b"\xff\xda" * 200},
            {"optimize": True, "quality": 5},
        ],
        ids=str,
    )
    def test_jpeg(self, decoder: ImageDecoder, make_picture: MakePicture, options: dict[str, object]) -> None:
        assert decoder.decode(encoded(make_picture(1, (640, 480)), "JPEG", **options)).picture.size == (640, 480)

    def test_jpeg_of_a_phone(self, decoder: ImageDecoder, make_picture: MakePicture) -> None:
        """EXIF with a thumbnail that is a JPEG itself, a preview after the end, and a film after that."""
        thumbnail = encoded(make_picture(2, (160, 120)), "JPEG")
        tags = struct.pack("<4sIHI", b"II*\x00", 8, 0, 14 + 4) + struct.pack("<H", 2)
        tags += struct.pack("<HHII", 513, 4, 1, 48) + struct.pack("<HHII", 514, 4, 1, len(thumbnail))
        exif = b"Exif\x00\x00" + (tags + bytes(4)).ljust(48, b"\x00") + thumbnail
        first, second = make_picture(1, (640, 480)), make_picture(3, (320, 240))
        data = encoded(first, "MPO", save_all=True, append_images=[second], exif=exif)
        film = np.random.default_rng(0).bytes(8_000_000)
        assert len(re.findall(b"\xff\xda", data + film)) > structure.MAX_JPEG_SCANS
        assert decoder.decode(data + film).picture.size == (640, 480)

    def test_jpeg_with_aligned_segments(self, decoder: ImageDecoder) -> None:
        data = progressive(10, 64)
        assert decoder.decode(data[:2] + b"\xff" * 64 + data[2:-2] + b"\xff" * 64 + data[-2:])

    def test_png_with_text(self, decoder: ImageDecoder) -> None:
        assert decoder.decode(png_with(b"tEXtComment\x00parking lot, east", 20)).picture.size == (32, 32)

    def test_png_of_many_chunks(self, decoder: ImageDecoder) -> None:
        assert decoder.decode(png_with(b"IDAT", 2560)).picture.size == (32, 32)

    @pytest.mark.parametrize("big", [False, True])
    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
    def test_tiff(
        self, decoder: ImageDecoder, make_picture: MakePicture, compression: str | None, *, big: bool
    ) -> None:
        data = encoded(make_picture(1, (200, 150)), "TIFF", compression=compression, big_tiff=big)
        assert decoder.decode(data).picture.size == (200, 150)

    def test_tiff_smaller_than_its_tile(self) -> None:
        structure.check_structure(tiled(2048, 2048), "image/tiff")

    def test_bmp_of_the_oldest_header(self, decoder: ImageDecoder) -> None:
        header = struct.pack("<IHHHH", 12, 32, 32, 1, 24)
        data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 26) + header + bytes(32 * 32 * 3)
        assert decoder.decode(data).picture.size == (32, 32)
