"""Projections: what is fitted, what is written, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.vectors import unit

from model import projection as module
from model.errors import EmbeddingError, InputError, WeightsError
from model.projection import Projection, ProjectionFit

BASE = "starter-0123456789ab-4b149e9a"


def skewed(rows: int, seed: int = 1, dimension: int = 24) -> NDArray[np.float32]:
    """Unit rows about a mean far from zero that vary less and less from component to component, then rotated."""
    random = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(np.random.default_rng(99).standard_normal((dimension, dimension)))
    spread = random.standard_normal((rows, dimension)) * 0.7 ** np.arange(dimension)
    rows: NDArray[np.float32] = unit((spread + 0.5) @ rotation)
    return rows


def fitted(rows: NDArray[np.float32], dimension: int = 6) -> Projection:
    fit = ProjectionFit(BASE, rows.shape[1])
    fit.add(rows)
    return fit.projection(dimension)


class TestFit:
    def test_it_loses_as_little_as_the_singular_value_decomposition(self) -> None:
        rows = skewed(300)
        projection = fitted(rows)
        values, directions = np.linalg.svd(rows.astype(np.float64), full_matrices=False)[1:]
        best = directions[:6]
        np.testing.assert_allclose(
            projection.components.T @ projection.components, best.T @ best, atol=1e-5
        )  # the same space, whatever the signs
        np.testing.assert_allclose(projection.components @ projection.components.T, np.eye(6), atol=1e-6)
        assert projection.kept == pytest.approx(np.square(values[:6]).sum() / np.square(values).sum())
        assert (projection.dimension, projection.base_dimension, projection.crops) == (6, 24, 300)

    def test_the_first_component_keeps_the_most(self) -> None:
        rows = skewed(300)
        kept = np.square(rows @ fitted(rows).components.T).sum(axis=0)
        assert (np.diff(kept) < 0).all()

    def test_batches_make_no_difference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = skewed(300)
        whole = fitted(rows)
        monkeypatch.setattr(module, "_BLOCK", 7)
        fit = ProjectionFit(BASE, 24)
        for start in range(0, 300, 50):
            fit.add(rows[start : start + 50])
        np.testing.assert_allclose(fit.projection(6).components, whole.components, atol=1e-6)
        assert fit.projection(6).crops == 300

    def test_a_direction_and_its_opposite_do_not_trade_places(self) -> None:
        components = fitted(skewed(300)).components
        assert (np.take_along_axis(components, np.abs(components).argmax(1)[:, None], 1) > 0).all()

    @pytest.mark.parametrize("dimension", [0, 24, 25])
    def test_a_dimension_that_is_not_smaller_is_refused(self, dimension: int) -> None:
        with pytest.raises(InputError, match=f"from 1 to 23, as the embeddings have 24: {dimension}"):
            fitted(skewed(300), dimension)

    def test_too_few_crops_are_refused(self) -> None:
        assert fitted(skewed(6), 6).dimension == 6
        with pytest.raises(InputError, match="5 crops span 5 dimensions, fewer than 6"):
            fitted(skewed(5), 6)
        with pytest.raises(InputError, match="12 crops span 3 dimensions"):
            fitted(np.tile(skewed(3), (4, 1)), 6)
        with pytest.raises(InputError, match="0 crops span 0 dimensions"):
            fitted(skewed(5)[:0], 6)

    def test_rows_that_are_no_embeddings_are_refused(self) -> None:
        rows = skewed(5)
        with pytest.raises(InputError, match="not of unit length"):
            fitted(rows * np.float32(1.1))
        rows[2, 3] = np.nan
        with pytest.raises(InputError, match="not of unit length"):
            fitted(rows)
        with pytest.raises(InputError, match=r"shape \(n, 8\), not \(5, 24\)"):
            ProjectionFit(BASE, 8).add(skewed(5))

    def test_a_projected_model_is_refused(self) -> None:
        with pytest.raises(InputError, match="projected already"):
            ProjectionFit(fitted(skewed(50)).model_id, 6)


class TestApply:
    def test_unit_rows_with_nearly_the_same_similarities(self) -> None:
        projection, rows = fitted(skewed(300), 12), skewed(40, seed=2)
        projected = projection.apply(rows)
        assert projected.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(projected, axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(projected @ projected.T, rows @ rows.T, atol=0.03)

    def test_equals_projection_by_hand(self) -> None:
        projection, rows = fitted(skewed(300)), skewed(10, seed=3)
        for row, result in zip(rows, projection.apply(rows), strict=True):
            by_hand = [sum(map(float, component * row)) for component in projection.components]
            length = sum(one**2 for one in by_hand) ** 0.5
            np.testing.assert_allclose(result, [one / length for one in by_hand], atol=1e-6)

    def test_no_rows(self) -> None:
        assert fitted(skewed(50)).apply(np.empty((0, 24), np.float32)).shape == (0, 6)

    def test_what_the_projection_leaves_nothing_of_is_an_error(self) -> None:
        projection = fitted(skewed(300))
        across = np.linalg.svd(projection.components)[2][-1:].astype(np.float32)
        rows = np.vstack([skewed(2), across, np.full((1, 24), np.nan, np.float32)])
        with pytest.raises(EmbeddingError, match=r"nothing of rows \[2, 3\]"):
            projection.apply(rows)

    def test_another_shape_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"shape \(n, 24\), not \(3, 8\)"):
            fitted(skewed(50)).apply(np.zeros((3, 8), np.float32))


class TestModelId:
    def test_it_is_the_bases_with_a_part_of_its_own(self) -> None:
        assert Projection(np.eye(2, 3, dtype=np.float32), BASE, 50, 0.5).model_id == f"{BASE}-pca2-ab43fbd0"

    def test_other_components_are_another_model(self) -> None:
        ids = {fitted(skewed(50)).model_id, fitted(skewed(51)).model_id, fitted(skewed(50), 7).model_id}
        assert len(ids) == 3

    def test_what_it_was_fitted_from_does_not_count(self) -> None:
        one = fitted(skewed(50))
        assert Projection(one.components, BASE, one.crops + 1, 0.5).model_id == one.model_id

    @pytest.mark.parametrize(("model_id", "dimension"), [("other-0123456789ab-4b149e9a", 24), (BASE, 32)])
    def test_another_base_is_refused(self, model_id: str, dimension: int) -> None:
        projection = fitted(skewed(50))
        projection.require_base(BASE, 24)
        with pytest.raises(WeightsError, match=rf"fitted on model {BASE} \(24 components\), not on {model_id}"):
            projection.require_base(model_id, dimension)


class TestFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        fitted(skewed(50)).save(tmp_path / "pca6.safetensors")
        return tmp_path / "pca6.safetensors"

    def test_it_comes_back_as_it_was(self, path: Path) -> None:
        projection, loaded = fitted(skewed(50)), Projection.load(path)
        assert loaded.components.tobytes() == projection.components.tobytes()
        assert (loaded.base_model_id, loaded.crops, loaded.kept) == (BASE, 50, projection.kept)
        assert loaded.model_id == projection.model_id
        assert [file.name for file in path.parent.iterdir()] == [path.name]

    def test_a_file_cut_short_or_with_a_bit_flipped_is_refused(self, path: Path) -> None:
        data = path.read_bytes()
        for length in range(0, len(data), 13):
            path.write_bytes(data[:length])
            with pytest.raises(WeightsError):
                Projection.load(path)
        for place in range(len(data)):
            path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
            with pytest.raises(WeightsError):
                Projection.load(path)

    def test_other_files_are_refused(self, path: Path, untrained_weights: Path) -> None:
        with pytest.raises(WeightsError, match="is no projection of this project"):
            Projection.load(untrained_weights)
        with pytest.raises(
            WeightsError, match=r"There is no projection at .*: make one with clip-senet projection fit"
        ):
            Projection.load(path.with_name("none"))

    def test_another_version_is_refused(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "FORMAT_VERSION", "2")
        with pytest.raises(WeightsError, match="projection format 1, this release reads 2: use a matching release"):
            Projection.load(path)
