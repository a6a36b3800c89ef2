"""Half precision, and back to unit length."""

import numpy as np
from support.vectors import unit_rows

from index.halves import STORED, unit_of


def test_many_are_brought_to_unit_length_as_each_is() -> None:
    """Bit for bit, whatever the others are."""
    codes = unit_rows(5, 1300, 48).astype(STORED)
    unit, lengths = unit_of(codes)
    assert unit.dtype == np.float32
    np.testing.assert_array_equal(unit, np.concatenate([unit_of(code[None])[0] for code in codes]))
    np.testing.assert_allclose(lengths, np.linalg.norm(codes.astype(np.float64), axis=1), rtol=1e-12)
    assert len(np.unique(lengths)) > 1  # rounding moved them, and this moved them back
    np.testing.assert_allclose(np.linalg.norm(unit.astype(np.float64), axis=1), 1, atol=1e-7)


def test_what_has_no_length_is_told_by_its_length() -> None:
    codes = np.array([[1, 0], [0, 0], [np.nan, 1], [np.inf, 0], [0, 2]], dtype=STORED)
    unit, lengths = unit_of(codes)
    assert [float(length) if np.isfinite(length) else None for length in lengths] == [1, 0, None, None, 2]
    assert np.isfinite(unit).all(axis=1).tolist() == [True, False, False, False, True]
