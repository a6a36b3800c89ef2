"""How the Python interpreter shares its lock among the threads of a process."""

import sys
from typing import Final

SWITCH_INTERVAL_S: Final = 2e-4
"""How long a thread that computes in Python keeps the interpreter while another waits for it.

A search asks for the interpreter once for each segment and holds it for microseconds. Beside threads that write to the
index it would wait up to Python's own 5 ms for each of these turns, and a search over a million crops took twice as
long. Much shorter intervals bring nothing more.
"""


def switch_threads_often() -> None:
    """Let threads that wait for the interpreter have it after `SWITCH_INTERVAL_S`, in this whole process."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
