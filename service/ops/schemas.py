"""What the operational routes answer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service import __version__

_READINESS_EXAMPLE: JsonDict = {
    "status": "ready",
    "model_id": "starter-3f6a2b9c8d10-5d1e77f0",
    "index_sequence": 1207,
    "index_lag_s": 0.231,
    "crops": 1189,
}


class Health(BaseModel):
    """The process is alive."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive", "version": __version__}]})

    status: Literal["alive"] = "alive"
    version: str = Field(description="Release of the service.")


class Readiness(BaseModel):
    """Every part works."""

    model_config = ConfigDict(json_schema_extra={"examples": [_READINESS_EXAMPLE]})

    status: Literal["ready"] = "ready"
    model_id: str = Field(description="The model loaded.")
    index_sequence: int = Field(description="Change that the index has reached.")
    index_lag_s: float = Field(description="Seconds since the index was last known to hold everything committed.")
    crops: int = Field(description="Crops in the index.")
