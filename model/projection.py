"""A linear projection after the network: fewer components for each embedding, nearly the same similarities.

Principal components about the origin: of all projections to m dimensions the one that loses the least of the embeddings
themselves (Eckart, Young: "The approximation of one matrix by another of lower rank", Psychometrika 1, 1936), and so of
the inner products that a search ranks by. The mean is not taken out first, which would make another quantity of every
inner product, and of the thresholds set on them (docs/decisions/0116).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from model.errors import EmbeddingError, InputError, WeightsError
from model.weights.atomic import write_atomically
from model.weights.seal import check_data, check_header, seal

FORMAT = "clip-senet-projection"
FORMAT_VERSION = "1"
_COMPONENTS = "components"
_PROJECTED_ID = re.compile(r"-pca\d+-[0-9a-f]{8}")
_UNIT_TOLERANCE = 1e-3
_BLOCK = 8192
_LEAST_SHARE = 1e-9
"""Share of all squares below which a direction is the sum's rounding."""


@dataclass(frozen=True)
class Projection:
    """Principal components of one model's embeddings.

    Attributes:
        components: Orthonormal rows, shape (dimension, base dimension), float32; the first keeps the most.
        base_model_id: The model whose embeddings it takes.
        crops: Embeddings that it was fitted from.
        kept: Share of the squared length of those embeddings that it keeps, in (0, 1].
    """

    components: NDArray[np.float32]
    base_model_id: str
    crops: int
    kept: float

    @property
    def dimension(self) -> int:
        """Length of the projected embeddings."""
        return len(self.components)

    @property
    def base_dimension(self) -> int:
        """Length of the embeddings that it takes."""
        return int(self.components.shape[1])

    @cached_property
    def model_id(self) -> str:
        """`<base model id>-pca<dimension>-<8 hex digits of the components' SHA-256>`."""
        digest = hashlib.sha256(self.components.astype("<f4").tobytes()).hexdigest()
        return f"{self.base_model_id}-pca{self.dimension}-{digest[:8]}"

    @cached_property
    def _directions(self) -> NDArray[np.float64]:
        return self.components.T.astype(np.float64)

    def require_base(self, model_id: str, dimension: int) -> None:
        """See that embeddings of a model are what this projection takes.

        Raises:
            WeightsError: They are another model's, or of another length.
        """
        if (model_id, dimension) != (self.base_model_id, self.base_dimension):
            raise WeightsError(
                f"The projection was fitted on model {self.base_model_id} ({self.base_dimension} components), not on "
                f"{model_id} ({dimension}): take that model's weights, or fit a projection on this one."
            )

    def apply(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project embeddings. A row's result does not depend on the other rows, but for rounding.

        Args:
            embeddings: Unit-length rows, shape (n, base dimension).

        Returns:
            Unit-length rows, shape (n, dimension).

        Raises:
            InputError: They have another shape.
            EmbeddingError: A row has next to nothing in the projected space, so it has no direction there; the message
                says which.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.base_dimension:  # noqa: PLR2004
            raise InputError(f"Embeddings must be of shape (n, {self.base_dimension}), not {embeddings.shape}.")
        projected = embeddings.astype(np.float64) @ self._directions
        lengths = np.linalg.norm(projected, axis=1)
        lost = np.flatnonzero(~(lengths > _UNIT_TOLERANCE))  # NaN compares as false, so this finds it too
        if len(lost):
            raise EmbeddingError(
                f"The projection leaves nothing of rows {lost.tolist()}: it was fitted on crops of another kind."
            )
        unit: NDArray[np.float32] = (projected / lengths[:, None]).astype(np.float32)
        return unit

    def save(self, path: Path) -> None:
        """Write the projection, sealed: the path holds either the old file or the whole new one.

        Raises:
            WeightsError: It cannot be written.
        """
        metadata = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "base_model_id": self.base_model_id,
            "crops": str(self.crops),
            "kept": repr(self.kept),
        }
        write_atomically(path, seal(save({_COMPONENTS: self.components}, metadata=metadata)))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            WeightsError: It is missing, damaged, or no projection of this format.
        """
        if not path.is_file():
            raise WeightsError(f"There is no projection at {path}: make one with clip-senet projection fit.")
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                _require_format(path, metadata)
                check_header(path, metadata)
                check_data(path, metadata)
                components = file.get_tensor(_COMPONENTS)
                return cls(components, metadata["base_model_id"], int(metadata["crops"]), float(metadata["kept"]))
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path} is no readable projection ({error}): fit it again.") from error


class ProjectionFit:
    """Fits a projection from batches of embeddings, in memory that does not grow with their number.

    What is kept is the sum of their products, base dimension squared (32 MiB at 2048), in double precision.

    Args:
        base_model_id: The model of the embeddings.
        base_dimension: Their length.

    Raises:
        InputError: The model is itself a projected one.
    """

    def __init__(self, base_model_id: str, base_dimension: int) -> None:
        if _PROJECTED_ID.search(base_model_id):
            raise InputError(f"The embeddings of {base_model_id} are projected already: fit on those of its base.")
        self._base_model_id = base_model_id
        self._products = np.zeros((base_dimension, base_dimension))
        self._crops = 0

    def add(self, embeddings: NDArray[np.float32]) -> None:
        """Take embeddings into account.

        Args:
            embeddings: Unit-length rows, shape (n, base dimension).

        Raises:
            InputError: They have another shape, or a row is not of unit length.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != len(self._products):  # noqa: PLR2004
            raise InputError(f"Embeddings must be of shape (n, {len(self._products)}), not {embeddings.shape}.")
        for start in range(0, len(embeddings), _BLOCK):
            block = embeddings[start : start + _BLOCK].astype(np.float64)
            if not (np.abs(np.linalg.norm(block, axis=1) - 1) < _UNIT_TOLERANCE).all():
                raise InputError("An embedding is not of unit length: nothing can be fitted on it.")
            self._products += block.T @ block
        self._crops += len(embeddings)

    def projection(self, dimension: int) -> Projection:
        """The projection that keeps the most of what was added.

        Args:
            dimension: Length of the projected embeddings, less than that of the base.

        Raises:
            InputError: The dimension is out of range, or the embeddings lie in a space of fewer dimensions.
        """
        base = len(self._products)
        if not 1 <= dimension < base:
            raise InputError(f"The dimension must be from 1 to {base - 1}, as the embeddings have {base}: {dimension}.")
        squares, directions = np.linalg.eigh(self._products)  # ascending
        spanned = int(np.count_nonzero(squares > _LEAST_SHARE * max(self._crops, 1)))
        if spanned < dimension:
            raise InputError(
                f"{self._crops} crops span {spanned} dimensions, fewer than {dimension}: give more crops or a smaller "
                "dimension."
            )
        components = directions[:, ::-1][:, :dimension].T
        # An eigenvector's sign is the library's choice; fixing it makes equal fits equal.
        largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
        components = np.ascontiguousarray(components * np.sign(largest), dtype=np.float32)
        kept = float(squares[::-1][:dimension].sum() / squares.sum())
        return Projection(components, self._base_model_id, self._crops, min(kept, 1.0))


def _require_format(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise WeightsError(f"{path} is no projection of this project: make one with clip-senet projection fit.")
    version = metadata.get("format_version")
    if version != FORMAT_VERSION:
        raise WeightsError(
            f"{path} has projection format {version}, this release reads {FORMAT_VERSION}: use a matching release."
        )
