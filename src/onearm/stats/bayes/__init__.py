"""Bayesian statements about a share of patients or a mean change, without a sampler.

Every posterior, prior and operating characteristic here is a closed form or a quadrature whose error
falls exponentially with its nodes: the same call gives the same digits, and there is no seed.
"""

from onearm.stats.bayes.borrowing import effective_sample_size, robust
from onearm.stats.bayes.decision import (
    Chances,
    Decision,
    DualCriterion,
    assurance,
    decide,
    dual_criterion,
)
from onearm.stats.bayes.map_prior import MapPrior, map_prior_binomial, map_prior_normal
from onearm.stats.bayes.mixtures import BetaMixture, NormalMixture, StudentT
from onearm.stats.bayes.posterior import (
    Belief,
    Posterior,
    beta_binomial,
    difference,
    normal_posterior,
    probability_greater,
    update_normal,
)

__all__ = [
    "Belief",
    "BetaMixture",
    "Chances",
    "Decision",
    "DualCriterion",
    "MapPrior",
    "NormalMixture",
    "Posterior",
    "StudentT",
    "assurance",
    "beta_binomial",
    "decide",
    "difference",
    "dual_criterion",
    "effective_sample_size",
    "map_prior_binomial",
    "map_prior_normal",
    "normal_posterior",
    "probability_greater",
    "robust",
    "update_normal",
]
