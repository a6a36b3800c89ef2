"""PostgreSQL: tables, engine, embedded server, migrations."""
