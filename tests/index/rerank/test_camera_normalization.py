import numpy as np
import pytest
from numpy.typing import NDArray
from support.vectors import unit

from index.contract import CameraStatistics
from index.rerank.camera_normalization import normalized_embeddings, pooled

DIMENSION = 10
CAMERAS = ("bridge", "gate", "tunnel")


def uneven_rows(seed: int, rows: int) -> NDArray[np.float32]:
    """Unit rows that vary more in one component than in another."""
    return unit(np.random.default_rng(seed).standard_normal((rows, DIMENSION)) * np.linspace(0.2, 2, DIMENSION))


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
def test_equals_normalisation_by_hand(query_camera: str | None) -> None:
    members = {"bridge": uneven_rows(1, 50), "gate": uneven_rows(2, 40), "few": uneven_rows(3, 39)}
    members["gate"][:, 0] = members["gate"][0, 0]  # a component stuck on one camera is divided by the floor
    statistics = {camera: statistics_of(embeddings) for camera, embeddings in members.items()}
    everyone = np.vstack(list(members.values()))
    trusted = {"bridge": members["bridge"], "gate": members["gate"]}
    embeddings = uneven_rows(4, 25)
    cameras = [query_camera, *["bridge", "gate", "few", "other"] * 6]

    normalized = normalized_embeddings(embeddings, cameras, statistics, min_crops=40)

    for row, embedding, camera in zip(normalized, embeddings, cameras, strict=True):
        expected = slow_normalized(embedding, trusted.get(camera, everyone), everyone)
        np.testing.assert_allclose(row, expected, atol=1e-5)


def test_takes_a_camera_s_tint_out() -> None:
    vehicles = uneven_rows(6, 200)
    seen = {camera: unit(vehicles + 0.8 * uneven_rows(20 + n, 1)) for n, camera in enumerate(CAMERAS)}
    statistics = {camera: statistics_of(embeddings) for camera, embeddings in seen.items()}
    queries, gallery = seen["gate"], np.vstack([seen["bridge"], seen["tunnel"]])

    def right(queries: NDArray[np.float32], gallery: NDArray[np.float32]) -> int:
        """Queries whose two nearest are the vehicle's own crops."""
        nearest = np.argsort(-queries @ gallery.T, axis=1)[:, :2]
        return sum(set(pair) == {number, 200 + number} for number, pair in enumerate(nearest.tolist()))

    normalized = right(
        normalized_embeddings(queries, ["gate"] * 200, statistics),
        normalized_embeddings(gallery, ["bridge"] * 200 + ["tunnel"] * 200, statistics),
    )
    assert normalized > right(queries, gallery)
    assert normalized >= 180


def test_too_small_a_collection_is_left_as_it_is() -> None:
    vectors = uneven_rows(7, 30)
    statistics = {"bridge": statistics_of(vectors[:15]), "gate": statistics_of(vectors[15:])}
    assert normalized_embeddings(vectors, ["gate"] * 30, statistics, min_crops=31) is vectors
    assert normalized_embeddings(vectors, ["gate"] * 30, statistics, min_crops=30) is not vectors
    assert normalized_embeddings(vectors, [None] * 30, {}, min_crops=0) is vectors


def test_components_that_never_vary_count_for_nothing() -> None:
    vectors = uneven_rows(8, 40)
    vectors[:, 3] = 0.5
    normalized = normalized_embeddings(vectors + np.float32(0.25), ["cam"] * 40, {"cam": statistics_of(vectors)})
    assert (normalized[:, 3] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(normalized, axis=1), 1, atol=1e-6)


def test_an_embedding_at_its_camera_s_mean_is_like_nothing() -> None:
    vectors = uneven_rows(9, 40)
    statistics = {"cam": statistics_of(vectors)}
    normalized = normalized_embeddings(statistics["cam"].mean[None], ["cam"], statistics)
    assert normalized.tolist() == [[0.0] * 10]


def test_pooled_statistics_are_those_of_all_crops_together() -> None:
    parts = [uneven_rows(seed, rows) for seed, rows in ((10, 3), (11, 40), (12, 7))]
    together, expected = pooled([statistics_of(part) for part in parts]), statistics_of(np.vstack(parts))
    assert together.count == expected.count
    np.testing.assert_allclose(together.mean, expected.mean, atol=1e-6)
    np.testing.assert_allclose(together.deviation, expected.deviation, atol=1e-6)
