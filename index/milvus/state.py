"""Which batch of changes is published: a row that is added for each step, of which the newest counts."""

import time
from dataclasses import dataclass, replace
from typing import Final

from index.errors import IndexUnavailableError
from index.milvus.connection import Connection
from index.milvus.schemas import Names, anchored, state_indexes, state_schema

_FIELDS: Final = ("serial", "epoch", "batch", "watermark", "begun")
_ROW_BYTES: Final = 100
_KEPT: Final = 8
_PAUSES_S: Final = (0.01, 0.05, 0.2, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Moment:
    """The index as one batch left it.

    Attributes:
        serial: Counts the steps of all writers.
        epoch: Counts how often the index was begun anew.
        batch: Number of the last batch that was finished; rows of later ones are not seen.
        watermark: Sequence number of the change log reached with it.
        begun: Number of the last batch that was begun; larger than `batch` while one is being written, or where its
            writer died.
        read_at: When this was asked for, in seconds of the monotonic clock.
    """

    serial: int
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
        for pause_s in _PAUSES_S:
            asked = time.monotonic()
            if rows := self._connection.rows(self._name, "serial >= 0", _FIELDS):
                self._seen = True
                newest = max(rows, key=lambda row: row["serial"])
                return Moment(**{name: newest[name] for name in _FIELDS}, read_at=asked)
            if not self._seen:
                return Moment(0, 0, 0, 0, 0, asked)
            time.sleep(pause_s)  # Milvus Lite shows none of the rows for a moment while it writes them out
        raise IndexUnavailableError("Milvus has lost the state of the index; start the service again to rebuild it")

    def begin(self, moment: Moment) -> Moment:
        """Note that the batch `begun` of the answer is being written.

        A number is never used twice: what a writer that died or gave up left of a batch keeps a number of its own.
        """
        return self._write(replace(moment, begun=max(moment.batch, moment.begun) + 1))

    def publish(self, moment: Moment, watermark: int) -> None:
        """Make the batch that was begun, and is written whole, the one that searches see."""
        self._write(replace(moment, batch=moment.begun, watermark=watermark))

    def renew(self, moment: Moment) -> Moment:
        """Begin an empty index under new names; what there was is not seen from now on."""
        return self._write(Moment(moment.serial, moment.epoch + 1, 0, 0, 0, time.monotonic()))

    def _write(self, moment: Moment) -> Moment:
        after = replace(moment, serial=moment.serial + 1)
        row = {name: getattr(after, name) for name in _FIELDS}
        self._connection.upsert(self._name, [anchored(row)], _ROW_BYTES)
        self._seen = True
        if after.serial % _KEPT == 0:
            self._connection.delete(self._name, f"serial <= {after.serial - _KEPT}")
        return after
