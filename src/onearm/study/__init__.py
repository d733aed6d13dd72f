"""The study file: the protocol of a trial as one frozen value.

:func:`load_study` reads a file and checks all of it; :mod:`onearm.study.rules` is the language of
criteria; :mod:`onearm.study.words` tells a study, and the differences of two, in words.
"""

from __future__ import annotations

from onearm.errors import StudyError
from onearm.study.load import load_study, parse_study
from onearm.study.model import (
    Amount,
    Analysis,
    Baseline,
    BaselineRule,
    Comparator,
    Criterion,
    Derive,
    Donor,
    DonorRule,
    DonorTest,
    Dose,
    Estimand,
    Form,
    InstrumentUse,
    Item,
    Measure,
    Population,
    Product,
    Published,
    PublishedNumber,
    PublishedTest,
    Registration,
    ReleaseTest,
    Safety,
    Schedule,
    Source,
    StoppingRule,
    Study,
    Visit,
)
from onearm.study.rules import Explanation, Rule, RuleError, parse_rule

__all__ = [
    "Amount",
    "Analysis",
    "Baseline",
    "BaselineRule",
    "Comparator",
    "Criterion",
    "Derive",
    "Donor",
    "DonorRule",
    "DonorTest",
    "Dose",
    "Estimand",
    "Explanation",
    "Form",
    "InstrumentUse",
    "Item",
    "Measure",
    "Population",
    "Product",
    "Published",
    "PublishedNumber",
    "PublishedTest",
    "Registration",
    "ReleaseTest",
    "Rule",
    "RuleError",
    "Safety",
    "Schedule",
    "Source",
    "StoppingRule",
    "Study",
    "StudyError",
    "Visit",
    "load_study",
    "parse_rule",
    "parse_study",
]
