"""Statistics of paired before-after changes and of shares of patients, exact where it can be done.

Every function takes plain lists or numpy arrays and returns a small frozen record. Differences are
after minus before, one per patient. Nothing here knows of studies, forms or files.
"""

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
    PairedT,
    SignFlip,
    SignTest,
    geometric_mean_ratio,
    mcnemar,
    paired_t,
    sign_flip,
    sign_test,
)
from onearm.stats.proportion import Interval, blaker, clopper_pearson, jeffreys, mid_p, wilson
from onearm.stats.signed_rank import SignedRank, signed_rank

__all__ = [
    "Description",
    "Effect",
    "GeometricMeanRatio",
    "HodgesLehmann",
    "Interval",
    "McNemar",
    "PairedT",
    "SignFlip",
    "SignTest",
    "SignedRank",
    "blaker",
    "clopper_pearson",
    "cohen_dz",
    "describe",
    "geometric_mean_ratio",
    "hedges_g",
    "hodges_lehmann",
    "jeffreys",
    "mcnemar",
    "mid_p",
    "paired_t",
    "probability_of_improvement",
    "rank_biserial",
    "sign_flip",
    "sign_test",
    "signed_rank",
    "wilson",
]
