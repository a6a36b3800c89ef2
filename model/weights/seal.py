"""The seal of a checkpoint: two sha256 in its header, over the header itself and over the tensors.

safetensors notices a file that is cut off, but not a byte that flipped in a weight or in the metadata.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from model.errors import WeightsError

HEADER_SUM, DATA_SUM = "header_sha256", "data_sha256"
_UNKNOWN = "0" * 64
_LENGTH_BYTES = 8
_ALIGNMENT = 8


def seal(data: bytes) -> bytes:
    """A safetensors file with its metadata in sorted order and sealed.

    safetensors writes metadata in random order, but the model id hashes the file: equal networks need equal bytes.

    Args:
        data: The file as safetensors wrote it.
    """
    start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    header = json.loads(data[_LENGTH_BYTES:start])
    body = memoryview(data)[start:]
    sums = {DATA_SUM: hashlib.sha256(body).hexdigest(), HEADER_SUM: _UNKNOWN}
    header["__metadata__"] = dict(sorted({**header["__metadata__"], **sums}.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    # Of equal length, so nothing moves when the sum takes the place of the zeros that it was computed with.
    text = text.replace(_member(_UNKNOWN), _member(_header_sum(text)))
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text + body


def check_header(path: Path, metadata: Mapping[str, str]) -> None:
    """See that the header is as it was sealed.

    Args:
        path: The file.
        metadata: Its metadata, read before.

    Raises:
        WeightsError: It is not, or cannot be read.
    """
    claimed = metadata.get(HEADER_SUM, "")
    text = _header(path)
    if claimed != _header_sum(text.replace(_member(claimed), _member(_UNKNOWN))):
        raise _broken(path, "header")


def check_data(path: Path, metadata: Mapping[str, str]) -> None:
    """See that the tensors are as they were sealed; the header must have been checked.

    Raises:
        WeightsError: They are not, or cannot be read.
    """
    start = _LENGTH_BYTES + len(_header(path))
    try:
        with path.open("rb") as file:
            file.seek(start)
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.") from error
    if found != metadata.get(DATA_SUM):
        raise _broken(path, "weights")


def _header(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(int.from_bytes(file.read(_LENGTH_BYTES), "little"))
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.") from error


def _header_sum(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _member(value: str) -> bytes:
    return f'"{HEADER_SUM}":"{value}"'.encode()


def _broken(path: Path, what: str) -> WeightsError:
    return WeightsError(f"{path} is damaged: its {what} changed since it was written. Fetch or train it again.")
