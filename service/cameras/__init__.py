"""Cameras: where the crops come from."""
