"""What an index holds: the state that searches read, the tables that writers fill, and the lock they change under."""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Condition
from typing import Final

from index.applying import drafted
from index.changes import Batch
from index.maintenance import Rewrite
from index.options import IndexOptions
from index.parts import Part
from index.state import CollectionDraft, IndexState
from index.table import Table, TableRows

_LONGEST_WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Frozen:
    """What was held at one moment, nothing of which is appended to any longer.

    Attributes:
        state: The state.
        codecs: The codecs of the collections that were given one of their own.
        changes: How many changes there had been.
    """

    state: IndexState
    codecs: Mapping[str, str]
    changes: int


class Holdings:
    """Collections that writers change one after another while anybody reads `state`.

    Args:
        options: How crops are kept.

    Attributes:
        state: What searches see, replaced as a whole and never changed.
        changes: Counts what a snapshot would not have had before.
        deleted_at: Watermark of the last batch by which anything was deleted; that of the beginning before one.
    """

    def __init__(self, options: IndexOptions) -> None:
        self._options = options
        self._writing = Condition()
        self._tables: MutableMapping[str, Table] = {}
        self._codecs: dict[str, str] = {}
        self.state = IndexState()
        self.changes = self.deleted_at = 0

    def begin_with(self, state: IndexState, codecs: Mapping[str, str]) -> None:
        """Hold what an earlier process held; before anything else is done.

        Args:
            state: The state.
            codecs: The codecs of the collections that were given one of their own.
        """
        self._codecs, self.state, self.deleted_at = dict(codecs), state, state.watermark

    def apply(self, batch: Batch, watermark: int, sealing: Callable[[], bool]) -> None:
        """Apply a batch, once no more tables than may be are waiting to be written to files.

        Args:
            batch: The batch.
            watermark: Number of its last change.
            sealing: Whether somebody is writing them, so that waiting helps.

        Raises:
            ValueError: The watermark is behind the one before.
        """
        with self._writing:
            while len(self.waiting()) > self._options.waiting_tables and sealing():
                self._writing.wait(_LONGEST_WAIT_S)
            if watermark < self.state.watermark:
                raise ValueError(f"watermark {watermark} is behind {self.state.watermark}, which was already applied")
            drafts = drafted(batch, self.state, self._tables, self.codec_of, datetime.now(UTC))
            if batch.gone or batch.expired:
                self.deleted_at = watermark
            self._publish(drafts, watermark)
            self.changes += 1

    def take_in(self, rewrite: Rewrite) -> None:
        """Let searches see rewritten parts, less what died meanwhile."""
        with self._writing:
            if (collection := self.state.collections.get(rewrite.collection)) is not None:
                draft = CollectionDraft(collection)
                rewrite.take_in(draft, datetime.now(UTC))
                self._publish({rewrite.collection: draft}, self.state.watermark)
            self._writing.notify_all()

    def codec_of(self, collection: str) -> str:
        """Name of the codec of a collection's next crops."""
        return self._codecs.get(collection, self._options.codec)

    def set_codec(self, collection: str, name: str) -> None:
        """Give a collection a codec of its own: its new crops at once."""
        with self._writing:
            if name == self._codecs.get(collection):
                return
            self._codecs[collection] = name
            self.changes += 1
            self._tables.pop(collection, None)  # what it holds was rounded for the other codec
            if (state := self.state.collections.get(collection)) is not None:
                collections = {**self.state.collections, collection: replace(state, codec=name)}
                self.state = IndexState(self.state.watermark, collections)

    def waiting(self) -> list[tuple[str, Part, TableRows]]:
        """Tables that nothing is appended to any longer, oldest first, with their collections."""
        with self._writing:
            growing = {table.key for table in self._tables.values()}
            return [
                (name, part, part.rows)
                for name, part in self.state.parts()
                if isinstance(part.rows, TableRows) and part.key not in growing
            ]

    def freeze(self) -> Frozen:
        """Let nothing be appended to any table of now, and answer what is held."""
        with self._writing:
            self._tables = {}
            return Frozen(self.state, dict(self._codecs), self.changes)

    def freeze_overdue(self, now: datetime) -> None:
        """Let nothing be appended to tables that are old, or in which something has been dead for long."""
        with self._writing:
            for name, table in list(self._tables.items()):
                dead_since = self.state.collections[name].parts[table.key].dead_since
                overdue = dead_since is not None and now - dead_since >= self._options.purge_after
                if overdue or now - table.since >= self._options.seal_after:
                    del self._tables[name]

    def segments(self) -> set[str]:
        """Ids of the segments that searches see."""
        return {part.key for _, part in self.state.parts() if part.segment is not None}

    def _publish(self, drafts: Mapping[str, CollectionDraft], watermark: int) -> None:
        """Let searches see the drafts. The caller holds the lock."""
        collections = dict(self.state.collections)
        for name, draft in drafts.items():
            table = self._tables.get(name)
            if (finished := draft.finished()) is None:
                collections.pop(name, None)
            else:
                collections[name] = finished
            empty = finished is None or (table is not None and table.key not in finished.parts)
            if table is not None and (empty or len(table) >= self._options.seal_rows):
                del self._tables[name]
        self.state = IndexState(watermark, collections)
