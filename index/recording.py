"""An index as its snapshots have it: what is written of it, and what starts from that."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from index.maintenance import Rewrite
from index.parts import Part, segment_part
from index.segments.folder import kept_snapshots
from index.segments.segment import Segment
from index.segments.snapshots import CollectionEntry, Identity, IndexSnapshot, SegmentEntry
from index.state import CollectionDraft, CollectionState, IndexState


def recorded(
    state: IndexState, sealed: Mapping[str, Rewrite], identity: Identity, chosen: Mapping[str, str], now: datetime
) -> IndexSnapshot:
    """A snapshot of a state, its tables in the segments that they were sealed to.

    Args:
        state: The state.
        sealed: What was made of each table, by the key of its part.
        identity: Model, installation and dimension.
        chosen: Names of the codecs of the collections that were given one of their own.
        now: When it is made.
    """

    def entries(part: Part) -> list[SegmentEntry]:
        if part.key in sealed:
            return [SegmentEntry(segment.id) for segment in sealed[part.key].new]
        return [SegmentEntry(part.key, part.live, part.dead_since)]

    collections = {
        name: CollectionEntry(
            codec=chosen.get(name),
            segments=tuple(entry for part in one.parts.values() for entry in entries(part)),
            crops=one.count,
            fingerprint=one.fingerprint,
        )
        for name, one in state.collections.items()
    }
    return IndexSnapshot(identity, state.watermark, now, collections)


def restored(snapshot: IndexSnapshot, segments: Mapping[str, Segment], codec_of: Callable[[str], str]) -> IndexState:
    """The state that a snapshot was made of.

    Args:
        snapshot: The snapshot.
        segments: Its segments by id.
        codec_of: Name of the codec that a collection's next segments are to have.
    """
    collections = {}
    for name, entry in snapshot.collections.items():
        draft = CollectionDraft(CollectionState(codec_of(name)))
        for one in entry.segments:
            draft.take_in(segment_part(segments[one.id], one.live, one.dead_since))
        if (finished := draft.finished()) is not None:
            collections[name] = finished
    return IndexState(snapshot.watermark, collections)


def recorded_segments(folder: Path, identity: Identity) -> frozenset[str]:
    """Ids of the segments that the snapshots name which stay in an index's folder."""
    kept = kept_snapshots(folder, identity).values()
    return frozenset(id_ for snapshot in kept for id_ in snapshot.segment_ids())
