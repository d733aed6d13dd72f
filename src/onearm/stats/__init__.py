"""Statistics of paired before-after changes and of shares of patients, exact where it can be done.

Every function takes plain lists or numpy arrays and returns a small frozen record. Differences are
after minus before, one per patient. Nothing here knows of studies, forms or files.

The longitudinal model (:func:`mmrm`, :func:`mmrm_fit`, :func:`mmrm_batch`) takes formulas and frames, or arrays.

Further subjects have a door of their own: :mod:`onearm.stats.regression_to_mean`,
:mod:`onearm.stats.missing`, :mod:`onearm.stats.multiplicity`, :mod:`onearm.stats.bayes` and
:mod:`onearm.stats.reported`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from onearm.stats.bootstrap import bootstrap_bca
from onearm.stats.describe import Description, describe
from onearm.stats.effect_size import (
    Effect,
    cohen_dz,
    hedges_g,
    probability_of_improvement,
    rank_biserial,
)
from onearm.stats.hodges_lehmann import HodgesLehmann, hodges_lehmann
from onearm.stats.paired import (
    GeometricMeanRatio,
    McNemar,
    PairedDifference,
    PairedT,
    SignTest,
    geometric_mean_ratio,
    mcnemar,
    paired_difference,
    paired_t,
    sign_test,
)
from onearm.stats.proportion import (
    BinomialTest,
    Interval,
    binomial_test,
    blaker,
    clopper_pearson,
    jeffreys,
    mid_p,
    wilson,
)
from onearm.stats.sign_flip import SignFlip, sign_flip
from onearm.stats.signed_rank import SignedRank, signed_rank

if TYPE_CHECKING:
    from onearm.stats.repeated_measures import (
        MMRM,
        FitError,
        MMRMWarning,
        mmrm,
        mmrm_batch,
        mmrm_fit,
    )

__all__ = [
    "MMRM",
    "BinomialTest",
    "Description",
    "Effect",
    "FitError",
    "GeometricMeanRatio",
    "HodgesLehmann",
    "Interval",
    "MMRMWarning",
    "McNemar",
    "PairedDifference",
    "PairedT",
    "SignFlip",
    "SignTest",
    "SignedRank",
    "binomial_test",
    "blaker",
    "bootstrap_bca",
    "clopper_pearson",
    "cohen_dz",
    "describe",
    "geometric_mean_ratio",
    "hedges_g",
    "hodges_lehmann",
    "jeffreys",
    "mcnemar",
    "mid_p",
    "mmrm",
    "mmrm_batch",
    "mmrm_fit",
    "paired_difference",
    "paired_t",
    "probability_of_improvement",
    "rank_biserial",
    "sign_flip",
    "sign_test",
    "signed_rank",
    "wilson",
]


def __getattr__(name: str) -> Any:
    """Import the longitudinal model when it is first asked for, so that nothing else waits for it."""
    if name in ("MMRM", "FitError", "MMRMWarning", "mmrm", "mmrm_batch", "mmrm_fit"):
        return getattr(import_module("onearm.stats.repeated_measures"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
