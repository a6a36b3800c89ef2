from dataclasses import replace

import numpy as np
import pytest
from support.vectors import unit_rows

from index.codecs import CODECS
from index.codecs.recall import CodecFigures, codec_figures, nearest_rows, smallest_codec

FIGURES = CodecFigures("fp32", 400, 400, 400, 1.0, 1.0)


def test_the_nearest_are_those_of_a_full_sort() -> None:
    vectors, queries = unit_rows(1, 70_000, 4), unit_rows(2, 5, 4)
    expected = np.argsort(-(queries.astype(np.float64) @ vectors.T), axis=1)[:, :10]
    assert np.array_equal(np.sort(nearest_rows(vectors, queries, 10)), np.sort(expected))
    assert nearest_rows(vectors[:3], queries, 10).shape == (5, 3)


def test_recall_is_the_share_of_the_nearest_that_is_answered() -> None:
    vectors, queries = unit_rows(3, 500, 32), unit_rows(4, 20, 32)
    nearest = nearest_rows(vectors, queries, 10)
    assert codec_figures(CODECS["fp32"], vectors, queries, nearest).recall == 1
    half_wrong = np.concatenate([nearest[:, :5], np.full((20, 5), -1)], axis=1)
    assert codec_figures(CODECS["fp32"], vectors, queries, half_wrong).recall == pytest.approx(0.5)


def test_the_smallest_is_chosen_by_all_memory_that_its_searches_read() -> None:
    figures = [FIGURES, replace(FIGURES, codec="sq8", memory_bytes=100, scanned_bytes=100)]
    figures.append(replace(FIGURES, codec="rabitq", scanned_bytes=20, memory_bytes=220))
    figures.append(replace(FIGURES, codec="tiny", memory_bytes=5, recall=0.9))
    chosen = smallest_codec(figures, 0.99)
    assert chosen is not None
    assert chosen.codec == "sq8"
    assert smallest_codec(figures, 1.01) is None
