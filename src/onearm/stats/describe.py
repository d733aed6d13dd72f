"""Summary of one measure at one time: what a baseline table prints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import FloatArray, mean_and_sd, to_floats


@dataclass(frozen=True)
class Description:
    """Count and summary of the values that are there; None where there are too few.

    ``n`` counts values, ``n_missing`` the patients without one. ``sd`` divides by n - 1 and needs
    two values. ``q1``, ``median`` and ``q3`` are quantiles of type 2: the average of two
    neighbours where the share falls exactly between them, as SAS does by default (PCTLDEF=5) and R
    with ``type = 2``; R's own default (type 7) and Excel differ.
    """

    n: int
    n_missing: int
    mean: float | None
    sd: float | None
    median: float | None
    minimum: float | None
    maximum: float | None
    q1: float | None
    q3: float | None


def describe(x: npt.ArrayLike) -> Description:
    """Summarise one value per patient.

    Parameters
    ----------
    x
        Values in any one unit; NaN and None are patients whose value is missing. May be empty.

    Returns
    -------
    Description

    Raises
    ------
    ValueError
        If a value is infinite or not a number at all.

    References
    ----------
    Hyndman RJ, Fan Y (1996) Am Stat 50:361-365 (quantile definition 2).

    Examples
    --------
    >>> summary = describe([18, 16, 20, None, 12])
    >>> summary.n, summary.n_missing, summary.median, summary.q1
    (4, 1, 17.0, 14.0)
    """
    values = to_floats(x, "x")
    present = np.sort(values[~np.isnan(values)])
    if np.any(np.isinf(present)):
        raise ValueError("x: found an infinite value; expected finite numbers, None where missing")
    n = int(present.size)
    missing = int(values.size) - n
    if n == 0:
        return Description(0, missing, None, None, None, None, None, None, None)
    mean, sd = mean_and_sd(present) if n > 1 else (float(present[0]), None)
    return Description(
        n=n,
        n_missing=missing,
        mean=mean,
        sd=sd,
        median=_quantile(present, 1, 2),
        minimum=float(present[0]),
        maximum=float(present[-1]),
        q1=_quantile(present, 1, 4),
        q3=_quantile(present, 3, 4),
    )


def _quantile(ordered: FloatArray, numerator: int, denominator: int) -> float:
    """Return the type 2 quantile at a share given as a fraction, so that no rounding decides."""
    whole, rest = divmod(ordered.size * numerator, denominator)
    if rest:
        return float(ordered[whole])
    return float((ordered[whole - 1] + ordered[whole]) / 2)
