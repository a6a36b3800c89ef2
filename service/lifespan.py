"""Starting the parts in the order in which they need each other, and stopping them in reverse."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from uuid import uuid4

from model.embedder import Embedder
from service.audit.viewings import ViewingLog
from service.change_log import ChangeLogKeeper
from service.crops.removal import PictureRemover
from service.crops.store import FileCropStore
from service.crops.sweep import sweep_orphans
from service.database.engine import Database
from service.database.opening import opened_database
from service.embedding import EmbeddingQueue
from service.embedding.prepare import CropPreparer
from service.follower import Follower
from service.follower_duties import Rhythm
from service.imaging import DecodePool, ImageLimits, RenditionPool
from service.index_store import SegmentStore
from service.interpreter import switch_threads_often
from service.jobs.runner import JobRunner
from service.jobs.work import work_of
from service.keys.gatekeeper import Gatekeeper
from service.ops.readiness import probe_model
from service.processes.presence import Cleanliness, Presence
from service.retention.keeper import RetentionKeeper
from service.runtime import Runtime
from service.settings import Settings
from service.watches.watching import Watching

logger = logging.getLogger(__name__)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Runtime]:
    """All parts of a process, ready to serve; on leaving, what was accepted is finished.

    Raises:
        UnavailableError: Database or crop store do not work.
        SchemaError: The database does not fit this release.
        ModelError: The weights cannot be used.
        StorageError: The index cannot keep its files where it is to.
        VectorError: A stored vector is broken; the message names the crop.
    """
    switch_threads_often()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened_database(settings))
        store = FileCropStore(settings.crops_dir)
        stack.callback(store.close)
        await store.check()
        swept = await sweep_orphans(store, database, settings.orphan_age_s)
        remover = PictureRemover(database, store)
        await remover.remove()
        remover.start()
        stack.push_async_callback(remover.stop)
        embedder = await asyncio.to_thread(
            Embedder.load,
            settings.weights,
            settings.preset,
            settings.device,
            settings.torch_threads,
            settings.projection,
        )
        keeper = ChangeLogKeeper(database, timedelta(days=settings.change_log_days))
        keeper.start()
        stack.push_async_callback(keeper.stop)
        follower, process_id = _follower(settings, database, embedder), uuid4()
        # Before the index is there, and until it is not: whoever deletes waits for its files to be clean.
        presence = Presence(
            database,
            process_id,
            f"{socket.gethostname()}:{os.getpid()}",
            lambda: Cleanliness(follower.clean_sequence, follower.deleted_sequence),
        )
        await presence.start()
        stack.push_async_callback(presence.stop)
        await follower.start()
        stack.push_async_callback(follower.close)
        retention = RetentionKeeper(database, store, follower.note_commit, settings.retention_check_s)
        retention.start()
        stack.push_async_callback(retention.stop)
        queue = EmbeddingQueue(embedder.embed, settings.batch_size, settings.queue_crops)
        queue.start()
        stack.push_async_callback(asyncio.to_thread, queue.stop)
        preparer = CropPreparer(
            await _decoding(stack, settings, settings.decode_workers), embedder.image_size, settings.max_image_bytes
        )
        renditions = RenditionPool(
            await _decoding(stack, settings, settings.rendition_workers),
            settings.rendition_workers,
            settings.queue_renditions,
        )
        keys = Gatekeeper(database)
        keys.start()
        stack.push_async_callback(keys.stop)
        viewings = ViewingLog(database)
        stack.push_async_callback(viewings.close)
        jobs = JobRunner(database, process_id, embedder.model_id)
        watching = Watching(database, settings, embedder.model_id, embedder.dimension)
        watching.start()
        stack.push_async_callback(watching.stop)
        runtime = Runtime(
            settings,
            database,
            store,
            embedder,
            follower,
            renditions,
            preparer,
            queue,
            process_id,
            jobs,
            keys,
            viewings,
            watching,
        )
        jobs.start(work_of(runtime))
        stack.push_async_callback(jobs.stop)
        # At the largest batch, so that the first burst of requests finds the memory laid out.
        await probe_model(runtime, settings.batch_size)
        # What was left may have been found to be wrong since: searches are answered 503 then, and all else works.
        crops = f"{follower.index.stats().crops} crops in the index" if follower.loaded else "the index is built anew"
        logger.info("Ready: model %s, %s, %s orphans swept", embedder.model_id, crops, swept)
        yield runtime


async def _decoding(stack: AsyncExitStack, settings: Settings, workers: int) -> DecodePool:
    limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels, settings.min_image_side)
    pool = await asyncio.to_thread(DecodePool, workers, limits, settings.decode_timeout_s)
    stack.push_async_callback(asyncio.to_thread, pool.close)
    return pool


def _follower(settings: Settings, database: Database, embedder: Embedder) -> Follower:
    store = SegmentStore(settings.index_dir, embedder.dimension, embedder.model_id, settings.index_options)
    rhythm = Rhythm(
        poll_s=settings.follower_poll_s,
        snapshot_s=settings.index_snapshot_s,
        snapshot_changes=settings.index_snapshot_changes,
        reconcile_s=settings.index_reconcile_s,
    )
    return Follower(database, store, embedder.model_id, rhythm)
