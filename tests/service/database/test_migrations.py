"""Migrations: forward, back, no drift from the tables, and every refusal."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from index.codecs import CODECS
from service.database.migrate import SchemaError, configuration, upgrade
from service.database.tables import METADATA
from service.errors import UnavailableError

CATALOGUE = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, k.collname,
               pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_collation k ON k.oid = a.attcollation
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass""",
    "indexes": """
        SELECT indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'""",
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal""",
    "functions": """
        SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace""",
    "sequences": "SELECT sequencename, start_value, increment_by, cache_size FROM pg_sequences",
}


def _engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool)


def _catalogue(connection: Connection) -> dict[str, set[tuple[object, ...]]]:
    return {kind: {tuple(row) for row in connection.execute(text(query))} for kind, query in CATALOGUE.items()}


def _to(url: str, revision: str) -> None:
    with _engine(url).begin() as connection:
        command.downgrade(configuration(connection), revision)


def test_the_migrations_and_the_tables_say_the_same(postgres_url: str) -> None:
    with _engine(postgres_url).connect() as connection:
        migrated = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(migrated, METADATA) == []
        by_migration = _catalogue(connection)
        connection.rollback()
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
        by_tables = _catalogue(connection)
    for kind in CATALOGUE:
        assert by_tables[kind] ^ by_migration[kind] == set(), kind
    assert all(by_migration.values())


def test_back_to_nothing_and_forward_again(empty_postgres_url: str) -> None:
    upgrade(empty_postgres_url)
    with _engine(empty_postgres_url).connect() as connection:
        first = _catalogue(connection)
    _to(empty_postgres_url, "base")
    with _engine(empty_postgres_url).connect() as connection:
        connection.execute(text("SELECT * FROM alembic_version")).all()
        left = _catalogue(connection)
        assert not any(left.values()), left
    upgrade(empty_postgres_url)
    with _engine(empty_postgres_url).connect() as connection:
        assert _catalogue(connection) == first


def test_the_log_of_a_release_that_knows_no_expiry(postgres_url: str) -> None:
    """It begins anew at its newest line, so that no index reads on past what it would keep."""
    line = "INSERT INTO changes (sequence, collection_id, crop_id, deleted, expired_before) VALUES "
    with _engine(postgres_url).begin() as connection:
        connection.execute(text(line + "(1, gen_random_uuid(), gen_random_uuid(), false, NULL)"))
        connection.execute(text(line + "(2, gen_random_uuid(), NULL, true, now())"))
        connection.execute(text(line + "(3, gen_random_uuid(), NULL, true, now())"))
    _to(postgres_url, "0001")
    with _engine(postgres_url).begin() as connection:
        left = connection.execute(text("SELECT sequence, crop_id IS NULL, deleted FROM changes")).all()
        assert [tuple(row) for row in left] == [(3, False, True)]
    upgrade(postgres_url)


@pytest.mark.parametrize(
    "values",
    [
        "(1, gen_random_uuid(), NULL, true, NULL)",
        "(1, gen_random_uuid(), gen_random_uuid(), true, now())",
        "(1, gen_random_uuid(), NULL, false, now())",
    ],
)
def test_a_line_names_a_crop_or_what_expired(postgres_url: str, values: str) -> None:
    columns = "sequence, collection_id, crop_id, deleted, expired_before"
    with _engine(postgres_url).connect() as connection, pytest.raises(IntegrityError, match="changes_subject_check"):
        connection.execute(text(f"INSERT INTO changes ({columns}) VALUES {values}"))  # noqa: S608 - no input


def test_a_codec_nobody_knows_is_refused(postgres_url: str) -> None:
    new = "INSERT INTO collections (id, name, model_id, codec) VALUES (gen_random_uuid(), 'c', 'm', :codec)"
    with _engine(postgres_url).connect() as connection:
        for name in (*CODECS, None):
            with connection.begin():
                connection.execute(text("DELETE FROM collections"))
                connection.execute(text(new), {"codec": name})
        with connection.begin(), pytest.raises(IntegrityError, match="collections_codec_check"):
            connection.execute(text(new.replace("'c'", "'d'")), {"codec": "mp3"})


def test_upgrading_twice_changes_nothing(postgres_url: str) -> None:
    with _engine(postgres_url).connect() as connection:
        before = connection.execute(text("SELECT id FROM installation")).scalars().all()
    upgrade(postgres_url)
    with _engine(postgres_url).connect() as connection:
        assert connection.execute(text("SELECT id FROM installation")).scalars().all() == before
    assert len(before) == 1


def test_replicas_that_start_at_once_migrate_once(empty_postgres_url: str) -> None:
    with ThreadPoolExecutor(4) as replicas:
        list(replicas.map(upgrade, [empty_postgres_url] * 4))
    with _engine(empty_postgres_url).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM installation")).scalar_one() == 1


def test_a_database_of_a_newer_release_is_refused(postgres_url: str) -> None:
    with _engine(postgres_url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match=r"newer release \(revision 9999; this one knows up to \d{4}\)"):
        upgrade(postgres_url)


def test_a_database_in_another_encoding_is_refused(postgres_server: str, empty_postgres_url: str) -> None:
    with _engine(postgres_server).execution_options(isolation_level="AUTOCOMMIT").connect() as server:
        server.execute(text("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"))
        try:
            with pytest.raises(SchemaError, match="encoded in LATIN1"):
                upgrade(postgres_server.replace("clip_senet", "latin", 1))
        finally:
            server.execute(text("DROP DATABASE latin WITH (FORCE)"))


def test_a_server_that_is_not_there_is_said_so() -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        upgrade("postgresql://nobody@127.0.0.1:1/nothing")


def test_the_password_is_in_no_message() -> None:
    with pytest.raises(ValueError, match="must be PostgreSQL") as caught:
        upgrade("mysql://user:hunter2@127.0.0.1/nothing")
    assert "hunter2" not in str(caught.value)


def test_the_scripts_run_from_an_installed_package(postgres_url: str, tmp_path: Path) -> None:
    """In another folder, where nothing of the checkout is at hand but the packages themselves."""
    code = "import sys; from service.database.migrate import upgrade; upgrade(sys.argv[1])"
    _to(postgres_url, "base")
    path = str(Path(__file__).parents[3])
    subprocess.run(
        [sys.executable, "-c", code, postgres_url], cwd=tmp_path, env={"PYTHONPATH": path}, check=True, timeout=60
    )
    with _engine(postgres_url).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM installation")).scalar_one() == 1
