"""Files that are whole or absent: whatever happens while one is written, the old one stays and nothing else is left."""

import os
import tempfile
from pathlib import Path

from model.errors import WeightsError


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that the path holds either the old content or the whole new one, never a part.

    Args:
        path: Where to; its folder must exist.
        data: The new content.

    Raises:
        WeightsError: It cannot be written: no such folder, no permission, no space.
    """
    try:
        _write_and_rename(path, data)
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be written: {error.strerror or error} ({len(data) / 1e6:.1f} MB). "
            "What was there before is untouched; free space or choose another folder."
        ) from error
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk.

    Raises:
        WeightsError: The disk refuses.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise WeightsError(
            f"The disk of {folder} did not confirm what was written: {error.strerror or error}. "
            "See that the disk is in order and try again."
        ) from error


def _write_and_rename(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            # A temporary file is private to its owner; weights are read by whoever the umask allows.
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
