"""What a projection costs: recall@10 against the unprojected embeddings, and mAP: `python -m bench.projection`.

Fits on `train` of the two-camera set and on half of the rendered crops, and measures on what it was not fitted on. Each
crop of a set is a query against the others of the set; recall@10 is the share of its ten nearest that are still among
its ten nearest when all are projected. Prints a table and writes `bench/results/projection.json`.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.harness import write_report
from model.datasets import Crops, LabelledCrop, RetrievalTest
from model.datasets.two_camera import open_two_camera, read_two_camera
from model.embedder import Embedder
from model.evaluation.embed import Embedded, embed_crops
from model.evaluation.evaluation import evaluate_embedded
from model.progress import count_bar
from model.projection import Projection, ProjectionFit

NEIGHBOURS = 10

Rows = NDArray[np.float32]


def neighbours(rows: Rows) -> NDArray[np.intp]:
    """The ten nearest others of each row, shape (rows, 10)."""
    scores = rows.astype(np.float64) @ rows.T.astype(np.float64)
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :NEIGHBOURS]


def recall(rows: Rows, projection: Projection) -> float:
    """Share of the ten nearest that stay among the ten nearest."""
    before, after = neighbours(rows), neighbours(projection.apply(rows))
    kept = [len(np.intersect1d(one, other)) for one, other in zip(before, after, strict=True)]
    return float(np.mean(kept)) / NEIGHBOURS


def rendered_crops(folder: Path, count: int) -> Crops:
    """Some pictures of a folder, drawn at random, the same in every run; they have no labels here."""
    files = sorted(folder.glob("*.jpg"))
    chosen = np.sort(np.random.default_rng(0).choice(len(files), min(count, len(files)), replace=False))
    return Crops("rendered", tuple(LabelledCrop(files[place], "", "") for place in chosen))


def embedded(embedder: Embedder, crops: Crops, console: Console) -> Rows:
    """Embeddings of a list."""
    with count_bar(console, f"Embedding {crops.name}", len(crops)) as advance:
        return embed_crops(embedder, crops, 32, advance)


def mean_average_precision(rows: Rows, test: RetrievalTest) -> float:
    """Mean average precision of the two-camera test in percent."""
    return evaluate_embedded(Embedded(rows, rows), test).figures()["all"]["mAP"]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--two-camera", type=Path, required=True, help="folder of the two-camera set")
    parser.add_argument("--rendered", type=Path, required=True, help="folder of rendered crops")
    parser.add_argument("--count", type=int, default=4000, help="rendered crops taken")
    parser.add_argument("--dimension", type=int, action="append", help="may be repeated (default: 384, 256 and 128)")
    options = parser.parse_args()
    console = Console()
    embedder = Embedder.load(device="cpu")
    test = open_two_camera(options.two_camera).test("val")
    train = embedded(embedder, read_two_camera(options.two_camera, "train"), console)
    val = embedded(embedder, test.query, console)
    rendered = embedded(embedder, rendered_crops(options.rendered, options.count), console)
    half = np.random.default_rng(1).permutation(len(rendered))
    fitted_on, unseen = rendered[half[::2]], rendered[half[1::2]]

    fit = ProjectionFit(embedder.model_id, embedder.dimension)
    for rows in (train, fitted_on):
        fit.add(rows)
    plain = mean_average_precision(val, test)
    table = Table("dimension", "kept", "recall@10 two-camera", "recall@10 rendered", "mAP two-camera")
    table.add_row(str(embedder.dimension), "100.0 %", "1.000", "1.000", f"{plain:.2f}")
    measurements = []
    for dimension in options.dimension or (384, 256, 128):
        projection = fit.projection(dimension)
        one = {
            "dimension": dimension,
            "kept": projection.kept,
            "recall_two_camera": recall(val, projection),
            "recall_rendered": recall(unseen, projection),
            "mAP_two_camera": mean_average_precision(projection.apply(val), test),
        }
        measurements.append(one)
        table.add_row(
            str(dimension),
            f"{100 * projection.kept:.1f} %",
            f"{one['recall_two_camera']:.3f}",
            f"{one['recall_rendered']:.3f}",
            f"{one['mAP_two_camera']:.2f}",
        )
    console.print(table)
    write_report(
        "projection",
        model_id=embedder.model_id,
        fitted_on={"two-camera train": len(train), "rendered": len(fitted_on)},
        measured_on={"two-camera val": len(val), "rendered": len(unseen)},
        mAP_two_camera_unprojected=plain,
        measurements=measurements,
    )


if __name__ == "__main__":
    main()
