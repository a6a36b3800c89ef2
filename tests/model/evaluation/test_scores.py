import numpy as np
import pytest

from model.evaluation import pair_scores


def test_each_pair_across_cameras_counts_once() -> None:
    embeddings = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    scores = pair_scores(embeddings, np.array(["a", "a", "b"]), np.array(["c1", "c2", "c2"]))
    # The pair of the last two is of one camera and left out.
    np.testing.assert_allclose(scores.same, [0.6], atol=1e-6)
    np.testing.assert_allclose(scores.different, [0.0], atol=1e-6)


def test_threshold_lets_its_share_of_different_pairs_pass() -> None:
    generator = np.random.default_rng(3)
    embeddings = generator.normal(size=(300, 8)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    vehicles = np.repeat(np.arange(150).astype(str), 2)
    scores = pair_scores(embeddings, vehicles, np.tile(np.array(["c1", "c2"]), 150))
    threshold = scores.threshold_at(0.01)
    assert (scores.different > threshold).mean() == pytest.approx(0.01, abs=1e-3)
    assert scores.true_match_rate(threshold) == (scores.same > threshold).mean()
    assert scores.quantiles((0.5,)) == {
        "same": [pytest.approx(np.median(scores.same))],
        "different": [pytest.approx(np.median(scores.different))],
    }
