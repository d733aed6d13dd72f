"""The mixed model for repeated measures (MMRM) of small trials.

:func:`mmrm` takes a formula and a frame, :func:`mmrm_fit` arrays, :func:`mmrm_batch` thousands of small
data sets at once.
"""

from onearm.stats.repeated_measures.batch import Batch, mmrm_batch
from onearm.stats.repeated_measures.fit import MMRM, Attempt, MMRMWarning, mmrm, mmrm_fit
from onearm.stats.repeated_measures.inference import Contrast, Estimates, FTest
from onearm.stats.repeated_measures.solution import FitError

__all__ = [
    "MMRM",
    "Attempt",
    "Batch",
    "Contrast",
    "Estimates",
    "FTest",
    "FitError",
    "MMRMWarning",
    "mmrm",
    "mmrm_batch",
    "mmrm_fit",
]
