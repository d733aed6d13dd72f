"""Bootstrap intervals of any statistic of paired differences, by scipy."""

from __future__ import annotations

import math
import warnings

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import as_differences, check_level, decimal_multiples
from onearm.stats.effect_size import Effect
from onearm.stats.proportion import whole_number
from onearm.stats.sign_flip import Statistic, StatisticOfRows

#: scipy is given rows of resamples in blocks of this many numbers.
BLOCK = 2**20


def bootstrap_bca(
    diff: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    statistic: Statistic = np.mean,
    conf_level: float = 0.95,
    resamples: int = 9_999,
) -> Effect:
    """Give a statistic of the differences with its BCa bootstrap interval.

    Parameters
    ----------
    diff
        After minus before, one number per patient, any unit. At least two, no missing values.
    rng
        Random generator; the same one gives the same interval.
    statistic
        A function of the differences, by default their mean. One with a parameter ``axis`` is
        called as ``statistic(rows, axis=1)`` and returns one number for each row; one without is
        called with one row at a time and returns a number.
    conf_level
        Level of the interval.
    resamples
        Bootstrap samples to draw.

    Returns
    -------
    Effect
        Bias-corrected and accelerated (BCa) limits. ``lower`` and ``upper`` are None, and
        ``method`` says why, where they are not defined: all differences are equal, or the
        statistic is the same, or on one side of its estimate, in every sample.

    Raises
    ------
    ValueError
        If there are fewer than two differences, they are not finite numbers, the statistic does
        not give one finite number for every sample, or ``rng`` is no generator.

    Notes
    -----
    With few patients the bootstrap interval is too narrow: it knows no change beyond those seen.
    ``docs/methods/bootstrap_bca.md`` shows by how much. Prefer the interval of
    :func:`onearm.stats.hodges_lehmann` or :func:`onearm.stats.paired_t` below about 20 patients.

    References
    ----------
    Efron B (1987) J Am Stat Assoc 82:171-185. Computed by ``scipy.stats.bootstrap``.

    Examples
    --------
    >>> change = [-8, -6, -4, -4, -2, -2, 0, -4, -2]
    >>> found = bootstrap_bca(change, rng=np.random.default_rng(20181230))
    >>> round(found.estimate, 2), round(found.lower), round(found.upper)
    (-3.56, -5, -2)
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    check_level(conf_level)
    draws = whole_number(resamples, "resamples", least=1)
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"rng: found {rng!r}; expected a generator, such as numpy.random.default_rng(seed)"
        )
    values = as_differences(diff, least=2)
    of_rows = StatisticOfRows(statistic)
    estimate = float(of_rows(values[None, :])[0])
    multiples = decimal_multiples(values).multiples
    if np.all(multiples == multiples[0]):
        reason = f"no interval: all {values.size} differences are {values[0]:.6g}"
        return Effect(estimate, None, None, conf_level, int(values.size), reason)

    def along(rows: npt.NDArray[np.float64], axis: int = -1) -> npt.NDArray[np.float64]:
        rows = np.moveaxis(rows, axis, -1)
        flat = of_rows(rows.reshape(-1, rows.shape[-1]))
        shaped: npt.NDArray[np.float64] = flat.reshape(rows.shape[:-1])
        return shaped

    with warnings.catch_warnings():
        # scipy's words are about arrays; where it warns its limits are NaN, and we say why.
        warnings.simplefilter("ignore", DegenerateDataWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        found = bootstrap(
            (values,),
            along,
            vectorized=True,
            batch=max(1, BLOCK // values.size),
            n_resamples=draws,
            confidence_level=conf_level,
            method="BCa",
            rng=rng,
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    if math.isnan(low) or math.isnan(high):
        reason = (
            "no interval: the statistic is the same, or on one side of its estimate, "
            "in every bootstrap sample"
        )
        return Effect(estimate, None, None, conf_level, int(values.size), reason)
    method = f"BCa bootstrap, {draws} samples"
    return Effect(estimate, low, high, conf_level, int(values.size), method)
