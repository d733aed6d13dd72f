"""The plan executed: the study file's analyses over one data cut, and what their changes are worth."""

from onearm.analysis.background import Chance, chance_without_effect, chances
from onearm.analysis.comparison import BeforeAfter, before_after, differences
from onearm.analysis.course import Course
from onearm.analysis.longitudinal import AtVisit, Change, Longitudinal
from onearm.analysis.multiplicity import Judged
from onearm.analysis.outcomes import Outcome, run_analyses
from onearm.analysis.published import PublishedCheck, resolve, round_half_up
from onearm.analysis.renal import RenalRow
from onearm.analysis.responders import Responders
from onearm.analysis.results import Results, run
from onearm.analysis.worth import Line, Worth

__all__ = [
    "AtVisit",
    "BeforeAfter",
    "Chance",
    "Change",
    "Course",
    "Judged",
    "Line",
    "Longitudinal",
    "Outcome",
    "PublishedCheck",
    "RenalRow",
    "Responders",
    "Results",
    "Worth",
    "before_after",
    "chance_without_effect",
    "chances",
    "differences",
    "resolve",
    "round_half_up",
    "run",
    "run_analyses",
]
