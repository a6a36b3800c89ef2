"""Opens a data set: in the layout named, or in the one that its folder shows."""

from collections.abc import Callable
from pathlib import Path

from model.datasets.crops import DatasetError
from model.datasets.dataset import Dataset
from model.datasets.files import entries, need_folder
from model.datasets.manifest import NAMES, open_manifest
from model.datasets.pattern import open_pattern
from model.datasets.two_camera import TwoCamera

_SIGNS: dict[str, tuple[str, ...]] = {
    "two-camera": ("train.txt", "val.txt"),
    "folder": NAMES,
}
"""Globs by which each layout is told; one that matches is enough, so that a partial set gets its reader's sentence."""

_READERS: dict[str, Callable[[Path], Dataset]] = {"two-camera": TwoCamera}
LAYOUTS = ("auto", *_SIGNS)
"""What `open_dataset` takes for `layout`."""


def open_dataset(
    folder: Path, *, layout: str = "auto", pattern: str | None = None, manifest: Path | None = None
) -> Dataset:
    """Open a data set. Its lists are read when they are asked for.

    Args:
        folder: Where it lies.
        layout: One of `LAYOUTS`; "auto" looks at what is in the folder.
        pattern: For layout "folder": regular expression that reads the labels from file names, see `open_pattern`.
        manifest: For layout "folder": the table of the crops, see `open_manifest`; the folder's own manifest.csv or
            manifest.parquet where neither is given.

    Raises:
        DatasetError: There is no such folder or layout, nothing tells the layout, or the arguments contradict.
    """
    if layout not in LAYOUTS:
        raise DatasetError(f"There is no layout {layout!r}; the layouts are {', '.join(LAYOUTS)}.")
    if pattern is not None and manifest is not None:
        raise DatasetError("A pattern and a manifest were given; give the one that describes the crops.")
    described = pattern is not None or manifest is not None
    if described and layout not in {"auto", "folder"}:
        raise DatasetError(f"A pattern or manifest describes a folder of crops; the layout {layout} has its own lists.")
    need_folder(folder, "a data set there")
    if layout == "auto":
        layout = "folder" if described else _recognise(folder)
    return _open_folder(folder, pattern, manifest) if layout == "folder" else _READERS[layout](folder)


def _open_folder(folder: Path, pattern: str | None, manifest: Path | None) -> Dataset:
    if pattern is not None:
        return open_pattern(folder, pattern)
    if manifest is not None:
        return open_manifest(folder, manifest)
    here = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(here) != 1:
        found = "both" if here else entries(folder)
        raise DatasetError(
            f"Expected a pattern, a manifest, or {' or '.join(NAMES)} in {folder}; found {found}. "
            "Say which describes the crops."
        )
    return open_manifest(folder, here[0])


def _fitting(folder: Path) -> list[str]:
    return [layout for layout, signs in _SIGNS.items() if any(any(folder.glob(sign)) for sign in signs)]


def _recognise(folder: Path) -> str:
    fitting = _fitting(folder)
    if len(fitting) == 1:
        return fitting[0]
    expected = "; ".join(f"{layout}: {' or '.join(signs)}" for layout, signs in _SIGNS.items())
    if fitting:
        raise DatasetError(f"{folder} looks like {' and like '.join(fitting)} ({expected}); say which layout it is.")
    inside = next((child for child in sorted(folder.iterdir()) if child.is_dir() and _fitting(child)), None)
    hint = f"; {inside} looks like {_fitting(inside)[0]}" if inside else ""
    raise DatasetError(
        f"The layout of {folder} is none that is known. Expected one of: {expected}; or a pattern or manifest that "
        f"describes its crops. Found {entries(folder)}{hint}."
    )
