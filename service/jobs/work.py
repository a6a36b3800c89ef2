"""Which part of the service does which kind of job."""

from collections.abc import Mapping
from functools import partial

from service.deletion.work import delete_noted_crops, delete_whole_collection, remove_collection_images
from service.jobs.handle import Work
from service.jobs.rebuilding import rebuild_index
from service.jobs.records import Kind
from service.reembedding.work import reembed_job_collection
from service.runtime import Runtime


def work_of(runtime: Runtime) -> Mapping[Kind, Work]:
    """What does a job, by its kind."""
    return {
        "delete_crops": partial(delete_noted_crops, runtime),
        "delete_collection": partial(delete_whole_collection, runtime),
        "remove_images": partial(remove_collection_images, runtime),
        "reembed_collection": partial(reembed_job_collection, runtime),
        "rebuild_index": partial(rebuild_index, runtime),
    }
