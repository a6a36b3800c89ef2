"""An index that goes through a history, with snapshots, purges and everything else on files, until it kills itself.

Arguments: the folder, the seed of the history, the codec, and after what the process dies: "step N" is before the N-th
operation on a file, "time S" is after S seconds. What is done is told in lines, flushed one by one.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from support.histories import DIMENSION, change
from support.indexes import segmented

OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}


def tell(what: str, number: int) -> None:
    sys.stdout.write(f"{what} {number}\n")
    sys.stdout.flush()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_step(folder: Path, step: int) -> None:
    left = [step]

    def count(event: str, arguments: tuple[object, ...]) -> None:
        # paths below an open directory, as rmtree has them, are relative
        if event in OPERATIONS and (str(arguments[0]).startswith(str(folder)) or event in {"os.remove", "os.rmdir"}):
            left[0] -= 1
            if not left[0]:
                die()

    sys.addaudithook(count)


def main() -> None:
    folder, seed, codec, after, amount = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
    index = segmented(codec).reopen(DIMENSION, folder)
    number = index.watermark
    tell("ready", number)
    if after == "step":
        die_at_step(folder, int(amount))
    else:
        threading.Timer(float(amount), die).start()
    while True:
        number += 1
        one = change(seed, number)
        index.apply(one.upserts, one.deletes, one.watermark, one.expired)
        tell("applied", number)
        index.maintain()
        if number % 4 == 0:
            tell("snapshot", index.snapshot())
        if number % 4 == 2 and (recorded := index.purge()) is not None:
            tell("snapshot", recorded)


if __name__ == "__main__":
    main()
