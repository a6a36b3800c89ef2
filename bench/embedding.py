"""One crop through the embedder beside its two towers run bare, in the same run: `python -m bench.embedding`.

Prints a table and writes `bench/results/embedding.json`. Bare is what nobody can do without: the CNN on one ready
tensor, the image tower on another, each at the size the preset gives it, in one `inference_mode`. Ours is
`Embedder.embed` of one prepared crop: bytes to floats, both normalisations, the tower's resize, the towers, AFEM,
fusion, BNNeck, unit length, and the check that the vector is one. Decoding and resizing the picture are in neither.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bench.harness import print_table, timed_ms, write_report
from model.embedder import Embedder
from model.weights import load_checkpoint, shipped_weights

TARGET = 1.3

Run = Callable[[], object]


@dataclass(frozen=True)
class Measurement:
    """Medians over all rounds, and the median of each round's own ratio."""

    threads: int
    embed_ms: float
    towers_ms: float
    ratio: float


def bare_towers(weights: Path) -> Run:
    """Both towers on tensors that are ready."""
    network, preset = load_checkpoint(weights)
    if network.semantic is None:
        raise SystemExit("These weights have no semantic tower: there is nothing to compare with.")
    appearance, semantic = network.appearance, network.semantic
    crop = torch.rand(1, 3, preset.image_size, preset.image_size)
    small = torch.rand(1, 3, preset.semantic_size, preset.semantic_size)

    def run() -> object:
        with torch.inference_mode():
            return appearance(crop), semantic(small)

    return run


def measure(embed: Run, towers: Run, rounds: int, threads: int) -> Measurement:
    """Time the two in turn, so that both meet the same moods of the machine."""
    torch.set_num_threads(threads)
    for _ in range(10):
        embed(), towers()
    pairs = [(timed_ms(embed), timed_ms(towers)) for _ in range(rounds)]
    ours, bare = zip(*pairs, strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    return Measurement(threads, statistics.median(ours), statistics.median(bare), ratio)


def main() -> None:
    """Measure, print and write; the exit status is 1 where a ratio is above the target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weights", type=Path, help="checkpoint; the shipped starter weights where absent")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--threads", type=int, action="append", help="CPU threads; may be repeated (default: 1 and 2)")
    options = parser.parse_args()

    weights = options.weights or shipped_weights("starter")
    embedder = Embedder.load(weights, device="cpu")
    size = embedder.image_size
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    towers = bare_towers(weights)
    measurements = [
        measure(lambda: embedder.embed(crop), towers, options.rounds, threads) for threads in options.threads or (1, 2)
    ]
    print_table(
        f"one crop, {embedder.model_id}",
        ("threads", "embed ms", "towers ms", "ratio"),
        [(str(one.threads), one.embed_ms, one.towers_ms, one.ratio) for one in measurements],
    )
    write_report("embedding", model_id=embedder.model_id, target_ratio=TARGET, measurements=measurements)
    raise SystemExit(any(one.ratio > TARGET for one in measurements))


if __name__ == "__main__":
    main()
