"""Which files to enroll, and what is known of each: from folders, lists and the names themselves."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
"""Names that are taken from a folder. A file named on the command line is sent whatever it is called."""

GROUPS = {
    "vehicle": "vehicle_id",
    "camera": "camera_id",
    "track": "track_id",
    "session": "session_id",
    "time": "captured_at",
}
"""Named groups of a pattern, and the field each one fills."""


class SourceError(ValueError):
    """The files or their description cannot be used as given; the message says why."""


@dataclass(frozen=True, slots=True)
class Named:
    """A file to enroll.

    Attributes:
        name: Path relative to the folder given, with forward slashes.
        path: Where it is.
        fields: What the manifest says of it; empty where there is none.
    """

    name: str
    path: Path
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NamePattern:
    """Reads fields out of a file's name.

    Attributes:
        regex: Must match the whole file name; the whole relative path where it contains a slash.
        time_format: How `time` is written (strptime); RFC 3339 where None.
        zone: Zone of times that name none.
    """

    regex: re.Pattern[str]
    time_format: str | None = None
    zone: tzinfo | None = None

    @classmethod
    def parse(cls, text: str, time_format: str | None = None, zone: tzinfo | None = None) -> "NamePattern":
        """Compile a pattern.

        Raises:
            SourceError: It is no regular expression, or names no or an unknown group.
        """
        try:
            regex = re.compile(text)
        except re.error as error:
            raise SourceError(f"The pattern is not a regular expression: {error}.") from error
        unknown = regex.groupindex.keys() - GROUPS.keys()
        if unknown or not regex.groupindex:
            what = f"names the unknown group {', '.join(sorted(unknown))}" if unknown else "names no group"
            raise SourceError(f"The pattern {what}; it may name (?P<{'>...), (?P<'.join(GROUPS)}>...).")
        return cls(regex, time_format, zone)

    def fields(self, name: str) -> dict[str, str]:
        """The fields that a relative name carries.

        Raises:
            SourceError: The name does not fit, or its time cannot be read.
        """
        match = self.regex.fullmatch(name if "/" in self.regex.pattern else name.rpartition("/")[2])
        if match is None:
            raise SourceError("The name does not fit the pattern.")
        found = {GROUPS[group]: value for group, value in match.groupdict().items() if value is not None}
        if "captured_at" in found:
            found["captured_at"] = self._utc(found["captured_at"])
        return found

    @staticmethod
    def _strptime(text: str, time_format: str) -> datetime:
        return datetime.strptime(text, time_format)  # noqa: DTZ007 - whether it names a zone is looked at by the caller

    def _utc(self, text: str) -> str:
        try:
            time = datetime.fromisoformat(text) if self.time_format is None else self._strptime(text, self.time_format)
        except ValueError as error:
            how = (
                "as RFC 3339; say how it is written with --time-format"
                if self.time_format is None
                else f"by {self.time_format}"
            )
            raise SourceError(f"The time {text!r} cannot be read {how}.") from error
        if time.tzinfo is None:
            if self.zone is None:
                raise SourceError(f"The time {text!r} names no zone; give one with --timezone.")
            time = time.replace(tzinfo=self.zone)
        return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def find(paths: Sequence[Path]) -> Iterator[Named]:
    """Files named, and pictures in folders named, in the order of their names.

    Raises:
        SourceError: A path does not exist.
    """
    for path in paths:
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
            yield from (
                Named(file.relative_to(path).as_posix(), file, {}) for file in sorted(inside) if not _hidden(file, path)
            )
        elif path.exists():
            yield Named(path.name, path, {})
        else:
            raise SourceError(f"There is no file or folder {path}.")


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def listed(folder: Path, file: Path) -> Iterator[Named]:
    """Files named one per line, relative to a folder; empty lines and lines that start with # are passed over.

    Raises:
        SourceError: The list cannot be read.
    """
    for line in text_of(file).splitlines():
        name = line.strip()
        if name and not name.startswith("#"):
            yield Named(name, folder / name, {})


def text_of(file: Path) -> str:
    """The text of a file.

    Raises:
        SourceError: It cannot be read, or is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{file} cannot be read: {error}.") from error


def refuse_repeated(external_ids: Iterable[str]) -> None:
    """Two files must not claim one external id.

    Raises:
        SourceError: They do.
    """
    seen: set[str] = set()
    for external_id in external_ids:
        if external_id in seen:
            raise SourceError(
                f"Two files would get the external id {external_id!r}. Give the folder that holds both, "
                "or enroll them one after the other with another --prefix."
            )
        seen.add(external_id)
