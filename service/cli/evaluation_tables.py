"""The tables and the line that `clip-senet evaluate` prints."""

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from model.evaluation.scores import QUANTILES
from model.evaluation.summary import column_name

if TYPE_CHECKING:
    from model.evaluation.summary import Measured

_FIGURES = ("mAP", "mINP", "R1", "R5", "R10")


def figure_table(measured: "Measured") -> Table:
    """Figures of each vehicle type, the columns side by side."""
    columns = {column_name(name): measured.evaluation.figures(name) for name in measured.evaluation.rankings}
    columns |= {name: one.figures() for name, one in measured.baselines.items()}
    title = (
        f"{measured.model['id']} on {measured.data['name']}, test {measured.test.name} ({measured.test.rule}), percent"
    )
    table = _table(title, "Vehicles", "Figure", *columns)
    for kind, row in columns["plain"].items():
        for figure in _FIGURES:
            name = {_FIGURES[0]: kind, _FIGURES[1]: f"n = {row['queries']:,.0f}"}.get(figure, "")
            cells = (f"{column[kind][figure]:.1f}" for column in columns.values())
            table.add_row(escape(name), figure, *cells)
        table.add_row()
    return table


def score_table(measured: "Measured") -> Table:
    """How the cosines of candidates are spread."""
    models = {measured.model["id"]: measured.evaluation} | dict(measured.baselines)
    table = _table("Cosine of query and candidate, quantiles", "Model", "Pairs", *(f"{100 * q:g} %" for q in QUANTILES))
    for name, one in models.items():
        for kind, values in one.scores.quantiles().items():
            table.add_row(escape(name) if kind == "same" else "", kind, *(f"{value:.3f}" for value in values))
    return table


def threshold_line(measured: "Measured") -> str:
    """The chosen threshold in words, and whether there are pairs enough for its rate."""
    scores, rate = measured.evaluation.scores, measured.false_match_rate
    threshold = scores.threshold_at(rate)
    line = (
        f"Threshold at a false-match rate of {100 * rate:g} %: {threshold:.4f}; "
        f"{100 * scores.true_match_rate(threshold):.1f} % of the pairs of one vehicle reach it."
    )
    if scores.resolves(rate):
        return line
    return (
        f"{line} It only lies above all {scores.different.sum():,} pairs of two vehicles, which are too few for this "
        "rate: among more pairs some may reach it."
    )


def degradation_table(measured: "Measured") -> Table:
    """The figures mAP and R1 as pictures get worse."""
    table = _table(
        "Worse pictures: queries alone, and queries and gallery, plain, percent",
        "Degradation",
        "mAP queries",
        "mAP all",
        "R1 queries",
        "R1 all",
    )
    plain = measured.evaluation.figures()["all"]
    table.add_row("none", *(f"{plain[name]:.1f}" for name in ("mAP", "mAP", "R1", "R1")))
    for one in measured.degradations:
        queries, everything = one.queries.figures()["all"], one.everything.figures()["all"]
        cells = (row[name] for name in ("mAP", "R1") for row in (queries, everything))
        table.add_row(str(one.degradation), *(f"{value:.1f}" for value in cells))
    return table


def _table(title: str, *columns: str) -> Table:
    """A table whose columns are numbers but for the first and one named Figure or Pairs."""
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        words = number == 0 or column in {"Figure", "Pairs"}
        # a line for each word, which leaves room for six columns of figures on 80 characters
        table.add_column(
            column.replace(" ", "\n") if not words else column,
            justify="left" if words else "right",
            overflow="fold",
            no_wrap=words,
        )
    return table
