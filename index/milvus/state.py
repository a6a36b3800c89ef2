"""Which batch of changes is published: one row, replaced as one step, that searches read before all else."""

import time
from dataclasses import dataclass, replace
from typing import Final

from index.errors import IndexUnavailableError
from index.milvus.connection import Connection
from index.milvus.schemas import Names, anchored, state_indexes, state_schema

_ROW: Final = "state"
_FIELDS: Final = ("epoch", "batch", "watermark", "begun")
_ROW_BYTES: Final = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """The index as one batch left it.

    Attributes:
        epoch: Counts how often the index was begun anew.
        batch: Number of the last batch that was finished; rows of later ones are not seen.
        watermark: Sequence number of the change log reached with it.
        begun: Number of the last batch that was begun; larger than `batch` while one is being written, or where its
            writer died.
        read_at: When this was asked for, in seconds of the monotonic clock.
    """

    epoch: int
    batch: int
    watermark: int
    begun: int
    read_at: float


class State:
    """The published state of an index.

    Args:
        connection: The server.
        prefix: What the names of the index's collections begin with.
    """

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._name = Names.state_of(prefix)
        self._seen = False
        connection.create(self._name, state_schema(), state_indexes())

    def read(self) -> Moment:
        """The state now.

        Raises:
            IndexUnavailableError: It was there once and is not any more.
        """
        asked = time.monotonic()
        rows = self._connection.rows(self._name, f'name == "{_ROW}"', _FIELDS)
        if rows:
            self._seen = True
            row = rows[0]
            return Moment(row["epoch"], row["batch"], row["watermark"], row["begun"], asked)
        if self._seen:
            raise IndexUnavailableError("Milvus has lost the state of the index; start the service again to rebuild it")
        return Moment(0, 0, 0, 0, asked)

    def begin(self, moment: Moment) -> int:
        """Note that the batch after a moment is being written, and number it.

        A number is never used twice: what a writer that died or gave up left of a batch keeps a number of its own.
        """
        number = max(moment.batch, moment.begun) + 1
        self._write(replace(moment, begun=number))
        return number

    def publish(self, moment: Moment, batch: int, watermark: int) -> None:
        """Make a batch that was written whole the one that searches see."""
        self._write(replace(moment, batch=batch, watermark=watermark, begun=batch))

    def renew(self, moment: Moment) -> Moment:
        """Begin an empty index under new names; what there was is not seen from now on."""
        fresh = Moment(moment.epoch + 1, 0, 0, 0, time.monotonic())
        self._write(fresh)
        return fresh

    def _write(self, moment: Moment) -> None:
        row = {"name": _ROW, **{name: getattr(moment, name) for name in _FIELDS}}
        self._connection.upsert(self._name, [anchored(row)], _ROW_BYTES)
        self._seen = True
