"""Posteriors of a share of patients and of a mean change, and comparisons of two of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onearm.stats.bayes.mixtures import (
    NEGLIGIBLE,
    BetaMixture,
    NormalMixture,
    StudentT,
    precision_nodes,
)
from onearm.stats.differences import FloatArray, as_differences, check_level, mean_and_sd
from onearm.stats.paired import check_varies
from onearm.stats.proportion import whole_number

Belief = BetaMixture | NormalMixture | StudentT


@dataclass(frozen=True)
class Posterior:
    """What the data leave to believe about a share or a mean change.

    ``estimate`` is the posterior median; ``lower`` and ``upper`` leave (1 - level)/2 of the
    probability on either side. ``distribution`` answers every other question (its ``mean``, ``sd``,
    ``cdf``, ``sf`` ...). ``n`` is the number of patients, ``prior`` says the prior in words.
    """

    distribution: Belief
    estimate: float
    lower: float
    upper: float
    level: float
    n: int
    prior: str

    def probability_above(self, value: float) -> float:
        """Return the posterior probability that the share or mean change lies above ``value``."""
        return float(self.distribution.sf(value))

    def probability_below(self, value: float) -> float:
        """Return the posterior probability that the share or mean change lies below ``value``."""
        return float(self.distribution.cdf(value))


def beta_binomial(
    x: int, n: int, prior: tuple[float, float] | BetaMixture = (1.0, 1.0), *, level: float = 0.95
) -> Posterior:
    """Give the posterior of a share of patients under a beta prior, or a mixture of betas.

    Parameters
    ----------
    x, n
        Patients with the event, and all patients; 0 <= x <= n. With n = 0 the posterior is the
        prior.
    prior
        ``(a, b)`` of a beta distribution, both above zero (``(1, 1)``, uniform, the default;
        ``(0.5, 0.5)`` Jeffreys'), or a :class:`BetaMixture`, such as a MAP prior.
    level
        Probability inside the interval.

    Returns
    -------
    Posterior
        Its ``distribution`` is a :class:`BetaMixture`. Each component is updated by the counts, and
        its weight by how well it foretold them: a component that the data contradict loses it.

    Raises
    ------
    ValueError
        If the counts are no counts, or the prior is no beta distribution.

    References
    ----------
    Gelman A et al. (2013) Bayesian Data Analysis, 3rd ed., section 2.4. Mixtures: Dalal SR, Hall WJ
    (1983) J R Stat Soc B 45:278-286.

    Examples
    --------
    >>> posterior = beta_binomial(2, 9, prior=(0.2, 0.8))
    >>> round(posterior.probability_above(0.2), 4)
    0.5028
    """
    check_level(level)
    patients, events = whole_number(n, "n"), whole_number(x, "x")
    if events > patients:
        raise ValueError(f"x: found {events} of n = {patients}; expected at most n")
    mixture = as_beta(prior, "prior")
    return _posterior(update_beta(mixture, events, patients), level, patients, mixture.words())


def as_beta(prior: tuple[float, float] | BetaMixture, name: str) -> BetaMixture:
    """Return ``(a, b)`` as a mixture of one component; a mixture as it is."""
    if isinstance(prior, BetaMixture):
        return prior
    try:
        a, b = prior
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: found {prior!r}; expected two numbers (a, b) above zero, or a BetaMixture"
        ) from None
    return BetaMixture([1.0], [a], [b])


def update_beta(prior: BetaMixture, events: int, patients: int) -> BetaMixture:
    """Return the conjugate posterior of a mixture of betas."""
    from scipy.special import betaln

    a, b = np.array(prior.a), np.array(prior.b)
    new_a, new_b = a + events, b + patients - events
    log_weights = np.log(prior.weights) + betaln(new_a, new_b) - betaln(a, b)
    weights, keep = _scaled(log_weights)
    return BetaMixture(weights, new_a[keep], new_b[keep])


def normal_posterior(
    diff: npt.ArrayLike,
    prior: NormalMixture | None = None,
    *,
    sd: float | None = None,
    level: float = 0.95,
) -> Posterior:
    """Give the posterior of the mean change, the standard deviation unknown unless given.

    Parameters
    ----------
    diff
        After minus before, one number per patient, any unit; no missing values. At least two that
        vary, or at least one where ``sd`` is given.
    prior
        Prior of the mean change, in the same unit. None is the flat one.
    sd
        Standard deviation of a single patient's change, where it is known from outside. None takes
        it as unknown, with the density 1/sd that favours no unit (Jeffreys).
    level
        Probability inside the interval.

    Returns
    -------
    Posterior
        With a flat prior and unknown ``sd`` its distribution is Student's t with n - 1 degrees of
        freedom about the mean, so its interval is that of the paired t test. With a prior it is a
        :class:`NormalMixture`: exactly so when ``sd`` is given; else by integrating over the
        unknown standard deviation (trapezoid sum over its logarithm, to about 12 digits), never by
        putting the observed one in its place, which with nine patients would claim too much.

    Raises
    ------
    ValueError
        If there are too few differences, or they do not vary while ``sd`` is unknown.

    References
    ----------
    Gelman A et al. (2013) Bayesian Data Analysis, 3rd ed., sections 2.5 and 3.2. Box GEP, Tiao GC
    (1973) Bayesian Inference in Statistical Analysis, section 2.2.

    Examples
    --------
    >>> change = [-8, -6, -4, -4, -2, -2, 0, -4, -2]
    >>> flat = normal_posterior(change)
    >>> round(flat.lower, 3), round(flat.upper, 3)
    (-5.403, -1.708)
    >>> sceptic = normal_posterior(change, NormalMixture([1], [0], [2]))
    >>> round(sceptic.estimate, 3), round(sceptic.probability_below(-2), 3)
    (-3.0, 0.866)
    """
    check_level(level)
    if prior is not None and not isinstance(prior, NormalMixture):
        raise ValueError(
            f"prior: found {prior!r}; expected a NormalMixture, or None for a flat one"
        )
    values = as_differences(diff, least=2 if sd is None else 1)
    n = int(values.size)
    words = "flat" if prior is None else prior.words()
    if sd is not None:
        check_positive(sd, "sd")
        centre = math.fsum(values) / n
        known = update_normal(prior, centre, sd / math.sqrt(n))
        return _posterior(known, level, n, words)
    check_varies(values)
    centre, observed = mean_and_sd(values)
    error = observed / math.sqrt(n)
    if prior is None:
        return _posterior(StudentT(n - 1, centre, error), level, n, words)
    return _posterior(_unknown_sd(prior, centre, error, n - 1), level, n, words)


def update_normal(prior: NormalMixture | None, estimate: float, se: float) -> NormalMixture:
    """Return the posterior after an estimate with a known standard error (conjugate, exact).

    For published arms (mean and standard error) and for ratios on the log scale; None is a flat
    prior.

    Examples
    --------
    >>> update_normal(NormalMixture([1], [0], [1]), 2.0, 1.0).mean
    1.0
    """
    check_positive(se, "se")
    if not math.isfinite(estimate):
        raise ValueError(f"estimate: found {estimate}; expected a finite number")
    if prior is None:
        return NormalMixture([1.0], [estimate], [se])
    return _update_many(prior, estimate, np.array([se]), np.zeros(1))


def _unknown_sd(prior: NormalMixture, centre: float, error: float, df: int) -> NormalMixture:
    """Return the posterior when the likelihood of the mean is t: a scale mixture of normals."""
    # The marginal density of the mean falls as sqrt(w) where the precision w is small, which
    # shortens the reach of the nodes by one degree of freedom.
    conflict = max(abs(centre - mean) for mean in prior.means) / error
    log_weights, precisions = precision_nodes(df, df + 1, conflict)
    return _update_many(prior, centre, error / np.sqrt(precisions), log_weights)


def _update_many(
    prior: NormalMixture, estimate: float, errors: FloatArray, log_weights: FloatArray
) -> NormalMixture:
    """Update by an estimate whose standard error is one of several, with these log weights."""
    means, variances = np.array(prior.means)[:, None], np.array(prior.sds)[:, None] ** 2
    total = variances + errors**2
    log = (
        np.log(prior.weights)[:, None]
        + log_weights
        - 0.5 * np.log(total)
        - 0.5 * (estimate - means) ** 2 / total
    )
    share = variances / total
    new_means = means + share * (estimate - means)
    new_sds = errors * np.sqrt(share)
    weights, keep = _scaled(log.ravel())
    return NormalMixture(weights, new_means.ravel()[keep], new_sds.ravel()[keep])


def _scaled(log_weights: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return weights with the sum 1, and which are not negligible."""
    weights = np.exp(log_weights - np.max(log_weights))
    weights /= math.fsum(weights)
    keep = weights > NEGLIGIBLE
    return weights[keep] / math.fsum(weights[keep]), keep


def _posterior(distribution: Belief, level: float, n: int, prior: str) -> Posterior:
    lower, upper = distribution.interval(level)
    return Posterior(distribution, distribution.quantile(0.5), lower, upper, level, n, prior)


def check_positive(value: float, name: str) -> None:
    """Raise ValueError unless ``value`` is a finite number above zero."""
    good = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not (good and math.isfinite(value) and value > 0):
        raise ValueError(f"{name}: found {value!r}; expected a number above zero")


# -- two beliefs beside each other ----------------------------------------------------------------


def difference(first: Belief, second: Belief) -> NormalMixture:
    """Give the distribution of ``first`` minus ``second``, two independent beliefs about means.

    What is left of an observed change when a background change is taken off, with the uncertainty
    of both. Each is a :class:`NormalMixture` or a :class:`StudentT` (a mixture of normals as well);
    the result is exact for the former and good to about 12 digits for the latter.

    Examples
    --------
    >>> left = difference(NormalMixture([1], [-9], [2]), NormalMixture([1], [-5], [1.5]))
    >>> left.mean, left.sd
    (-4.0, 2.5)
    """
    one, two = _as_normals(first, "first"), _as_normals(second, "second")
    weights = np.multiply.outer(np.array(one.weights), np.array(two.weights)).ravel()
    means = np.subtract.outer(np.array(one.means), np.array(two.means)).ravel()
    sds = np.hypot.outer(np.array(one.sds), np.array(two.sds)).ravel()
    keep = weights > NEGLIGIBLE
    return NormalMixture(weights[keep] / math.fsum(weights[keep]), means[keep], sds[keep])


def _as_normals(belief: Belief, name: str) -> NormalMixture:
    if isinstance(belief, StudentT):
        return belief.as_normals()
    if isinstance(belief, NormalMixture):
        return belief
    raise ValueError(
        f"{name}: found {type(belief).__name__}; expected a NormalMixture or a StudentT; give both "
        "as shares or both as means"
    )


def probability_greater(first: Belief, second: Belief, *, margin: float = 0.0) -> float:
    """Give the probability that ``first`` exceeds ``second`` by more than ``margin``.

    Parameters
    ----------
    first, second
        Independent beliefs: both of shares (:class:`BetaMixture`), or both of means
        (:class:`NormalMixture`, :class:`StudentT`), in the same unit.
    margin
        How much it has to exceed it by; may be negative.

    Returns
    -------
    float
        For normal mixtures a closed form. For betas the integral of one density times the other's
        distribution function, a trapezoid sum after a logit change of variable: 11 digits or more.

    Examples
    --------
    >>> active, placebo = BetaMixture([1], [14.5], [10]), BetaMixture([1], [12], [37])
    >>> round(probability_greater(active, placebo), 4)
    0.9983
    """
    if not math.isfinite(margin):
        raise ValueError(f"margin: found {margin}; expected a finite number")
    if isinstance(first, BetaMixture) and isinstance(second, BetaMixture):
        return _beta_greater(first, second, margin)
    return float(difference(first, second).sf(margin))


def _beta_greater(first: BetaMixture, second: BetaMixture, margin: float) -> float:
    """Integrate density of the first times cdf of the second at x - margin, over their overlap."""
    from scipy.special import betainc, betaincc, betaln, expit, log_expit

    low, high = max(0.0, margin), min(1.0, 1.0 + margin)
    if low >= high:
        return 0.0 if margin > 0 else 1.0
    width = high - low
    total = float(first.sf(high)) if high < 1 else 0.0
    sharpest = max(a + b for _, a, b in second.components())
    for w1, a1, b1 in first.components():
        u, step = logit_nodes(a1, b1, 0.2, sharpest)
        up, log_up, log_down = expit(u), log_expit(u), log_expit(-u)
        # x = low + width up; its logarithm and that of 1 - x, without loss at the ends.
        log_x = log_up + math.log(width) if low == 0 else np.log(low + width * up)
        log_rest = log_down + math.log(width) if high == 1 else np.log(1 - high + width * expit(-u))
        log = (a1 - 1) * log_x + (b1 - 1) * log_rest + log_up + log_down
        density = np.exp(log - betaln(a1, b1)) * width
        # x - margin runs from max(0, -margin) to min(1, 1 - margin) in the same way.
        at = np.clip((low - margin) + width * up, 0.0, 1.0)
        left = np.clip((1 - high + margin) + width * expit(-u), 0.0, 1.0)  # what is left to 1
        for w2, a2, b2 in second.components():
            below = np.where(at < 0.5, betainc(a2, b2, at), betaincc(b2, a2, left))
            total += w1 * w2 * step * math.fsum(density * below)
    return min(1.0, total)


def logit_nodes(
    a: float, b: float, finest: float, sharpest: float = 0.0
) -> tuple[FloatArray, float]:
    """Return nodes of a logit over both tails of Beta(a, b), and their step.

    The step is half the smallest standard deviation that the logit of a beta can have, of a size
    a + b or ``sharpest``, and at most ``finest``.
    """
    step = min(finest, 1 / math.sqrt(max(a + b, sharpest)))
    last = math.ceil(38.0 / min(1.0, a, b) / step)
    return np.arange(-last, last + 1, dtype=np.float64) * step, step
