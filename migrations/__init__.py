"""The database's versions: Alembic scripts, forward and back. Run from the package by service.database.migrate."""
