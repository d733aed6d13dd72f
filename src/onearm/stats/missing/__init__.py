"""Patients without a follow-up value, in a trial of one group: what each assumption makes of them.

``before`` is known for every patient; ``after`` is None or NaN where it is missing. Nothing in the
data can tell what became of those patients. Each function therefore states one assumption, in
``assumption``, and gives the mean change that follows from it; read them side by side. Changes are
after minus before; for a measure analysed on the log scale, give logarithms.

The last observed value is never carried forward: with one value before and one after, that would be
the value before treatment, written down as if it had been measured afterwards. Who wants to see what
"no change" would mean asks :func:`worst_case` for it by that name.
"""

from onearm.stats.missing.bounds import complete_cases, worst_case, worst_case_share
from onearm.stats.missing.imputation import (
    History,
    ReferenceChange,
    barnard_rubin_df,
    missing_at_random,
    multiple_imputation,
    reference_based,
)
from onearm.stats.missing.results import (
    ImputedResult,
    MissingResult,
    MissingShare,
    TippingPoint,
    WorstCase,
    WorstCaseShare,
)
from onearm.stats.missing.tipping import tipping_point

__all__ = [
    "History",
    "ImputedResult",
    "MissingResult",
    "MissingShare",
    "ReferenceChange",
    "TippingPoint",
    "WorstCase",
    "WorstCaseShare",
    "barnard_rubin_df",
    "complete_cases",
    "missing_at_random",
    "multiple_imputation",
    "reference_based",
    "tipping_point",
    "worst_case",
    "worst_case_share",
]
