"""The former names of what `evaluate` does now."""

import numpy as np
from numpy.typing import NDArray

from model.datasets import Crops, RetrievalTest
from model.evaluation.embed import Embedded
from model.evaluation.evaluation import Evaluation, evaluate_embedded

CrossCamera = Evaluation


def evaluate_cross_camera(embeddings: NDArray[np.float32], crops: Crops) -> Evaluation:
    """Query each crop of a list against those of the other cameras."""
    return evaluate_embedded(Embedded(embeddings, embeddings), RetrievalTest(crops.name, crops, crops, "same_camera"))
