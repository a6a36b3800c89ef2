"""`clip-senet` that deletes in slow motion: few crops at a time, with a pause after each step of a slice.

The moments between two steps take microseconds. Here each is stretched and told by a line in the file FAULT_STEPS, so
that a kill can be aimed at it. A job whose process was killed is taken up again soon.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from service.cli import app

PAUSE_S = 0.15

Step = Callable[..., Awaitable[Any]]


async def pause(name: str) -> None:
    with Path(os.environ["FAULT_STEPS"]).open("a") as lines:  # noqa: ASYNC230 - a line of text is nothing to wait for
        lines.write(f"{name}\n")
    await asyncio.sleep(PAUSE_S)


def slow(name: str, step: Step, before: str | None = None) -> Step:
    async def and_pause(*arguments: Any) -> Any:
        if before is not None:
            await pause(before)
        answer = await step(*arguments)
        await pause(name)
        return answer

    return and_pause


def slow_down() -> None:
    # here, because the processes that decode load this file too and need none of it
    from service.deletion import erasing, service, work
    from service.deletion.repository import DeletionRepository
    from service.jobs import handle, runner
    from service.processes import presence

    rhythm = runner.JobRhythm(poll_s=0.05, beat_s=0.2, lost_s=1.5)
    runner.JobRhythm = lambda: rhythm  # type: ignore[assignment,misc]
    handle.WRITTEN_EVERY_S = 0
    presence.BEAT_S, presence.LOST_S = 0.2, 1.5
    service.AT_ONCE, work.SLICE = 2, 4
    DeletionRepository.delete = slow("rows", DeletionRepository.delete)  # type: ignore[method-assign]
    for owner in (erasing, service):
        owner.remove_pictures = slow("pictures", owner.remove_pictures, before="committed")  # type: ignore[attr-defined]
    DeletionRepository.strike_out = slow("struck out", DeletionRepository.strike_out)  # type: ignore[method-assign]


if __name__ == "__main__":
    slow_down()
    app()
