"""Immutable parts of a collection on disk, and the manifest that says which of them make up an index."""
