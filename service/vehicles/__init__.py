"""Vehicles: identities that people confirmed, and where each was seen."""
