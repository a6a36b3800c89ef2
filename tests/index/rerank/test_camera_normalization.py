from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from index.contract import CameraStatistics, Hit
from index.rerank.camera_normalization import camera_normalization, normalized_embeddings, pooled

CAMERAS = ("bridge", "gate", "tunnel")


def unit_rows(seed: int, rows: int, dimension: int = 10) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((rows, dimension)) * np.linspace(0.2, 2, dimension)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def statistics_of(embeddings: NDArray[np.float32]) -> CameraStatistics:
    doubles = embeddings.astype(np.float64)
    return CameraStatistics(len(doubles), doubles.mean(0).astype(np.float32), doubles.std(0).astype(np.float32))


def slow_normalized(
    row: NDArray[np.float32], members: NDArray[np.float32], everyone: NDArray[np.float32]
) -> list[float]:
    components = []
    for place, component in enumerate(row.tolist()):
        seen = [float(one) for one in members[:, place]]
        mean = sum(seen) / len(seen)
        deviation = (sum((one - mean) ** 2 for one in seen) / len(seen)) ** 0.5
        floor = 0.1 * float(np.std(everyone[:, place].astype(np.float64)))
        components.append((component - mean) / max(deviation, floor))
    length = sum(one**2 for one in components) ** 0.5
    return [one / length for one in components]


@pytest.mark.parametrize("query_camera", ["gate", "few", "never seen", None])
def test_equals_normalisation_by_hand(make_hits: Callable[..., list[Hit]], query_camera: str | None) -> None:
    members = {"bridge": unit_rows(1, 50), "gate": unit_rows(2, 40), "few": unit_rows(3, 39)}
    members["gate"][:, 0] = members["gate"][0, 0]  # a component stuck on one camera is divided by the floor
    statistics = {camera: statistics_of(embeddings) for camera, embeddings in members.items()}
    everyone = np.vstack(list(members.values()))
    trusted = {"bridge": members["bridge"], "gate": members["gate"]}
    query, gallery = unit_rows(4, 1)[0], unit_rows(5, 30)
    hits = make_hits(query, gallery, ("bridge", "gate", "few", "other"))

    reranked = camera_normalization(query, query_camera, hits, statistics, min_crops=40)

    asked = slow_normalized(query, trusted.get(query_camera, everyone), everyone)
    assert len(reranked) == len(hits)
    for hit, score in reranked:
        crop = hit.sighting
        own = slow_normalized(crop.embedding, trusted.get(crop.camera_id, everyone), everyone)
        assert score == pytest.approx(sum(a * b for a, b in zip(asked, own, strict=True)), abs=1e-5)
    scores = [score for _, score in reranked]
    assert scores == sorted(scores, reverse=True)


def test_takes_a_camera_s_tint_out(make_hits: Callable[..., list[Hit]]) -> None:
    vehicles = unit_rows(6, 200)
    tint = {camera: 0.8 * unit_rows(20 + n, 1)[0] for n, camera in enumerate(CAMERAS)}

    def seen(camera: str) -> NDArray[np.float32]:
        tinted = vehicles + tint[camera]
        return (tinted / np.linalg.norm(tinted, axis=1, keepdims=True)).astype(np.float32)

    statistics = {camera: statistics_of(seen(camera)) for camera in CAMERAS}
    queries, gallery = seen("gate"), np.vstack([seen("bridge"), seen("tunnel")])
    raw_right = normalized_right = 0
    for number in range(0, 200, 10):
        hits = make_hits(
            queries[number], gallery[np.r_[0:200, 200:400].reshape(2, 200).T.ravel()], ("bridge", "tunnel")
        )
        right = {2 * number + 1, 2 * number + 2}
        raw_right += {hit.sighting.id.int for hit in hits[:2]} == right
        reranked = camera_normalization(queries[number], "gate", hits, statistics)
        normalized_right += {hit.sighting.id.int for hit, _ in reranked[:2]} == right
    assert normalized_right > raw_right
    assert normalized_right >= 18


def test_too_small_a_collection_is_left_as_it_is(make_hits: Callable[..., list[Hit]]) -> None:
    vectors = unit_rows(7, 30)
    statistics = {"bridge": statistics_of(vectors[:15]), "gate": statistics_of(vectors[15:])}
    hits = make_hits(vectors[0], vectors)
    reranked = camera_normalization(vectors[0], "gate", hits, statistics, min_crops=31)
    assert [hit for hit, _ in reranked] == hits
    np.testing.assert_allclose([score for _, score in reranked], [hit.score for hit in hits], atol=1e-6)
    assert normalized_embeddings(vectors, [None] * 30, {}, min_crops=0) is vectors


def test_components_that_never_vary_count_for_nothing() -> None:
    vectors = unit_rows(8, 40)
    vectors[:, 3] = 0.5
    normalized = normalized_embeddings(vectors + np.float32(0.25), ["cam"] * 40, {"cam": statistics_of(vectors)})
    assert (normalized[:, 3] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(normalized, axis=1), 1, atol=1e-6)


def test_an_embedding_at_its_camera_s_mean_is_like_nothing() -> None:
    vectors = unit_rows(9, 40)
    statistics = {"cam": statistics_of(vectors)}
    normalized = normalized_embeddings(statistics["cam"].mean[None], ["cam"], statistics)
    assert normalized.tolist() == [[0.0] * 10]


def test_pooled_statistics_are_those_of_all_crops_together() -> None:
    parts = [unit_rows(seed, rows) for seed, rows in ((10, 3), (11, 40), (12, 7))]
    together, expected = pooled([statistics_of(part) for part in parts]), statistics_of(np.vstack(parts))
    assert together.count == expected.count
    np.testing.assert_allclose(together.mean, expected.mean, atol=1e-6)
    np.testing.assert_allclose(together.deviation, expected.deviation, atol=1e-6)
