"""The mixed model for repeated measures (MMRM) of small trials.

:func:`mmrm` takes a formula and a frame, :func:`mmrm_fit` arrays, :func:`mmrm_batch` thousands of small
data sets at once. :func:`imputed_changes` and :func:`visit_tipping_point` ask what missing visits may hide.
"""

from onearm.stats.repeated_measures.batch import Batch, mmrm_batch
from onearm.stats.repeated_measures.fit import MMRM, Attempt, MMRMWarning, mmrm, mmrm_fit
from onearm.stats.repeated_measures.imputation import impute_visits, imputed_changes
from onearm.stats.repeated_measures.imputed import ImputedVisit, ImputedVisits, ReferenceCourse
from onearm.stats.repeated_measures.inference import Contrast, Estimates, FTest
from onearm.stats.repeated_measures.solution import FitError
from onearm.stats.repeated_measures.tipping import visit_tipping_point

__all__ = [
    "MMRM",
    "Attempt",
    "Batch",
    "Contrast",
    "Estimates",
    "FTest",
    "FitError",
    "ImputedVisit",
    "ImputedVisits",
    "MMRMWarning",
    "ReferenceCourse",
    "impute_visits",
    "imputed_changes",
    "mmrm",
    "mmrm_batch",
    "mmrm_fit",
    "visit_tipping_point",
]
