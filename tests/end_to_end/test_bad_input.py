"""Bad input over HTTP: each a clear 4xx for that item alone, and the next request is fine."""

import io
import json
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

pytestmark = pytest.mark.asyncio(loop_scope="module")

Post = Callable[..., Awaitable[httpx.Response]]
GOOD = 1


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def huge_png() -> bytes:
    """A whole, valid PNG of 20,000 x 20,000 black pixels in half a megabyte."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + 20_000)
    pixels = b"".join([*(packer.compress(row) for _ in range(20_000)), packer.flush()])
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@contextmanager
def watched_memory() -> Iterator[list[int]]:
    """Bytes that the process holds beyond what it held before, looked at all the while.

    Not the kernel's high-water mark: an earlier test may have raised that above all that is to be seen here.
    """
    process, done = psutil.Process(), Event()
    before = process.memory_info().rss
    grown: list[int] = []

    def watch() -> None:
        while not done.wait(0.002):
            grown.append(process.memory_info().rss - before)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield grown
        finally:
            done.set()
        watching.result()


@pytest.fixture(scope="module")
def pictures(make_jpeg: Callable[..., bytes]) -> dict[str, bytes]:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "green", "blue")]
    jpeg = make_jpeg(50, (200, 150))
    return {
        "text": b"not an image at all",
        "html": b"<!doctype html><title>no</title>",
        "truncated JPEG": jpeg[: len(jpeg) // 2],
        "JPEG without its last bytes": jpeg[:-20],
        "0 bytes": b"",
        "1x1": encoded(Image.new("RGB", (1, 1)), "PNG"),
        "20,000 x 20,000 PNG": huge_png(),
        "animated GIF": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "animated WebP": encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "floating point TIFF": encoded(Image.new("F", (64, 48), 0.5), "TIFF"),
    }


CODES = {
    "text": ("unsupported_image_type", 415),
    "html": ("unsupported_image_type", 415),
    "truncated JPEG": ("undecodable_image", 422),
    "JPEG without its last bytes": ("undecodable_image", 422),
    "0 bytes": ("undecodable_image", 422),
    "1x1": ("undecodable_image", 422),
    "20,000 x 20,000 PNG": ("too_large", 413),
    "animated GIF": ("unsupported_image_type", 415),
    "animated WebP": ("unsupported_image_type", 415),
    "floating point TIFF": ("undecodable_image", 422),
}


@pytest.mark.parametrize("name", CODES)
class TestBadPictures:
    async def test_enrolment(self, enroll_shared: Post, pictures: dict[str, bytes], name: str) -> None:
        alone = await enroll_shared(pictures[name])
        assert alone.status_code == 422
        (error,) = alone.json()["errors"]
        assert (error["index"], error["code"]) == (0, CODES[name][0])
        assert len(error["detail"]) > 10
        mixed = await enroll_shared(GOOD, pictures[name], GOOD + 1)
        assert mixed.status_code == 201
        items = [(item["status"], item["code"]) for item in mixed.json()["items"]]
        assert items == [("enrolled", None), ("rejected", CODES[name][0]), ("enrolled", None)]

    async def test_search(
        self, enroll_shared: Post, search_shared: Post, pictures: dict[str, bytes], name: str
    ) -> None:
        await enroll_shared(GOOD)
        for query in ([pictures[name]], [GOOD, pictures[name]]):
            answer = await search_shared(*query)
            assert (answer.status_code, answer.json()["code"]) == (CODES[name][1], CODES[name][0])
            assert answer.json()["errors"][0]["index"] == len(query) - 1
        good = await search_shared(GOOD)
        assert good.json()["hits"][0]["score"] == pytest.approx(1, abs=1e-3)


async def test_a_decompression_bomb_takes_no_memory(
    enroll_shared: Post, search_shared: Post, pictures: dict[str, bytes]
) -> None:
    await enroll_shared(GOOD)
    bomb = pictures["20,000 x 20,000 PNG"]
    with watched_memory() as grown:
        enrolment = await enroll_shared(*[bomb] * 8)
        search = await search_shared(*[bomb] * 4)
    assert [error["code"] for error in enrolment.json()["errors"]] == ["too_large"] * 8
    assert search.json()["code"] == "too_large"
    assert max(grown) < 64 * 2**20  # decoded it is 400 MB as grey and 1.2 GB as RGB


@pytest.fixture(scope="module")
def plain(make_picture: Callable[..., Image.Image]) -> Image.Image:
    return make_picture(60, (120, 80))


@pytest.fixture(scope="module")
def odd(plain: Image.Image) -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    transparent = plain.convert("RGBA")
    return {
        "CMYK JPEG": encoded(plain.convert("CMYK"), "JPEG", quality=97),
        "EXIF-rotated JPEG": encoded(plain.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=97),
        "opaque RGBA PNG": encoded(transparent, "PNG"),
        "WebP": encoded(plain, "WEBP", lossless=True),
        "BMP": encoded(plain, "BMP"),
        "TIFF": encoded(plain, "TIFF"),
    }


class TestOddButGoodPictures:
    """Unusual files that show a vehicle all the same: the vector is that of the plain picture."""

    @pytest.mark.parametrize("name", ["CMYK JPEG", "EXIF-rotated JPEG", "opaque RGBA PNG", "WebP", "BMP", "TIFF"])
    async def test_found_by_the_plain_picture(
        self, enroll_shared: Post, search_shared: Post, plain: Image.Image, odd: dict[str, bytes], name: str
    ) -> None:
        answer = await enroll_shared(odd[name], collection=name)
        assert answer.status_code == 201
        (hit,) = (await search_shared(encoded(plain, "PNG"), collection=name)).json()["hits"]
        assert hit["score"] > 0.98
        assert (hit["crop"]["width"], hit["crop"]["height"]) == (120, 80)

    async def test_sixteen_bit_grey_is_found_by_its_eight_bit_twin(
        self, enroll_shared: Post, search_shared: Post, plain: Image.Image
    ) -> None:
        grey = plain.convert("L")
        deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        assert (await enroll_shared(encoded(deep, "PNG"), collection="deep")).status_code == 201
        (hit,) = (await search_shared(encoded(grey, "PNG"), collection="deep")).json()["hits"]
        assert hit["score"] == pytest.approx(1, abs=1e-3)

    async def test_content_decides_not_the_declared_type(
        self, shared_client: httpx.AsyncClient, make_jpeg: Callable[..., bytes]
    ) -> None:
        files = [
            ("images", ("crop.exe", make_jpeg(1), "application/octet-stream")),
            ("images", ("crop.jpg", b"MZ this is a program", "image/jpeg")),
            ("images", ("crop.png", make_jpeg(2), "image/png")),
        ]
        answer = await shared_client.post("/gallery", files=files, data={"camera_id": "c"})
        items = answer.json()["items"]
        assert [item["status"] for item in items] == ["enrolled", "rejected", "enrolled"]
        crop = (await shared_client.get(f"/gallery/{items[2]['id']}")).json()
        assert crop["media_type"] == "image/jpeg"


class TestBadFields:
    async def test_each_fails_alone(self, enroll_shared: Post) -> None:
        items = [
            {"camera_id": None},
            {"captured_at": "2026-11-23T08:30:00"},
            {"captured_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()},
            {"attributes": {"speed": float("nan")}},
            {"bbox": [0, 0, float("inf"), 10]},
            {"attributes": {"a": {"nested": 1}}},
            {"vehicle_id": "nul\x00"},
            {"track_id": "x" * 300},
            {},
        ]
        answer = await enroll_shared(*range(len(items)), items=json.dumps(items))
        assert answer.status_code == 201
        statuses = [(item["status"], item["code"]) for item in answer.json()["items"]]
        assert statuses == [("rejected", "invalid_value")] * (len(items) - 1) + [("enrolled", None)]

    async def test_camera_id_missing(self, enroll_shared: Post) -> None:
        answer = await enroll_shared(GOOD, camera_id=None)
        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {"index": 0, "code": "invalid_value", "detail": "camera_id: is required"},
        ]

    @pytest.mark.parametrize(
        "fields",
        [
            {"min_score": "NaN"},
            {"min_score": "Infinity"},
            {"min_score": "1.5"},
            {"k": "0"},
            {"k": "1001"},
            {"k": "many"},
            {"from": "2026-11-23T08:30:00"},
            {"from": "2026-11-23T08:30:00Z", "to": "2026-11-23T08:30:00Z"},
            {"attributes": '{"speed": NaN}'},
            {"attributes": '{"a": "\\u0000"}'},
            {"attributes": "[1]"},
            {"exclude_same_camera": "true"},
            {"group_by": "colour"},
            {"rerank": "magic"},
            {"min_sequence": "-1"},
            {"min_sequence": "99999999999999999999"},
            {"camera_ids": "\x00"},
            {"collection": "\x00"},
            {"purpose": "\x00"},
            {"camera_idss": "typo"},
        ],
    )
    async def test_search_fields(self, enroll_shared: Post, search_shared: Post, fields: dict[str, str]) -> None:
        answer = await search_shared(GOOD, **fields)
        assert answer.status_code == 422, answer.text
        assert next(iter(fields)) in answer.json()["errors"][0]["field"] or "to" in fields

    async def test_search_attributes_that_are_no_json(self, search_shared: Post) -> None:
        answer = await search_shared(GOOD, attributes="{colour: red}")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


class TestBadRequests:
    @pytest.mark.parametrize("path", ["/gallery", "/search"])
    @pytest.mark.parametrize(
        ("content", "content_type", "status"),
        [
            (b"garbage", "multipart/form-data; boundary=x", 400),
            (b"garbage", "multipart/form-data", 400),
            (b"", "multipart/form-data; boundary=x", 400),
            (b"--x--", "multipart/form-data; boundary=x", 422),
        ],
    )
    async def test_bodies(
        self, shared_client: httpx.AsyncClient, path: str, content: bytes, content_type: str, status: int
    ) -> None:
        answer = await shared_client.post(path, content=content, headers={"Content-Type": content_type})
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("path", ["/gallery", "/search"])
    @pytest.mark.parametrize(
        ("content", "content_type"),
        [
            (b"{}", "application/json"),
            (b"images=text&camera_id=c", "application/x-www-form-urlencoded"),
            (b"", "text/plain"),
            (b"\xff\xd8\xff", "image/jpeg"),
            (b"", None),
        ],
    )
    async def test_bodies_that_are_no_form(
        self, shared_client: httpx.AsyncClient, path: str, content: bytes, content_type: str | None
    ) -> None:
        headers = {} if content_type is None else {"Content-Type": content_type}
        answer = await shared_client.post(path, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
        assert "multipart/form-data" in answer.json()["detail"]

    @pytest.mark.parametrize(("path", "form"), [("/gallery", "EnrolmentForm"), ("/search", "SearchForm")])
    async def test_an_empty_field_is_not_taken_for_an_absent_one(
        self,
        enroll_shared: Post,
        shared_client: httpx.AsyncClient,
        make_jpeg: Callable[..., bytes],
        path: str,
        form: str,
    ) -> None:
        await enroll_shared(GOOD)
        schemas = (await shared_client.get("/openapi.json")).json()["components"]["schemas"]
        fields = set(schemas[form]["properties"])
        assert {"images", "collection", "camera_id", "attributes"} < fields
        picture, given = ("images", ("crop", make_jpeg(GOOD))), {"camera_id": "camera-1"}
        for field in sorted(fields):
            others = [(name, (None, value)) for name, value in given.items() if name != field]
            for kind, empty in {"text": (None, b""), "no file chosen": ("none-chosen", b"")}.items():
                request = shared_client.build_request("POST", path, files=[picture, *others, (field, empty)])
                # As browsers send it; httpx leaves an empty name out.
                body = (await request.aread()).replace(b'filename="none-chosen"', b'filename=""')
                headers = {"Content-Type": request.headers["Content-Type"]}
                answer = await shared_client.post(path, content=body, headers=headers)
                assert answer.status_code == 422, (field, kind, answer.text)
                assert [error["field"] for error in answer.json()["errors"]] == [field], kind

    async def test_images_given_as_text(self, shared_client: httpx.AsyncClient) -> None:
        answer = await shared_client.post("/gallery", data={"images": "text", "camera_id": "c"}, files={"other": b""})
        assert answer.status_code == 422

    async def test_too_many_files(self, shared_client: httpx.AsyncClient) -> None:
        answer = await shared_client.post("/gallery", files=[("images", ("a", b"x"))] * 200, data={"camera_id": "c"})
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/gallery/not-an-id", 422),
            ("GET", "/gallery/00000000-0000-0000-0000-000000000000", 404),
            ("GET", "/gallery/00000000-0000-0000-0000-000000000000/image", 404),
            ("DELETE", "/gallery/00000000-0000-0000-0000-000000000000", 404),
            ("GET", "/gallery?limit=0", 422),
            ("GET", "/gallery?limit=nan", 422),
            ("GET", "/gallery?cursor=%00", 422),
            ("GET", "/gallery?cursor=abc", 422),
            ("GET", "/gallery?camera=typo", 422),
            ("GET", "/gallery?collection=nowhere", 404),
            ("GET", "/gallery?attributes=%7B", 400),
            ("GET", "/cameras?cursor=%00", 422),
            ("GET", "/cameras?collection=nowhere", 404),
            ("GET", "/nowhere", 404),
            ("GET", "/gallery/", 404),
            ("POST", "/search/", 404),
            ("PUT", "/gallery", 405),
            ("POST", "/healthz", 405),
        ],
    )
    async def test_addresses(
        self, enroll_shared: Post, shared_client: httpx.AsyncClient, method: str, path: str, status: int
    ) -> None:
        await enroll_shared(GOOD)
        answer = await shared_client.request(method, path)
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
