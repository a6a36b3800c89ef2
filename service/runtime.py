"""The parts of one running service process, made by the lifespan and handed to the endpoints."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from model.embedder import Embedder
from service.audit.viewings import ViewingLog
from service.crops.store import CropStore
from service.database.engine import Database
from service.embedding import EmbeddingQueue
from service.embedding.prepare import CropPreparer
from service.follower import Follower
from service.imaging import RenditionPool
from service.jobs.runner import JobRunner
from service.keys.gatekeeper import Gatekeeper
from service.settings import Settings
from service.watches.watching import Watching


@dataclass(slots=True)
class Runtime:
    """The parts of the process."""

    settings: Settings
    database: Database
    store: CropStore
    embedder: Embedder
    follower: Follower
    renditions: RenditionPool
    preparer: CropPreparer
    queue: EmbeddingQueue
    process_id: UUID
    jobs: JobRunner
    keys: Gatekeeper
    viewings: ViewingLog
    watching: Watching


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


CurrentRuntime = Annotated[Runtime, Depends(_runtime)]
"""An endpoint's parameter of this type gets the parts of the process."""
