"""The tables. PostgreSQL is the truth: rows, vectors and the change log that every index follows."""

from service.database.tables.audit import AuditEntry
from service.database.tables.base import METADATA, TEXT, Base
from service.database.tables.changes import CHANGE_SEQUENCE, Change
from service.database.tables.gallery import Camera, Collection, Crop, Embedding, Installation, PictureToRemove
from service.database.tables.jobs import Job, JobCrop, Process
from service.database.tables.keys import ApiKey
from service.database.tables.vehicles import Calibration, Judgement, Vehicle
from service.database.tables.watches import Delivery, Watch, WatchCrop, WatchCursor, WatchHit

__all__ = [
    "CHANGE_SEQUENCE",
    "METADATA",
    "TEXT",
    "ApiKey",
    "AuditEntry",
    "Base",
    "Calibration",
    "Camera",
    "Change",
    "Collection",
    "Crop",
    "Delivery",
    "Embedding",
    "Installation",
    "Job",
    "JobCrop",
    "Judgement",
    "PictureToRemove",
    "Process",
    "Vehicle",
    "Watch",
    "WatchCrop",
    "WatchCursor",
    "WatchHit",
]
