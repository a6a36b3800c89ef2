"""`clip-senet reembed`: a collection moved over to another model, from its stored pictures."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from service.cli.serve import settings_of
from service.cli.terminal import out, remarks, stop

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from service.crops.store import CropStore
    from service.database.engine import Database
    from service.reembedding.service import Reembedding
    from service.settings import Settings

_FAILED = 1
_INTERRUPTED = 130


def reembed(
    collection: Annotated[str, typer.Option(help="Name of the collection.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="Weights of the model to move to. [dim]default: the starter's[/dim]", show_default=False),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Preset of the model. [dim]default: starter[/dim]", show_default=False)
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of pictures and embedded database. [dim]default: data[/dim]", show_default=False),
    ] = None,
    drop_without_picture: Annotated[
        bool, typer.Option(help="Delete crops whose picture is not stored or cannot be read.")
    ] = False,
) -> None:
    """Give every crop of a collection an embedding of another model, then switch the collection to it.

    Services with the model that the collection has may go on enrolling and
    searching meanwhile. From the switch on they refuse the collection, and those
    with the new model take it. The settings in the environment count. After an
    interruption the same command goes on where it stopped.

    [bold]Examples[/bold]

      clip-senet reembed --collection default --weights fine-tuned.safetensors

    [bold]Exit status[/bold] 0 switched, 1 not switched and a sentence says why,
    130 interrupted.
    """
    from model.errors import ModelError
    from service.database.migrate import SchemaError
    from service.errors import ServiceError

    given = {"weights": weights, "preset": preset, "data_dir": data_dir}
    try:
        settings = settings_of({name: value for name, value in given.items() if value is not None})
        done = asyncio.run(_reembed(settings, collection, drop=drop_without_picture))
    except ServiceError as error:
        stop(error.detail, _FAILED)
    except (ModelError, SchemaError, ValueError) as error:
        stop(str(error), _FAILED)
    except KeyboardInterrupt:
        stop("Interrupted. What was done is kept: run the command again to go on.", _INTERRUPTED)
    out.print(f"{escape(collection)} is of model {done['model_id']}.")
    remarks.print(f"{done['embedded']} crops embedded, {done['dropped']} deleted.")


async def _reembed(settings: "Settings", collection: str, *, drop: bool) -> "Mapping[str, Any]":
    from model.progress import count_bar
    from service.crops.store import FileCropStore
    from service.crops.sweep import require_own_store
    from service.database.opening import opened_database
    from service.reembedding.service import crops_left

    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened_database(settings))
        store = FileCropStore(settings.crops_dir)
        stack.callback(store.close)
        if not settings.crops_dir.is_dir():
            raise ValueError(f"There are no stored pictures in {settings.crops_dir}; say where with --data-dir.")
        await require_own_store(store, database)
        reembedding = await _prepared(stack, settings, database, store, drop=drop)
        left = await crops_left(database, collection, reembedding.model_id)
        advance = stack.enter_context(count_bar(remarks, "Embedding", left))
        reembedding.advance = _asynchronous(advance)
        return await reembedding.run(collection)


async def _prepared(
    stack: AsyncExitStack, settings: "Settings", database: "Database", store: "CropStore", *, drop: bool
) -> "Reembedding":
    """The model and what it needs, until the stack is left."""
    from model.embedder import Embedder
    from service.deletion.erasing import delete_with_pictures
    from service.embedding import EmbeddingQueue
    from service.embedding.prepare import CropPreparer
    from service.imaging import DecodePool, ImageLimits
    from service.reembedding.pictures import StoredPictures
    from service.reembedding.service import Reembedding

    embedder = await asyncio.to_thread(
        Embedder.load, settings.weights, settings.preset, settings.device, settings.torch_threads, settings.projection
    )
    queue = EmbeddingQueue(embedder.embed, settings.batch_size, settings.queue_crops)
    queue.start()
    stack.push_async_callback(asyncio.to_thread, queue.stop)
    limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels, settings.min_image_side)
    pool = await asyncio.to_thread(DecodePool, settings.decode_workers, limits, settings.decode_timeout_s)
    stack.push_async_callback(asyncio.to_thread, pool.close)

    def committed(_: int) -> None:
        """Nobody here waits for an index: services follow the change log."""

    async def drop_crops(crop_ids: "list[UUID]") -> None:
        await delete_with_pictures(database, store, crop_ids, committed)

    return Reembedding(
        database=database,
        pictures=StoredPictures(store, CropPreparer(pool, embedder.image_size, settings.max_image_bytes), queue),
        model_id=embedder.model_id,
        committed=committed,
        advance=_asynchronous(lambda _: None),
        drop=drop_crops if drop else None,
    )


def _asynchronous(advance: Callable[[int], None]) -> "Callable[[int], Any]":
    async def tell(more: int) -> None:
        advance(more)

    return tell
