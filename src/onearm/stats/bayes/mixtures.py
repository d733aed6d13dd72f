"""Distributions that priors and posteriors are made of: mixtures of betas, of normals, Student's t.

All three answer the same questions: ``mean``, ``sd``, ``pdf``, ``cdf``, ``sf``, ``quantile``, ``interval``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import FloatArray, check_level

#: What a mixture is made from; it keeps tuples of floats.
Numbers = Sequence[float] | FloatArray

#: Weights of a mixture may miss a sum of 1 by this much (they come from tables with 7 digits).
WEIGHT_NOISE = 1e-6
#: Components that weigh less than this are left out of a mixture that an integration made.
NEGLIGIBLE = 1e-17


@dataclass(frozen=True)
class BetaMixture:
    """A mixture of beta distributions of a share; one component is a plain Beta(a, b).

    Parameters
    ----------
    weights, a, b
        One number per component, all above zero; the weights sum to 1 (to one part in a million,
        and are then scaled to do so exactly). ``a`` counts like patients with the event, ``b``
        like patients without.

    Examples
    --------
    >>> prior = BetaMixture([0.8, 0.2], [11, 1], [32, 1])
    >>> round(prior.mean, 4), round(prior.sd, 4)
    (0.3047, 0.1722)
    """

    weights: Numbers
    a: Numbers
    b: Numbers

    def __post_init__(self) -> None:
        """Turn what was given into tuples of floats, and refuse what makes no mixture."""
        _take(self, ("weights", "a", "b"), positive=("weights", "a", "b"))

    @cached_property
    def _arrays(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        return np.array(self.weights), np.array(self.a), np.array(self.b)

    @property
    def mean(self) -> float:
        """The mean share."""
        w, a, b = self._arrays
        return math.fsum(w * (a / (a + b)))

    @property
    def sd(self) -> float:
        """The standard deviation of the share."""
        w, a, b = self._arrays
        total = a + b
        within = a * b / (total * total * (total + 1))
        return math.sqrt(math.fsum(w * (within + (a / total - self.mean) ** 2)))

    def pdf(self, x: npt.ArrayLike) -> Any:
        """Return the density at x, 0 outside 0 to 1."""
        from scipy.special import betaln, xlog1py, xlogy

        w, a, b = self._arrays
        at = np.asarray(x, dtype=np.float64)[..., None]
        inside = np.clip(at, 0.0, 1.0)
        with np.errstate(divide="ignore"):
            log = xlogy(a - 1, inside) + xlog1py(b - 1, -inside) - betaln(a, b)
        return _plain(np.sum(np.where(at == inside, w * np.exp(log), 0.0), axis=-1))

    def cdf(self, x: npt.ArrayLike) -> Any:
        """Return the probability of a share of at most x."""
        from scipy.special import betainc

        w, a, b = self._arrays
        at = np.clip(np.asarray(x, dtype=np.float64), 0.0, 1.0)[..., None]
        return _plain(np.sum(w * betainc(a, b, at), axis=-1))

    def sf(self, x: npt.ArrayLike) -> Any:
        """Return the probability of a share above x."""
        from scipy.special import betaincc

        w, a, b = self._arrays
        at = np.clip(np.asarray(x, dtype=np.float64), 0.0, 1.0)[..., None]
        return _plain(np.sum(w * betaincc(a, b, at), axis=-1))

    def quantile(self, p: float) -> float:
        """Return the value with probability p below it, 0 < p < 1."""
        from scipy.special import betaincinv

        check_probability(p)
        _, a, b = self._arrays
        each = betaincinv(a, b, p)
        return _between(self, p, float(np.min(each)), float(np.max(each)))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the limits that leave (1 - level)/2 of the probability on either side."""
        check_level(level)
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    def components(self) -> list[tuple[float, float, float]]:
        """Return (weight, a, b) of each component."""
        return list(zip(self.weights, self.a, self.b, strict=True))

    def words(self) -> str:
        """Return the mixture as text: ``0.8 Beta(11, 32) + 0.2 Beta(1, 1)``."""
        return _words("Beta", self.weights, self.a, self.b)


@dataclass(frozen=True)
class NormalMixture:
    """A mixture of normal distributions; one component is a plain normal.

    Parameters
    ----------
    weights, means, sds
        One number per component; weights and standard deviations above zero, the weights with the
        sum 1 (to one part in a million, and are then scaled to do so exactly).

    Examples
    --------
    >>> prior = NormalMixture([0.5, 0.5], [-1, 1], [1, 1])
    >>> prior.mean, round(prior.sd, 4), round(prior.cdf(1), 4)
    (0.0, 1.4142, 0.7386)
    """

    weights: Numbers
    means: Numbers
    sds: Numbers

    def __post_init__(self) -> None:
        """Turn what was given into tuples of floats, and refuse what makes no mixture."""
        _take(self, ("weights", "means", "sds"), positive=("weights", "sds"))

    @cached_property
    def _arrays(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        return np.array(self.weights), np.array(self.means), np.array(self.sds)

    @property
    def mean(self) -> float:
        """The mean."""
        w, m, _ = self._arrays
        return math.fsum(w * m)

    @property
    def sd(self) -> float:
        """The standard deviation."""
        w, m, s = self._arrays
        return math.sqrt(math.fsum(w * (s * s + (m - self.mean) ** 2)))

    def pdf(self, x: npt.ArrayLike) -> Any:
        """Return the density at x."""
        w, m, s = self._arrays
        z = (np.asarray(x, dtype=np.float64)[..., None] - m) / s
        return _plain(np.exp(-0.5 * z * z) @ (w / s) / math.sqrt(2 * math.pi))

    def cdf(self, x: npt.ArrayLike) -> Any:
        """Return the probability of a value of at most x."""
        from scipy.special import ndtr

        w, m, s = self._arrays
        return _plain(ndtr((np.asarray(x, dtype=np.float64)[..., None] - m) / s) @ w)

    def sf(self, x: npt.ArrayLike) -> Any:
        """Return the probability of a value above x."""
        from scipy.special import ndtr

        w, m, s = self._arrays
        return _plain(ndtr((m - np.asarray(x, dtype=np.float64)[..., None]) / s) @ w)

    def quantile(self, p: float) -> float:
        """Return the value with probability p below it, 0 < p < 1."""
        from scipy.special import ndtri

        check_probability(p)
        _, m, s = self._arrays
        each = m + s * ndtri(p)
        return _between(self, p, float(np.min(each)), float(np.max(each)))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the limits that leave (1 - level)/2 of the probability on either side."""
        check_level(level)
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    def ends(self, p: float) -> tuple[float, float]:
        """Return two numbers that have at most the probability p outside on either side."""
        from scipy.special import ndtri

        w, m, s = self._arrays
        reach = -s * ndtri(np.minimum(0.5, p / (w.size * w)))
        return float(np.min(m - reach)), float(np.max(m + reach))

    def components(self) -> list[tuple[float, float, float]]:
        """Return (weight, mean, sd) of each component."""
        return list(zip(self.weights, self.means, self.sds, strict=True))

    def words(self) -> str:
        """Return the mixture as text: ``0.8 Normal(-3, 1.2) + 0.2 Normal(0, 5)``."""
        return _words("Normal", self.weights, self.means, self.sds)


@dataclass(frozen=True)
class StudentT:
    """Student's t distribution, moved to ``location`` and stretched by ``scale``.

    The mean is NaN with one degree of freedom, and the standard deviation infinite with up to two:
    then they do not exist, and the median (``location``) and the quantiles are what there is.
    """

    df: int
    location: float
    scale: float

    @property
    def mean(self) -> float:
        """The mean; NaN with one degree of freedom."""
        return self.location if self.df > 1 else math.nan

    @property
    def sd(self) -> float:
        """The standard deviation; infinite with one or two degrees of freedom."""
        return self.scale * math.sqrt(self.df / (self.df - 2)) if self.df > 2 else math.inf

    def pdf(self, x: npt.ArrayLike) -> Any:
        """Return the density at x."""
        half = self.df / 2
        log = math.lgamma(half + 0.5) - math.lgamma(half) - math.log(math.pi * self.df) / 2
        z = (np.asarray(x, dtype=np.float64) - self.location) / self.scale
        return _plain(np.exp(log - (half + 0.5) * np.log1p(z * z / self.df)) / self.scale)

    def cdf(self, x: npt.ArrayLike) -> Any:
        """Return the probability of a value of at most x."""
        return self._below((np.asarray(x, dtype=np.float64) - self.location) / self.scale)

    def sf(self, x: npt.ArrayLike) -> Any:
        """Return the probability of a value above x."""
        return self._below((self.location - np.asarray(x, dtype=np.float64)) / self.scale)

    def _below(self, t: FloatArray) -> Any:
        from scipy.special import betainc, stdtr

        # The incomplete beta form keeps its digits in the far tail, the other one in the middle.
        far = betainc(self.df / 2, 0.5, self.df / (self.df + t * t)) / 2
        return _plain(np.where(t < -2, far, stdtr(self.df, t)))

    def quantile(self, p: float) -> float:
        """Return the value with probability p below it, 0 < p < 1."""
        from scipy.special import stdtrit

        check_probability(p)
        return self.location + self.scale * float(stdtrit(self.df, p))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the limits that leave (1 - level)/2 of the probability on either side."""
        check_level(level)
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    def words(self) -> str:
        """Return the distribution as text: ``t(8 df) at -3.5, scale 1.2``."""
        return f"t({self.df} df) at {self.location:.4g}, scale {self.scale:.4g}"

    def as_normals(self) -> NormalMixture:
        """Return it as the mixture of normals that it is, over the precision's gamma distribution.

        The integral over the log precision is a trapezoid sum, whose error falls exponentially:
        probabilities agree with the closed form to about 1e-12.
        """
        log_weights, precisions = precision_nodes(self.df, self.df)
        keep = log_weights > math.log(NEGLIGIBLE)
        weights = np.exp(log_weights[keep])
        sds = self.scale / np.sqrt(precisions[keep])
        return NormalMixture(weights / weights.sum(), np.full(sds.size, self.location), sds)


def check_probability(p: float) -> None:
    """Raise ValueError unless ``p`` lies strictly between 0 and 1."""
    if not 0 < p < 1:
        raise ValueError(f"p: found {p}; expected a probability between 0 and 1, both excluded")


def _between(mixture: BetaMixture | NormalMixture, p: float, low: float, high: float) -> float:
    """Return the p-quantile of a mixture, which lies between those of its components.

    Newton's steps, and halving where they lead out of the bracket; the smaller of the two tails is
    the one compared.
    """
    from scipy.special import ndtri

    middle = mixture.mean + mixture.sd * float(ndtri(p))
    if not low < middle < high:
        middle = (low + high) / 2
    for turn in range(200):
        excess = mixture.cdf(middle) - p if p <= 0.5 else (1 - p) - mixture.sf(middle)
        low, high = (low, middle) if excess > 0 else (middle, high)
        slope = mixture.pdf(middle)
        step = excess / slope if slope > 0 else math.inf
        if abs(step) <= 1e-15 * abs(middle):
            return float(middle)
        middle -= step
        if turn > 60 or not low < middle < high:
            middle = (low + high) / 2
            if not low < middle < high:
                break
    return float(middle)


def precision_nodes(df: int, least: int, conflict: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Return log weights and nodes w that integrate over w ~ Gamma(df/2, df/2), mean 1.

    The nodes reach up to where exp(-df w/2) is negligible and down to where w**(least/2) is, and
    lower still where a prior ``conflict`` standard errors away asks for a small precision.
    """
    from scipy.special import gammaln

    half = df / 2
    step = min(0.25, 0.6 / math.sqrt(half))
    low = -(84.0 / least + 13.0 / math.sqrt(df) + math.log1p(conflict**2))
    high = math.log1p(90.0 / df + 13.0 / math.sqrt(df))
    log_w = np.arange(math.floor(low / step), math.ceil(high / step) + 1) * step
    w = np.exp(log_w)
    log_weights = half * math.log(half) - gammaln(half) + half * (log_w - w) + math.log(step)
    return log_weights, w


def _take(record: Any, names: tuple[str, ...], positive: tuple[str, ...]) -> None:
    """Check the fields of a mixture and store them as tuples of floats, weights scaled to 1."""
    kind = type(record).__name__
    columns: dict[str, tuple[float, ...]] = {}
    for name in names:
        values = np.asarray(getattr(record, name))
        if values.ndim != 1 or values.size == 0 or values.dtype.kind not in "iuf":
            raise ValueError(
                f"{kind}.{name}: found {getattr(record, name)!r}; expected a list of numbers, one "
                "per component"
            )
        for at, value in enumerate(values):
            good = math.isfinite(value) and (value > 0 or name not in positive)
            if not good:
                expected = "a number above zero" if name in positive else "a finite number"
                raise ValueError(f"{kind}.{name}[{at}]: found {value}; expected {expected}")
        columns[name] = tuple(float(v) for v in values)
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{size} {name}" for name, size in sizes.items())
        raise ValueError(f"{kind}: found {found}; expected one of each per component")
    total = math.fsum(columns["weights"])
    if abs(total - 1) > WEIGHT_NOISE:
        raise ValueError(f"{kind}.weights: found a sum of {total:g}; expected 1")
    columns["weights"] = tuple(w / total for w in columns["weights"])
    for name, column in columns.items():
        object.__setattr__(record, name, column)


def _plain(values: Any) -> Any:
    """Return a number where one was asked for, an array where several were."""
    return float(values) if np.ndim(values) == 0 else values


def _words(family: str, weights: Numbers, *parameters: Numbers) -> str:
    parts = []
    for weight, *numbers in zip(weights, *parameters, strict=True):
        inside = ", ".join(f"{number:.4g}" for number in numbers)
        share = "" if len(weights) == 1 else f"{weight:.3g} "
        parts.append(f"{share}{family}({inside})")
    return " + ".join(parts)
