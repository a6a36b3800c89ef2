"""Decoding in processes: as in this one, timed, bounded in memory, and a failure costs its own picture only."""

import asyncio
import contextlib
import hashlib
import io
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from service.errors import OverloadedError, TooLargeError, UndecodableImageError, UnsupportedImageError
from service.imaging import DecodePool, ImageDecoder, ImageLimits, PrepareCrop, RenderJpeg, RenditionPool
from service.imaging.prepared import prepare_picture
from service.imaging.worker import BYTES_PER_PIXEL

LIMITS = ImageLimits(max_bytes=2**20, max_pixels=4_000_000, min_side=8)
ASK = PrepareCrop(64)
TIMEOUT_S = 1.5

MakeJpeg = Callable[..., bytes]


@pytest.fixture
def pool() -> Iterator[DecodePool]:
    pool = DecodePool(2, LIMITS, TIMEOUT_S)
    yield pool
    pids = pool.pids
    pool.close()
    assert not any(map(psutil.pid_exists, pids))


@pytest.fixture
def lone() -> Iterator[DecodePool]:
    pool = DecodePool(1, LIMITS, TIMEOUT_S)
    yield pool
    pool.close()


def freeze(pid: int) -> None:
    """Let a process hang, as a decoder in an endless loop does."""
    os.kill(pid, signal.SIGSTOP)
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.001)


def gone(pid: int) -> None:
    """Wait until a process has ended and its parent, the server of processes, knows."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(10)


class TestAnswers:
    async def test_a_picture_is_prepared_as_in_this_process(self, pool: DecodePool, make_jpeg: MakeJpeg) -> None:
        data = make_jpeg(1, (300, 200))
        made = await pool.run(ASK, data)
        here = prepare_picture(ImageDecoder(LIMITS), data, ASK.side)
        assert np.array_equal(made.pixels, here.pixels)
        assert made.quality == here.quality
        assert (made.sha256, made.media_type) == (hashlib.sha256(data).digest(), "image/jpeg")

    @pytest.mark.parametrize(("longest", "size"), [(None, (300, 200)), (60, (60, 40))])
    async def test_a_picture_is_rendered_without_what_else_it_carries(
        self, pool: DecodePool, make_jpeg: MakeJpeg, longest: int | None, size: tuple[int, int]
    ) -> None:
        rendered = await pool.run(RenderJpeg(longest), make_jpeg(1, (300, 200), comment=b"a secret place"))
        assert Image.open(io.BytesIO(rendered)).size == size
        assert b"secret" not in rendered

    @pytest.mark.parametrize(
        ("data", "error"),
        [
            (b"", UndecodableImageError),
            (b"no picture", UnsupportedImageError),
            (b"\xff\xd8\xff" + bytes(LIMITS.max_bytes), TooLargeError),
            (b"\x89PNG\r\n\x1a\n", UndecodableImageError),
        ],
    )
    async def test_a_refusal_arrives_as_it_was_made(
        self, pool: DecodePool, data: bytes, error: type[Exception]
    ) -> None:
        with pytest.raises(error) as there:
            await pool.run(ASK, data)
        with pytest.raises(error) as here:
            ImageDecoder(LIMITS).decode(data)
        assert type(there.value) is type(here.value)
        assert str(there.value) == str(here.value)

    async def test_what_the_decoder_met_is_logged(
        self, pool: DecodePool, make_jpeg: MakeJpeg, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        with pytest.raises(UndecodableImageError):
            await pool.run(ASK, make_jpeg(1)[:200])
        assert "OSError" in caplog.text

    async def test_every_answer_goes_to_who_asked(self, pool: DecodePool, make_jpeg: MakeJpeg) -> None:
        asked = [pool.run(ASK, make_jpeg(seed)) for seed in range(40)]
        made = await asyncio.gather(*asked)
        assert [one.sha256 for one in made] == [hashlib.sha256(make_jpeg(seed)).digest() for seed in range(40)]

    async def test_all_processes_work_at_once(self, pool: DecodePool, make_jpeg: MakeJpeg) -> None:
        """One after the other, the second would be given up a whole time limit after the first."""
        for pid in pool.pids:
            freeze(pid)

        async def given_up(seed: int) -> float:
            with pytest.raises(UndecodableImageError, match=r"within 1\.5 s"):
                await pool.run(ASK, make_jpeg(seed))
            return time.monotonic()

        first, second = await asyncio.gather(given_up(1), given_up(2))
        assert abs(second - first) < TIMEOUT_S


class TestFailures:
    async def test_a_hanging_process_costs_its_own_picture_only(self, pool: DecodePool, make_jpeg: MakeJpeg) -> None:
        hanging, whole = pool.pids
        freeze(hanging)
        begun = time.monotonic()
        made = await asyncio.gather(*(pool.run(ASK, make_jpeg(seed)) for seed in range(20)), return_exceptions=True)
        assert time.monotonic() - begun >= TIMEOUT_S
        (refused,) = [one for one in made if isinstance(one, BaseException)]
        assert isinstance(refused, UndecodableImageError)
        assert "within 1.5 s" in refused.detail
        assert pool.pids[1] == whole
        assert pool.pids[0] != hanging
        assert not psutil.pid_exists(hanging)
        await asyncio.gather(*(pool.run(ASK, make_jpeg(seed)) for seed in range(4)))

    @pytest.mark.parametrize("end", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
    async def test_a_crash_costs_the_picture_that_made_it_only(
        self, lone: DecodePool, make_jpeg: MakeJpeg, caplog: pytest.LogCaptureFixture, end: signal.Signals
    ) -> None:
        (pid,) = lone.pids
        freeze(pid)
        first, second = (asyncio.create_task(lone.run(ASK, make_jpeg(seed))) for seed in (1, 2))
        await asyncio.sleep(0.2)
        os.kill(pid, end)
        with contextlib.suppress(
            ProcessLookupError
        ):  # what is stopped meets SIGKILL at once, the others when it goes on
            os.kill(pid, signal.SIGCONT)
        with pytest.raises(UndecodableImageError, match="ended the process"):
            await first
        assert (await second).media_type == "image/jpeg"
        assert f"status -{end.value}" in caplog.text

    async def test_a_process_that_dies_idle_costs_no_picture(self, lone: DecodePool, make_jpeg: MakeJpeg) -> None:
        for _ in range(3):
            (pid,) = lone.pids
            psutil.Process(pid).kill()
            await asyncio.to_thread(gone, pid)
            assert (await lone.run(ASK, make_jpeg(1))).media_type == "image/jpeg"

    async def test_memory_is_bounded(self, lone: DecodePool, make_jpeg: MakeJpeg) -> None:
        (pid,) = lone.pids
        await lone.run(ASK, make_jpeg(1))
        process = psutil.Process(pid)
        allowed, _ = process.rlimit(psutil.RLIMIT_AS)
        assert 0 < allowed - process.memory_info().vms < BYTES_PER_PIXEL * LIMITS.max_pixels + 100 * 2**20
        large = make_jpeg(1, (2000, 2000))
        await lone.run(ASK, large)
        process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms + 2**20,) * 2)
        with pytest.raises(UndecodableImageError):
            await lone.run(ASK, large)
        assert (await lone.run(ASK, make_jpeg(1))).media_type == "image/jpeg"

    async def test_no_answer_of_a_process_is_trusted(
        self, lone: DecodePool, make_jpeg: MakeJpeg, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Here it is asked for another size than this side waits for."""
        monkeypatch.setattr("service.imaging.pool.pack_request", lambda _: b'["PrepareCrop", {"side": 32}]')
        with pytest.raises(UndecodableImageError, match="astray"):
            await lone.run(ASK, make_jpeg(1))

    async def test_processes_do_not_outlive_a_pool_that_nobody_closed(self, tmp_path: Path) -> None:
        ended = run(
            tmp_path,
            """
            print(*DecodePool(2, ImageLimits(1, 1, 1), 1).pids, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
            """,
        )
        assert ended.returncode == -signal.SIGKILL
        pids = [int(pid) for pid in ended.stdout.split()]
        assert len(pids) == 2
        for pid in pids:
            await asyncio.to_thread(gone, pid)

    def test_nobody_writes_into_the_services_log_by_way_of_a_library(self, tmp_path: Path) -> None:
        """Libtiff complains of each row that it cannot read, straight to the error output."""
        dots = np.random.default_rng(0).random((48, 64)) > 0.5
        buffer = io.BytesIO()
        Image.fromarray(dots).save(buffer, "TIFF", compression="group4")
        noisy = buffer.getvalue()[:18] + b"\x55" * 8 + buffer.getvalue()[26:]
        (tmp_path / "noisy.tiff").write_bytes(noisy)
        head = f"""
            limits, data = ImageLimits(10_000, 10_000, 1), pathlib.Path({str(tmp_path / "noisy.tiff")!r}).read_bytes()
            """
        here = run(tmp_path, f"{head}ImageDecoder(limits).decode(data)")
        assert "Fax4Decode" in here.stderr
        there = run(
            tmp_path,
            head
            + """
            pool = DecodePool(1, limits, 10)
            asyncio.run(pool.run(PrepareCrop(8), data))
            pool.close()
            """,
        )
        assert (there.returncode, there.stderr) == (0, "")


def run(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    head = (
        "import asyncio, os, pathlib, signal\n"
        "from service.imaging import DecodePool, ImageDecoder, ImageLimits, PrepareCrop\n"
        "if __name__ == '__main__':\n"
    )
    script.write_text(head + textwrap.indent(textwrap.dedent(body), "    "))
    return subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)


class TestCancelling:
    async def test_what_waits_is_dropped(self, lone: DecodePool, make_jpeg: MakeJpeg) -> None:
        (pid,) = lone.pids
        freeze(pid)
        first, second = (asyncio.create_task(lone.run(ASK, make_jpeg(seed))) for seed in (1, 2))
        await asyncio.sleep(0.05)
        second.cancel()
        os.kill(pid, signal.SIGCONT)
        await first
        with pytest.raises(asyncio.CancelledError):
            await second
        assert lone.pids == [pid]


class TestRenditions:
    async def test_more_than_may_wait_are_refused(self, lone: DecodePool, make_jpeg: MakeJpeg) -> None:
        renditions = RenditionPool(lone, workers=1, capacity=2)
        go, read = asyncio.Event(), 0

        async def load() -> bytes:
            nonlocal read
            read += 1
            await go.wait()
            return make_jpeg(1)

        waiting = [asyncio.create_task(renditions.render(load, 50)) for _ in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(OverloadedError):
            await renditions.render(load, 50)
        assert read == 1
        go.set()
        assert len(set(await asyncio.gather(*waiting))) == 1
        assert await renditions.render(load, 50)
