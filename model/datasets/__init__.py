"""Readers of re-identification data: which crop shows which vehicle, and which camera took it."""

from model.datasets.crops import Crops, DatasetError, LabelledCrop
from model.datasets.two_camera import read_two_camera

__all__ = ["Crops", "DatasetError", "LabelledCrop", "read_two_camera"]
