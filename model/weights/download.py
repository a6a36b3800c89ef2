"""Resumable download of one file: what came so far stays, and the next call goes on from it."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import WeightsError

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes that there are, None where the server does not say."""

_PATIENCE = 3
"""Attempts without a further byte before giving up."""
_PAUSE_S = 1.0
_TIMEOUT_S = 30.0
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416


class TransferError(WeightsError):
    """The file did not come, for a reason that lies in the network or the server. What came so far is kept."""


class _InterruptedError(Exception):
    """This attempt failed; another may go on."""


class _Begun(BaseModel):
    """What a partial file is part of, kept beside it.

    Attributes:
        url: Where it comes from.
        validator: The server's strong ETag or its Last-Modified, which say whether the file is still the same.
        size: Of the whole file in bytes, None where the server does not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    validator: str | None
    size: int | None


def download(url: str, part: Path, on_progress: OnProgress) -> None:
    """Bring a file here, going on from what an earlier call left.

    The server is asked for the rest on condition that the file has not changed since (Range and If-Range, RFC 9110);
    where it has, or the server does not know ranges, it comes anew. A broken connection is taken up again at once.
    Proxies of the environment (HTTPS_PROXY, NO_PROXY) are used.

    Args:
        url: Address of the file; redirects are followed.
        part: Where it gathers; whole when this returns. Its folder must exist. A note of what it is part of lies beside
            it until `discard`.
        on_progress: Told of each piece.

    Raises:
        TransferError: The server cannot be reached, refuses, or the connection keeps breaking.
        WeightsError: The disk is full or cannot be written.
    """
    with _client() as client:
        failures = furthest = 0
        while True:
            try:
                _attempt(client, url, part, on_progress)
            except (httpx.RequestError, _InterruptedError) as error:
                # Not against the attempt before: one that begins anew always gets further than nothing.
                failures = 1 if _size(part) > furthest else failures + 1
                furthest = max(furthest, _size(part))
                if failures >= _PATIENCE:
                    raise TransferError(_why(url, part, error)) from error
                time.sleep(_PAUSE_S)
            except OSError as error:
                raise WeightsError(
                    f"{part} cannot be written: {error.strerror or error}. What came so far is kept: free space "
                    "and run the command again."
                ) from error
            else:
                return


def discard(part: Path) -> None:
    """Remove a partial file, if it is still there, and the note of what it is part of."""
    _note_path(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)


def _client() -> httpx.Client:
    try:
        return httpx.Client(follow_redirects=True, timeout=_TIMEOUT_S)
    except (ValueError, ImportError) as error:
        raise TransferError(f"The environment's proxy (HTTPS_PROXY, ALL_PROXY) cannot be used: {error}.") from error


def _attempt(client: httpx.Client, url: str, part: Path, on_progress: OnProgress) -> None:
    begun = _begun(part, url)
    here = _size(part) if begun else 0
    if begun and here and here == begun.size:
        return
    headers = {"Accept-Encoding": "identity"}  # lengths and ranges are of the file itself
    if begun and begun.validator and here:
        headers |= {"Range": f"bytes={here}-", "If-Range": begun.validator}
    with client.stream("GET", url, headers=headers) as response:
        plain = next((hop.url for hop in (*response.history, response) if hop.url.scheme != "https"), None)
        if url.startswith("https:") and plain:
            raise TransferError(f"{url} leads to {plain}, which is not encrypted: it is not fetched.")
        if response.status_code == _PARTIAL and begun and _continues(response, here, begun):
            size = begun.size
        elif response.status_code == _OK:
            discard(part)
            begun = _Begun(url=url, validator=_validator(response), size=_whole_size(response))
            here, size = 0, begun.size
            _refuse_small_disk(part.parent, size)
            part.touch()
            _note_path(part).write_text(begun.model_dump_json())
        else:
            _refuse(response, url, part)
        with part.open("ab") as file:
            on_progress(here, size)
            for piece in response.iter_raw():
                file.write(piece)
                here += len(piece)
                on_progress(here, size)
    if size is not None and here != size:
        raise _InterruptedError(f"{here} bytes came where {size} were announced")


def _refuse(response: httpx.Response, url: str, part: Path) -> NoReturn:
    """Raise what an answer without the wanted bytes means."""
    if response.status_code in {_PARTIAL, _UNSATISFIABLE}:
        discard(part)  # the rest of another file than the one begun: from the beginning, then
        raise _InterruptedError("the server sent another part than the one asked for")
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.status_code in {408, 425, 429} or response.is_server_error:
        raise _InterruptedError(f"the server answers {status}")
    raise TransferError(f"{url} is not to be had: the server answers {status}.")


def _continues(response: httpx.Response, here: int, begun: _Begun) -> bool:
    """Whether a partial answer starts where the partial file ends, and is of the same file."""
    start, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    same = _validator(response) in {None, begun.validator}
    same = same and (begun.size is None or total in {str(begun.size), "*"})
    return same and start.partition("-")[0] == str(here)


def _validator(response: httpx.Response) -> str | None:
    """What If-Range may hold: a weak ETag would not promise the same bytes."""
    etag = response.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return str(etag)
    modified: str | None = response.headers.get("Last-Modified")
    return modified


def _whole_size(response: httpx.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _refuse_small_disk(folder: Path, size: int | None) -> None:
    free = shutil.disk_usage(folder).free
    if size is not None and size > free:
        raise WeightsError(
            f"The file has {size / 1e6:.0f} MB and {folder} has {free / 1e6:.0f} MB left: free space and run the "
            "command again, or give another folder with --weights-dir."
        )


def _why(url: str, part: Path, error: Exception) -> str:
    here, begun = _size(part), _begun(part, url)
    if not here or begun is None:
        return (
            f"{url} cannot be reached ({error}). Is this machine offline, or behind a proxy that HTTPS_PROXY should "
            "name?"
        )
    if begun.validator is None:
        return (
            f"The transfer of {url} broke off ({error}). The server does not let a transfer go on: the next one "
            "begins anew."
        )
    whole = "" if begun.size is None else f" of {begun.size / 1e6:.1f}"
    return (
        f"The transfer of {url} broke off ({error}). {here / 1e6:.1f}{whole} MB are here and kept: run the command "
        "again to go on."
    )


def _begun(part: Path, url: str) -> _Begun | None:
    """What the partial file is part of; None where there is none from this address."""
    try:
        begun = _Begun.model_validate_json(_note_path(part).read_bytes())
    except (OSError, ValidationError):
        return None
    return begun if begun.url == url and part.is_file() else None


def _note_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
