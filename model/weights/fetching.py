"""Fetch a release from its publishers into the store."""

from pathlib import Path

from model.errors import WeightsError
from model.weights.download import OnProgress, TransferError, discard, download
from model.weights.registry import Release, Source, find_release
from model.weights.store import WeightsStore


def fetch(name: str, store: WeightsStore, on_progress: OnProgress, *, host: str | None = None) -> Path:
    """Bring a release here, check it and keep it.

    Args:
        name: The release's name.
        store: Where it is kept.
        on_progress: Told of the transfer.
        host: The place to fetch it from; None takes the publishers' own.

    Returns:
        The file in the store.

    Raises:
        WeightsError: There is no such release or place; the file did not come, and what came of it is kept for the
            next call; or it is not the release, and is removed.
    """
    release = find_release(name)
    source = release.source(host)
    with store.locked(name):
        store.record(name)  # a damaged one is better said before the transfer
        part = store.partial(release, source)
        try:
            download(source.url, part, on_progress)
        except TransferError as error:
            raise TransferError(f"{error} {_other_ways(release, source)}") from error
        try:
            record = store.check(release, part, origin=source.url)
        except WeightsError as error:
            discard(part)
            raise WeightsError(f"{error} It was not kept. {_other_ways(release, source)}") from error
        path = store.keep(record, part)
        discard(part)
        return path


def _other_ways(release: Release, tried: Source) -> str:
    others = [f"--from {source.host}" for source in release.sources if source != tried]
    elsewhere = f"Another place: {' or '.join(others)}. " if others else ""
    return (
        f"{elsewhere}A file brought from elsewhere goes in with clip-senet weights import {release.name} FILE "
        f"(publishers' page: {release.page})."
    )
