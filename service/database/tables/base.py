"""What all tables have in common."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Double, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

METADATA = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

TEXT = Text(collation="C")
"""Text ordered by code point: a page of cameras is the same on every server, whatever its locale or its libc."""


class Base(DeclarativeBase):
    """Base of every table; times are stored with time zone."""

    metadata = METADATA
    type_annotation_map = {datetime: DateTime(timezone=True), str: TEXT, float: Double(), dict[str, Any]: JSONB}  # noqa: RUF012
