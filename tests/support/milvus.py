"""A Milvus server for tests: Milvus Lite, in this process."""

import atexit
import tempfile
from functools import cache


@cache
def milvus_lite() -> str:
    """Address of a server that all tests share."""
    folder = tempfile.TemporaryDirectory(prefix="clip-senet-milvus-")
    atexit.register(folder.cleanup)  # after Milvus Lite stops its servers, which registers when it is imported later
    return f"{folder.name}/milvus.db"
