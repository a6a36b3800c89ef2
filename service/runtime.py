"""The parts of one running service process, made by the lifespan and handed to the endpoints."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from index.contract import VectorIndex
from model.embedder import Embedder
from service.crops.store import CropStore
from service.database.engine import Database
from service.embedding import EmbeddingQueue
from service.embedding.prepare import CropPreparer
from service.follower import Follower
from service.imaging import DecodePool, ImageDecoder
from service.settings import Settings


@dataclass(slots=True)
class Runtime:
    """The parts of the process.

    Attributes:
        committed_sequence: Greatest change number that this process itself has committed. Its searches wait for it, so
            that a client which talks to one replica reads its own writes.
    """

    settings: Settings
    database: Database
    store: CropStore
    embedder: Embedder
    index: VectorIndex
    follower: Follower
    decoder: ImageDecoder
    decode_pool: DecodePool
    preparer: CropPreparer
    queue: EmbeddingQueue
    committed_sequence: int = 0

    def committed(self, sequence: int) -> None:
        """Note a commit of this process and let the index follow it at once."""
        self.committed_sequence = max(self.committed_sequence, sequence)
        self.follower.wake()


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


CurrentRuntime = Annotated[Runtime, Depends(_runtime)]
"""An endpoint's parameter of this type gets the parts of the process."""
