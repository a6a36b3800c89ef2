"""What the model says of itself."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from model.embedder import Embedder
from service.model_info.schemas import FiguresView, ModelView

_NAMES = {"queries": "queries", "mAP": "map", "R1": "rank1", "R5": "rank5", "R10": "rank10"}
_FIGURES: TypeAdapter[dict[str, FiguresView]] = TypeAdapter(dict[str, FiguresView])


def model_view(embedder: Embedder) -> ModelView:
    """The model loaded, with the figures that were written into its weights when they were trained."""
    said = embedder.metadata
    return ModelView(
        model_id=embedder.model_id,
        preset=embedder.preset,
        dimension=embedder.dimension,
        image_size=embedder.image_size,
        device=str(embedder.device),
        base_model_id=embedder.base_model_id,
        trained_on=said.get("train"),
        measured_on=said.get("val"),
        figures=_figures(said),
    )


def _figures(said: Mapping[str, str]) -> dict[str, FiguresView] | None:
    """The figures in the header of weights; None where there are none, or in words of somebody else's."""
    try:
        written: Any = json.loads(said["figures"])
        renamed = {
            group: {_NAMES[name]: value for name, value in figures.items() if name in _NAMES}
            for group, figures in written.items()
        }
        return _FIGURES.validate_python(renamed)
    except (KeyError, ValueError, AttributeError, RecursionError, ValidationError):
        return None
