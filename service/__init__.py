"""The network face of CLIP-SENet Service: HTTP, command line, database and crop store."""

__version__ = "0.1.0"
