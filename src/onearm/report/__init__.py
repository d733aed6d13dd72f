"""What people read: the report of a trial, made from the study file and a data cut."""

from onearm.report.document import render_report

__all__ = ["render_report"]
