"""How pictures get worse with distance, haze and dusk: smaller, blurred, darker crops, to see what an embedder bears.

Each is applied to the decoded crop, before the embedder's own preparation, so that it stands for another picture of the
camera and not for another network.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from model.datasets import RetrievalTest
from model.evaluation.embed import Advance, Embedded, ImageEmbedder, embed_test
from model.evaluation.evaluation import Evaluation, evaluate_embedded

Kind = Literal["shrink", "blur", "darken"]

UNITS = {"shrink": "px", "blur": "%", "darken": "EV"}


@dataclass(frozen=True, slots=True)
class Degradation:
    """One way of making a crop worse.

    Attributes:
        kind: "shrink": the longer side is brought down to `amount` pixels, the aspect ratio kept, by Pillow's bicubic
            filter over all source pixels; smaller crops stay. "blur": Gaussian blur, its standard deviation `amount`
            percent of the longer side. "darken": `amount` stops less light, that is 2^-amount of it, in linear light
            by the transfer function of sRGB (IEC 61966-2-1), rounded to 8 bits again.
        amount: How much.
    """

    kind: Kind
    amount: float

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:g} {UNITS[self.kind]}"

    def apply(self, image: Image.Image) -> Image.Image:
        """A worse copy of a crop; the crop itself where it is small already."""
        longer = max(image.size)
        if self.kind == "shrink":
            if longer <= self.amount:
                return image
            width, height = (max(round(side * self.amount / longer), 1) for side in image.size)
            return image.resize((width, height), Image.Resampling.BICUBIC)
        if self.kind == "blur":
            return image.filter(ImageFilter.GaussianBlur(self.amount / 100 * longer))
        return image.point(_darkened(self.amount) * len(image.getbands()))


DEGRADATIONS = (
    *(Degradation("shrink", side) for side in (64, 48, 32, 24)),
    *(Degradation("blur", share) for share in (1, 2, 4)),
    *(Degradation("darken", stops) for stops in (1, 2, 3)),
)
"""What `degraded_figures` measures."""


@dataclass(frozen=True, slots=True)
class DegradedEmbedder:
    """An embedder that sees every crop degraded.

    Attributes:
        embedder: The embedder.
        degradation: What happens to a crop before `prepare`.
    """

    embedder: ImageEmbedder
    degradation: Degradation

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """The degraded crop as the embedder prepares it."""
        return self.embedder.prepare(self.degradation.apply(image))

    def embed(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit-length rows, as the embedder's."""
        return self.embedder.embed(batch)


@dataclass(frozen=True, slots=True)
class DegradedFigures:
    """What a degradation does to the figures.

    Attributes:
        degradation: What was done to the crops.
        queries: Where only the queries were degraded: a bad picture against a good gallery.
        everything: Where queries and gallery were: a bad camera throughout.
    """

    degradation: Degradation
    queries: Evaluation
    everything: Evaluation


def degraded_figures(
    embedder: ImageEmbedder,
    test: RetrievalTest,
    embedded: Embedded,
    *,
    batch: int = 32,
    advance: Advance | None = None,
) -> Iterator[DegradedFigures]:
    """The figures of a test under each of `DEGRADATIONS`.

    Args:
        embedder: What makes the embeddings.
        test: Queries, gallery and rule.
        embedded: Embeddings of the crops as they are.
        batch: Crops embedded at once.
        advance: Told of crops embedded.

    Raises:
        DatasetError: A crop is not there or cannot be decoded.
        EvaluationError: As `evaluate` does.
    """
    for degradation in DEGRADATIONS:
        worse = embed_test(DegradedEmbedder(embedder, degradation), test, batch=batch, advance=advance)
        yield DegradedFigures(
            degradation,
            evaluate_embedded(Embedded(worse.query, embedded.gallery), test),
            evaluate_embedded(worse, test),
        )


def _darkened(stops: float) -> list[int]:
    """What becomes of each 8-bit sRGB value."""
    value = np.arange(256) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4) * 2.0**-stops  # noqa: PLR2004
    darker = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)  # noqa: PLR2004
    table: list[int] = np.rint(255 * darker).astype(int).tolist()
    return table
