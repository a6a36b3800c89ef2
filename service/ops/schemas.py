"""What the operational routes answer."""

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The process is alive."""

    status: Literal["alive"] = "alive"
    version: str = Field(description="Release of the service.")


class Readiness(BaseModel):
    """Every part works."""

    status: Literal["ready"] = "ready"
    model_id: str = Field(description="The model loaded.")
    index_sequence: int = Field(description="Change that the index has reached.")
    index_lag_s: float = Field(description="Seconds since the index was last known to hold everything committed.")
    crops: int = Field(description="Crops in the index.")
