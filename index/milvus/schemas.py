"""The collections of one index on a Milvus server: their names, fields and indexes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pymilvus import CollectionSchema, DataType, MilvusClient
from pymilvus.milvus_client.index import IndexParams

from index.milvus.rows import MAX_PIECES, MAX_TERMS, PIECE
from index.milvus.words import word

Kind = Literal["FLAT", "HNSW", "DISKANN"]
"""How Milvus finds the nearest: by looking at all, through a graph in memory, or through a graph on disk."""

BUILD: Final[Mapping[Kind, Mapping[str, int]]] = {
    "FLAT": {},
    "HNSW": {"M": 32, "efConstruction": 256},
    "DISKANN": {},
}

CROP_FIELDS: Final = ("version", "crop", "time", "body", "embedding")
SUM_FIELDS: Final = ("version", "gallery", "camera", "body", "crops", "fingerprint", "total", "squares")

SUMS: Final = "sums"
"""Stands for the sums where galleries are told apart by their words."""

_WORD: Final = 32
_VERSION: Final = 100
_MAX_DIMENSION: Final = 4096
_ANCHOR: Final = {"anchor": [1.0, 0.0]}
_BODY_BYTES: Final = 1000


@dataclass(frozen=True, slots=True)
class Names:
    """Names of an index's collections.

    Attributes:
        prefix: What all of them begin with.
        epoch: Counts how often the index was begun anew.
    """

    prefix: str
    epoch: int

    @classmethod
    def state_of(cls, prefix: str) -> str:
        """Where the state is kept, which knows the epoch."""
        return f"{prefix}_state"

    @property
    def sums(self) -> str:
        """Where the sums of cameras are kept."""
        return f"{self.prefix}_{self.epoch}_sums"

    @property
    def deaths(self) -> str:
        """Where it is noted which rows are dead."""
        return f"{self.prefix}_{self.epoch}_deaths"

    @property
    def every_gallery(self) -> str:
        """What the names of all galleries begin with."""
        return f"{self.prefix}_{self.epoch}_crops_"

    def gallery(self, collection: str) -> str:
        """Where the crops of a collection are kept, and nothing else."""
        return self.every_gallery + word(collection)


def prefix_of(installation: str, model_id: str) -> str:
    """What the names of an index begin with: another database or another model is another index."""
    return f"clip_senet_{word(installation, model_id)}"


def crop_bytes(dimension: int) -> int:
    """Roughly what the row of a crop takes in a message."""
    return 4 * dimension + _BODY_BYTES


def sum_bytes(dimension: int) -> int:
    """Roughly what the row of a camera's sums takes in a message, where numbers have up to ten bytes."""
    return 20 * dimension + _BODY_BYTES


def anchored(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the vector that Milvus wants every collection to have."""
    return {**row, **_ANCHOR}


def crops_schema(dimension: int) -> CollectionSchema:
    """Fields of a gallery."""
    schema = _schema()
    for name in ("crop", "camera", "track", "vehicle"):
        schema.add_field(name, DataType.VARCHAR, max_length=_WORD)
    schema.add_field("time", DataType.INT64)
    schema.add_field("terms", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=MAX_TERMS, max_length=_WORD)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
    return schema


def crops_indexes(kind: Kind, *, arrays: bool) -> IndexParams:
    """Indexes of a gallery.

    Args:
        kind: How the nearest are found.
        arrays: Whether the server has indexes over arrays.
    """
    indexes = _indexes("crop", "camera", "track", "vehicle", "time", *(["terms"] if arrays else []))
    indexes.add_index("embedding", index_type=kind, metric_type="IP", params=dict(BUILD[kind]))
    return indexes


def sums_schema(dimension: int) -> CollectionSchema:
    """Fields of the sums of cameras."""
    if dimension > _MAX_DIMENSION:
        raise ValueError(
            f"dimension is {dimension}, an index on Milvus takes {_MAX_DIMENSION} at most; use a projection"
        )
    schema = _schema()
    for name in ("gallery", "camera"):
        schema.add_field(name, DataType.VARCHAR, max_length=_WORD)
    schema.add_field("crops", DataType.INT64)
    schema.add_field("fingerprint", DataType.INT64)
    for name in ("total", "squares"):
        schema.add_field(name, DataType.ARRAY, element_type=DataType.INT64, max_capacity=_MAX_DIMENSION)
    schema.add_field("anchor", DataType.FLOAT_VECTOR, dim=2)
    return schema


def sums_indexes() -> IndexParams:
    """Indexes of the sums of cameras."""
    return _anchor(_indexes("gallery", "camera"))


def state_schema() -> CollectionSchema:
    """Fields of the state."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("serial", DataType.INT64, is_primary=True)
    for name in ("epoch", "batch", "watermark", "begun"):
        schema.add_field(name, DataType.INT64)
    schema.add_field("anchor", DataType.FLOAT_VECTOR, dim=2)
    return schema


def state_indexes() -> IndexParams:
    """Indexes of the state."""
    return _anchor(MilvusClient.prepare_index_params())


def deaths_schema() -> CollectionSchema:
    """Fields of the notes which rows are dead."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("name", DataType.VARCHAR, max_length=_VERSION, is_primary=True)
    schema.add_field("kind", DataType.VARCHAR, max_length=_WORD)
    schema.add_field("gallery", DataType.VARCHAR, max_length=_WORD)
    for name in ("died", "value"):
        schema.add_field(name, DataType.INT64)
    schema.add_field("anchor", DataType.FLOAT_VECTOR, dim=2)
    return schema


def deaths_indexes() -> IndexParams:
    """Indexes of the notes which rows are dead."""
    indexes = MilvusClient.prepare_index_params()
    for name in ("died", "gallery"):
        indexes.add_index(name, index_type="INVERTED")
    return _anchor(indexes)


def _schema() -> CollectionSchema:
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("version", DataType.VARCHAR, max_length=_VERSION, is_primary=True)
    schema.add_field("born", DataType.INT64)
    schema.add_field("body", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=MAX_PIECES, max_length=PIECE)
    return schema


def _indexes(*fields: str) -> IndexParams:
    indexes = MilvusClient.prepare_index_params()
    for name in ("born", *fields):
        indexes.add_index(name, index_type="INVERTED")
    return indexes


def _anchor(indexes: IndexParams) -> IndexParams:
    indexes.add_index("anchor", index_type="FLAT", metric_type="IP")
    return indexes
