"""The model card of a run, made from the run itself."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from model.datasets import Crops, RetrievalTest
from model.evaluation import Evaluation
from model.presets import Preset, load_preset
from model.training.recipe import Initial, Recipe
from model.weights import releases

FALSE_MATCH_RATES = (0.1, 0.01, 0.001)


@dataclass(frozen=True, slots=True)
class Lists:
    """The data of a run.

    Attributes:
        learn: The list learned from.
        test: The test that figures are of.
        test_name: What to call it; the data set's name is in it.
        held_out: Whether the test was set apart to choose on; else it is the data set's own.
    """

    learn: Crops
    test: RetrievalTest
    test_name: str
    held_out: bool


@dataclass(frozen=True, slots=True)
class Run:
    """What a card says about a run beside its recipe.

    Attributes:
        recipe: The recipe as it was run.
        lists: The data.
        epoch: The epoch kept.
        keep: Why: "best" or "last".
        command: The command that began the run.
        parameters: Of the network.
        facts: Hardware, time, versions: what stands in the last table.
    """

    recipe: Recipe
    lists: Lists
    epoch: int
    keep: str
    command: str
    parameters: int
    facts: Mapping[str, str]


def write_card(run: Run, weights: Path, model_id: str, evaluation: Evaluation) -> str:
    """The text of a card, in Markdown.

    Args:
        run: What was done.
        weights: The kept weights.
        model_id: Of an embedder with them.
        evaluation: Of that embedder.
    """
    environment = Environment(autoescape=False, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    template = environment.from_string((files("model.training") / "card_template.md").read_text(encoding="utf-8"))
    preset = load_preset(run.recipe.preset)
    return template.render(
        recipe=run.recipe,
        recipe_json=run.recipe.model_dump_json(indent=2),
        weights=weights,
        size=weights.stat().st_size,
        model_id=model_id,
        preset=preset,
        parameters=run.parameters,
        figures=evaluation.figures(),
        chosen=_chosen(run),
        quantiles=evaluation.scores.quantiles(),
        thresholds=_thresholds(evaluation),
        learn=_described(run.lists.learn),
        test={
            "name": run.lists.test_name,
            "rule": run.lists.test.rule,
            "queries": len(run.lists.test.query),
            "gallery": len(run.lists.test.gallery),
            "vehicles": len({*run.lists.test.query.identities, *run.lists.test.gallery.identities}),
        },
        initial=initial_words(run.recipe.initial, preset),
        command=run.command,
        run=run.facts,
    )


def initial_words(initial: Initial, preset: Preset) -> list[str]:
    """Where each part started, a sentence each; plain about a semantic tower that never saw CLIP."""
    if initial.network:
        return [f"All parts from the checkpoint `{initial.network}`; its own card says what it is made of."]
    words = [f"Appearance branch ({preset.appearance.kind}): {_source(initial.appearance)}."]
    if preset.semantic:
        words.append(f"Semantic branch ({preset.semantic.tower}): {_source(initial.semantic)}.")
        if not initial.semantic:
            words.append("The semantic tower has TinyCLIP's shape only: it is **not CLIP-pretrained**.")
    return words


def _source(name: str | None) -> str:
    if name is None:
        return "random weights"
    release = next((release for release in releases() if release.name == name), None)
    if release is None:
        return f"from the file `{name}`, whose licence is its publishers'"
    return f"`{name}`, trained on {release.trained_on}, licence {release.licence}, {release.page}"


def _chosen(run: Run) -> str:
    if run.keep == "last":
        return f"Kept: the last epoch, {run.epoch} of {run.recipe.epochs}; no list had a say in it."
    kept = f"Kept: epoch {run.epoch} of {run.recipe.epochs}, the one with the highest mAP on this list"
    if run.lists.held_out:
        return f"{kept}, which was set apart for that. On vehicles and cameras of neither list expect less."
    return (
        f"{kept}. This is the data set's own test list: **the epoch was chosen on the list that the figures are of**, "
        "so they are not comparable with figures whose epoch was fixed before."
    )


def _thresholds(evaluation: Evaluation) -> list[tuple[float, float, float]]:
    scores = evaluation.scores
    thresholds = [scores.threshold_at(rate) for rate in FALSE_MATCH_RATES]
    return [
        (rate, threshold, scores.true_match_rate(threshold))
        for rate, threshold in zip(FALSE_MATCH_RATES, thresholds, strict=True)
    ]


def _described(crops: Crops) -> dict[str, Any]:
    kinds = Counter({crop.vehicle: crop.vehicle_type for crop in crops if crop.vehicle_type}.values())
    named: Sequence[str] = [f"{count} {kind}" for kind, count in kinds.most_common()]
    return {
        "name": crops.name,
        "crops": len(crops),
        "vehicles": len(crops.identities),
        "types": f" ({', '.join(named)})" if named else "",
        "cameras": len(set(crops.cameras.tolist())),
    }
