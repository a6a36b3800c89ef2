"""A batch of changes applied to the collections it touches, all of it or nothing."""

from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from index.changes import Batch
from index.codecs import CODECS, Codec
from index.parts import table_part
from index.sightings import SightingColumns
from index.state import CollectionDraft, CollectionState, IndexState
from index.table import Staged, Table


def drafted(
    batch: Batch, state: IndexState, tables: MutableMapping[str, Table], codec_of: Callable[[str], str], now: datetime
) -> Mapping[str, CollectionDraft]:
    """The collections that a batch touches, as it leaves them. Where an error is raised, nothing was changed.

    Args:
        batch: The batch.
        state: All collections before it.
        tables: The table that takes the crops of each collection; appended to, and made where there is none.
        codec_of: Name of the codec of a collection's next crops.
        now: When this happens.
    """
    drafts: dict[str, CollectionDraft] = {}

    def draft(name: str) -> CollectionDraft:
        if name not in drafts:
            drafts[name] = CollectionDraft(state.collections.get(name) or CollectionState(codec_of(name)))
        return drafts[name]

    staged: list[tuple[str, Table, Staged]] = []
    for crops in batch.upserts:
        name = crops.collection
        table = tables.get(name) or Table(codec_of(name), crops.embeddings.shape[1])
        staged.append((name, table, table.stage(crops, _held(crops, CODECS[table.codec]))))
    for name, before in batch.expired.items():
        draft(name).expire(before, now)
    for name, key, rows in state.places_of([*batch.gone, *batch.ids]):
        draft(name).bury_living(key, rows, now)
    for name, table, encoded in staged:
        draft(name).count_in(encoded, table.words)
    # nothing that fails follows, and nothing was changed so far
    for name, table, encoded in staged:
        parts = drafts[name].parts
        parts[table.key] = table_part(table.append(encoded), parts.get(table.key))
        tables[name] = table
    return drafts


def _held(crops: SightingColumns, codec: Codec) -> NDArray[np.float32]:
    return crops.embeddings if crops.in_halves else codec.held(crops.embeddings)
