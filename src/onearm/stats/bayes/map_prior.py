"""Meta-analytic-predictive (MAP) priors from historical arms, by quadrature.

The parameters theta_i of the historical arms and of the new one are draws from Normal(mu, tau^2):
logits of shares for binomial endpoints, mean changes for normal ones. What the arms say of the new
theta is an integral over mu and tau (and, for shares, over each arm's own theta). Every sum here is a
trapezoid or midpoint rule over the whole line for an analytic integrand, or Gauss-Hermite where that
is fast, so that the error falls exponentially with the number of nodes. There is no seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onearm.stats.bayes.fit import fit_betas, fit_normals
from onearm.stats.bayes.mixtures import BetaMixture, NormalMixture
from onearm.stats.bayes.posterior import check_positive
from onearm.stats.differences import FloatArray, as_numbers, check_level
from onearm.stats.proportion import whole_number

#: A normal density is negligible beyond this many standard deviations.
REACH = 8.6
#: Scales of tau's half-normal prior to go to; further only where the arms insist.
REACHES = (REACH, 2 * REACH, 4 * REACH, 16 * REACH)
#: Nodes whose log weight lies this far below the largest are left out.
DEPTH = 33.0
#: Nodes of mu for one tau: above FEW the range is narrowed first; never more than MANY, which coarsens
#: the steps only where tau is below a thousandth of what is not known of mu.
FEW, MANY = 1000, 20_000
#: The conditional density of mu is followed down to this log weight below its largest.
MU_DEPTH = 35.0


@dataclass(frozen=True)
class MapPrior:
    """What historical arms say of a new arm before it has a patient.

    ``mixture`` is the prior to use: few components, conjugate. ``distance`` is how far it lies from
    the exact MAP distribution in total variation: no probability computed from the prior differs
    by more. ``exact`` is the MAP distribution itself, a normal mixture of many components: of the
    logit of the share for a binomial endpoint, of the mean change for a normal one.

    ``mean``, ``sd``, ``estimate`` (median), ``lower`` and ``upper`` are the exact MAP's, as a share or a
    mean change; ``tau_mean`` ... ``tau_upper`` those of the standard deviation between arms (of
    logits, or of mean changes). ``studies`` counts the arms.
    """

    mixture: BetaMixture | NormalMixture
    distance: float
    exact: NormalMixture
    mean: float
    sd: float
    estimate: float
    lower: float
    upper: float
    level: float
    tau_mean: float
    tau_sd: float
    tau_estimate: float
    tau_lower: float
    tau_upper: float
    studies: int
    prior: str


def map_prior_binomial(
    events: npt.ArrayLike,
    sizes: npt.ArrayLike,
    *,
    mu_mean: float = 0.0,
    mu_sd: float = 2.0,
    tau_scale: float = 1.0,
    components: int | None = None,
    level: float = 0.95,
) -> MapPrior:
    """Give the MAP prior of a share from the counts of historical arms.

    Parameters
    ----------
    events, sizes
        Patients with the event and all patients, one whole number per arm; each arm at least one
        patient. No events, and nothing but events, are allowed; so is a single arm.
    mu_mean, mu_sd
        Normal prior of mu, the mean logit.
    tau_scale
        Scale of the half-normal prior of tau, the standard deviation of logits between arms. 1 lets
        shares differ very much; 0.5 substantially (Neuenschwander et al. 2010).
    components
        Beta distributions in ``mixture``, 1 to 4. None takes the fewest whose total variation
        distance from the exact MAP is at most 0.01, else four.
    level
        Probability inside the interval.

    Returns
    -------
    MapPrior

    Raises
    ------
    ValueError
        If the counts are no counts, or the arms contradict each other so strongly that under this
        ``tau_scale`` no probability is left.

    References
    ----------
    Neuenschwander B et al. (2010) Clin Trials 7:5-18. Schmidli H et al. (2014) Biometrics
    70:1023-1032.

    Examples
    --------
    Complete renal response at week 52 to 104 in four control arms (BLISS-LN, AURORA 1, NOBILITY,
    REGENCY), counts from the published percentages:

    >>> arms = map_prior_binomial([45, 40, 11, 45], [223, 178, 62, 136])
    >>> round(arms.estimate, 3), round(arms.lower, 3), round(arms.upper, 3)
    (0.235, 0.081, 0.526)
    """
    from scipy.special import expit

    check_level(level)
    _check_mu(mu_mean, mu_sd)
    check_positive(tau_scale, "tau_scale")
    check_components(components)
    n, r = _counts(events, sizes)
    arms = _Arms(n, r, mu_mean, mu_sd)
    error = math.sqrt(float(np.min(1 / (r + 0.5) + 1 / (n - r + 0.5))))
    for reach in REACHES:
        taus, tau_weights, step = _tau_nodes(error, tau_scale, reach, int(n.size))
        parts = arms.conditional_means(taus)
        log_totals = np.array([_log_sum(log) for _, log in parts]) + tau_weights
        if log_totals[-1] < np.max(log_totals) - DEPTH:
            break
    else:
        raise ValueError(_too_small("events, sizes", tau_scale))
    log_totals -= np.max(log_totals)
    density = np.exp(log_totals)
    means, sds, weights = [], [], []
    for tau, (mu, log), total in zip(taus, parts, log_totals, strict=True):
        if total > -DEPTH:
            means.append(mu)
            sds.append(np.full(mu.size, max(tau, 0.8 * (mu[1] - mu[0]))))
            weights.append(np.exp(log - _log_sum(log) + total))
    exact = _mixture(np.concatenate(weights), np.concatenate(means), np.concatenate(sds))
    theta, width, mass = _on_grid(exact, arms.sharpest)
    share = expit(theta)
    mean = math.fsum(mass * share)
    sd = math.sqrt(math.fsum(mass * (share - mean) ** 2))
    mixture, distance = fit_betas(theta, width, mass, components)
    lower, middle, upper = (float(expit(exact.quantile(p))) for p in _tails(level))
    return MapPrior(
        mixture,
        distance,
        exact,
        mean,
        sd,
        middle,
        lower,
        upper,
        level,
        *_tau_summary(taus, density, step, level),
        studies=int(n.size),
        prior=f"mu ~ Normal({mu_mean:g}, {mu_sd:g}) and tau ~ HalfNormal({tau_scale:g}) on the logit scale",
    )


def map_prior_normal(
    estimates: npt.ArrayLike,
    ses: npt.ArrayLike,
    *,
    tau_scale: float,
    mu_mean: float = 0.0,
    mu_sd: float | None = None,
    components: int | None = None,
    level: float = 0.95,
) -> MapPrior:
    """Give the MAP prior of a mean change from the mean changes of historical arms.

    Parameters
    ----------
    estimates, ses
        Mean change and its standard error, one of each per arm, in one unit. A single arm is
        allowed. Ratios go in as logarithms.
    tau_scale
        Scale of the half-normal prior of tau, the standard deviation of true mean changes between
        arms, in the same unit. There is no default, since it decides the result when arms are few:
        Neuenschwander et al. suggest a quarter (substantial) to a half (large) of the standard
        deviation of a single patient's change.
    mu_mean, mu_sd
        Normal prior of mu, the mean over arms; ``mu_sd`` None is a flat prior.
    components
        Normal distributions in ``mixture``, 1 to 4. None takes the fewest whose total variation
        distance from the exact MAP is at most 0.01, else four.
    level
        Probability inside the interval.

    Returns
    -------
    MapPrior

    Raises
    ------
    ValueError
        If the numbers are not finite, a standard error is not above zero, or the two rows differ in
        length.

    Notes
    -----
    The standard errors are taken as known. That is the usual two-stage approximation; an arm of six
    patients has a standard error that is itself uncertain by about a third.

    References
    ----------
    Neuenschwander B et al. (2010) Clin Trials 7:5-18. Roever C (2020) J Stat Softw 93(6).

    Examples
    --------
    >>> arms = map_prior_normal([-5.0, -4.8], [3.27, 0.2], tau_scale=1)
    >>> round(arms.estimate, 2), round(arms.lower, 2), round(arms.upper, 2)
    (-4.81, -7.64, -2.02)
    """
    check_level(level)
    _check_mu(mu_mean, 1.0 if mu_sd is None else mu_sd)
    check_positive(tau_scale, "tau_scale")
    check_components(components)
    y, se = as_numbers(estimates, "estimates"), as_numbers(ses, "ses")
    if y.size != se.size or y.size == 0:
        raise ValueError(
            f"estimates, ses: found {y.size} and {se.size} numbers; expected one of each per arm, "
            "and at least one arm"
        )
    for at, value in enumerate(se):
        check_positive(float(value), f"ses[{at}]")
    prior_precision = 0.0 if mu_sd is None else mu_sd**-2
    for reach in REACHES:
        taus, tau_weights, step = _tau_nodes(float(se.min()), tau_scale, reach, int(y.size))
        precision = 1 / (se**2 + taus[:, None] ** 2)
        total = precision.sum(axis=1) + prior_precision
        centre = (precision @ y + prior_precision * mu_mean) / total
        misfit = (precision * (y - centre[:, None]) ** 2).sum(axis=1)
        misfit += prior_precision * (mu_mean - centre) ** 2
        log = 0.5 * (np.log(precision).sum(axis=1) - np.log(total) - misfit) + tau_weights
        if log[-1] < np.max(log) - DEPTH:
            break
    else:
        raise ValueError(_too_small("estimates, ses", tau_scale))
    density = np.exp(log - np.max(log))
    keep = density > math.exp(-DEPTH)
    exact = _mixture(density[keep], centre[keep], np.sqrt(1 / total + taus**2)[keep])
    mixture, distance = fit_normals(*_on_grid(exact, min(exact.sds)), components)
    lower, middle, upper = (exact.quantile(p) for p in _tails(level))
    mu = "flat" if mu_sd is None else f"Normal({mu_mean:g}, {mu_sd:g})"
    return MapPrior(
        mixture,
        distance,
        exact,
        exact.mean,
        exact.sd,
        middle,
        lower,
        upper,
        level,
        *_tau_summary(taus, density, step, level),
        studies=int(y.size),
        prior=f"mu ~ {mu} and tau ~ HalfNormal({tau_scale:g})",
    )


# -- the integral over an arm's own share, and over mu --------------------------------------------


class _Arms:
    """Counts of the arms, and their likelihood as a function of mu and tau."""

    def __init__(self, n: FloatArray, r: FloatArray, mu_mean: float, mu_sd: float):
        from scipy.special import xlogy

        self.n, self.r, self.mu_mean, self.mu_sd = n, r, mu_mean, mu_sd
        self.largest = xlogy(r, r / n) + xlogy(n - r, 1 - r / n)
        # What an arm says about its logit at most: n p(1 - p) with p = 1/2.
        self.information = n / 4
        #: No arm's likelihood of its logit is narrower than this,
        self.narrowest = 1 / math.sqrt(float(self.information.max()))
        #: nor is the density of mu, or of a new logit, narrower than this.
        self.sharpest = 1 / math.sqrt(mu_sd**-2 + float(self.information.sum()))
        self._z, weights = np.polynomial.hermite_e.hermegauss(24)
        self._log_hermite = np.log(weights / math.sqrt(2 * math.pi))
        self._step = self.narrowest / 2
        self._first, self._table = 0, np.zeros((0, n.size))

    def conditional_means(self, taus: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """Return, for each tau, nodes of mu and their log weights (prior times likelihood).

        Given tau the log density of mu is concave (binomial likelihoods and normal densities are
        log-concave, and so are their convolutions), so the nodes are wide enough as soon as both
        ends are negligible: that is checked, and the range widened until it holds.
        """
        low, high = self.mu_mean - 9 * self.mu_sd, self.mu_mean + 9 * self.mu_sd
        found = []
        for tau in taus[::-1]:  # the widest first
            mu, log = self._follow(float(tau), low, high)
            top = np.max(log)
            if np.isfinite(top):
                inside = np.flatnonzero(log > top - MU_DEPTH)
                margin = 0.1 * (mu[inside[-1]] - mu[inside[0]])
                low, high = mu[inside[0]] - margin, mu[inside[-1]] + margin
                mu, log = mu[inside], log[inside]
            found.append((mu, log))
        return found[::-1]

    def _follow(self, tau: float, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """Return nodes of mu over its density given tau, and their log weights."""
        spread = float(np.sum(1 / (tau * tau + 1 / self.information)))
        # Fine enough for the density of mu, and for that of a new logit about it.
        step = 0.8 / math.sqrt(self.mu_sd**-2 + spread + tau**-2)
        while True:
            if high - low > FEW * step:
                mu = np.linspace(low, high, 301)
                log = self._log_density(mu, tau)
                if not np.isfinite(np.max(log)):  # under this tau the arms contradict each other
                    return mu, log
                # A concave log density is negligible beyond the neighbours of those that are not.
                inside = np.flatnonzero(log > np.max(log) - MU_DEPTH)
                low, high = mu[max(inside[0] - 1, 0)], mu[min(inside[-1] + 1, 300)]
            mu = _multiples(low, high, max(step, (high - low) / MANY))
            log = self._log_density(mu, tau)
            top, width = np.max(log), high - low
            if not np.isfinite(top) or max(log[0], log[-1]) < top - MU_DEPTH + 4:
                return mu, log + math.log(mu[1] - mu[0])
            low, high = low - width / 2, high + width / 2

    def _log_density(self, mu: FloatArray, tau: float) -> FloatArray:
        return self._log_likelihood(mu, tau) - 0.5 * ((mu - self.mu_mean) / self.mu_sd) ** 2

    def _log_likelihood(self, mu: FloatArray, tau: float) -> FloatArray:
        """Return the log likelihood of mu and tau, each arm's own logit integrated out."""
        if tau <= self.narrowest:
            return self._by_hermite(mu, tau)
        theta, likelihood = self._grid(float(mu[0]) - REACH * tau, float(mu[-1]) + REACH * tau)
        kernel = np.exp(-0.5 * ((theta - mu[:, None]) / tau) ** 2)
        with np.errstate(divide="ignore"):
            each = np.log(kernel @ likelihood * (self._step / (tau * math.sqrt(2 * math.pi))))
        return np.asarray(each.sum(axis=1))

    def _by_hermite(self, mu: FloatArray, tau: float) -> FloatArray:
        """Integrate over z, theta = mu + tau z, about the mode of each arm's own integrand.

        tau is so small that the likelihood bends the normal density of z by no more than it bends
        itself: Newton's method finds the mode in a few steps, and 24 nodes are enough.
        """
        from scipy.special import expit, log_expit

        result = np.zeros(mu.size)
        for n, r, largest in zip(self.n, self.r, self.largest, strict=True):
            mode = np.zeros(mu.size)
            for _ in range(8):
                p = expit(mu + tau * mode)
                bend = 1 + tau * tau * n * p * (1 - p)
                mode += (tau * (r - n * p) - mode) / bend
            z = mode[:, None] + self._z / np.sqrt(bend)[:, None]
            theta = mu[:, None] + tau * z
            log = r * log_expit(theta) + (n - r) * log_expit(-theta) - largest
            log += self._log_hermite + 0.5 * (self._z**2 - z**2)
            top = log.max(axis=1)
            result += top + np.log(np.exp(log - top[:, None]).sum(axis=1)) - 0.5 * np.log(bend)
        return result

    def _grid(self, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """Return logits, half the width of the narrowest likelihood apart, and the likelihoods."""
        from scipy.special import log_expit

        first, last = math.floor(low / self._step), math.ceil(high / self._step)
        if first < self._first or last >= self._first + len(self._table):
            theta = _multiples(low, high, self._step)
            log = log_expit(theta)[:, None] * self.r + log_expit(-theta)[:, None] * (
                self.n - self.r
            )
            self._first, self._table = first, np.exp(log - self.largest)
        rows = slice(first - self._first, last + 1 - self._first)
        return _multiples(low, high, self._step), self._table[rows]


# -- tau ------------------------------------------------------------------------------------------


def _tau_nodes(
    error: float, scale: float, reach: float, arms: int
) -> tuple[FloatArray, FloatArray, float]:
    """Return nodes of tau, their log weights (half-normal prior included) and the step in v.

    tau = unit sinh(v): even steps near 0, where the arms cannot tell tau from 0, and even ratios
    beyond. The integrand is an even function of v, so the midpoint rule has exponential accuracy.
    """
    unit = min(error, scale)
    step = min(0.15, 0.4 / math.sqrt(2 * arms))
    count = math.ceil(math.asinh(reach * scale / unit) / step)
    v = (np.arange(count) + 0.5) * step
    taus = unit * np.sinh(v)
    return taus, np.log(step * unit * np.cosh(v)) - 0.5 * (taus / scale) ** 2, step


def _too_small(where: str, scale: float) -> str:
    return (
        f"{where}: the arms differ so much more than tau_scale = {scale:g} foresees that no "
        "probability is left within what a half-normal prior can reach; expected arms that the "
        "prior allows to differ so; give a larger tau_scale, or leave out arms"
    )


def _tau_summary(
    taus: FloatArray, weights: FloatArray, step: float, level: float
) -> tuple[float, float, float, float, float]:
    """Return mean, SD, median and limits of tau.

    The distribution function is that of the band-limited function through the nodes (a sum of sine
    integrals), which is as accurate as the midpoint rule itself.
    """
    from scipy.special import sici

    share = weights / math.fsum(weights)
    nodes = (np.arange(taus.size) + 0.5) * step
    unit = taus[0] / math.sinh(step / 2)
    # tau itself is no even function: its mean is taken from the band-limited density, cell by cell.
    inner, inner_weights = np.polynomial.legendre.leggauss(8)
    v = (nodes[:, None] + inner * step / 2).ravel()
    density = (np.sinc((v[:, None] - nodes) / step) + np.sinc((v[:, None] + nodes) / step)) @ share
    mean = math.fsum(np.tile(inner_weights / 2, nodes.size) * density * unit * np.sinh(v))
    sd = math.sqrt(math.fsum(share * taus**2) - mean**2)
    wanted = np.array(_tails(level))
    low, high = np.zeros(3), np.full(3, nodes[-1] + step)
    for _ in range(50):
        v = ((low + high) / 2)[:, None]
        up, down = sici(math.pi * (v - nodes) / step)[0], sici(math.pi * (v + nodes) / step)[0]
        is_low = (up + down) @ share / math.pi < wanted
        low, high = np.where(is_low, v[:, 0], low), np.where(is_low, high, v[:, 0])
    lower, middle, upper = (unit * np.sinh((low + high) / 2)).tolist()
    return mean, sd, middle, lower, upper


# -- small parts ----------------------------------------------------------------------------------


def _counts(events: npt.ArrayLike, sizes: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return sizes and events as arrays of whole numbers."""
    r, n = as_numbers(events, "events"), as_numbers(sizes, "sizes")
    if r.size != n.size or n.size == 0:
        raise ValueError(
            f"events, sizes: found {r.size} and {n.size} numbers; expected one of each per arm, and "
            "at least one arm"
        )
    for at in range(n.size):
        patients = whole_number(float(n[at]), f"sizes[{at}]", least=1)
        if whole_number(float(r[at]), f"events[{at}]") > patients:
            raise ValueError(
                f"events[{at}]: found {r[at]:g} of sizes[{at}] = {patients}; expected at most that"
            )
    return n, r


def _check_mu(mean: float, sd: float) -> None:
    if not math.isfinite(mean):
        raise ValueError(f"mu_mean: found {mean}; expected a finite number")
    check_positive(sd, "mu_sd")


def check_components(components: int | None) -> None:
    """Raise ValueError unless ``components`` is None or 1 to 4."""
    if components is not None and components not in (1, 2, 3, 4):
        raise ValueError(f"components: found {components!r}; expected 1, 2, 3, 4 or None")


def _mixture(weights: FloatArray, means: FloatArray, sds: FloatArray) -> NormalMixture:
    keep = weights > math.exp(-DEPTH) * np.max(weights)
    return NormalMixture(weights[keep] / math.fsum(weights[keep]), means[keep], sds[keep])


def _on_grid(exact: NormalMixture, finest: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return points over the distribution, the width and the probability that belong to each.

    Fine about the median, where the narrow components lie, and coarser in proportion to the
    distance from it: x = median + 4 finest sinh(t), t in even steps.
    """
    low, high = exact.ends(1e-13)
    middle, unit, step = exact.quantile(0.5), 4 * finest, 0.08
    t = _multiples(math.asinh((low - middle) / unit), math.asinh((high - middle) / unit), step)
    points = middle + unit * np.sinh(t)
    width = step * unit * np.cosh(t)
    mass = width * exact.pdf(points)
    return points, width, mass / math.fsum(mass)


def _multiples(low: float, high: float, step: float) -> FloatArray:
    """Return the multiples of ``step`` from the last not above ``low`` to the first not below ``high``."""
    return np.arange(math.floor(low / step), math.ceil(high / step) + 1, dtype=np.float64) * step


def _tails(level: float) -> Sequence[float]:
    return (1 - level) / 2, 0.5, (1 + level) / 2


def _log_sum(log: FloatArray) -> float:
    top = float(np.max(log))
    return top + math.log(math.fsum(np.exp(log - top))) if math.isfinite(top) else -math.inf
