"""Alembic's environment: migrates on the connection it is given, or on the database of CLIP_SENET_DATABASE_URL."""

import os

from alembic import context
from sqlalchemy import Connection, create_engine

from service.database.engine import postgres_url
from service.database.tables import METADATA


def run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=METADATA, compare_server_default=True, transaction_per_migration=False
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(postgres_url(os.environ["CLIP_SENET_DATABASE_URL"])).begin() as opened:
        run(opened)
