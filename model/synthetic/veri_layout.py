"""A recording in VeRi-776's layout, so that what is made for the benchmark can be tried without its pictures."""

from __future__ import annotations

import shutil
from datetime import datetime
from typing import TYPE_CHECKING, Final

from model.synthetic.camera import FIRST_DAY
from model.synthetic.generation import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model.synthetic.generation import Row

_FRAMES_PER_SECOND: Final = 25
_PARTS: Final = ("train", "query", "test")
TEST_SHARE: Final = 4
"""One vehicle in so many is tested, the others are learned from; VeRi-776 has 576 and 200."""


def refuse_arranged(folder: Path) -> None:
    """See, before anything is rendered, that `arrange_as_veri776` will find nothing in its way.

    Raises:
        FileExistsError: A folder or list of that layout is there.
    """
    for part in _PARTS:
        for path in (folder / f"image_{part}", folder / f"name_{part}.txt"):
            if path.exists():
                raise FileExistsError(f"{folder} holds {path.name} already: choose an empty folder")


def arrange_as_veri776(folder: Path, rows: Sequence[Row]) -> None:
    """Move the crops of a finished recording into `image_train/`, `image_test/` and `image_query/`, with their lists.

    Vehicles 4, 8, 12 ... are tested. The first crop of each of them on each camera is a query and stays in the gallery,
    as in the benchmark. The manifest would name files that are no longer there, so it is removed.

    Args:
        folder: A folder of `generate`.
        rows: Its manifest.
    """
    lists: dict[str, list[str]] = {part: [] for part in _PARTS}
    for part in lists:
        (folder / f"image_{part}").mkdir()
    asked: set[tuple[str, str]] = set()
    for row in rows:
        name, part = _name(row), "test" if int(row.vehicle_id[1:]) % TEST_SHARE == 0 else "train"
        (folder / row.file).rename(folder / f"image_{part}" / name)
        lists[part].append(name)
        if part == "test" and (row.vehicle_id, row.camera_id) not in asked:
            asked.add((row.vehicle_id, row.camera_id))
            shutil.copyfile(folder / "image_test" / name, folder / "image_query" / name)
            lists["query"].append(name)
    (folder / MANIFEST).unlink()
    for part, names in lists.items():
        (folder / f"name_{part}.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _name(row: Row) -> str:
    """Vehicle, camera, frame since the first day and number, such as 0002_c002_00030600_0.jpg."""
    frame = (datetime.fromisoformat(row.captured_at) - FIRST_DAY).total_seconds() * _FRAMES_PER_SECOND
    number = row.file.removesuffix(".jpg").rpartition("_")[2]
    return f"{row.vehicle_id[1:]}_c{int(row.camera_id.removeprefix('cam')):03d}_{int(frame):08d}_{number}.jpg"
