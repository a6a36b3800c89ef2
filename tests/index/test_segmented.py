"""What the segmented index promises beyond the contract: the same answers whatever the history, files in order."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from support.indexes import TINY
from support.vectors import unit_rows

from index import maintenance, searching, upkeep
from index.codecs import CODECS
from index.contract import Filter, Hits, Sighting
from index.options import IndexOptions
from index.recheck import FilterLeakError
from index.segmented import SegmentedIndex
from index.segments.files import StorageError
from index.selection import Selection

DIMENSION = 200
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
EXACT = IndexOptions(codec="fp32", threads=2)

Make = Callable[..., SegmentedIndex]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes an index without a thread of its own unless told otherwise; several share one folder."""
    made: list[SegmentedIndex] = []

    def make(dimension: int = DIMENSION, options: IndexOptions = EXACT, *, background: bool = False) -> SegmentedIndex:
        made.append(SegmentedIndex(dimension, tmp_path, options, background=background))
        return made[-1]

    yield make
    for index in made:
        index.close()


def settle(index: SegmentedIndex) -> None:
    while index.maintain():
        pass


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def dated(number: int, day: int, **columns: object) -> Sighting:
    vector = unit_rows(number, 1, 8)[0]
    return Sighting(UUID(int=number + 1), "c", vector, "cam", captured_at=NOON + timedelta(days=day), **columns)


def crops_of(vectors: NDArray[np.float32], cameras: int = 7) -> list[Sighting]:
    return [Sighting(UUID(int=n + 1), "c", vector, f"cam-{n % cameras}") for n, vector in enumerate(vectors)]


def answered(hits: Hits) -> list[tuple[UUID, float]]:
    return [(hit.sighting.id, hit.score) for hit in hits.hits]


def near_ties(random: np.random.Generator, query: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """Unit vectors whose similarity with the query differs in the last bits of float32 only."""
    sideways = random.standard_normal((rows, len(query)))
    sideways -= np.outer(sideways @ query, query)
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True)
    return (0.8 * query + 0.6 * sideways).astype(np.float32)


@pytest.mark.parametrize("k", [1, 10, 150])
@pytest.mark.parametrize("share", [1.0, 0.1])
def test_near_ties_are_ranked_by_the_exact_score(make: Make, k: int, share: float) -> None:
    random = np.random.default_rng(k)
    query = unit_rows(random, 1, DIMENSION)[0]
    crops = crops_of(near_ties(random, query, 400), cameras=1)
    rest = int(len(crops) * (1 / share - 1))
    others = [Sighting(UUID(int=10**6 + n), "c", -query, "other") for n in range(rest)]
    index = make()
    index.apply(crops + others, [], 1)

    def exact_score(crop: Sighting) -> float:
        return float(np.float32(math.fsum(float(a) * float(b) for a, b in zip(query, crop.embedding, strict=True))))

    expected = sorted(((crop.id, exact_score(crop)) for crop in crops), key=lambda pair: (-pair[1], pair[0]))
    assert len({score for _, score in expected}) < len(expected)
    assert answered(index.search(query[None], k, Filter("c", camera_ids=frozenset({"cam-0"})))[0]) == expected[:k]


def test_replicas_with_other_histories_answer_bit_for_bit_the_same(make: Make) -> None:
    random = np.random.default_rng(2)
    crops = crops_of(unit_rows(random, 600, DIMENSION))
    fresh, busy = make(), make(options=replace(TINY, codec="fp32"))
    fresh.apply(crops, [], 1)
    noise = [Sighting(crop.id, crop.collection, -crop.embedding, "gone") for crop in crops[::3]]
    busy.apply(noise, [], 1)
    for start in reversed(range(0, 600, 50)):
        busy.apply(crops[start : start + 50], [], 1)
        busy.maintain()
        busy.apply(noise[:1], [crop.id for crop in crops[start + 3 : start + 50 : 5]], 1)
    busy.apply(crops, [], 1)
    for query in unit_rows(random, 20, DIMENSION):
        for where in (Filter("c"), Filter("c", camera_ids=frozenset({"cam-3"}))):
            assert answered(fresh.search(query[None], 25, where)[0]) == answered(busy.search(query[None], 25, where)[0])
    one, other = fresh.camera_statistics("c"), busy.camera_statistics("c")
    assert set(one) == set(other) == {f"cam-{n}" for n in range(7)}
    for camera in one:
        assert one[camera].count == other[camera].count
        assert one[camera].mean.tobytes() == other[camera].mean.tobytes()
        assert one[camera].deviation.tobytes() == other[camera].deviation.tobytes()


def test_a_score_does_not_depend_on_the_filter(make: Make) -> None:
    random = np.random.default_rng(3)
    index = make()
    index.apply(crops_of(unit_rows(random, 2000, DIMENSION), cameras=20), [], 1)
    query = unit_rows(random, 1, DIMENSION)[0]
    everywhere = dict(answered(index.search(query[None], 2000, Filter("c"))[0]))
    for camera in range(20):
        some = answered(index.search(query[None], 2000, Filter("c", camera_ids=frozenset({f"cam-{camera}"})))[0])
        assert len(some) == 100
        assert all(everywhere[crop] == score for crop, score in some)


def test_a_search_that_ignores_its_filter_is_found_out(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    index = make(2)
    east = np.array([1, 0], dtype=np.float32)
    index.apply([Sighting(UUID(int=1), "c", east, "cam")], [], 1)
    monkeypatch.setattr(searching, "selected", lambda part, where: Selection(part, part.count, None))
    with pytest.raises(FilterLeakError, match=str(UUID(int=1))):
        index.search(east[None], 1, Filter("c", camera_ids=frozenset({"other"})))


@pytest.mark.parametrize("heavy", [1, 10, 10**6])
def test_threads_share_out_parts_and_change_no_answer(make: Make, monkeypatch: pytest.MonkeyPatch, heavy: int) -> None:
    monkeypatch.setattr(searching, "_ROWS_WORTH_A_THREAD", heavy)
    sizes, number = [1, 3, 12, 9, 40, 10, 2, 25], 0
    index, alone = make(8, replace(EXACT, threads=3)), make(8, replace(EXACT, threads=1))
    seen = set()
    for day, size in enumerate(sizes):
        crops = [dated(n, day) for n in range(number, number + size)]
        number += size
        index.apply(crops, [], day)
        alone.apply(crops, [], day)
        index.snapshot()
    select = searching.selected

    def noted(*arguments: Any) -> Selection | None:
        seen.add(threading.current_thread() is threading.main_thread())
        return select(*arguments)

    monkeypatch.setattr(searching, "selected", noted)
    for k in (1, 30, 200):
        query = unit_rows(k, 2, 8)
        for one, other in zip(index.search(query, k, Filter("c")), alone.search(query, k, Filter("c")), strict=True):
            assert answered(one) == answered(other)
            assert one.candidates == number
    assert (False in seen) == (heavy < 40)


def test_a_crop_left_out_stays_out_while_it_is_enrolled_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    index = make(8)
    crops = [dated(n, 0) for n in range(4)]
    index.apply(crops, [], 1)
    index.apply(crops[1:2], [], 2)  # twice in the table already
    select = searching.selected

    def select_beside_a_writer(*arguments: Any) -> Selection | None:
        index.apply([*crops[1:3], dated(9, 0)], [], 3)
        return select(*arguments)

    monkeypatch.setattr(searching, "selected", select_beside_a_writer)
    where = Filter("c", exclude_ids=frozenset({crops[1].id, UUID(int=10)}))
    answer = index.search(crops[1].embedding[None], 9, where)[0]
    assert {hit.sighting.id for hit in answer.hits} == {crops[0].id, crops[2].id, crops[3].id}
    assert (answer.watermark, answer.candidates) == (2, 3)


def test_a_batch_that_cannot_be_encoded_changes_nothing(make: Make) -> None:
    index = make(2)
    east = np.array([1, 0], dtype=np.float32)
    index.apply([Sighting(UUID(int=1), "a", east, "cam")], [], 1)
    broken = Sighting(UUID(int=3), "z", east, "cam", attributes={"list": [1]})
    with pytest.raises(TypeError):
        index.apply([Sighting(UUID(int=2), "a", east, "cam"), broken], [UUID(int=1)], 2)
    assert (index.stats().crops, index.watermark, index.stats().collections["a"].dead) == (1, 1, 0)
    index.apply([Sighting(UUID(int=2), "a", east, "cam")], [UUID(int=1)], 2)
    assert [hit.sighting.id.int for hit in index.search(east[None], 9, Filter("a"))[0].hits] == [2]


def test_a_dimension_below_one_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="dimension"):
        make(0)


def test_retention_lets_go_of_whole_segments_and_of_rows_of_the_one_it_cuts(make: Make, tmp_path: Path) -> None:
    index = make(8)
    crops = [dated(n, n % 4) for n in range(40)]
    index.apply(crops, [], 1)
    index.snapshot()
    assert index.stats().collections["c"].parts == 4
    index.apply([], [], 2, {"c": NOON + timedelta(days=2)})
    assert (index.stats().collections["c"].parts, index.stats().collections["c"].dead) == (2, 0)
    moved = dated(2, 2, attributes={"late": True})
    index.apply([moved], [], 3)
    index.apply([], [], 4, {"c": NOON + timedelta(days=2, microseconds=1)})
    left = index.search(crops[3].embedding[None], 40, Filter("c"))[0]
    assert {hit.sighting.id for hit in left.hits} == {crop.id for crop in crops[3::4]}
    assert sum(one.count for one in index.camera_statistics("c").values()) == 10


def test_a_segment_whose_last_crop_is_at_the_limit_keeps_it(make: Make) -> None:
    index = make(8)
    last = replace(dated(1, 0), captured_at=NOON + timedelta(hours=1))
    index.apply([dated(0, 0), last], [], 1)
    index.snapshot()
    index.apply([], [], 2, {"c": NOON + timedelta(hours=1)})
    assert [hit.sighting.id for hit in index.search(last.embedding[None], 9, Filter("c"))[0].hits] == [last.id]


@pytest.mark.parametrize(("hours", "parts"), [(6, 6), (24, 5), (24 * 7, 2)])
def test_segments_of_another_span_are_merged_by_the_new_one(tmp_path: Path, hours: int, parts: int) -> None:
    options = replace(EXACT, merge_parts=2)
    index = SegmentedIndex(8, tmp_path, options, background=False)
    crops = [dated(n, n % 4 - 3) for n in range(8)]  # weeks since 1970 begin on Thursdays, so all of these are in one
    undated = [replace(dated(n, 0), captured_at=None) for n in range(8, 10)]
    index.apply([*crops, undated[0]], [], 1)
    index.snapshot()
    index.close()
    index = SegmentedIndex.open(8, tmp_path, "", "", replace(options, span=timedelta(hours=hours)), background=False)
    evening = crops[0].captured_at + timedelta(hours=7)
    late = [replace(crops[0], id=UUID(int=number), captured_at=evening) for number in (98, 99)]
    index.apply([*late, undated[1]], [], 2)
    index.snapshot()
    settle(index)
    assert index.stats().collections["c"].parts == parts
    found = index.search(crops[0].embedding[None], 20, Filter("c"))[0]
    assert {hit.sighting.id for hit in found.hits} == {crop.id for crop in (*crops, *undated, *late)}
    cut = crops[2].captured_at
    index.apply([], [], 3, {"c": cut})
    window = Filter("c", captured_from=cut, captured_to=cut + timedelta(days=1))
    found = index.search(crops[0].embedding[None], 20, window)[0]
    assert {hit.sighting.id for hit in found.hits} == {crop.id for crop in crops[2::4]}
    assert index.stats().crops == 6
    index.close()


def test_what_was_deleted_is_gone_from_the_files_two_snapshots_later(make: Make, tmp_path: Path) -> None:
    index = make(8, IndexOptions(codec="fp32", purge_after=timedelta(0)))
    crops = [dated(n, 0, vehicle_id="kept") for n in range(50)]
    secret = dated(60, 0, vehicle_id="to be forgotten", attributes={"plate": "B-AD 1"})
    index.apply([*crops, secret], [], 1)
    index.snapshot()

    def files_with(text: bytes) -> list[Path]:
        return [path for path in tmp_path.rglob("*") if path.is_file() and text in path.read_bytes()]

    assert files_with(b"to be forgotten")
    assert files_with(secret.embedding.tobytes())
    index.apply([], [secret.id], 2)
    settle(index)
    index.snapshot()
    assert index.snapshot_wanted  # the one before still names the old segment
    index.snapshot()
    assert not index.snapshot_wanted
    assert not files_with(b"to be forgotten")
    assert not files_with(secret.embedding.tobytes())
    assert files_with(crops[0].embedding.tobytes())


def test_what_has_expired_is_gone_from_the_files_two_snapshots_later_and_after_a_restart(tmp_path: Path) -> None:
    index = SegmentedIndex(8, tmp_path, EXACT, background=False)
    index.apply([dated(n, n % 4, vehicle_id=f"day {n % 4}") for n in range(40)], [], 1)
    index.snapshot()
    index.apply([], [UUID(int=n + 1) for n in range(3, 40, 4)], 2, {"c": NOON + timedelta(days=2)})
    assert index.snapshot() == 2
    assert index.snapshot_wanted  # the one before names what has expired, and the day that was deleted
    index.close()
    index = SegmentedIndex.open(8, tmp_path, "", "", EXACT, background=False)
    assert index.snapshot_wanted
    index.snapshot()
    assert not index.snapshot_wanted
    days = {
        f"day {day}" for day in range(4) for path in tmp_path.rglob("*.bin") if b"day %d" % day in path.read_bytes()
    }
    assert days == {"day 2"}
    index.close()


def test_what_is_written_beside_a_snapshot_is_worth_another(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    index = make(8)
    index.apply([dated(1, 0)], [], 1)
    write = upkeep.write_snapshot

    def write_beside_a_writer(*arguments: Any) -> Path:
        index.apply([dated(2, 0)], [], 2)
        return write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "write_snapshot", write_beside_a_writer)
        assert index.snapshot() == 1
    assert index.snapshot_wanted
    assert index.snapshot() == 2
    assert not index.snapshot_wanted


def test_a_full_disk_loses_nothing_and_is_told_until_there_is_room(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_room(*arguments: object) -> None:
        raise StorageError("no space left on device")

    write = maintenance.write_segment
    monkeypatch.setattr(maintenance, "write_segment", no_room)
    options = replace(TINY, codec="fp32", snapshot_every=timedelta(hours=1))
    index = make(8, options, background=True)
    crops = [dated(n, 0) for n in range(200)]
    for start in range(0, 200, 20):
        index.apply(crops[start : start + 20], [], start + 1)  # far more than may wait, and nobody waits in vain
    wait_until(lambda: index.problem is not None)
    assert "no space left on device" in str(index.problem)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    found = index.search(crops[7].embedding[None], 200, Filter("c"))[0]
    assert {hit.sighting.id for hit in found.hits} == {crop.id for crop in crops}
    monkeypatch.setattr(maintenance, "write_segment", write)
    wait_until(lambda: index.problem is None)
    wait_until(lambda: index.stats().disk_bytes > 0)
    assert index.stats().crops == 200


def test_another_codec_is_taken_over_by_compaction_and_scores_follow(make: Make) -> None:
    random = np.random.default_rng(6)
    crops = crops_of(unit_rows(random, 310, DIMENSION))
    index, fresh = make(options=EXACT), make(options=replace(EXACT, codec="fp16"))
    index.apply(crops[:300], [], 1)
    index.snapshot()
    index.apply(crops[300:], [], 1)  # into a table of the old codec
    index.set_codec("c", "fp16")
    index.apply(crops[:10], [crop.id for crop in crops[200:220]], 2)
    again = index.search(crops[0].embedding[None], 1, Filter("c"))[0].hits[0].sighting.embedding
    assert again.tobytes() == CODECS["fp16"].held(crops[0].embedding[None])[0].tobytes()
    settle(index)
    index.snapshot()
    settle(index)
    fresh.apply([*crops[:200], *crops[220:]], [], 2)
    assert index.stats().collections["c"].codec == "fp16"
    query = unit_rows(random, 1, DIMENSION)
    assert answered(index.search(query, 310, Filter("c"))[0]) == answered(fresh.search(query, 310, Filter("c"))[0])
    for camera, one in fresh.camera_statistics("c").items():
        assert index.camera_statistics("c")[camera].mean.tobytes() == one.mean.tobytes()


def test_after_a_restart_the_default_codec_is_the_one_set_now_and_a_chosen_one_stays(tmp_path: Path) -> None:
    options = replace(EXACT, codec="sq8")
    index = SegmentedIndex(8, tmp_path, options, background=False)
    index.set_codec("chosen", "sq8")
    crops = [dated(n, 0) for n in range(6)]
    index.apply([replace(crop, collection=("plain", "chosen")[n % 2]) for n, crop in enumerate(crops)], [], 1)
    index.snapshot()
    index.close()
    index = SegmentedIndex.open(8, tmp_path, "", "", replace(options, codec="fp16"), background=False)
    settle(index)
    parts = {name: [part.codec for part in one.parts.values()] for name, one in index._state.collections.items()}
    assert parts == {"plain": ["fp16"], "chosen": ["sq8"]}
    assert {name: one.codec for name, one in index.stats().collections.items()} == {"plain": "fp16", "chosen": "sq8"}
    assert len(index.search(crops[0].embedding[None], 9, Filter("plain"))[0].hits) == 3
    index.close()


def test_deaths_during_a_rewrite_are_carried_over(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    index = make(8)
    crops = [dated(n, n % 2) for n in range(40)]
    index.apply(crops, [], 1)
    write = maintenance.write_segment

    def write_beside_a_writer(*arguments: object) -> Path:
        path = write(*arguments)
        index.apply([replace(crops[3], camera_id="moved")], [crops[4].id], 2)
        return path

    monkeypatch.setattr(maintenance, "write_segment", write_beside_a_writer)
    assert index.snapshot() == 1
    found = index.search(crops[3].embedding[None], 50, Filter("c"))[0]
    cameras = {hit.sighting.id: hit.sighting.camera_id for hit in found.hits}
    assert cameras == {crop.id: "moved" if crop is crops[3] else "cam" for crop in crops if crop is not crops[4]}
    assert index.stats().collections["c"].crops == 39


def test_a_snapshot_knows_what_was_dead_in_its_segments(tmp_path: Path) -> None:
    crops = [dated(n, 0, fingerprint=n) for n in range(20)]
    index = SegmentedIndex(8, tmp_path, EXACT, background=False)
    index.apply(crops, [], 1)
    index.snapshot()
    index.apply([replace(crops[2], camera_id="moved")], [crops[1].id], 2)
    index.snapshot()
    stats, statistics = index.stats(), index.camera_statistics("c")
    index.close()
    again = SegmentedIndex.open(8, tmp_path, "", "", EXACT, background=False)
    assert again.stats() == stats
    assert (stats.collections["c"].crops, stats.collections["c"].dead) == (19, 2)
    found = again.search(crops[1].embedding[None], 20, Filter("c"))[0]
    assert {hit.sighting.id for hit in found.hits} == {crop.id for crop in crops} - {crops[1].id}
    assert again.camera_statistics("c")["cam"].mean.tobytes() == statistics["cam"].mean.tobytes()
    again.close()


def test_a_snapshot_of_another_model_or_database_is_not_used(tmp_path: Path) -> None:
    index = SegmentedIndex(8, tmp_path, EXACT, model_id="m1", installation="i1", background=False)
    index.apply([dated(1, 0)], [], 9)
    index.snapshot()
    index.close()
    for dimension, model_id, installation, watermark in ((8, "m2", "i1", 0), (8, "m1", "i2", 0), (8, "m1", "i1", 9)):
        again = SegmentedIndex.open(dimension, tmp_path, model_id, installation, EXACT, background=False)
        assert again.watermark == watermark
        again.close()


@pytest.mark.parametrize("codec", CODECS)
def test_segments_that_were_rewritten_keep_no_file_open(make: Make, tmp_path: Path, codec: str) -> None:
    index = make(8, replace(TINY, codec=codec))
    for turn in range(20):
        index.apply([dated(turn, 0)], [], turn + 1)
        index.snapshot()
        settle(index)
    opened = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    assert not [name for name in opened if name.startswith(str(tmp_path)) and name.endswith("(deleted)")]


def test_updating_one_crop_forever_needs_no_more_memory_or_files(make: Make) -> None:
    index = make(8, replace(TINY, codec="fp32"), background=True)
    for turn in range(400):
        index.apply([dated(1, 0, attributes={"turn": turn})], [], turn + 1)
    wait_until(lambda: index.stats().collections["c"].dead < 32)
    assert index.stats().collections["c"].parts <= 3
    (hit,) = index.search(unit_rows(1, 1, 8), 9, Filter("c"))[0].hits
    assert hit.sighting.attributes == {"turn": 399}
