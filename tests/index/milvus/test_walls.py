"""Names made to break out of a filter, collections that must not see one another."""

from collections.abc import Callable
from uuid import UUID

import numpy as np
import pytest

from index.contract import Filter, Sighting
from index.milvus.index import MilvusIndex
from index.milvus.rows import row_of
from index.milvus.schemas import Names
from index.recheck import FilterLeakError

EAST = np.array([1, 0], dtype=np.float32)
NASTY = [
    '"',
    "\\",
    '\\"',
    '" or born >= 0 or crop != "',
    '"] or camera not in ["',
    "' or 1 == 1 --",
    "{camera}",
    "%",
    "a\x00b",
    "\ud800",
    "駐車場",
    "🚗" * 300,
    "null",
    "",
    " ",
    "\n",
    "é",  # composed and decomposed are different names
    "e\u0301",
]


def found(index: MilvusIndex, where: Filter) -> list[int]:
    return [hit.sighting.id.int for hit in index.search(EAST[None], 100, where)[0].hits]


@pytest.fixture
def index(make_index: Callable[..., MilvusIndex]) -> MilvusIndex:
    return make_index()


def test_any_name_finds_its_own_and_nothing_else(index: MilvusIndex) -> None:
    crops = [
        Sighting(UUID(int=n + 1), "c", EAST, name, None, (name, name), name, {"key": name, name: n})
        for n, name in enumerate(NASTY)
    ]
    index.apply(crops, [], 1)
    everything = [crop.id.int for crop in crops]
    for n, name in enumerate(NASTY):
        rest = [one for one in everything if one != n + 1]
        assert found(index, Filter("c", camera_ids=frozenset({name}))) == [n + 1]
        assert found(index, Filter("c", exclude_camera_ids=frozenset({name}))) == rest
        assert found(index, Filter("c", vehicle_ids=frozenset({name}))) == [n + 1]
        assert found(index, Filter("c", exclude_vehicle_ids=frozenset({name}))) == rest
        assert found(index, Filter("c", tracks=frozenset({(name, name, name)}))) == [n + 1]
        assert found(index, Filter("c", exclude_tracks=frozenset({(name, name, name)}))) == rest
        assert found(index, Filter("c", attributes={"key": name})) == [n + 1]
        assert found(index, Filter("c", attributes={name: n})) == [n + 1]
    hits = index.search(EAST[None], 100, Filter("c"))[0].hits
    assert [hit.sighting.camera_id for hit in hits] == NASTY
    assert set(index.camera_statistics("c")) == set(NASTY)


def test_collections_of_any_name_are_walls(index: MilvusIndex) -> None:
    index.apply([Sighting(UUID(int=n + 1), name, EAST, "cam") for n, name in enumerate(NASTY)], [], 1)
    for n, name in enumerate(NASTY):
        assert found(index, Filter(name)) == [n + 1]
        assert found(index, Filter(name + "x")) == []
    assert {name: one.crops for name, one in index.stats().collections.items()} == dict.fromkeys(NASTY, 1)


def test_other_installations_and_models_are_other_indexes(make_index: Callable[..., MilvusIndex]) -> None:
    from support.milvus import milvus_lite

    index = make_index()
    index.apply([Sighting(UUID(int=1), "c", EAST, "cam")], [], 7)
    other = MilvusIndex(2, milvus_lite(), installation="elsewhere", model_id="another")
    assert (found(other, Filter("c")), other.watermark, dict(other.stats().collections)) == ([], 0, {})
    other.close()


def test_a_crop_that_is_in_the_wrong_gallery_is_never_answered(index: MilvusIndex) -> None:
    index.apply([Sighting(UUID(int=1), "mine", EAST, "cam")], [], 1)
    stray = row_of(Sighting(UUID(int=2), "theirs", EAST, "cam"), EAST, 1)
    index._connection.upsert(Names(index._prefix, 0).gallery("mine"), [stray], 100)
    with pytest.raises(FilterLeakError):
        index.search(EAST[None], 10, Filter("mine"))


def test_names_and_attributes_of_any_length_come_back_whole(index: MilvusIndex) -> None:
    attributes = {f"{'k' * 60}{n}": "🚗" * 512 for n in range(64)}
    crop = Sighting(UUID(int=1), "c", EAST, "cam" * 1000, attributes=attributes)
    index.apply([crop], [], 1)
    answered = index.search(EAST[None], 1, Filter("c", attributes=attributes))[0].hits[0].sighting
    assert (answered.camera_id, answered.attributes) == (crop.camera_id, attributes)


@pytest.mark.parametrize(
    ("attributes", "words"), [({"a": "x" * 700_000}, "bytes"), ({str(n): n for n in range(257)}, "257 attributes")]
)
def test_what_a_row_cannot_hold_is_refused_whole(index: MilvusIndex, attributes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        index.apply(
            [
                Sighting(UUID(int=1), "c", EAST, "cam"),
                Sighting(UUID(int=2), "c", EAST, "cam", attributes=attributes),
            ],
            [],
            1,
        )
    assert (found(index, Filter("c")), index.watermark) == ([], 0)
