"""A real PostgreSQL for every test that wants one: one embedded server for the run, a fresh database for each test."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from service.database.embedded import EmbeddedPostgres
from service.database.engine import Database
from service.database.migrate import upgrade


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """SQLAlchemy URL of a server whose database `template` is migrated and stays empty."""
    with tempfile.TemporaryDirectory(prefix="clip-senet-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        url = server.start()
        _execute(url, "ALTER SYSTEM SET fsync = off")  # these databases live for seconds; nothing is to survive
        _execute(url, "SELECT pg_reload_conf()")
        _execute(url, "CREATE DATABASE template TEMPLATE template0")
        upgrade(_url(url, "template"))
        yield url
        server.stop()


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """SQLAlchemy URL of a fresh database without tables."""
    yield from _fresh_database(postgres_server, "template0")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """SQLAlchemy URL of a fresh, migrated database."""
    yield from _fresh_database(postgres_server, "template")


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A fresh, migrated database."""
    database = Database(postgres_url, pool_size=5)
    yield database
    await database.close()


def _fresh_database(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _url(server, name)
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _url(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


def _execute(server: str, statement: str) -> None:
    address = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL(statement))
