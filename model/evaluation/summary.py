"""Everything that was measured as one JSON document; docs/evaluation.md describes its keys."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from model.datasets import RetrievalTest
from model.evaluation.degradations import UNITS, DegradedFigures
from model.evaluation.evaluation import Evaluation
from model.evaluation.scores import QUANTILES, STEP, PairScores

FORMAT = "clip-senet-evaluation"
FORMAT_VERSION = 1

RATES = (0.1, 0.01, 0.001, 0.0001)
"""False-match rates whose thresholds are always told, beside the one chosen."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run measured.

    Attributes:
        test: What was ranked.
        evaluation: The figures of the model.
        model: What is known of the model: id, dimension, weights.
        data: What is known of the data set: name, folder.
        run: What is known of the run: command, release.
        rerank_top: Candidates that the columns beside the plain one order anew.
        rerank_settings: Parameters of those columns, by column.
        false_match_rate: The rate that the threshold is chosen for.
        baselines: Plain evaluations of other embedders, by name.
        degradations: The figures as pictures get worse.
    """

    test: RetrievalTest
    evaluation: Evaluation
    model: Mapping[str, Any]
    data: Mapping[str, Any]
    run: Mapping[str, Any]
    rerank_top: int
    rerank_settings: Mapping[str, Mapping[str, Any]]
    false_match_rate: float
    baselines: Mapping[str, Evaluation] = field(default_factory=dict)
    degradations: Sequence[DegradedFigures] = ()


def summary(measured: Measured) -> dict[str, Any]:
    """The document: nothing but what JSON knows, numbers finite or null."""
    test, evaluation = measured.test, measured.evaluation
    columns = list(evaluation.rankings)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": dict(measured.run),
        "model": dict(measured.model),
        "data": {
            **measured.data,
            "test": test.name,
            "rule": test.rule,
            "draws": len(evaluation.types),
            "queries": len(test.query),
            "gallery": len(test.gallery),
            "vehicles": len({*test.query.identities, *test.gallery.identities}),
            "cameras": len({crop.camera for crop in (*test.query, *test.gallery)} - {""}),
        },
        "rerank": {
            "top": measured.rerank_top,
            "note": rerank_note(measured.rerank_top),
            "settings": {name: dict(measured.rerank_settings[name]) for name in columns[1:]},
        },
        "figures": {name: evaluation.figures(name) for name in columns},
        "cmc": {name: evaluation.cmc(name).tolist() for name in columns},
        "scores": _scores(evaluation.scores),
        "threshold": threshold(evaluation.scores, measured.false_match_rate),
        "thresholds": [threshold(evaluation.scores, rate) for rate in RATES],
        "baselines": {
            name: {
                "figures": one.figures(),
                "scores": _scores(one.scores),
                "threshold": threshold(one.scores, measured.false_match_rate),
            }
            for name, one in measured.baselines.items()
        },
        "degradations": [
            {
                "kind": one.degradation.kind,
                "amount": one.degradation.amount,
                "unit": UNITS[one.degradation.kind],
                "queries": one.queries.figures(),
                "everything": one.everything.figures(),
            }
            for one in measured.degradations
        ],
    }


def rerank_note(top: int) -> str:
    """What must be known to read the columns beside the plain one."""
    return (
        f"Beside plain, the best {top} candidates of each query are ordered anew, with neighbours among these only; "
        "the others keep their plain order behind. Published figures look for neighbours in the whole gallery."
    )


def column_name(column: str) -> str:
    """A column's name for people."""
    return {"k_reciprocal": "k-reciprocal"}.get(column, column.replace("_", " "))


def threshold(scores: PairScores, rate: float) -> dict[str, float | None]:
    """The threshold at a false-match rate, whether the pairs resolve that rate, and the two rates reached with it."""
    found = scores.threshold_at(rate)
    return {
        "false_match_rate": rate,
        "threshold": found,
        "resolved": scores.resolves(rate),
        "reached_false_match_rate": _finite(scores.false_match_rate(found)),
        "true_match_rate": _finite(scores.true_match_rate(found)),
    }


def _scores(scores: PairScores) -> dict[str, Any]:
    quantiles = scores.quantiles()
    kinds = {"same": scores.same, "different": scores.different}
    return {
        "step": STEP,
        **{
            kind: {
                "pairs": int(counts.sum()),
                "quantiles": dict(zip(map(str, QUANTILES), quantiles[kind], strict=bool(quantiles[kind]))),
            }
            for kind, counts in kinds.items()
        },
    }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
