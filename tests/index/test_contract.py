"""Single cases of the contract that a person can check by hand, on every backend."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from index.contract import Filter, Sighting, VectorError, VectorIndex

Make = Callable[[int], VectorIndex]

EAST = np.array([1, 0], dtype=np.float32)
NORTH = np.array([0, 1], dtype=np.float32)
NORTH_EAST = np.array([0.6, 0.8], dtype=np.float32)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
NAIVE = datetime(2026, 11, 2, 12)  # noqa: DTZ001 - what a careless caller sends


def crop(number: int, embedding: NDArray[np.float32] = EAST, collection: str = "c", **columns: object) -> Sighting:
    return Sighting(UUID(int=number), collection, embedding, **{"camera_id": "cam", **columns})


def found(index: VectorIndex, where: Filter, query: NDArray[np.float32] = EAST, k: int = 10) -> list[int]:
    return [hit.sighting.id.int for hit in index.search(query[None], k, where)[0].hits]


class TestSearch:
    def test_ranks_by_cosine_similarity(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1, NORTH), crop(2, NORTH_EAST), crop(3, EAST), crop(4, -EAST)], [], 9)
        answer = index.search(EAST[None], 3, Filter("c"))[0]
        assert [(hit.sighting.id.int, hit.score) for hit in answer.hits] == [
            (3, 1.0),
            (2, float(np.float32(0.6))),
            (1, 0),
        ]
        assert (answer.candidates, answer.exhausted, answer.watermark) == (4, False, 9)

    @pytest.mark.parametrize("order", [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [4, 1, 5, 2, 3]])
    def test_ties_across_the_kth_place_go_to_the_smaller_id(self, make_index: Make, order: list[int]) -> None:
        index = make_index(2)
        index.apply([crop(2**64 * (9 - n) + n) for n in order], [], 1)
        assert found(index, Filter("c"), k=2) == [2**64 * 4 + 5, 2**64 * 5 + 4]

    def test_scores_beyond_one_tie_at_one(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(2, EAST * np.float32(1.0009)), crop(1, EAST), crop(3, EAST * np.float32(1.0005))], [], 1)
        assert found(index, Filter("c"), k=1) == [1]
        assert index.search((-EAST)[None], 3, Filter("c"))[0].hits[2].score == -1.0

    def test_more_asked_than_held_gives_all(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1), crop(2)], [], 1)
        answer = index.search(EAST[None], 1000, Filter("c"))[0]
        assert (len(answer.hits), answer.exhausted) == (2, True)

    def test_an_empty_index_answers_nothing(self, make_index: Make) -> None:
        answer = make_index(2).search(EAST[None], 5, Filter("c"))[0]
        assert (list(answer.hits), answer.candidates, answer.exhausted, answer.watermark) == ([], 0, True, 0)

    @pytest.mark.parametrize(
        ("query", "word"),
        [
            (np.array([1, 0, 0], dtype=np.float32), "shape"),
            (np.array([[1, 0]], dtype=np.float32), "shape"),
            (np.array([np.nan, 1], dtype=np.float32), "NaN"),
            (np.array([np.inf, 0], dtype=np.float32), "infinite"),
            (np.array([3e38, 3e38], dtype=np.float32), "length 4.24"),
            (np.array([0, 0], dtype=np.float32), "length"),
            (np.array([1.002, 0], dtype=np.float32), "length"),
        ],
    )
    def test_refuses_what_is_no_unit_vector(self, make_index: Make, query: NDArray[np.float32], word: str) -> None:
        index = make_index(2)
        with pytest.raises(VectorError, match=f"quer.*{word}"):
            index.search(query[None], 1, Filter("c"))
        index.apply([crop(1)], [], 1)
        with pytest.raises(VectorError, match=f"{UUID(int=7)}.*{word}"):
            index.apply([crop(6, NORTH), crop(7, query)], [UUID(int=1)], 2)
        assert (found(index, Filter("c")), index.watermark) == ([1], 1)

    @pytest.mark.parametrize("k", [0, -1])
    def test_refuses_to_find_less_than_one(self, make_index: Make, k: int) -> None:
        with pytest.raises(ValueError, match="k is"):
            make_index(2).search(EAST[None], k, Filter("c"))

    def test_hits_stay_what_they_were(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1, attributes={"color": "red"})], [], 1)
        hit = index.search(EAST[None], 1, Filter("c"))[0].hits[0].sighting
        index.apply([crop(1, NORTH, attributes={"color": "blue"})], [], 2)
        assert (hit.embedding.tolist(), hit.attributes) == ([1, 0], {"color": "red"})

    def test_hits_are_the_caller_s_to_change(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1, attributes={"color": "red"})], [], 1)
        hit = index.search(EAST[None], 1, Filter("c"))[0].hits[0].sighting
        hit.embedding[:] = 5
        dict.__setitem__(hit.attributes, "color", "green")
        again = index.search(EAST[None], 1, Filter("c"))[0].hits[0].sighting
        assert (again.embedding.tolist(), again.attributes) == ([1, 0], {"color": "red"})


class TestFilters:
    def test_an_empty_set_of_cameras_or_vehicles_allows_none(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1, vehicle_id="v")], [], 1)
        assert found(index, Filter("c", camera_ids=frozenset())) == []
        assert found(index, Filter("c", vehicle_ids=frozenset())) == []

    def test_excluding_everything_leaves_nothing(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(n) for n in range(300)], [], 1)
        for where in (
            Filter("c", exclude_camera_ids=frozenset({"cam"})),
            Filter("c", exclude_ids=frozenset(UUID(int=n) for n in range(300))),
            Filter("c", camera_ids=frozenset({"cam"}), exclude_camera_ids=frozenset({"cam"})),
        ):
            answer = index.search(EAST[None], 5, where)[0]
            assert (list(answer.hits), answer.candidates, answer.exhausted) == ([], 0, True)

    def test_ids_are_compared_whole(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(3), crop(2**64 + 3), crop(2**64 + 4)], [], 1)
        assert found(index, Filter("c", exclude_ids=frozenset({UUID(int=2**64 + 3)}))) == [3, 2**64 + 4]

    def test_windows_are_half_open(self, make_index: Make) -> None:
        index = make_index(2)
        microsecond = timedelta(microseconds=1)
        index.apply(
            [
                crop(1, captured_at=NOON - microsecond),
                crop(2, captured_at=NOON),
                crop(3, captured_at=NOON + microsecond),
                crop(4, captured_at=None),
            ],
            [],
            1,
        )
        assert found(index, Filter("c", captured_from=NOON)) == [2, 3]
        assert found(index, Filter("c", captured_from=NOON + microsecond)) == [3]
        assert found(index, Filter("c", captured_from=NOON + 2 * microsecond)) == []
        assert found(index, Filter("c", captured_to=NOON)) == [1]
        assert found(index, Filter("c", captured_to=NOON - microsecond)) == []
        assert found(index, Filter("c", captured_from=NOON, captured_to=NOON + microsecond)) == [2]
        assert found(index, Filter("c", captured_from=NOON, captured_to=NOON)) == []
        assert found(index, Filter("c", captured_from=NOON + microsecond, captured_to=NOON)) == []
        always = Filter(
            "c", captured_from=datetime.min.replace(tzinfo=UTC), captured_to=datetime.max.replace(tzinfo=UTC)
        )
        assert found(index, always) == [1, 2, 3]

    @pytest.mark.parametrize("name", ["captured_from", "captured_to"])
    def test_a_naive_window_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"{name} is naive"):
            Filter("c", **{name: NAIVE})

    def test_a_naive_time_of_capture_is_refused(self) -> None:
        with pytest.raises(ValueError, match="captured_at is naive"):
            crop(1, captured_at=NAIVE)

    def test_attributes_are_equal_as_in_json(self, make_index: Make) -> None:
        index = make_index(2)
        values = [1, 1.0, True, "1", None, False, 0]
        index.apply([crop(n, attributes={"a": value}) for n, value in enumerate(values)] + [crop(9)], [], 1)
        assert found(index, Filter("c", attributes={"a": 1})) == [0, 1]
        assert found(index, Filter("c", attributes={"a": True})) == [2]
        assert found(index, Filter("c", attributes={"a": None})) == [4]
        assert found(index, Filter("c", attributes={"a": 0})) == [6]
        assert found(index, Filter("c", attributes={"a": float("nan")})) == []
        assert found(index, Filter("c", attributes={"b": None})) == []

    def test_nan_equals_nothing_not_even_itself(self, make_index: Make) -> None:
        index = make_index(2)
        nan = float("nan")
        index.apply([crop(1, attributes={"a": nan})], [], 1)
        assert found(index, Filter("c", attributes={"a": nan})) == []


class TestApply:
    def test_the_last_upsert_of_an_id_counts(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1, NORTH), crop(1, EAST), crop(2, NORTH_EAST)], [], 1)
        assert (found(index, Filter("c")), index.stats().crops) == ([1, 2], 2)

    def test_an_upsert_moves_a_crop_out_of_its_old_collection(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1, collection="old")], [], 1)
        index.apply([crop(1, collection="new")], [], 2)
        assert (found(index, Filter("old")), found(index, Filter("new")), index.stats().crops) == ([], [1], 1)
        assert dict(index.camera_statistics("old")) == {}

    def test_an_id_in_upserts_and_deletes_is_refused(self, make_index: Make) -> None:
        index = make_index(2)
        with pytest.raises(ValueError, match="both"):
            index.apply([crop(1)], [UUID(int=1)], 1)
        assert (index.stats().crops, index.watermark) == (0, 0)

    def test_the_watermark_does_not_go_backwards(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1)], [], 5)
        index.apply([], [], 5)
        with pytest.raises(ValueError, match="watermark 4"):
            index.apply([crop(2)], [UUID(int=1)], 4)
        assert (found(index, Filter("c")), index.watermark) == ([1], 5)

    def test_deletes_of_unknown_ids_are_no_error(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1)], [], 1)
        index.apply([], [UUID(int=1), UUID(int=1), UUID(int=2)], 2)
        assert (index.stats().crops, found(index, Filter("c"))) == (0, [])
        index.apply([crop(1, NORTH)], [], 3)
        assert found(index, Filter("c")) == [1]

    def test_what_has_expired_goes_before_what_comes(self, make_index: Make) -> None:
        index = make_index(2)
        microsecond = timedelta(microseconds=1)
        old = [crop(1, captured_at=NOON - microsecond), crop(2, captured_at=NOON), crop(3)]
        index.apply([*old, crop(4, captured_at=NOON - microsecond, collection="d")], [], 1)
        late = crop(5, captured_at=NOON - timedelta(days=9))
        index.apply([late], [], 2, {"c": NOON, "nowhere": NOON})
        assert (found(index, Filter("c")), found(index, Filter("d"))) == ([2, 3, 5], [4])

    def test_a_naive_time_of_expiry_is_refused(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1, captured_at=NOON)], [], 1)
        with pytest.raises(ValueError, match="time zone"):
            index.apply([], [UUID(int=1)], 2, {"c": NAIVE})
        assert (found(index, Filter("c")), index.watermark) == ([1], 1)


class TestStats:
    def test_fingerprints_add_up_modulo_two_to_the_64(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1, fingerprint=2**64 - 1), crop(2, fingerprint=3), crop(3, collection="d")], [], 7)
        stats = index.stats()
        assert stats.watermark == 7
        assert {name: (one.crops, one.fingerprint) for name, one in stats.collections.items()} == {
            "c": (2, 2),
            "d": (1, 0),
        }
        index.apply([crop(2, fingerprint=5)], [UUID(int=3)], 8)
        assert {name: (one.crops, one.fingerprint) for name, one in index.stats().collections.items()} == {"c": (2, 4)}

    @pytest.mark.parametrize("fingerprint", [-1, 2**64])
    def test_a_fingerprint_has_64_bits(self, fingerprint: int) -> None:
        with pytest.raises(ValueError, match="64 bits"):
            crop(1, fingerprint=fingerprint)


class TestCameraStatistics:
    def test_mean_and_population_deviation(self, make_index: Make) -> None:
        index = make_index(2)
        index.apply([crop(1, EAST), crop(2, NORTH_EAST), crop(3, NORTH, camera_id="other")], [], 1)
        statistics = index.camera_statistics("c")
        assert set(statistics) == {"cam", "other"}
        assert statistics["cam"].count == 2
        np.testing.assert_allclose(statistics["cam"].mean, [0.8, 0.4], atol=1e-6)
        np.testing.assert_allclose(statistics["cam"].deviation, [0.2, 0.4], atol=1e-6)
        assert statistics["other"].deviation.tolist() == [0, 0]
        assert statistics["cam"].mean.dtype == statistics["cam"].deviation.dtype == np.float32

    def test_an_unknown_collection_has_none(self, make_index: Make) -> None:
        assert dict(make_index(2).camera_statistics("c")) == {}
