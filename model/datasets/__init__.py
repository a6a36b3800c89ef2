"""Readers of re-identification data: which crop shows which vehicle, and which camera took it."""

from model.datasets.crops import Crops, DatasetError, LabelledCrop
from model.datasets.dataset import Dataset, RetrievalTest, Rule
from model.datasets.opening import LAYOUTS, open_dataset
from model.datasets.two_camera import read_two_camera

__all__ = [
    "LAYOUTS",
    "Crops",
    "Dataset",
    "DatasetError",
    "LabelledCrop",
    "RetrievalTest",
    "Rule",
    "open_dataset",
    "read_two_camera",
]
