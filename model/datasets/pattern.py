"""A folder of crops whose names say what they show."""

import re
from pathlib import Path

from model.datasets.crops import DatasetError, LabelledCrop
from model.datasets.files import find_pictures, readable
from model.datasets.marked import MarkedCrop, MarkedDataset

GROUPS = ("vehicle", "camera", "type", "caption")
"""Named groups that a pattern may have; `vehicle` is needed."""


def open_pattern(folder: Path, pattern: str) -> MarkedDataset:
    """A folder, and folders in it, whose file names carry the labels.

    Args:
        folder: The folder.
        pattern: Regular expression with the named groups of `GROUPS`. It must match the whole file name; where it
            contains a slash, the whole path below `folder`.

    Raises:
        DatasetError: The pattern is no regular expression, or has no group `vehicle`, or an unknown group.
    """
    regex = _compile(pattern)
    return MarkedDataset(folder, str(folder), lambda: _read(folder, regex))


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise DatasetError(f"The pattern {pattern!r} is not a regular expression: {error}.") from error
    unknown = sorted(regex.groupindex.keys() - set(GROUPS))
    if unknown or "vehicle" not in regex.groupindex:
        what = f"names the unknown group {', '.join(unknown)}" if unknown else "has no group (?P<vehicle>...)"
        raise DatasetError(f"The pattern {pattern!r} {what}; its groups may be {', '.join(GROUPS)}.")
    return regex


def _read(folder: Path, regex: re.Pattern[str]) -> list[MarkedCrop]:
    pictures = find_pictures(folder)
    whole_path = "/" in regex.pattern
    names = [path.relative_to(folder).as_posix() if whole_path else path.name for path in pictures]
    matches = [regex.fullmatch(name) for name in names]
    unfit = [name for name, match in zip(names, matches, strict=True) if match is None or not match["vehicle"]]
    if unfit:
        raise DatasetError(
            f"{len(unfit):,} of {len(names):,} pictures in {folder} do not fit the pattern {regex.pattern!r}, "
            f"{unfit[0]} among them; give a pattern that fits every name, or describe the crops in a manifest."
        )
    for name in names:
        _need_unicode(name, folder)
    return [MarkedCrop(_crop(path, match)) for path, match in zip(pictures, matches, strict=True) if match]


def _need_unicode(name: str, folder: Path) -> None:
    """Refuse a name that is no text: labels are hashed, stored and shown as text."""
    if (shown := readable(name)) != name:
        raise DatasetError(f"The name of {shown} in {folder} is not UTF-8, so no label can be read from it; rename it.")


def _crop(path: Path, match: re.Match[str]) -> LabelledCrop:
    said = {group: value for group, value in match.groupdict().items() if value}
    return LabelledCrop(path, said["vehicle"], said.get("camera", ""), said.get("type"), said.get("caption"))
