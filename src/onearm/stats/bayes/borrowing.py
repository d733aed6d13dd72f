"""How much a prior borrows: its effective sample size, and the vague part that makes it robust."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from onearm.stats.bayes.mixtures import BetaMixture, NormalMixture
from onearm.stats.bayes.posterior import as_beta, check_positive
from onearm.stats.differences import FloatArray, check_choice
from onearm.stats.proportion import first_true

EssMethod = Literal["elir", "moment", "morita"]


def robust(
    prior: BetaMixture | NormalMixture,
    weight: float,
    vague: tuple[float, float] | None = None,
    *,
    sigma: float | None = None,
) -> BetaMixture | NormalMixture:
    """Give the prior a vague component, so that data which contradict it are believed.

    Parameters
    ----------
    prior
        An informative prior, such as ``MapPrior.mixture``.
    weight
        Weight of the vague component, 0 to 1: the prior probability that the historical arms are of
        no use for the new one. 0.1 to 0.5 are usual (Schmidli et al.).
    vague
        The vague component: ``(a, b)`` of a beta, by default (1, 1); ``(mean, sd)`` of a normal, by
        default the prior's mean and ``sigma`` (unit information: it is worth one patient).
    sigma
        Standard deviation of a single patient's change; needed for normal mixtures without
        ``vague``, refused for betas.

    Returns
    -------
    BetaMixture or NormalMixture
        Of the same kind as ``prior``.

    References
    ----------
    Schmidli H et al. (2014) Biometrics 70:1023-1032.

    Examples
    --------
    >>> robust(BetaMixture([1], [11], [32]), 0.2).words()
    '0.8 Beta(11, 32) + 0.2 Beta(1, 1)'
    >>> robust(NormalMixture([1], [-5], [1]), 0.2, sigma=4).words()
    '0.8 Normal(-5, 1) + 0.2 Normal(-5, 4)'
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight: found {weight}; expected a number from 0 to 1")
    if isinstance(prior, BetaMixture):
        if sigma is not None:
            raise ValueError(
                f"sigma: found {sigma} with a prior of a share; expected none; it belongs to changes"
            )
        return BetaMixture(*_joined(prior, as_beta(vague or (1.0, 1.0), "vague"), weight))
    if vague is not None:
        mean, sd = vague
    elif sigma is not None:
        mean, sd = prior.mean, sigma
    else:
        raise ValueError(
            "vague, sigma: found neither; expected vague = (mean, sd), or sigma, the standard "
            "deviation of a single patient's change"
        )
    return NormalMixture(*_joined(prior, NormalMixture([1.0], [mean], [sd]), weight))


def _joined(
    prior: BetaMixture | NormalMixture, vague: BetaMixture | NormalMixture, weight: float
) -> list[list[float]]:
    """Return weights and parameters of both, without what weighs nothing."""
    rows = [((1 - weight) * w, *rest) for w, *rest in prior.components()]
    rows += [(weight * w, *rest) for w, *rest in vague.components()]
    return [list(column) for column in zip(*(row for row in rows if row[0] > 0), strict=True)]


def effective_sample_size(
    prior: BetaMixture | NormalMixture,
    method: EssMethod = "elir",
    *,
    sigma: float | None = None,
) -> float:
    """Give the number of patients that a prior is worth.

    Parameters
    ----------
    prior
        A prior of a share, or of a mean change.
    method
        ``"elir"``, the expected local-information ratio: the mean over the prior of its information
        (minus the second derivative of its log density) per information of one patient. After n
        patients it is on average that of the prior plus n, which the others do not hold to.
        ``"moment"``: the patients of the single beta or normal with the same mean and standard
        deviation. ``"morita"``: the information at the prior's mode alone.
    sigma
        Standard deviation of a single patient's change: needed for a :class:`NormalMixture`,
        refused for a :class:`BetaMixture`.

    Returns
    -------
    float
        A single Beta(a, b) is worth a + b, a single Normal(m, s) sigma**2/s**2, by all three.

    Raises
    ------
    ValueError
        If ``sigma`` is missing or out of place; if a beta mixture of several components has an a or b
        below 1 (``elir`` does not exist: use ``moment``); if the mode is at 0 or 1 (``morita``).

    Notes
    -----
    The three differ widely for mixtures with wide tails, which is what MAP priors are: say which one
    is meant. ``morita`` looks at the peak, so it is largest; ``moment`` is ruled by the tails.
    A component with a = 1 exactly adds nothing at that end to ``elir``, as by the definition.

    References
    ----------
    Neuenschwander B et al. (2020) Biometrics 76:578-587 (elir; equation 9 for Morita's).
    Morita S, Thall PF, Mueller P (2008) Biometrics 64:595-602.

    Examples
    --------
    >>> effective_sample_size(BetaMixture([1], [11], [32]))
    43.0
    >>> mixture = BetaMixture([0.8, 0.2], [11, 1], [32, 1])
    >>> round(effective_sample_size(mixture), 1), round(effective_sample_size(mixture, "moment"), 1)
    (27.9, 6.1)
    """
    check_choice("method", method, ("elir", "moment", "morita"))
    if isinstance(prior, BetaMixture):
        if sigma is not None:
            raise ValueError(
                f"sigma: found {sigma} with a prior of a share; expected none; it belongs to changes"
            )
        if len(prior.weights) == 1:
            return prior.a[0] + prior.b[0]
        if method == "moment":
            return prior.mean * (1 - prior.mean) / prior.sd**2 - 1
        return _beta_elir(prior) if method == "elir" else _beta_morita(prior)
    if sigma is None:
        raise ValueError(
            "sigma: found none; expected the standard deviation of a single patient's change, in "
            "which a prior of a mean change is counted"
        )
    check_positive(sigma, "sigma")
    if method == "moment" or len(prior.weights) == 1:
        return (sigma / prior.sd) ** 2
    return sigma**2 * (_normal_elir(prior) if method == "elir" else _normal_morita(prior))


def _beta_elir(prior: BetaMixture) -> float:
    """Integrate information times p(1 - p).

    The information of a mixture is the mean of its components' less the variance of their scores,
    all weighted by membership; the first part has a closed form.
    """
    from scipy.special import betaln, expit, log_expit

    w, a, b = (np.array(column) for column in (prior.weights, prior.a, prior.b))
    if min(a.min(), b.min()) < 1:
        raise ValueError(
            f"prior: found {prior.words()}; expected every a and b to be at least 1, without which "
            'elir does not exist; use method="moment"'
        )
    closed = math.fsum(w * (np.where(a > 1, b, 0.0) + np.where(b > 1, a, 0.0)))
    # Even steps in t with logit = 5 sinh(t): fine at the peaks, and far out where a tail falls slowly.
    farthest = float(np.max(np.abs(np.log(a / b)))) + 6
    step = min(0.05, 1 / math.sqrt(np.max(a + b) * (25 + farthest**2)))
    t = np.arange(-math.ceil(13 / step), math.ceil(13 / step) + 1) * step
    u = 5 * np.sinh(t)
    up, down = log_expit(u)[:, None], log_expit(-u)[:, None]
    each = np.log(w) + a * up + b * down - betaln(a, b)
    top = each.max(axis=1, keepdims=True)
    member = np.exp(each - top)
    total = member.sum(axis=1, keepdims=True)
    member /= total
    p = expit(u)[:, None]
    score = (a - 1) * (1 - p) - (b - 1) * p
    spread = np.sum(member * (score - np.sum(member * score, axis=1, keepdims=True)) ** 2, axis=1)
    # Density over p(1 - p), in logarithms so that neither end overflows.
    log = (top + np.log(total) - up - down)[:, 0] + np.log(5 * step * np.cosh(t))
    with np.errstate(divide="ignore"):
        return closed - math.fsum(np.exp(log + np.log(spread)))


def _beta_morita(prior: BetaMixture) -> float:
    """Return the information at the mode, per expected information of a patient there."""
    w, a, b = (np.array(column) for column in (prior.weights, prior.a, prior.b))

    def slope_and_information(p: float) -> tuple[float, float]:
        member = w * np.array(
            [BetaMixture([1.0], [x], [y]).pdf(p) for x, y in zip(a, b, strict=True)]
        )
        member /= member.sum()
        score = (a - 1) / p - (b - 1) / (1 - p)
        mean = float(member @ score)
        bend = float(member @ ((a - 1) / p**2 + (b - 1) / (1 - p) ** 2))
        return mean, bend - float(member @ (score - mean) ** 2)

    grid = np.linspace(0, 1, 4001)[1:-1]
    best = int(np.argmax(prior.pdf(grid)))
    if best in (0, grid.size - 1):
        raise ValueError(
            f"prior: found {prior.words()}, which has its mode at 0 or 1; expected one between; use "
            'method="moment"'
        )
    mode = _root(lambda p: slope_and_information(p)[0], grid[best - 1], grid[best + 1])
    # Relative to a beta prior without information, Beta(0, 0).
    without = -1 / mode**2 - 1 / (1 - mode) ** 2
    per_patient = prior.mean / mode**2 + (1 - prior.mean) / (1 - mode) ** 2
    return (slope_and_information(mode)[1] - without) / per_patient


def _normal_elir(prior: NormalMixture) -> float:
    """Return the mean information of the prior itself, per unit of the squared outcome."""
    w, m, s = (np.array(column) for column in (prior.weights, prior.means, prior.sds))
    # Gauss's rule between points that are dense wherever one of the components is.
    cuts = np.unique(np.add.outer(np.arange(-10.0, 11.0), np.zeros(m.size)) * s + m)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half = np.diff(cuts)[:, None] / 2
    x = ((cuts[:-1, None] + half) + half * nodes).ravel()
    spread, log_density = _spread_of_scores(x, w, m, s)
    return math.fsum(w / s**2) - math.fsum((half * weights).ravel() * np.exp(log_density) * spread)


def _spread_of_scores(
    x: FloatArray, w: FloatArray, m: FloatArray, s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the variance of the components' scores at x, and the log density there."""
    z = (x[:, None] - m) / s
    each = np.log(w / s) - 0.5 * z * z - 0.5 * math.log(2 * math.pi)
    top = each.max(axis=1, keepdims=True)
    member = np.exp(each - top)
    total = member.sum(axis=1, keepdims=True)
    member /= total
    score = -z / s
    mean = np.sum(member * score, axis=1, keepdims=True)
    return np.sum(member * (score - mean) ** 2, axis=1), (top + np.log(total))[:, 0]


def _normal_morita(prior: NormalMixture) -> float:
    """Return the information at the mode, per unit of the squared outcome."""
    w, m, s = (np.array(column) for column in (prior.weights, prior.means, prior.sds))

    def member(x: float) -> FloatArray:
        each = w / s * np.exp(-0.5 * ((x - m) / s) ** 2)
        return np.asarray(each / each.sum())

    grid = np.unique(np.add.outer(np.linspace(-4, 4, 81), np.zeros(m.size)) * s + m)
    best = int(np.argmax(prior.pdf(grid)))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    mode = _root(lambda x: float(member(x) @ ((m - x) / s**2)), low, high)
    spread, _ = _spread_of_scores(np.array([mode]), w, m, s)
    return float(member(mode) @ s**-2) - float(spread[0])


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function that falls from above zero to below it crosses."""
    return first_true(lambda x: falling(x) <= 0, float(low), float(high))
