"""Inner products, held to NumPy's."""

import numpy as np
import pytest
from support.vectors import unit_rows

from index.products import inner_products
from index.ranking import rounding_bound


@pytest.mark.parametrize(("queries", "vectors"), [(0, 3), (3, 0), (1, 1), (5, 256), (3, 257), (40, 1000)])
@pytest.mark.parametrize("dimension", [1, 32, 511])
def test_every_pair(queries: int, vectors: int, dimension: int) -> None:
    some, others = (
        unit_rows(1, max(queries, 1), dimension)[:queries],
        unit_rows(2, max(vectors, 1), dimension)[:vectors],
    )
    products = inner_products(some, others)
    assert products.shape == (queries, vectors)
    assert products.dtype == np.float32
    exact = some.astype(np.float64) @ others.astype(np.float64).T
    np.testing.assert_allclose(products, exact, rtol=0, atol=rounding_bound(dimension))


def test_rows_that_are_not_next_to_each_other() -> None:
    vectors = unit_rows(3, 20, 64)
    apart = inner_products(vectors[::2], vectors[:, ::-1][:, ::-1])
    np.testing.assert_array_equal(apart, inner_products(vectors[::2].copy(), vectors))


def test_another_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="32 dimensions, vectors 64"):
        inner_products(unit_rows(1, 2, 32), unit_rows(1, 2, 64))
