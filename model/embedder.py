"""The embedder: a network with weights on a device, from crops to embeddings, under a model id."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from model.errors import DeviceError, EmbeddingError, InputError, WeightsError
from model.network import CLIPSENet
from model.preprocessing import to_images
from model.projection import Projection
from model.resizing import RESIZE, resize_crop
from model.weights import load_checkpoint, read_metadata, shipped_weights

_UNIT_TOLERANCE = 1e-3


class Embedder:
    """Embeds crops with one set of weights.

    `prepare` may be called from many threads at once; `embed` from one thread at a time per device is fastest, as it
    uses the whole device.

    Args:
        network: A trained network; it is moved to the device and put into evaluation mode.
        weights_digest: SHA-256 of the weights file, in hex.
        device: Where to run.
        projection: Projects what the network gives, where there is one.
        metadata: Text from the header of the weights file, by name.

    Raises:
        WeightsError: The network has a camera table, or the projection was fitted on another model.

    Attributes:
        model_id: `<preset>-<weights>-<preprocessing>`: the preset's name, the first 12 hex digits of the weights file's
            SHA-256 (preset and options are in the file) and the first 8 of the preprocessing's. Two embeddings may be
            compared only where it is equal; it does not depend on the device.
            A projection adds its own part (`model.projection`).
        dimension: D, length of the embeddings.
        image_size: Side of the square crops that `embed` takes.
        device: Where the network runs.
        preset: The preset's name.
        metadata: Text from the header of the weights file: what they were trained and measured on, for example.
        base_model_id: The model that the projection was fitted on; None without one.
    """

    def __init__(
        self,
        network: CLIPSENet,
        weights_digest: str,
        device: torch.device,
        projection: Projection | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        if network.preset.camera_table:
            raise WeightsError(
                "These weights have a camera table, which needs every crop's camera to be one of the training set's: "
                "the embedder takes weights without one."
            )
        self._network = network.to(device).eval()
        self.device = device
        self.dimension = network.preset.embedding_dim
        self.image_size = network.preset.image_size
        self.model_id = f"{network.preset.name}-{weights_digest[:12]}-{_preprocessing_digest(network)[:8]}"
        self.preset = network.preset.name
        self.metadata = dict(metadata or {})
        self.base_model_id: str | None = None
        self._projection = projection
        if projection is not None:
            projection.require_base(self.model_id, self.dimension)
            self.base_model_id = self.model_id
            self.model_id, self.dimension = projection.model_id, projection.dimension

    @classmethod
    def load(
        cls,
        weights: Path | None = None,
        preset: str | None = None,
        device: str = "auto",
        threads: int = 0,
        projection: Path | None = None,
    ) -> Self:
        """Load a checkpoint and make it ready.

        Args:
            weights: A checkpoint of `model.weights.save_checkpoint`; None takes the starter weights of the package.
            preset: Name of the preset that the weights must be of; None takes any.
            device: "auto" (CUDA where there is one, else the CPU) or torch's name of a device.
            threads: CPU threads of torch in this process; 0 leaves them as they are.
            projection: A file of `model.projection`, fitted on these weights' embeddings; None projects nothing.

        Raises:
            WeightsError: A file is missing, damaged or of another kind, the weights are of another preset, or the
                projection is of other weights.
            DeviceError: There is no such device.
        """
        path = weights or shipped_weights("starter")
        chosen = _device(device)
        network, stored = load_checkpoint(path)
        if preset is not None and preset != stored.name:
            raise WeightsError(
                f"{path} holds weights of preset {stored.name}, not {preset}: give the {preset} weights."
            )
        if threads:
            torch.set_num_threads(threads)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        fitted = None if projection is None else Projection.load(projection)
        return cls(network, digest, chosen, fitted, read_metadata(path))

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resize one crop for `embed`; cheap, without torch, safe in many threads.

        Args:
            image: The crop, upright.

        Returns:
            RGB, shape (image_size, image_size, 3).
        """
        return resize_crop(image, self.image_size)

    def embed(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed prepared crops. A crop's embedding does not depend on the others of its batch.

        Args:
            batch: RGB, uint8, shape (N, image_size, image_size, 3); N may be 0.

        Returns:
            Unit-length rows, shape (N, dimension).

        Raises:
            InputError: The batch has another shape or type.
            EmbeddingError: The network gave values that make no unit vector; the message says for which rows.
        """
        expected = (self.image_size, self.image_size, 3)
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != expected:  # noqa: PLR2004
            raise InputError(
                f"A batch must be uint8 of shape (N, {self.image_size}, {self.image_size}, 3), made by prepare."
            )
        if not len(batch):
            return np.empty((0, self.dimension), np.float32)
        with torch.inference_mode():
            embeddings: NDArray[np.float32] = self._network.embed(to_images(batch, self.device)).cpu().numpy()
        # NaN compares as false, so this finds it too.
        broken = np.flatnonzero(~(np.abs(np.linalg.norm(embeddings, axis=1) - 1) < _UNIT_TOLERANCE))
        if len(broken):
            raise EmbeddingError(
                f"The network gave no unit vector for rows {broken.tolist()} of the batch: the weights are damaged or "
                "the device fails."
            )
        return embeddings if self._projection is None else self._projection.apply(embeddings)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"The device {name!r} cannot be used ({error}): take auto, cpu or cuda.") from error
    return device


def _preprocessing_digest(network: CLIPSENet) -> str:
    steps = {
        "colour": "rgb",
        "resize": RESIZE,
        "image_size": network.preset.image_size,
        "appearance": network.normalize_appearance.statistics,
        "semantic": network.normalize_semantic and network.normalize_semantic.statistics,
    }
    return hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()
