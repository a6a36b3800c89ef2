"""Picture files that are no longer what an encoder wrote: one for each number, the same in every run."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Values that lengths, counts and offsets are set to."""

BOMB_EVERY = 20
"""Each so-manieth file is built to take much work, one kind after the other."""

HEADER = 96
"""Bytes at the beginning in which most headers, first tags and tables are."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A file to be refused, or to be read where the damage left a picture.

    Attributes:
        kind: How it was made, after the type of the file.
        data: The file.
    """

    kind: str
    data: bytes


def malformed(number: int) -> Malformed:
    """The file of a number: a picture that was damaged, or now and then a file built to take much work."""
    dice = random.Random(number)
    if number % BOMB_EVERY == 0:
        name, build = list(BOMBS.items())[number // BOMB_EVERY % len(BOMBS)]
        return Malformed(f"bomb {name}", build(dice))
    name, data = dice.choice(_originals())
    damage = dice.choice(DAMAGES)
    damaged = damage(dice, bytearray(data))
    if name.startswith("png") and dice.random() < 0.7:  # or no damage would get past the checksums
        damaged = with_right_checksums(damaged)
    return Malformed(f"{name.partition(' ')[0]} {damage.__name__}", bytes(damaged))


@cache
def _originals() -> list[tuple[str, bytes]]:
    rgb = Image.fromarray(np.random.default_rng(5).integers(0, 256, (6, 8, 3), np.uint8)).resize((64, 48))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "described"
    grey16 = Image.fromarray(np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 20)
    kinds = [
        ("jpeg", rgb, {"quality": 80}),
        ("jpeg progressive", rgb, {"progressive": True, "exif": exif}),
        ("jpeg cmyk", rgb.convert("CMYK"), {"restart_marker_rows": 1}),
        ("jpeg grey", rgb.convert("L"), {"comment": b"a comment", "icc_profile": b"no profile"}),
        ("png", rgb, {}),
        ("png alpha", rgb.convert("RGBA"), {"exif": exif}),
        ("png palette", rgb.convert("P"), {"transparency": 3}),
        ("png 16", grey16, {}),
        ("webp", rgb, {}),
        ("webp lossless", rgb.convert("RGBA"), {"lossless": True, "exif": exif}),
        ("webp alpha", rgb.convert("RGBA"), {"quality": 30}),
        ("tiff", rgb, {}),
        ("tiff lzw", rgb, {"compression": "tiff_lzw"}),
        ("tiff deflate", rgb.convert("RGBA"), {"compression": "tiff_adobe_deflate"}),
        ("tiff jpeg", rgb, {"compression": "jpeg"}),
        ("tiff group4", rgb.convert("1"), {"compression": "group4"}),
        ("tiff big", rgb, {"big_tiff": True}),
        ("bmp", rgb, {}),
        ("bmp palette", rgb.convert("P"), {}),
    ]
    return [(name, _encoded(image, name.partition(" ")[0].upper(), options)) for name, image, options in kinds]


def _encoded(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def truncated(dice: random.Random, data: bytearray) -> bytearray:
    return data[: dice.randrange(len(data))]


def bits_flipped(dice: random.Random, data: bytearray) -> bytearray:
    for _ in range(dice.choice((1, 2, 8, 64))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data


def header_bits_flipped(dice: random.Random, data: bytearray) -> bytearray:
    for _ in range(dice.choice((1, 2, 4))):
        data[dice.randrange(min(HEADER, len(data)))] ^= 1 << dice.randrange(8)
    return data


def length_changed(dice: random.Random, data: bytearray) -> bytearray:
    """An extreme where a length, count, size or offset may be, in either byte order."""
    where = HEADER if dice.random() < 0.7 else len(data)
    for _ in range(dice.choice((1, 1, 3))):
        form = dice.choice(("<H", ">H", "<I", ">I"))
        position = dice.randrange(max(1, min(where, len(data)) - 4))
        struct.pack_into(form, data, position, dice.choice(EXTREMES) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
    return data


def bytes_overwritten(dice: random.Random, data: bytearray) -> bytearray:
    start = dice.randrange(len(data))
    length = dice.choice((4, 64, 1024))
    data[start : start + length] = dice.randbytes(min(length, len(data) - start))
    return data


def piece_removed(dice: random.Random, data: bytearray) -> bytearray:
    start = dice.randrange(len(data))
    del data[start : start + dice.choice((1, 2, 16, 256))]
    return data


def piece_repeated(dice: random.Random, data: bytearray) -> bytearray:
    start = dice.randrange(len(data))
    piece = data[start : start + dice.choice((1, 16, 256, 4096))]
    return data[:start] + piece * dice.choice((2, 16, 200)) + data[start:]


def spliced(dice: random.Random, data: bytearray) -> bytearray:
    """The beginning of one file with the end of another, of any type."""
    other = dice.choice(_originals())[1]
    return data[: dice.randrange(len(data))] + other[dice.randrange(len(other)) :]


def swallowed(dice: random.Random, data: bytearray) -> bytearray:
    """One file in the middle of another."""
    position = dice.randrange(len(data))
    return data[:position] + dice.choice(_originals())[1] + data[position:]


Damage = Callable[[random.Random, bytearray], bytearray]
DAMAGES: tuple[Damage, ...] = (
    truncated,
    bits_flipped,
    header_bits_flipped,
    length_changed,
    bytes_overwritten,
    piece_removed,
    piece_repeated,
    spliced,
    swallowed,
)


def with_right_checksums(data: bytearray) -> bytearray:
    """A PNG whose chunks have the checksums of what is in them now, as far as its chunks can be told."""
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[position + 4 : end]))
        position = end + 4
    return data


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IEND", b"")


@cache
def _nothing(size: int) -> bytes:
    """So many zeros, packed a thousandfold."""
    packer = zlib.compressobj(9)
    whole, rest = divmod(size, 2**20)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(whole)) + packer.compress(bytes(rest)) + packer.flush()


def png_of_many_pixels(dice: random.Random) -> bytes:
    side = dice.choice((7_000, 7_072, 20_000, 2**31 - 1))
    return _png(side, side, _chunk(b"IDAT", _nothing(1000)))


def png_that_unpacks_to_more_than_its_pixels(dice: random.Random) -> bytes:
    return _png(32, 32, _chunk(b"IDAT", _nothing(dice.choice((2**24, 2**27)))))


def png_with_text_that_unpacks(dice: random.Random) -> bytes:
    text = _chunk(b"zTXt", b"note\0\0" + _nothing(2**25)) * dice.choice((1, 16))
    profile = _chunk(b"iCCP", b"icc\0\0" + _nothing(2**26))
    return _png(32, 32, profile, text, _chunk(b"IDAT", zlib.compress(bytes(33 * 32))))


def png_of_many_chunks(dice: random.Random) -> bytes:
    return _png(32, 32, _chunk(b"tEXt", b"a\0b") * dice.choice((1_000, 100_000)))


def png_of_many_bits(_: random.Random) -> bytes:
    return _png(3_000, 3_000, _chunk(b"IDAT", _nothing(3_000 * (3_000 * 8 + 1))), depth=16, colour=6)


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def jpeg_of_many_scans(dice: random.Random) -> bytes:
    """Progressive, with scans that say nothing."""
    side, scans = dice.choice(((256, 2_000), (4_096, 65), (4_096, 60)))
    rest = bytes(((side // 8) ** 2 + 7) // 8)
    head = [
        b"\xff\xd8",
        _segment(0xDB, bytes([0]) + bytes([1] * 64)),
        _segment(0xC2, struct.pack(">BHHB3B", 8, side, side, 1, 1, 0x11, 0)),
        _segment(0xC4, bytes([0x00, 1, *[0] * 15, 0])),
        _segment(0xC4, bytes([0x10, 1, *[0] * 15, 0])),
        _segment(0xDA, bytes([1, 1, 0x00, 0, 0, 0])) + rest,
    ]
    return b"".join(head) + (_segment(0xDA, bytes([1, 1, 0x00, 1, 63, 0])) + rest) * (scans - 1) + b"\xff\xd9"


def jpeg_of_many_pixels(dice: random.Random) -> bytes:
    data = bytearray(_originals()[0][1])
    frame = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, *dice.choice(((65_535, 65_535), (700, 65_500), (8_000, 6_000))))
    return bytes(data)


def jpeg_of_many_segments(dice: random.Random) -> bytes:
    data = _originals()[0][1]
    return data[:2] + _segment(0xFE, b"") * dice.choice((500, 200_000)) + data[2:]


def _tiff(tags: dict[int, tuple[int, int, int]], after: int = 0, rest: bytes = b"") -> bytes:
    entries = b"".join(struct.pack("<HHII", tag, *value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", after) + rest


def _strips(width: int, height: int, **changes: tuple[int, int, int]) -> dict[int, tuple[int, int, int]]:
    usual = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    usual |= {273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, width * height % 2**32)}
    return usual | {int(tag[1:]): value for tag, value in changes.items()}


def tiff_that_follows_itself(_: random.Random) -> bytes:
    return _tiff(_strips(32, 32), after=8, rest=bytes(2_000))


def tiff_of_many_values(dice: random.Random) -> bytes:
    tag = dice.choice(("_273", "_279", "_258", "_339", "_700", "_34675", "_270"))
    return _tiff(_strips(32, 32, **{tag: (4, dice.choice((2**31, 2**32 - 1, 30_000)), 8)}), rest=bytes(200_000))


def tiff_of_large_tiles(dice: random.Random) -> bytes:
    side = dice.choice((2_048, 65_536, 2**30))
    tiles = {"_322": (4, 1, side), "_323": (4, 1, side), "_324": (4, 1, 8), "_325": (4, 1, 100)}
    return _tiff(_strips(32, 32, **tiles, _259=(3, 1, dice.choice((1, 5, 8)))), rest=bytes(4_000))


def tiff_of_many_pixels(dice: random.Random) -> bytes:
    return _tiff(_strips(*dice.choice(((7_000, 7_000), (2**31, 2), (60_000, 800)))), rest=bytes(4_000))


def webp_of_many_pixels(dice: random.Random) -> bytes:
    """What the header says is not what the frame in it has."""
    side = dice.choice((2**14 - 1, 7_000, 2**24 - 1))
    extended = struct.pack("<I", 0x10) + (side - 1).to_bytes(3, "little") * 2
    frame = _originals()[8][1][12:]
    body = b"WEBPVP8X" + struct.pack("<I", len(extended)) + extended + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp_of_many_pixels(dice: random.Random) -> bytes:
    width, height = dice.choice(((7_000, 7_000), (2**31 - 1, -(2**31)), (65_500, -700), (-8, 8)))
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, dice.choice((1, 8, 24, 32)), 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header + bytes(1_000)


def bmp_of_runs(_: random.Random) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 6_000, 6_000, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54 + 1024) + header + bytes(1_024) + b"\xff\x00" * 200_000


BOMBS: dict[str, Callable[[random.Random], bytes]] = {
    build.__name__: build
    for build in (
        png_of_many_pixels,
        png_that_unpacks_to_more_than_its_pixels,
        png_with_text_that_unpacks,
        png_of_many_chunks,
        png_of_many_bits,
        jpeg_of_many_scans,
        jpeg_of_many_pixels,
        jpeg_of_many_segments,
        tiff_that_follows_itself,
        tiff_of_many_values,
        tiff_of_large_tiles,
        tiff_of_many_pixels,
        webp_of_many_pixels,
        bmp_of_many_pixels,
        bmp_of_runs,
    )
}
