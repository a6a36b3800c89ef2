"""Every codec against a slow oracle that scores every held vector."""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.contenders import clustered, oracle, require_contenders
from support.vectors import unit

from index.codecs import CODECS, DEFAULT_CODEC, Codec, CodecError, SegmentVectors
from index.codecs import codec as codec_of
from index.codecs.rabitq import Rabitq
from index.halves import STORED, unit_of

Written = Callable[[Codec, NDArray[np.float32]], SegmentVectors]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**20),
    rows=st.sampled_from((1, 2, 9, 300, 1500)),
    dimension=st.sampled_from((1, 2, 8, 33, 64)),
    k=st.sampled_from((1, 2, 10, 64, 500, 5000)),
    share=st.sampled_from((0.0, 0.001, 0.02, 0.3, 0.9, 1.0)),
)
def test_the_k_best_are_among_the_contenders(
    *, written: Written, codec: Codec, seed: int, rows: int, dimension: int, k: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    given_vectors = clustered(seed, rows, dimension)
    vectors, held = written(codec, given_vectors), codec.held(given_vectors)
    allowed = rng.random(rows) < share
    for query in (held[rng.integers(rows)], unit(rng.standard_normal(dimension))):
        require_contenders(vectors, held, query, k, allowed)
        likely = vectors.contenders(query, k, allowed, int(allowed.sum()), exact=False)
        assert len(likely) >= min(k, allowed.sum())
        assert allowed[likely].all()
        assert (np.diff(likely) > 0).all()
    vectors.close()


@pytest.mark.parametrize("dimension", [1, 3, 64, 512])
def test_vectors_in_half_precision_are_held_as_they_are(codec: Codec, dimension: int) -> None:
    stored, _ = unit_of(clustered(7, 400, dimension).astype(STORED))
    assert np.array_equal(codec.held(stored), stored)


def test_near_ties_that_codes_cannot_tell_apart_are_all_contenders(written: Written, codec: Codec) -> None:
    rng = np.random.default_rng(1)
    centre = unit(rng.standard_normal(48))
    crowd = unit(centre + 3e-4 * rng.standard_normal((3000, 48)))
    vectors, held = written(codec, crowd), codec.held(crowd)
    allowed = rng.random(3000) < 0.8
    for k in (1, 10, 200):
        require_contenders(vectors, held, centre, k, allowed)


def test_copies_beyond_what_is_asked_for_are_all_contenders(written: Written, codec: Codec) -> None:
    copies = np.repeat(clustered(3, 4, 32), 500, axis=0)
    vectors, held = written(codec, copies), codec.held(copies)
    rows = require_contenders(vectors, held, held[0], 10, np.ones(2000, np.bool_))
    assert len(rows) >= 500


def test_few_contenders_are_left_where_vectors_differ(written: Written, codec: Codec) -> None:
    spread = unit(np.random.default_rng(4).standard_normal((3000, 256)))
    vectors, held = written(codec, spread), codec.held(spread)
    rows = require_contenders(vectors, held, held[7], 10, np.ones(3000, np.bool_))
    assert len(rows) <= 20


def test_a_row_that_scores_at_minus_one_is_found_last(written: Written, codec: Codec) -> None:
    vectors = np.zeros((200, 4), np.float32)
    vectors[:, 0] = -1
    vectors[150:, 1], vectors[150:, 0] = 1, 0
    kept = written(codec, vectors)
    rows = require_contenders(kept, codec.held(vectors), -vectors[0], 60, np.ones(200, np.bool_))
    assert len(rows) == 200


def test_what_is_held_comes_back_bit_for_bit_through_any_number_of_rewrites(written: Written, codec: Codec) -> None:
    given_vectors = clustered(5, 700, 24) * np.float32(1.0009)
    held = codec.held(given_vectors)
    for _ in range(3):
        vectors = written(codec, held)
        rows = np.array([699, 0, 5, 5])
        assert np.array_equal(vectors.held(rows), held[rows])
        assert np.array_equal(vectors.held(np.arange(700)), held)
        held = codec.held(vectors.held(np.arange(700)))
    assert np.array_equal(held, codec.held(given_vectors))
    assert vectors.held(np.empty(0, np.int64)).shape == (0, 24)


def test_the_largest_error_is_that_of_no_row_exceeded(written: Written) -> None:
    given_vectors = clustered(6, 400, 40)
    held = CODECS["sq8"].held(given_vectors)
    vectors = written(CODECS["sq8"], given_vectors)
    low, high = held.min(axis=0), held.max(axis=0)
    codes = np.clip(np.floor((held - low) / (high - low) * 255), 0, 255)
    errors = np.linalg.norm(low + (codes + 0.5) / 255 * (high - low) - held, axis=1)
    assert errors.max() <= vectors.max_error < 1.1 * errors.max()
    assert written(CODECS["fp32"], given_vectors).max_error == 0
    half = given_vectors.astype(np.float16).astype(np.float64)
    assert written(CODECS["fp16"], given_vectors).max_error == pytest.approx(
        np.abs(np.linalg.norm(half, axis=1) - 1).max(), rel=1e-2
    )


@pytest.mark.parametrize(
    ("name", "scanned", "stored"), [("fp32", 512, 512), ("fp16", 256, 256), ("sq8", 128, 384), ("rabitq", 24, 280)]
)
def test_memory_and_disk_are_what_the_files_take(tmp_path: Path, name: str, scanned: int, stored: int) -> None:
    codec = CODECS[name]
    codec.write(codec.held(clustered(7, 1000, 128)), tmp_path)
    vectors = codec.open(tmp_path)
    assert vectors.memory_bytes == 1000 * scanned
    assert vectors.disk_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    assert 0 <= vectors.disk_bytes - 1000 * stored < 4000
    assert scanned <= codec.bytes_per_vector(128) <= scanned + 8


def test_vectors_are_mapped_and_not_read(tmp_path: Path, codec: Codec) -> None:
    held = codec.held(clustered(8, 20_000, 256))
    codec.write(held, tmp_path)
    before = anonymous_kilobytes()
    opened = [codec.open(tmp_path) for _ in range(40)]
    for vectors in opened:
        vectors.contenders(held[3], 10, np.ones(20_000, np.bool_), 20_000, exact=False)
    assert anonymous_kilobytes() - before < 40 * 20_000 * 20 / 1024


def anonymous_kilobytes() -> int:
    """Memory of this process that is no file's."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))


def test_one_opened_segment_is_searched_from_many_threads_at_once(written: Written, codec: Codec) -> None:
    vectors, held = written(codec, clustered(9, 3000, 64)), codec.held(clustered(9, 3000, 64))
    rng = np.random.default_rng(9)
    cases = [
        (held[rng.integers(3000)], int(k), rng.random(3000) < share) for k in (1, 10, 90) for share in (0.001, 0.5, 1)
    ]
    expected = [search(vectors, case) for case in cases]
    start = threading.Barrier(8)

    def searches(seed: int) -> bool:
        start.wait()
        order = np.random.default_rng(seed).integers(len(cases), size=300)
        return all(
            all(np.array_equal(*pair) for pair in zip(search(vectors, cases[one]), expected[one], strict=True))
            for one in order
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(searches, range(8)))


def search(
    vectors: SegmentVectors, case: tuple[NDArray[np.float32], int, NDArray[np.bool_]]
) -> list[NDArray[np.float32] | NDArray[np.int64]]:
    query, k, allowed = case
    found = [vectors.contenders(query, k, allowed, int(allowed.sum()), exact=exact) for exact in (True, False)]
    return [*found, vectors.held(found[0])]


def test_files_that_are_missing_or_cut_or_another_codecs_are_refused(tmp_path: Path, codec: Codec) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    codec.write(codec.held(clustered(10, 50, 16)), whole)
    for file in whole.iterdir():
        for size in (None, 0, file.stat().st_size // 2):
            spoilt = tmp_path / f"{file.name}-{size}"
            shutil.copytree(whole, spoilt)
            (spoilt / file.name).unlink()
            if size is not None:
                (spoilt / file.name).write_bytes(file.read_bytes()[:size])
            with pytest.raises(CodecError, match=file.name):
                codec.open(spoilt)


def test_codes_of_another_segment_are_refused(tmp_path: Path) -> None:
    for name in ("sq8", "rabitq"):
        for rows in (50, 60):
            (tmp_path / f"{name}{rows}").mkdir()
            CODECS[name].write(CODECS[name].held(clustered(11, rows, 16)), tmp_path / f"{name}{rows}")
        file = {"sq8": "uint8.faiss", "rabitq": "rabitq.faiss"}[name]
        shutil.copy(tmp_path / f"{name}60" / file, tmp_path / f"{name}50" / file)
        with pytest.raises(CodecError, match="does not hold the vectors"):
            CODECS[name].open(tmp_path / f"{name}50")


def test_a_full_disk_is_an_error(tmp_path: Path, codec: Codec) -> None:
    # /dev/full takes nothing; vectors few enough to fit a buffer find out when the file is closed
    name = next(iter(sorted(names_of(codec, tmp_path))))
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / name).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        codec.write(codec.held(clustered(12, 3, 4)), folder)


def names_of(codec: Codec, tmp_path: Path) -> set[str]:
    probe = tmp_path / "probe"
    probe.mkdir()
    codec.write(codec.held(clustered(12, 3, 4)), probe)
    return {file.name for file in probe.iterdir() if file.suffix == ".faiss"}


def test_vectors_that_are_not_held_and_no_vectors_are_refused(tmp_path: Path) -> None:
    for name, codec in CODECS.items():
        with pytest.raises(ValueError, match="at least one vector"):
            codec.write(np.empty((0, 8), np.float32), tmp_path)
        if name != "fp32":
            with pytest.raises(ValueError, match="no held vectors"):
                codec.write(clustered(13, 20, 8), tmp_path)


def test_a_codec_is_found_by_its_name_only() -> None:
    assert {name: codec_of(name).name for name in CODECS} == {name: name for name in ("fp32", "fp16", "sq8", "rabitq")}
    assert DEFAULT_CODEC in CODECS
    with pytest.raises(ValueError, match="no codec 'pq'; choose from fp32, fp16, sq8, rabitq"):
        codec_of("pq")


def test_likely_contenders_hold_nearly_all_of_the_best(written: Written) -> None:
    given_vectors = clustered(14, 4000, 512)
    for rabitq in (Rabitq(), Rabitq(cells_from_rows=1)):
        vectors, held = written(rabitq, given_vectors), rabitq.held(given_vectors)
        rng = np.random.default_rng(14)
        for share in (0.3, 1.0):
            allowed = rng.random(4000) < share
            found, best, answered = 0, 0, 0
            for query in held[rng.integers(4000, size=60)]:
                wanted = oracle(held, query, 10, allowed)
                rows = vectors.contenders(query, 10, allowed, int(allowed.sum()), exact=False)
                found, best, answered = found + np.isin(wanted, rows).sum(), best + len(wanted), answered + len(rows)
            assert 0.98 * best <= found
            assert answered < 60 * 40


def test_where_cells_near_the_query_hold_too_few_the_search_is_exact(written: Written) -> None:
    rng = np.random.default_rng(15)
    centres = unit(np.eye(2, 32))
    crowds = unit(np.repeat(centres, 3000, axis=0) + 0.05 * rng.standard_normal((6000, 32)))
    rabitq = Rabitq(cells_from_rows=1)
    vectors, held = written(rabitq, crowds), rabitq.held(crowds)
    allowed = np.arange(6000) >= 3000  # all of them far from the query
    rows = vectors.contenders(centres[0], 10, allowed, 3000, exact=False)
    assert np.isin(oracle(held, centres[0], 10, allowed), rows).all()
