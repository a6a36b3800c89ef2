"""The page: the summary, the plots and the ranked lists in one HTML file that needs nothing else."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from model.evaluation.embed import Embedded
from model.evaluation.report.plots import cmc_plot, roc_plot, score_plot
from model.evaluation.report.ranked_lists import ranked_lists
from model.evaluation.summary import Measured, column_name

_RANKS_SHOWN = 50


def report_page(measured: Measured, embedded: Embedded, summary: dict[str, Any]) -> str:
    """The report as HTML: text, plots and pictures in one file, without scripts, for light and dark screens.

    Args:
        measured: What was measured.
        embedded: The embeddings that it was measured on.
        summary: `model.evaluation.summary.summary` of it; the page shows its numbers.

    Raises:
        DatasetError: A picture of the ranked lists is not there or cannot be decoded.
    """
    evaluation, threshold = measured.evaluation, summary["threshold"]
    ranks = min(_RANKS_SHOWN, summary["data"]["gallery"])
    return _template().render(
        summary=summary,
        figures=("mAP", "mINP", "R1", "R5", "R10"),
        plots=[
            ("Matches among the first ranks (CMC)", cmc_plot(_named(summary["cmc"]), ranks)),
            ("Scores of same and different vehicles", score_plot(evaluation.scores, threshold["threshold"])),
            ("True and false matches (ROC)", roc_plot(evaluation.scores, threshold)),
        ],
        groups=list(ranked_lists(evaluation, measured.test, embedded)),
    )


def _named(columns: dict[str, Any]) -> dict[str, Any]:
    return {column_name(name): value for name, value in columns.items()}


def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["column_name"] = column_name
    return environment.from_string((files(__package__) / "report.html").read_text(encoding="utf-8"))
