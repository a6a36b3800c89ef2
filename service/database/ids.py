"""Conditions on ids."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, func, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute


def among(column: InstrumentedAttribute[UUID], ids: Iterable[UUID]) -> ColumnElement[bool]:
    """Whether an id is one of these, however many: in one array, as a statement takes 65,535 parameters at most."""
    found: ColumnElement[bool] = column == func.any(literal(list(ids), ARRAY(Uuid)))
    return found
