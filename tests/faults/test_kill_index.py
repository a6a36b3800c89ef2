"""kill -9 in the middle of sealing, compaction, purges and snapshots: an index starts again from what it had recorded.

CLIP_SENET_FAULT_ROUNDS sets how often it is killed, CLIP_SENET_FAULT_SEED when.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.environment import plain_environment
from support.histories import DIMENSION, change, searches
from support.indexes import segmented
from support.oracle import Oracle, assert_answer

from index.contract import VectorIndex

ROUNDS = int(os.environ.get("CLIP_SENET_FAULT_ROUNDS", "4"))
SEED = int(os.environ.get("CLIP_SENET_FAULT_SEED", "1"))
CODECS = ("fp16", "sq8")
MOST_STEPS, LONGEST_S, TIMEOUT_S = 2500, 1.5, 120.0
K = 20
TESTS = Path(__file__).parents[1]


def run_until_killed(folder: Path, codec: str, after: str) -> dict[str, int]:
    """Numbers of the last batch applied and of the last snapshot that the process told of."""
    program = [sys.executable, str(Path(__file__).with_name("killed_index.py")), str(folder), str(SEED), codec]
    done = subprocess.run(
        [*program, *after.split()],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=plain_environment() | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return {word: int(number) for word, number in map(str.split, done.stdout.splitlines())}


def assert_agrees(index: VectorIndex, oracle: Oracle, seed: int, codec: str) -> None:
    stats = index.stats()
    assert stats.watermark == oracle.watermark
    assert {name: (one.crops, one.fingerprint) for name, one in stats.collections.items()} == oracle.sums()
    for queries, where in searches(seed):
        for query, answer in zip(queries, index.search(queries, K, where), strict=True):
            assert_answer(segmented(codec), answer, oracle.ranked(query, where), K, oracle.watermark)


def apply(target: VectorIndex | Oracle, numbers: range) -> None:
    for number in numbers:
        one = change(SEED, number)
        target.apply(one.upserts, one.deletes, one.watermark, one.expired)


@pytest.mark.parametrize("codec", CODECS)
def test_a_killed_index_starts_again_from_its_snapshot(codec: str, tmp_path: Path) -> None:
    backend, choose = segmented(codec), random.Random(f"{SEED} {codec}")
    recorded = Oracle(backend.held)
    for turn in range(-(-ROUNDS // len(CODECS))):
        steps, seconds = choose.randint(1, MOST_STEPS), choose.uniform(0, LONGEST_S)
        told = run_until_killed(tmp_path, codec, f"time {seconds}" if turn % 3 == 2 else f"step {steps}")
        index = backend.reopen(DIMENSION, tmp_path)
        assert index.watermark >= max(recorded.watermark, told.get("snapshot", 0))
        apply(recorded, range(recorded.watermark + 1, index.watermark + 1))
        assert_agrees(index, recorded, turn, codec)
        last = max(told.get("applied", 0), index.watermark)
        caught_up = recorded.copy()
        for one in (caught_up, index):
            apply(one, range(recorded.watermark + 1, last + 1))
        assert_agrees(index, caught_up, turn, codec)
        index.close()
    assert recorded.watermark > 0
