"""Route of the model."""

from fastapi import APIRouter

from service.access import Reader
from service.model_info.schemas import ModelView
from service.model_info.service import model_view
from service.openapi import problems
from service.runtime import CurrentRuntime

router = APIRouter(tags=["operation"])


@router.get("/model", operation_id="get_model", summary="Get the model", responses=problems())
async def get_model(runtime: CurrentRuntime, caller: Reader) -> ModelView:
    """The model loaded: what it takes and gives, where it runs, and how well it did when it was trained."""
    del caller  # whoever may read may know
    return model_view(runtime.embedder)
