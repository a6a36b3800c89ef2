import numpy as np
import pytest
from numpy.typing import NDArray

from index.codecs.halves import codes_of, rounded
from index.halves import unit_of

DIMENSIONS = (1, 2, 3, 4, 7, 16, 64, 512)


def stored_and_read(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    codes, held = rounded(vectors)
    assert np.array_equal(unit_of(codes)[0], held)
    return held


def awkward_vectors(dimension: int, rows: int = 4000) -> NDArray[np.float32]:
    """Directions of every kind, powers of two and many zeros among them, off unit length as far as may be."""
    rng = np.random.default_rng(dimension)
    vectors = rng.standard_normal((rows, dimension))
    quarter = rows // 4
    vectors[:quarter] = np.sign(vectors[:quarter]) * np.ldexp(1.0, rng.integers(-9, 1, (quarter, dimension)))
    vectors[quarter : 2 * quarter] = np.round(vectors[quarter : 2 * quarter] * 2) / 2 + 1e-9
    vectors[2 * quarter : 3 * quarter] = 1 + 1e-4 * vectors[2 * quarter : 3 * quarter]
    vectors *= rng.uniform(0.99901, 1.00099, (rows, 1)) / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def drifting(vectors: NDArray[np.float32]) -> int:
    """How many vectors another rounding to half precision would change."""
    once, _ = unit_of(vectors.astype(np.float16))
    return int((unit_of(once.astype(np.float16))[0] != once).any(axis=1).sum())


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_what_is_held_stays_the_same_however_often_it_is_rewritten(dimension: int) -> None:
    vectors = awkward_vectors(dimension)
    held = stored_and_read(vectors)
    # plain rounding would not do, but for the two vectors that there are in one dimension
    assert drifting(vectors) > len(vectors) / 50 or dimension == 1
    again = held
    for _ in range(3):
        again = stored_and_read(again)
        assert np.array_equal(again, held)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_vectors_read_from_stored_half_precision_are_held_as_they_are(dimension: int) -> None:
    stored, _ = unit_of(awkward_vectors(dimension).astype(np.float16))
    assert np.array_equal(stored_and_read(stored), stored)


def test_what_is_held_has_unit_length_and_the_direction_given() -> None:
    vectors = awkward_vectors(64).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    held = stored_and_read(vectors.astype(np.float32)).astype(np.float64)
    assert np.abs(np.linalg.norm(held, axis=1) - 1).max() < 1e-6
    assert (held * vectors).sum(axis=1).min() > 1 - 1e-6


def test_a_vector_is_held_the_same_alone_and_among_others() -> None:
    vectors = awkward_vectors(512, rows=200)
    together = stored_and_read(vectors)
    alone = np.concatenate([stored_and_read(vectors[row : row + 1]) for row in range(len(vectors))])
    assert np.array_equal(together, alone)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_codes_of_what_is_held_lead_back_to_it(dimension: int) -> None:
    held = stored_and_read(awkward_vectors(dimension))
    codes, distance = codes_of(held)
    assert np.array_equal(unit_of(codes)[0], held)
    apart = np.linalg.norm(codes.astype(np.float64) - held, axis=1).max()
    assert apart <= distance <= apart + 2.0**-22


def test_there_are_no_codes_of_what_was_never_rounded() -> None:
    vectors = stored_and_read(awkward_vectors(64))
    vectors[77] = awkward_vectors(64)[78]
    with pytest.raises(ValueError, match="no held vectors"):
        codes_of(vectors)
