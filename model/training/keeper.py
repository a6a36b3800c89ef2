"""The weights that a run leaves: each epoch's as they are stored, measured as they are stored, and the kept ones."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from model.datasets import RetrievalTest
from model.embedder import Embedder
from model.evaluation import Evaluation, crops_to_embed, embed_test, evaluate_embedded
from model.network import CLIPSENet
from model.training.options import Keep
from model.training.ranks import Advance
from model.weights import as_stored, save_checkpoint
from model.weights.atomic import write_atomically

Figures = dict[str, dict[str, float]]


class Keeper:
    """Writes, measures and chooses checkpoints; matrices are stored as fp16.

    Args:
        kept: The file for the kept weights.
        keep: Whose weights that are.
        test: What they are measured on.
        device: Where they are measured.
        described: Text for the header of every file.

    Attributes:
        kept: The same.
        crops: Crops that a measurement embeds.
        last: The last epoch's file beside it, `*.last.safetensors`, or itself where the last are kept.
    """

    def __init__(
        self, kept: Path, keep: Keep, test: RetrievalTest, device: torch.device, described: Mapping[str, str]
    ) -> None:
        self.kept = kept
        self.last = kept if keep == "last" else kept.with_suffix(".last.safetensors")
        self.crops = crops_to_embed(test)
        self._keep = keep
        self._test = test
        self._device = device
        self._described = dict(described)

    def measure(self, network: CLIPSENet, epoch: int, advance: Advance) -> Figures:
        """Measure a network as it is stored, and store it as the last one, the figures in its header.

        Raises:
            WeightsError: It cannot be written, or has values that fp16 cannot hold.
            EvaluationError: Nothing can be measured.
        """
        stored = as_stored(network, half=True)
        # The file that the model id would name is not written yet, and nothing here asks for it.
        figures = self._evaluate(Embedder(stored, "", self._device), advance).figures()
        header = {**self._described, "epoch": str(epoch), "figures": json.dumps(figures)}
        save_checkpoint(self.last, network, network.preset, header, half=True)
        return figures

    def choose(self, *, better: bool) -> None:
        """Keep the last weights where they are better; where the last are kept, they are already."""
        if self._keep == "best" and better:
            write_atomically(self.kept, self.last.read_bytes())

    def measure_kept(self, advance: Advance) -> tuple[Embedder, Evaluation]:
        """Measure the kept weights, as whoever loads their file will."""
        embedder = Embedder.load(self.kept, device=str(self._device))
        return embedder, self._evaluate(embedder, advance)

    def _evaluate(self, embedder: Embedder, advance: Advance) -> Evaluation:
        embedded = embed_test(embedder, self._test, advance=advance)
        return evaluate_embedded(embedded, self._test, advance=lambda _: advance(0))
