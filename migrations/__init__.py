"""Alembic migrations of the service database, run by `clip-senet serve` at start."""
