"""Opens a data set: in the layout named, or in the one that its folder shows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from model.datasets.crops import DatasetError
from model.datasets.dataset import Dataset
from model.datasets.files import entries, need_folder
from model.datasets.manifest import NAMES, open_manifest
from model.datasets.pattern import open_pattern
from model.datasets.two_camera import open_two_camera
from model.datasets.vehicleid import open_vehicleid
from model.datasets.veri776 import open_veri776
from model.datasets.veriwild import open_veriwild


def _open_described(folder: Path) -> Dataset:
    here = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(here) != 1:
        found = "both" if here else entries(folder)
        raise DatasetError(
            f"Expected a pattern, a manifest, or {' or '.join(NAMES)} in {folder}; found {found}. "
            "Say which describes the crops."
        )
    return open_manifest(folder, here[0])


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a published layout is opened and told from others.

    Attributes:
        open: Makes the data set of a folder.
        signs: Sets of globs; where all of one set match, it is this layout. A part of a set is enough to be told by,
            so that an incomplete copy gets the sentence of its own reader.
        files: The files that make it up, for messages.
    """

    open: Callable[[Path], Dataset]
    signs: tuple[tuple[str, ...], ...]
    files: str


_LAYOUTS = {
    "two-camera": _Layout(open_two_camera, (("train.txt",), ("val.txt",)), "images/, train.txt, val.txt"),
    "veri776": _Layout(
        open_veri776,
        (("name_train.txt",), ("name_query.txt",), ("name_test.txt",), ("image_train",), ("image_test",)),
        "image_train/, image_query/, image_test/, name_train.txt, name_query.txt, name_test.txt",
    ),
    "vehicleid": _Layout(
        open_vehicleid,
        (("train_test_split/test_list_*.txt",), ("train_test_split", "image")),
        "image/, train_test_split/train_list.txt, train_test_split/test_list_800.txt",
    ),
    "veriwild": _Layout(
        open_veriwild,
        (
            ("train_test_split/test_*_query.txt",),
            ("train_test_split/vehicle_info.txt",),
            ("train_test_split", "images"),
        ),
        "images/, train_test_split/train_list.txt, train_test_split/test_3000.txt, train_test_split/vehicle_info.txt",
    ),
    "folder": _Layout(_open_described, tuple((name,) for name in NAMES), " or ".join(NAMES)),
}
LAYOUTS = ("auto", *_LAYOUTS)
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
    if (pattern is not None or manifest is not None) and layout not in {"auto", "folder"}:
        raise DatasetError(f"A pattern or manifest describes a folder of crops; the layout {layout} has its own lists.")
    need_folder(folder, "a data set")
    if pattern is not None:
        return open_pattern(folder, pattern)
    if manifest is not None:
        return open_manifest(folder, manifest)
    return _LAYOUTS[_recognise(folder) if layout == "auto" else layout].open(folder)


def _recognise(folder: Path) -> str:
    fitting = _fitting(folder)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise DatasetError(f"{folder} looks like {' and like '.join(fitting)} ({_expected(fitting)}); name the layout.")
    inside = ((child, _fitting(child)) for child in sorted(folder.iterdir()) if child.is_dir())
    hint = next((f"; {child} looks like {layouts[0]}" for child, layouts in inside if layouts), "")
    raise DatasetError(
        f"{folder} has no layout that is known: expected {_expected(_LAYOUTS)}, or a pattern or manifest that "
        f"describes its crops; found {entries(folder)}{hint}."
    )


def _fitting(folder: Path) -> list[str]:
    return [
        name
        for name, layout in _LAYOUTS.items()
        if any(all(any(folder.glob(glob)) for glob in sign) for sign in layout.signs)
    ]


def _expected(names: Iterable[str]) -> str:
    return "; ".join(f"{name}: {_LAYOUTS[name].files}" for name in names)
