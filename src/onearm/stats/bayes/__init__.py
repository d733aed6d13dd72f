"""Bayesian statements about a share of patients or a mean change, without a sampler.

Every posterior, prior and operating characteristic here is a closed form or a quadrature whose error
falls exponentially with its nodes: the same call gives the same digits, and there is no seed.
"""

from onearm.stats.bayes.mixtures import BetaMixture, NormalMixture, StudentT
from onearm.stats.bayes.posterior import (
    Posterior,
    beta_binomial,
    difference,
    normal_posterior,
    probability_greater,
    update_normal,
)

__all__ = [
    "BetaMixture",
    "NormalMixture",
    "Posterior",
    "StudentT",
    "beta_binomial",
    "difference",
    "normal_posterior",
    "probability_greater",
    "update_normal",
]
