"""A follower as a process of its own: `python follower_process.py <url> <folder>`.

Each line of its input is a change to wait for; it answers with what it holds then, one line of JSON.
"""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from service.database.engine import Database
from service.follower import Follower
from support.following import MODEL_ID, Store, held_by, rhythm

COLLECTIONS = ("default", "other")


async def answer(follower: Follower, sequence: int) -> str:
    """What the index holds at a change."""
    if not await follower.wait_for(sequence, 20):
        return json.dumps({"behind": follower.sequence})
    rebuild = follower.status().rebuild
    held = {str(crop_id): one.fingerprint for crop_id, one in held_by(follower, *COLLECTIONS).items()}
    return json.dumps({"held": held, "rebuild": None if rebuild is None else asdict(rebuild)["reason"]})


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(url: str, folder: Path) -> None:
    database = Database(url, pool_size=2)
    follower = Follower(database, Store(folder), MODEL_ID, rhythm(0.01, snapshot_s=0.05, reconcile_s=0.2))
    await follower.start()
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        say(await answer(follower, int(line)))
    await follower.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
