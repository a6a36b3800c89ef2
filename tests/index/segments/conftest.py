"""What tests of segments share."""

import os
import sys
from collections.abc import Callable

import pytest

_STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree"}
_DIED = 77


@pytest.fixture
def dies_at_step() -> Callable[[int, Callable[[], object]], bool]:
    """Runs work in a process that ends, without a chance to clean up, before its nth step on files.

    The answer is whether it did; False when the work was done in fewer steps.
    """

    def run(step: int, work: Callable[[], object]) -> bool:
        child = os.fork()
        if not child:
            _die_before(step)
            try:
                work()
            except BaseException:  # noqa: BLE001 - whatever it is, no second pytest must go on from here
                os._exit(1)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in {0, _DIED}
        return code == _DIED

    return run


def _die_before(step: int) -> None:
    left = step
    flush = os.fsync

    def count() -> None:
        nonlocal left
        if left == 0:
            os._exit(_DIED)
        left -= 1

    def counted_flush(descriptor: int) -> None:
        count()
        flush(descriptor)

    os.fsync = counted_flush
    sys.addaudithook(lambda event, _: count() if event in _STEPS else None)
