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
from model.weights import load_checkpoint, save_checkpoint
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
        """Store a network as the last one, and measure what is stored; the figures go into its header.

        Raises:
            WeightsError: It cannot be written, or has values that fp16 cannot hold.
            EvaluationError: Nothing can be measured.
        """
        header = {**self._described, "epoch": str(epoch)}
        save_checkpoint(self.last, network, network.preset, header, half=True)
        figures = self._evaluate(self.last, advance)[1].figures()
        stored, preset = load_checkpoint(self.last)
        save_checkpoint(self.last, stored, preset, {**header, "figures": json.dumps(figures)}, half=True)
        return figures

    def choose(self, *, better: bool) -> None:
        """Keep the last weights where they are better; where the last are kept, they are already."""
        if self._keep == "best" and better:
            write_atomically(self.kept, self.last.read_bytes())

    def measure_kept(self, advance: Advance) -> tuple[Embedder, Evaluation]:
        """Measure the kept weights, as whoever loads their file will."""
        return self._evaluate(self.kept, advance)

    def _evaluate(self, path: Path, advance: Advance) -> tuple[Embedder, Evaluation]:
        embedder = Embedder.load(path, device=str(self._device))
        embedded = embed_test(embedder, self._test, advance=advance)
        return embedder, evaluate_embedded(embedded, self._test, advance=lambda _: advance(0))
