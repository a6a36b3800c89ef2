"""Deletion that is real: out of every answer at once, then out of every file."""
