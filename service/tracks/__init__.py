"""Tracks: what one camera saw of one vehicle without losing it."""
