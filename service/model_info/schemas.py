"""What the route of the model answers."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

_EXAMPLE: JsonDict = {
    "model_id": "starter-3f6a2b9c8d10-5d1e77f0-pca128-0a1b2c3d",
    "preset": "starter",
    "dimension": 128,
    "image_size": 192,
    "device": "cpu",
    "base_model_id": "starter-3f6a2b9c8d10-5d1e77f0",
    "trained_on": "two-camera train",
    "measured_on": "two-camera val",
    "figures": {"all": {"queries": 204, "map": 96.6, "rank1": 94.1, "rank5": 99.5, "rank10": 100.0}},
}


class FiguresView(BaseModel):
    """Retrieval measured when the weights were trained, in percent."""

    queries: int = Field(description="Crops that were searched by.")
    map: float = Field(description="Mean average precision.")
    rank1: float = Field(description="Queries whose best hit is the same vehicle.")
    rank5: float = Field(description="Queries with the same vehicle among the best five.")
    rank10: float = Field(description="Queries with the same vehicle among the best ten.")


class ModelView(BaseModel):
    """The model loaded."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    model_id: str = Field(description="Embeddings may be compared only where it is equal.")
    preset: str
    dimension: int = Field(description="Length of the embeddings.")
    image_size: int = Field(description="Side of the square that crops are resized to, in pixels.")
    device: str = Field(description="Where it runs.", examples=["cpu"])
    base_model_id: str | None = Field(
        description="Where embeddings are projected to fewer components: the model that they are projected from."
    )
    trained_on: str | None = Field(description="What the weights say that they were trained on.")
    measured_on: str | None = Field(description="What the weights say that their figures were measured on.")
    figures: dict[str, FiguresView] | None = Field(
        description="What was measured then, on the whole and by type of vehicle; null where the weights do not say."
    )
