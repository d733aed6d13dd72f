"""Reported numbers rechecked: what a paper's n, means, SDs, medians, percentages and P values imply.

``read_report`` reads a YAML file of printed numbers, ``recheck`` runs every check on it,
``describe`` says what was found in words and ``facts`` as plain values.
"""

from onearm.recheck.checks import Findings, Recheck, recheck
from onearm.recheck.facts import facts
from onearm.recheck.page import describe
from onearm.recheck.reading import RecheckError, Report, parse_report, read_report

__all__ = [
    "Findings",
    "Recheck",
    "RecheckError",
    "Report",
    "describe",
    "facts",
    "parse_report",
    "read_report",
    "recheck",
]
