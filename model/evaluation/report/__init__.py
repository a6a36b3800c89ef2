"""The report of an evaluation: one HTML page with its pictures inside, for people. Needs the extra "train"."""

from model.evaluation.report.page import report_page

__all__ = ["report_page"]
