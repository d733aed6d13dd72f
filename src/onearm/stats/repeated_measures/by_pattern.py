"""The same likelihood with a covariance of its own for each pattern: unequal times, very many visits.

:mod:`.kernels` keeps sums over pairs of visits of a common grid; here each pattern of visit times
has its own covariance, a function of few parameters, and the sums are kept by parameter. All
patterns are worked at once in NumPy, so cost and memory grow with patterns x visits^2 x parameters^2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures import kernels
from onearm.stats.repeated_measures.patterns import Squeezed
from onearm.stats.repeated_measures.structures import Structure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Covariance (K, m, m) of each pattern with derivatives (K, q, m, m) and (K, q, q, m, m).
Covariances = tuple[Floats, Floats, Floats]


@dataclass(frozen=True)
class Point:
    """Likelihood and derivatives at one value of the parameters, in coordinates with X'WX = I."""

    value: float
    beta: Floats
    factor: Floats
    gradient: Floats
    observed: Floats
    expected: Floats
    slope: Floats
    inverse: Floats
    white: Floats


@dataclass(frozen=True)
class Rows:
    """Pseudo-patients (N, m, P), the pattern of each, and the patients behind each pattern."""

    z: Floats
    pattern: Ints
    first: Ints
    count: Floats


def unpack(squeezed: Squeezed) -> Rows:
    """Bring the kernels' buffer to pseudo-patients by visits by columns."""
    m = squeezed.seen.shape[1]
    p_all = len(squeezed.kept) + 1
    sizes = np.diff(squeezed.off)
    if np.all(sizes == 1):
        z = squeezed.z.reshape(-1, m, p_all)
    else:
        parts = np.split(squeezed.z, squeezed.off[1:-1] * m * p_all)
        z = np.concatenate([part.reshape(m, -1, p_all).transpose(1, 0, 2) for part in parts])
    return Rows(
        z, np.repeat(np.arange(len(sizes)), sizes), squeezed.off[:-1], squeezed.count.astype(float)
    )


def spatial_covariances(
    structure: Structure,
    theta: Floats,
    distance: Floats,
    seen: NDArray[np.bool_],
    group: Ints,
    natural: bool,
) -> Covariances:
    """Variance x rho^distance (sp_exp) or variance x rho^(distance^2) (sp_gau) of each pattern.

    Working parameters of a group: log variance and logit rho. Natural ones, in which Kenward and
    Roger's second derivatives are taken, as in SAS: variance and range, with rho = exp(-1/range)
    or exp(-1/range^2). Visits not seen have variance one and no
    derivative.
    """
    n_pat, m = seen.shape
    power = distance if structure.name == "sp_exp" else distance**2
    variance, x = np.exp(theta[0::2])[group], theta[1::2][group]
    rho = 1.0 / (1.0 + np.exp(-x))
    both = seen[:, :, None] & seen[:, None, :]
    v, r = variance[:, None, None], rho[:, None, None]
    corr = np.where(both, r**power, 0.0)
    d1 = corr * power / r
    d2 = corr * power * (power - 1.0) / r**2
    if natural:
        u = -np.log(r)
        if structure.name == "sp_exp":  # u = 1/range
            slope, curve = r * u**2, r * (u**4 - 2.0 * u**3)
        else:  # u = 1/range^2
            slope, curve = 2.0 * r * u**1.5, r * (4.0 * u**3 - 6.0 * u**2)
        firsts, bends = (np.ones_like(v), slope), (np.zeros_like(v), curve)
    else:
        slope = r * (1.0 - r)
        firsts, bends = (v, slope), (v, slope * (1.0 - 2.0 * r))
    sigma = np.where(both, v * corr, np.eye(m))
    q = len(theta)
    jac = np.zeros((n_pat, q, m, m))
    hess = np.zeros((n_pat, q, q, m, m))
    k = np.arange(n_pat)
    i, j = 2 * group, 2 * group + 1
    jac[k, i], jac[k, j] = corr * firsts[0], v * d1 * firsts[1]
    hess[k, i, i] = corr * bends[0]
    hess[k, j, j] = v * (d2 * firsts[1] ** 2 + d1 * bends[1])
    hess[k, i, j] = hess[k, j, i] = d1 * firsts[0] * firsts[1]
    return sigma, jac, hess


def grid_covariances(
    structure: Structure,
    theta: Floats,
    seen: NDArray[np.bool_],
    group: Ints,
    n_group: int,
    natural: bool,
) -> Covariances:
    """Covariance of each pattern as part of one between all visits of a grid."""
    n_pat, m = seen.shape
    sigma, jac, hess = kernels.covariances(
        structure.kind, structure.heterogeneous, theta, n_group, m, natural
    )
    q = jac.shape[1]
    both = seen[:, :, None] & seen[:, None, :]
    every = np.where(both, sigma[group], np.eye(m))
    all_jac = np.zeros((n_pat, n_group, q, m, m))
    all_hess = np.zeros((n_pat, n_group, q, n_group, q, m, m))
    k = np.arange(n_pat)
    all_jac[k, group] = jac.reshape(n_group, q, m, m)[group] * both[:, None]
    if hess.shape[1]:
        all_hess[k, group, :, group] = (
            hess.reshape(n_group, q, q, m, m)[group] * both[:, None, None]
        )
    size = n_group * q
    return every, all_jac.reshape(n_pat, size, m, m), all_hess.reshape(n_pat, size, size, m, m)


def evaluate(rows: Rows, cov: Covariances, reml: bool) -> Point | None:
    """Likelihood, score and informations; None where a covariance is not positive definite."""
    sigma, jac, hess = cov
    try:
        low = np.linalg.cholesky(sigma)
    except np.linalg.LinAlgError:
        return None
    diagonal = np.diagonal(low, axis1=1, axis2=2)
    variances = np.diagonal(sigma, axis1=1, axis2=2)
    if not np.all(diagonal**2 > kernels.SMALLEST_PIVOT * variances):
        return None
    inverse = np.linalg.inv(sigma)
    inverse = 0.5 * (inverse + inverse.transpose(0, 2, 1))
    logdet = float(rows.count @ (2.0 * np.log(diagonal).sum(axis=1)))
    weighted = inverse[rows.pattern] @ rows.z
    p_all = rows.z.shape[2]
    total = rows.z.reshape(-1, p_all).T @ weighted.reshape(-1, p_all)
    value, factor, beta, ok = kernels.profile(total, logdet, reml)
    if not ok:
        return None
    white = weighted[:, :, :-1] @ factor
    resid = weighted @ np.append(-beta, 1.0)
    own = np.add.reduceat(resid[:, :, None] * resid[:, None, :], rows.first)
    design = np.add.reduceat(white @ white.transpose(0, 2, 1), rows.first) if reml else 0.0
    n_w = rows.count[:, None, None] * inverse
    score = own + design - n_w
    left = jac @ inverse[:, None]

    bent = jac[rows.pattern] @ white[:, None]
    slope = -np.einsum("nap,niaq->ipq", white, bent, optimize=True)
    lean = np.einsum("niap,na->ip", bent, resid, optimize=True)
    size = slope.shape[0]
    flat = slope.reshape(size, -1)
    observed = _traces(own + design - 0.5 * n_w, left, jac) - lean @ lean.T
    observed -= 0.5 * np.einsum("kab,kijab->ij", score, hess, optimize=True)
    expected = _traces(0.5 * n_w - design, left, jac)
    if reml:
        traces = 0.5 * flat @ flat.T
        observed, expected = observed - traces, expected + traces
    return Point(
        value=value,
        beta=beta,
        factor=factor,
        gradient=0.5 * np.einsum("kab,kiab->i", score, jac, optimize=True),
        observed=0.5 * (observed + observed.T),
        expected=0.5 * (expected + expected.T),
        slope=flat,
        inverse=inverse,
        white=white,
    )


def _traces(middle: Floats, left: Floats, jac: Floats) -> Floats:
    """Sum over patterns of tr(M V_i W V_j): (q, q); ``left`` holds V_i W."""
    first = middle[:, None] @ left
    q = jac.shape[1]
    total: Floats = np.tensordot(
        first.transpose(1, 0, 2, 3).reshape(q, -1), jac.transpose(0, 3, 2, 1).reshape(-1, q), axes=1
    )
    return total


def climb(
    rows: Rows,
    covariances: Callable[[Floats, bool], Covariances],
    theta: Floats,
    reml: bool,
    max_steps: int,
) -> tuple[Floats, float, float, int, int]:
    """Newton's method as in :func:`.kernels.solve`: parameters, value, last gain, steps, status."""
    point = evaluate(rows, covariances(theta, False), reml)
    if point is None:
        return theta, -np.inf, np.inf, 0, kernels.NO_START
    last = np.inf
    for used in range(max_steps + 1):
        step, newton, ok = kernels.ascent(
            point.gradient, point.observed, point.expected, last > 1.0
        )
        gain = float(point.gradient @ step)
        if not ok or not np.isfinite(gain):
            return theta, point.value, last, used, kernels.NO_ASCENT
        if newton and (gain < 1e-17 or (gain < 1e-11 and gain > 0.1 * last)):
            last_step = evaluate(rows, covariances(theta + step, False), reml)
            theta = theta if last_step is None else theta + step
            return theta, point.value, gain, used, kernels.CONVERGED
        longest = np.max(np.abs(step))
        if longest > 1.5:
            step, gain = step * (1.5 / longest), gain * (1.5 / longest)
        last, share = gain, 1.0
        while share > 1e-9:
            new = evaluate(rows, covariances(theta + share * step, False), reml)
            slack = 1e-11 * (1.0 + abs(point.value))
            if new is not None and new.value >= point.value + 1e-4 * share * gain - slack:
                break
            share *= 0.5
        else:
            return theta, point.value, gain, used, kernels.NO_ASCENT
        theta, point = theta + share * step, new
    return theta, point.value, last, max_steps, kernels.TOO_MANY_STEPS


def small_sample(
    rows: Rows, cov: Covariances, point: Point, spread: Floats, linear: bool
) -> Floats:
    """Kenward and Roger's sum of Q, P and R terms: (p, p), as :func:`.kernels.small_sample`."""
    _, jac, hess = cov
    right = np.tensordot(jac, spread, axes=(1, 0)).transpose(0, 3, 1, 2)
    middle = ((jac @ point.inverse[:, None]) @ right).sum(axis=1)
    if not linear:
        middle = middle - 0.25 * np.einsum("ij,kijab->kab", spread, hess, optimize=True)
    bent = middle[rows.pattern] @ point.white
    result = np.einsum("nap,naq->pq", point.white, bent, optimize=True)
    p = result.shape[0]
    slope = point.slope.reshape(-1, p, p)
    mixed = np.tensordot(spread, slope, axes=1)
    result = result - np.einsum("ipr,irq->pq", slope, mixed, optimize=True)
    return np.asarray(0.5 * (result + result.T))
