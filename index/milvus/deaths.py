"""What batches deleted, replaced or had expire, noted beside the rows until these can be deleted.

Rows are only ever added and, once no search can need them, deleted. Marking a row as dead would mean replacing it, and
a search that came between the two halves of that would miss it. So the mark is a row of its own, and searches leave
out what is noted by the batch that they look at.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from index.milvus.connection import Connection
from index.milvus.expressions import captured_before, listed, not_captured_before, one_of
from index.milvus.schemas import SUMS, anchored, deaths_indexes, deaths_schema

_EVERYWHERE: Final = "*"
_FIELDS: Final = ("name", "kind", "gallery", "died", "value")
_ROW_BYTES: Final = 200
_AT_ONCE: Final = 1000

_Kind = Literal["row", "expired", "given-up"]


@dataclass(frozen=True, slots=True)
class Dead:
    """What of a gallery is dead by a batch.

    Attributes:
        versions: Primary keys of rows.
        expired: Pairs of a batch and a time: rows of earlier batches captured before it.
        given_up: Batches that were never finished.
    """

    versions: Sequence[str] = ()
    expired: Sequence[tuple[int, int]] = ()
    given_up: Sequence[int] = ()

    def living(self, batch: int) -> str:
        """Rows that hold something as the batch left it."""
        conditions = [f"born <= {batch}"]
        if self.versions:
            conditions.append(f"version not in {listed(self.versions)}")
        if self.given_up:
            conditions.append(f"born not in {sorted(self.given_up)}")
        conditions += [f"(born >= {died} or {not_captured_before(before)})" for died, before in self.expired]
        return " and ".join(conditions)

    def dead(self) -> Iterator[str]:
        """Expressions for the rows that are dead."""
        for start in range(0, len(self.versions), _AT_ONCE):
            yield one_of("version", self.versions[start : start + _AT_ONCE])
        if self.given_up:
            yield f"born in {sorted(self.given_up)}"
        for died, before in self.expired:
            yield f"born < {died} and {captured_before(before)}"


_NOTHING: Final = Dead()


class Deaths:
    """The notes of an epoch.

    Args:
        connection: The server.
        name: The collection that holds them.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._known: tuple[int, Mapping[str, Dead]] = 0, {}

    def create(self) -> None:
        """Create the collection unless it is there."""
        self._connection.create(self._name, deaths_schema(), deaths_indexes())

    def of(self, gallery: str, batch: int) -> Dead:
        """What of a gallery is dead by a published batch and may still be there."""
        dead = self._by(batch)
        return dead.get(gallery, dead.get(_EVERYWHERE, _NOTHING))

    def galleries(self, batch: int, of: Iterable[str]) -> list[str]:
        """Which of some galleries have anything dead by a published batch that may still be there."""
        dead = self._by(batch)
        return [gallery for gallery in of if gallery in dead or _EVERYWHERE in dead]

    def waiting(self) -> int:
        """How many rows of crops are dead, noted one by one, and may still be there."""
        return self._connection.count(self._name, f'kind == "row" and gallery != "{SUMS}"')

    def note(self, gallery: str, versions: Iterable[str], batch: int) -> None:
        """Note rows that die with a batch."""
        self._write([_note("row", version, gallery, batch) for version in versions])

    def expire(self, gallery: str, before: int, batch: int) -> None:
        """Note that what a gallery holds of before a time dies with a batch."""
        self._write([_note("expired", f"{gallery}-{batch:016x}", gallery, batch, before)])

    def give_up(self, unfinished: Iterable[int], batch: int) -> None:
        """Note with a batch that others were never finished: what of them still arrives is not to be seen."""
        self._write([_note("given-up", f"{one:016x}", _EVERYWHERE, batch, one) for one in unfinished])

    def recover(self, batch: int) -> None:
        """Take back what was noted after a batch."""
        self._connection.delete(self._name, f"died > {batch}")

    def forget(self, batch: int) -> None:
        """Drop the notes up to a batch, whose rows are deleted."""
        self._connection.delete(self._name, f"died <= {batch}")

    def _by(self, batch: int) -> Mapping[str, Dead]:
        """All that is noted by a batch, by gallery; read once for each batch."""
        known, dead = self._known
        if known != batch:
            pages = self._connection.pages(self._name, f"died <= {batch}", _FIELDS, _ROW_BYTES)
            dead = _by_gallery(row for page in pages for row in page)
            # notes that are dropped meanwhile are of rows that are deleted; to leave these out does no harm
            self._known = batch, dead
        return dead

    def _write(self, rows: list[dict[str, Any]]) -> None:
        self._connection.upsert(self._name, rows, _ROW_BYTES)


def _note(kind: _Kind, name: str, gallery: str, died: int, value: int = 0) -> dict[str, Any]:
    return anchored({"name": name, "kind": kind, "gallery": gallery, "died": died, "value": value})


def _by_gallery(notes: Iterable[Mapping[str, Any]]) -> Mapping[str, Dead]:
    galleries: dict[str, list[Mapping[str, Any]]] = {}
    for note in notes:
        galleries.setdefault(note["gallery"], []).append(note)
    given_up = [note["value"] for note in galleries.get(_EVERYWHERE, [])]
    return {
        gallery: Dead(
            versions=[note["name"] for note in members if note["kind"] == "row"],
            expired=[(note["died"], note["value"]) for note in members if note["kind"] == "expired"],
            given_up=given_up,
        )
        for gallery, members in galleries.items()
    }
