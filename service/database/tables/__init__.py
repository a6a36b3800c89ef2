"""The tables. PostgreSQL is the truth: rows, vectors and the change log that every index follows."""

from service.database.tables.audit import AuditEntry
from service.database.tables.base import METADATA, TEXT, Base
from service.database.tables.changes import CHANGE_SEQUENCE, Change
from service.database.tables.gallery import Camera, Collection, Crop, Embedding, Installation

__all__ = [
    "CHANGE_SEQUENCE",
    "METADATA",
    "TEXT",
    "AuditEntry",
    "Base",
    "Camera",
    "Change",
    "Collection",
    "Crop",
    "Embedding",
    "Installation",
]
