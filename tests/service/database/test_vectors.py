"""Stored vectors: half precision, unit length again after reading."""

import numpy as np
import pytest
from support.vectors import unit_rows

from index.contract import UNIT_TOLERANCE
from service.database.vectors import are_unit, decode, encode


@pytest.mark.parametrize("dimension", [1, 2, 256, 512, 2048])
def test_the_round_trip_keeps_direction_and_length(dimension: int) -> None:
    vectors = unit_rows(dimension, 50, dimension)
    decoded = np.stack([decode(encode(vector)) for vector in vectors])
    assert decoded.dtype == np.float32
    lengths = np.linalg.norm(decoded.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=2e-7)
    assert np.sum(vectors * decoded, axis=1).min() > 1 - 1e-6


def test_half_precision_alone_is_not_of_unit_length() -> None:
    """Why the decoder divides once more: this much longer is the worst case of rounding."""
    vector = np.full(2048, 2048**-0.5, dtype=np.float32)
    rounded = np.frombuffer(encode(vector), "<f2").astype(np.float64)
    assert abs(np.linalg.norm(rounded) - 1) > 1e-5
    assert abs(np.linalg.norm(decode(encode(vector)).astype(np.float64)) - 1) < 2e-7


def test_reading_and_storing_again_changes_nothing_more() -> None:
    once = decode(encode(unit_rows(0, 1, 512)[0]))
    np.testing.assert_allclose(decode(encode(once)), once, atol=1e-6)


def test_bytes_are_little_endian_halves() -> None:
    assert encode(np.array([0.6, -0.8], dtype=np.float32)) == bytes.fromhex("cd38 66ba")


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x00" * 8, b"\x00\x7e" * 8, b"\x00\x7c" * 8, b"\x00\x3c" * 8])
def test_broken_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"length|size"):
        decode(data)


def test_a_length_just_outside_the_tolerance_is_refused() -> None:
    for length, accepted in ((1 + UNIT_TOLERANCE / 2, True), (1 + 2 * UNIT_TOLERANCE, False)):
        vector = np.array([length, 0, 0], dtype=np.float32)
        if accepted:
            encode(vector)
            continue
        with pytest.raises(ValueError, match="unit length"):
            encode(vector)


def test_lengths_that_are_those_of_no_embedding_are_told() -> None:
    lengths = np.array([1, 1 - UNIT_TOLERANCE / 2, 1 + 2 * UNIT_TOLERANCE, 0, np.nan, np.inf])
    assert are_unit(lengths).tolist() == [True, True, False, False, False, False]
