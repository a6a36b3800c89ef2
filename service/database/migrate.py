"""Bringing a database to the tables of this release, from inside the installed package."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

import migrations
from service.database.engine import connection_arguments, postgres_url, translated_errors

OLDEST_SERVER = (15, 0)
MIGRATION_LOCK = int.from_bytes(b"senet-up")
"""Key of the advisory lock under which one replica migrates while the others wait."""


class SchemaError(RuntimeError):
    """The service cannot work with this database; the message says what to do."""


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file: the scripts lie in the package `migrations`.

    Args:
        connection: The connection to migrate on; where absent the environment opens one of its own.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to a revision. Of several replicas that start at once one migrates, the others wait for it.

    Args:
        url: SQLAlchemy URL of the database.
        revision: The revision to reach.

    Raises:
        SchemaError: The server is too old, not UTF-8, or was migrated by a newer release.
        UnavailableError: The database does not answer.
        ValueError: Not the URL of a PostgreSQL database.
    """
    parsed = postgres_url(url)
    arguments = connection_arguments(parsed)
    # Another replica may take its time; the wait for it must not end in a lock timeout.
    arguments["options"] += " -c lock_timeout=0"
    engine = create_engine(parsed, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    with translated_errors(), engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config = configuration(connection)
        _refuse_unfit_server(connection)
        _refuse_newer_schema(connection, ScriptDirectory.from_config(config))
        command.upgrade(config, revision)


def _refuse_unfit_server(connection: Connection) -> None:
    version = connection.dialect.server_version_info or (0,)
    if version < OLDEST_SERVER:
        found = ".".join(map(str, version))
        raise SchemaError(f"The database server is PostgreSQL {found}; this service needs {OLDEST_SERVER[0]} or newer.")
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise SchemaError(f"The database is encoded in {encoding}; create it with ENCODING 'UTF8'.")


def _refuse_newer_schema(connection: Connection, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
    if unknown:
        raise SchemaError(
            f"The database was migrated by a newer release (revision {', '.join(sorted(unknown))}; this one knows up "
            f"to {scripts.get_current_head()}). Run that release, or restore the backup from before its upgrade."
        )
