"""FAISS beside libraries that replace its methods: a filter must still reach the search."""

import subprocess
import sys

import pytest

SEARCH = """
import tempfile
from pathlib import Path

import faiss.contrib.torch_utils
import numpy as np

from index.codecs import codec

chosen = codec("{name}")
vectors = np.random.default_rng(3).standard_normal((2000, 16), dtype=np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
held = chosen.held(vectors)
allowed = np.arange(len(held)) % 2 == 1
with tempfile.TemporaryDirectory() as folder:
    chosen.write(held, Path(folder))
    opened = chosen.open(Path(folder))
    rows = opened.contenders(held[0], 5, allowed, 1000, exact={exact})
    assert len(rows) >= 5 and allowed[rows].all(), rows
    opened.close()
"""


@pytest.mark.parametrize(("name", "exact"), [("fp32", True), ("fp16", True), ("sq8", True), ("rabitq", False)])
def test_a_filter_reaches_a_search_whose_methods_torch_replaced(name: str, exact: bool) -> None:  # noqa: FBT001
    script = SEARCH.format(name=name, exact=exact)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
