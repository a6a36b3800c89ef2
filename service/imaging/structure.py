"""What an honest file's container never holds, refused before a decoder walks it.

Size and pixels do not bound the work that a file asks for: a progressive JPEG may repeat a scan of 75 bytes over 50
million pixels thousands of times, a TIFF of 64 x 64 pixels may claim tiles of gigabytes, and a million empty chunks are
each read in Python. These checks read nothing but markers, chunk headers and the first directory, and stop at the first
limit they meet. They refuse more than they understand: where two readers could take a file differently, it is refused.
"""

import re
import struct
from collections.abc import Iterator

from service.errors import UndecodableImageError, UnsupportedImageError

MAX_JPEG_SCANS = 64
"""Usual progressive files have about 10, and no script of the common encoders more than some dozens. A scan without
data costs 15 ms at 50 million pixels, so 64 of them stay near a second."""

MAX_JPEG_SEGMENTS = 1024
"""20 MiB of metadata in full segments of 64 KiB are 320; tables before each scan add a few per scan."""

MAX_JPEG_PADDING = 4096
"""Bytes between segments, all told. Encoders write none or align to a few; each is skipped in Python, one by one."""

MAX_PNG_CHUNKS = 16_384
"""20 MiB of pixel data in the 8 KiB chunks of libpng are 2,560; one chunk per row stays below too. A chunk costs about
12 microseconds, so these 0.2 s."""

MAX_TIFF_ENTRIES = 4096
"""A directory's tags; real ones have some dozens. BigTIFF counts them in 64 bits."""

MAX_TIFF_BLOCKS = 32_768
"""Strips or tiles: one strip for each of 10,000 rows and each of 3 planes. Each is an object of Python's."""

MAX_SMALL_TIFF_TILE = 2048 * 2048
"""Pixels of a tile that may be larger than the picture: tiles have a fixed size, and a small picture fills a part."""

_EOI, _SOS = 0xD9, 0xDA
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and restarts, without a length
# Frames, tables, scans, metadata. The others (JPEG-LS, reserved) no decoder here reads, and readers do not agree on
# whether a length follows them.
_JPEG_SEGMENTS = frozenset({*range(0xC0, 0xD0), _SOS, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE}) - {0xC8}
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

_BMP_RUN_LENGTH = (1, 2)  # BI_RLE8, BI_RLE4

_IMAGE_WIDTH, _IMAGE_LENGTH, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 322, 323
_TIFF_BLOCK_TAGS = (273, 279, 324, 325)  # StripOffsets, StripByteCounts, TileOffsets, TileByteCounts
_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}


def check_structure(data: bytes, media_type: str) -> None:
    """Refuse a file whose container asks for far more work than its picture needs. Decodes nothing.

    A file that merely ends too early passes: the decoder finds that out, and says so.

    Args:
        data: The file's bytes.
        media_type: As `sniff_media_type` told it.

    Raises:
        UndecodableImageError: Too many scans, segments, chunks, tags, strips or tiles, tiles far larger than the
            picture, or no file of this type at all.
        UnsupportedImageError: A rare variant that is not read: run-length coded BMP, big-endian BigTIFF.
        struct.error: A header is cut short.
    """
    if media_type == "image/jpeg":
        _check_jpeg(data)
    elif media_type == "image/png":
        _check_png(data)
    elif media_type == "image/bmp":
        _check_bmp(data)
    elif media_type == "image/tiff":
        _check_tiff(data)


def _check_jpeg(data: bytes) -> None:
    scans = 0
    for number, marker in enumerate(_jpeg_markers(data), 1):
        if number > MAX_JPEG_SEGMENTS:
            raise UndecodableImageError(f"The JPEG has more than {MAX_JPEG_SEGMENTS} segments.")
        if marker == _EOI and scans:
            return  # what phones append is not decoded
        if marker not in _JPEG_SEGMENTS and marker not in _JPEG_BARE_MARKERS:
            raise UndecodableImageError(f"The JPEG has a marker FF{marker:02X} where none may be.")
        scans += marker == _SOS
        if scans > MAX_JPEG_SCANS:
            raise UndecodableImageError(f"The JPEG has more than {MAX_JPEG_SCANS} scans; save it as a baseline JPEG.")


def _jpeg_markers(data: bytes) -> Iterator[int]:
    """Second byte of each marker in order; restart markers inside of a scan's data are part of that data."""
    position, padding = 2, 0
    while found := _MARKER.search(data, position, position + MAX_JPEG_PADDING - padding + 2):
        padding += found.start() - position
        while found is not None:
            marker, position = data[found.end() - 1], found.end()
            yield marker
            if marker in _JPEG_SEGMENTS:
                (length,) = struct.unpack_from(">H", data, position)
                if length < 2:  # noqa: PLR2004 - the length counts its own two bytes
                    raise UndecodableImageError(f"The JPEG has a segment FF{marker:02X} of an impossible length.")
                position += length
            found = _MARKER_AFTER_SCAN.search(data, position) if marker == _SOS else None
    if len(data) - position > MAX_JPEG_PADDING - padding:
        raise UndecodableImageError(f"The JPEG has more than {MAX_JPEG_PADDING} bytes between its segments.")


def _check_png(data: bytes) -> None:
    position = 8
    for _ in range(MAX_PNG_CHUNKS):
        if position + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, position)
        if name == b"IEND":
            return
        position += 12 + length
    raise UndecodableImageError(f"The PNG has more than {MAX_PNG_CHUNKS} chunks.")


def _check_bmp(data: bytes) -> None:
    (header_size,) = struct.unpack_from("<I", data, 14)
    if header_size < 40:  # noqa: PLR2004 - BITMAPINFOHEADER; the older header has no compression
        return
    (compression,) = struct.unpack_from("<I", data, 30)
    if compression in _BMP_RUN_LENGTH:
        # Pillow decodes it pixel by pixel in Python: seconds for a frame.
        raise UnsupportedImageError("Run-length coded BMP is not read; save it uncompressed, or as PNG.")


def _check_tiff(data: bytes) -> None:
    order = "<" if data.startswith(b"II") else ">"
    if data.startswith(b"MM\x00+"):
        raise UnsupportedImageError("BigTIFF of big-endian order is not read; save it as plain TIFF.")
    if data.startswith(b"II+"):
        start, count_format, entry_format = struct.unpack_from(order + "Q", data, 8)[0], order + "Q", order + "HHQ8s"
    else:
        start, count_format, entry_format = struct.unpack_from(order + "I", data, 4)[0], order + "H", order + "HHI4s"
    if start >= len(data):
        raise UndecodableImageError("The TIFF's directory lies outside of the file.")
    (entries,) = struct.unpack_from(count_format, data, start)
    if entries > MAX_TIFF_ENTRIES:
        raise UndecodableImageError(f"The TIFF has more than {MAX_TIFF_ENTRIES} tags.")
    start += struct.calcsize(count_format)
    sizes = dict.fromkeys((_IMAGE_WIDTH, _IMAGE_LENGTH, _TILE_WIDTH, _TILE_LENGTH), 0)
    for number in range(entries):
        tag, kind, count, value = struct.unpack_from(entry_format, data, start + number * struct.calcsize(entry_format))
        if tag in _TIFF_BLOCK_TAGS and count > MAX_TIFF_BLOCKS:
            raise UndecodableImageError(f"The TIFF has more than {MAX_TIFF_BLOCKS} strips or tiles.")
        if tag in sizes:
            size = _tiff_integer(order, kind, count, value)
            if sizes[tag] not in (0, size):
                raise UndecodableImageError(f"The TIFF gives two values for tag {tag}.")
            sizes[tag] = size
    _check_tile(sizes)


def _tiff_integer(order: str, kind: int, count: int, value: bytes) -> int:
    code = _TIFF_INTEGERS.get(kind)
    if code is None or count != 1 or struct.calcsize(code) > len(value):
        raise UndecodableImageError("The TIFF gives a size that is no single whole number.")
    return int(struct.unpack_from(order + code, value)[0])


def _check_tile(sizes: dict[int, int]) -> None:
    # Tiles at the border reach beyond the picture: their sides are multiples of 16.
    picture = (sizes[_IMAGE_WIDTH] + 15) * (sizes[_IMAGE_LENGTH] + 15)
    if sizes[_TILE_WIDTH] * sizes[_TILE_LENGTH] > max(picture, MAX_SMALL_TIFF_TILE):
        raise UndecodableImageError(
            f"The TIFF has tiles of {sizes[_TILE_WIDTH]} x {sizes[_TILE_LENGTH]} pixels, far larger than its picture."
        )
