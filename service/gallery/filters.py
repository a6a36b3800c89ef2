"""The filter of a search, in SQL."""

from sqlalchemy import ColumnElement

from index.contract import Filter
from service.database.tables import Collection, Crop


def conditions(where: Filter) -> list[ColumnElement[bool]]:
    """A filter in SQL, on crops joined with their collections; true of exactly the crops of which it is in an index."""
    conditions = [Collection.name == where.collection]
    if where.camera_ids is not None:
        conditions.append(Crop.camera_id.in_(where.camera_ids))
    if where.exclude_camera_ids:
        conditions.append(Crop.camera_id.not_in(where.exclude_camera_ids))
    if where.captured_from is not None:
        conditions.append(Crop.captured_at >= where.captured_from)
    if where.captured_to is not None:
        conditions.append(Crop.captured_at < where.captured_to)
    if where.vehicle_ids is not None:
        conditions.append(Crop.vehicle_id.in_(where.vehicle_ids))
    if where.attributes:
        conditions.append(Crop.attributes.contains(dict(where.attributes)))
    if where.exclude_ids:
        conditions.append(Crop.id.not_in(where.exclude_ids))
    return conditions
