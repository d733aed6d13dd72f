"""The numerical heart of the repeated-measures model, for visits on a common grid.

Everything here is written in the part of NumPy that numba also compiles: the same lines run as they
stand, or compiled (:mod:`onearm.stats.repeated_measures.compiled`). To compile in seconds, they keep
to loops over scalars where little is computed, and elsewhere to :func:`multiply_into` and ufuncs with an
``out`` argument: assignments of arrays to slices, ``transpose`` with axes and array expressions take
numba long. For the same reason vectors that enter a product are matrices of one column or row.

Patients enter as *pseudo-patients*, grouped by the visits they have (:mod:`.patterns`): for pattern
``k`` the buffer ``z`` holds an array of shape (m, r_k, P), visits by pseudo-patients by columns, zero
where a visit is missing. The first p columns are the design, the last one is the response. Only
``count[k]`` knows how many patients stand behind them, so no cost below grows with their number.

Notation: ``W`` inverse covariance of a pattern, ``A = X'WX``, ``V_i`` derivative of the covariance to
its parameter i. The restricted log-likelihood, up to constants, is
-1/2 (sum log|Sigma| + log|A| + r'Wr). Derivatives follow Kenward and Roger (1997) and Jennrich and
Schluchter (1986).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Covariance structures by number, since compiled code compares numbers.
US, CS, AR1, TOEP, AD, CHOLESKY = 0, 1, 2, 3, 4, 5

CONVERGED, NO_ASCENT, TOO_MANY_STEPS, NO_START = 0, 1, 2, 3

# The smallest share of a visit's variance that the visits before it may leave unexplained.
SMALLEST_PIVOT = 1e-12


def multiply_into(a: Floats, b: Floats, out: Floats) -> None:
    """Matrix product into ``out``; compiled, small ones are loops (:mod:`.compiled` says why)."""
    np.dot(a, b, out)


def multiplied(a: Floats, b: Floats) -> Floats:
    """Matrix product."""
    out = np.empty((a.shape[0], b.shape[1]))
    multiply_into(a, b, out)
    return out


def inverse_factor(a: Floats) -> tuple[Floats, float, bool]:
    """Give the upper ``t`` with ``t t' = inverse(a)``, log|a|, and whether ``a`` is positive definite.

    A diagonal matrix before and after ``a`` changes neither the answer nor the accuracy.
    """
    n = a.shape[0]
    low = np.zeros((n, n))
    t = np.zeros((n, n))
    logdet = 0.0
    for j in range(n):
        pivot = a[j, j]
        for k in range(j):
            pivot -= low[j, k] * low[j, k]
        if not (pivot > SMALLEST_PIVOT * a[j, j]):
            return t, 0.0, False
        root = np.sqrt(pivot)
        low[j, j] = root
        logdet += 2.0 * np.log(root)
        for i in range(j + 1, n):
            rest = a[i, j]
            for k in range(j):
                rest -= low[i, k] * low[j, k]
            low[i, j] = rest / root
    for i in range(n):
        t[i, i] = 1.0 / low[i, i]
        for j in range(i):
            total = 0.0
            for k in range(j, i):
                total += low[i, k] * t[j, k]
            t[j, i] = -total * t[i, i]
    return t, logdet, True


def scaled_correlation(
    kind: int, heterogeneous: bool, theta: Floats, natural: bool, sigma: Floats, jac: Floats,
    hess: Floats,
) -> None:  # fmt: skip
    """Fill in covariance = SD x correlation x SD with its derivatives, in working or natural parameters.

    ``theta`` holds working parameters, those of R's mmrm: log SD (one, or one per visit), then each
    correlation as rho = theta / sqrt(1 + theta^2), or, in compound symmetry, as the logistic function
    stretched from -1/(m - 1), below which it is not positive definite, to 1. Derivatives are to
    these, or, when ``natural``, to variances and correlations (to variance and covariances, in which
    they are linear, for cs and toep). Shapes (m, m), (q, m*m), (q, q, m*m), zeros on entry.
    """
    q, m = theta.shape[0], sigma.shape[0]
    n_sd = m if heterogeneous else 1
    value = np.zeros(q)  # SDs, then correlations, with derivatives to their parameter
    first = np.ones(q)
    second = np.zeros(q)
    for i in range(q):
        x = theta[i]
        if i < n_sd:
            value[i] = np.exp(x)
            first[i] = 0.5 / value[i] if natural else value[i]
            second[i] = -0.25 / value[i] ** 3 if natural else value[i]
        elif kind == CS:
            lowest = -1.0 / (m - 1)
            rise = 1.0 / (1.0 + np.exp(-x))
            value[i] = lowest + (1.0 - lowest) * rise
            if not natural:
                first[i] = (1.0 - lowest) * rise * (1.0 - rise)
                second[i] = first[i] * (1.0 - 2.0 * rise)
        else:
            value[i] = x / np.sqrt(1.0 + x * x)
            if not natural:
                first[i] = (1.0 + x * x) ** -1.5
                second[i] = -3.0 * x * (1.0 + x * x) ** -2.5
    for a in range(m):
        for b in range(a, m):
            e = a * m + b
            ia = a if heterogeneous else 0
            ib = b if heterogeneous else 0
            sa, sb = value[ia], value[ib]
            lo, hi = correlated_by(kind, n_sd, a, b)
            r = product(kind, value, lo, hi, b - a, -1, -1)
            sigma[a, b] = sa * sb * r
            sigma[b, a] = sigma[a, b]
            jac[ia, e] += sb * r * first[ia]
            jac[ib, e] += sa * r * first[ib]
            hess[ia, ib, e] += r * first[ia] * first[ib]
            hess[ib, ia, e] += r * first[ia] * first[ib]
            hess[ia, ia, e] += sb * r * second[ia]
            hess[ib, ib, e] += sa * r * second[ib]
            for i in range(lo, hi):
                r1 = product(kind, value, lo, hi, b - a, i, -1)
                jac[i, e] = sa * sb * r1 * first[i]
                hess[i, i, e] = sa * sb * r1 * second[i]
                for j in range(lo, hi):
                    r2 = product(kind, value, lo, hi, b - a, i, j)
                    hess[i, j, e] += sa * sb * r2 * first[i] * first[j]
                by_a = sb * r1 * first[ia] * first[i]
                by_b = sa * r1 * first[ib] * first[i]
                hess[ia, i, e] += by_a
                hess[i, ia, e] += by_a
                hess[ib, i, e] += by_b
                hess[i, ib, e] += by_b
            for i in range(q):
                jac[i, b * m + a] = jac[i, e]
                for j in range(q):
                    hess[i, j, b * m + a] = hess[i, j, e]
    if natural and not heterogeneous and kind in (CS, TOEP):
        hess.fill(0.0)
        jac.fill(0.0)
        for a in range(m):
            for b in range(m):
                jac[min(abs(a - b), q - 1), a * m + b] = 1.0


def correlated_by(kind: int, n_sd: int, a: int, b: int) -> tuple[int, int]:
    """First and last-but-one position of the correlation parameters between visits a <= b."""
    if a == b:
        return n_sd, n_sd
    if kind == AD:
        return n_sd + a, n_sd + b
    if kind == TOEP:
        return n_sd + b - a - 1, n_sd + b - a
    return n_sd, n_sd + 1


def product(kind: int, value: Floats, lo: int, hi: int, lag: int, i: int, j: int) -> float:
    """The correlation of two visits, or its derivative to parameters ``i`` and ``j`` (-1: to none)."""
    if kind == AR1 and lag > 0:
        rho = value[lo]
        if i < 0:
            return float(rho**lag)
        if j < 0:
            return float(lag * rho ** (lag - 1))
        return float(lag * (lag - 1) * rho ** (lag - 2)) if lag > 1 else 0.0
    if i >= 0 and i == j:
        return 0.0
    result = 1.0
    for k in range(lo, hi):
        if k != i and k != j:
            result *= value[k]
    return result


def unstructured(theta: Floats, sigma: Floats, jac: Floats) -> None:
    """Fill in the covariance from its own elements (upper triangle, row by row), in which it is linear."""
    m = sigma.shape[0]
    i = 0
    for a in range(m):
        for b in range(a, m):
            sigma[a, b] = theta[i]
            sigma[b, a] = theta[i]
            jac[i, a * m + b] = 1.0
            jac[i, b * m + a] = 1.0
            i += 1


def log_cholesky(theta: Floats, sigma: Floats, jac: Floats, hess: Floats) -> None:
    """Fill in the covariance LL' from log d and unit lower-triangular l, L = diag(d) l.

    Parameters: log d_1..m, then l row by row below the diagonal: those of R's mmrm. A parameter
    moves one row ``a`` of L, by ``f``: the whole row (log d) or its element ``b`` by d (l). So its
    derivative of the covariance is L f in row and column ``a``.
    """
    q, m = theta.shape[0], sigma.shape[0]
    low = np.zeros((m, m))
    row = np.zeros(q, dtype=np.int64)
    col = np.zeros(q, dtype=np.int64)
    i = m
    for a in range(m):
        low[a, a] = np.exp(theta[a])
        row[a] = a
        col[a] = -1
        for b in range(a):
            low[a, b] = low[a, a] * theta[i]
            row[i] = a
            col[i] = b
            i += 1
    multiply_into(low, low.T, sigma)
    move = np.zeros((q, m))
    for i in range(q):
        a, b = row[i], col[i]
        for c in range(m):
            move[i, c] = sigma[a, c] if b < 0 else low[a, a] * low[c, b]
            jac[i, a * m + c] += move[i, c]
            jac[i, c * m + a] += move[i, c]
    for i in range(q):
        a, b = row[i], col[i]
        for j in range(i + 1):
            c, d = row[j], col[j]
            if b < 0:  # then d < 0 too, since log d come first
                both = sigma[a, c]
            elif d < 0:
                both = low[c, b] * low[a, a]
            else:
                both = low[a, a] * low[c, c] if b == d else 0.0
            hess[i, j, a * m + c] += both
            hess[i, j, c * m + a] += both
            if a == c and d < 0:
                # Second derivatives of L: d_a again for the whole row, or for the one element.
                for e in range(m):
                    hess[i, j, a * m + e] += move[i, e]
                    hess[i, j, e * m + a] += move[i, e]
            if i != j:
                np.positive(hess[i, j], hess[j, i])


def covariances(
    kind: int, heterogeneous: bool, theta: Floats, n_group: int, m: int, natural: bool
) -> tuple[Floats, Floats, Floats]:
    """Covariance, first and second derivatives of each group: (g, m, m), (g, q, m*m), (g, q, q, m*m)."""
    q = theta.shape[0] // n_group
    n_hess = 0 if kind == US else q
    sigma = np.zeros((n_group, m, m))
    jac = np.zeros((n_group, q, m * m))
    hess = np.zeros((n_group, n_hess, n_hess, m * m))
    for g in range(n_group):
        own = theta[g * q : (g + 1) * q]
        if kind == US:
            unstructured(own, sigma[g], jac[g])
        elif kind == CHOLESKY:
            log_cholesky(own, sigma[g], jac[g], hess[g])
        else:
            scaled_correlation(kind, heterogeneous, own, natural, sigma[g], jac[g], hess[g])
    return sigma, jac, hess


def weigh(
    z: Floats, off: Ints, seen: NDArray[np.bool_], count: Ints, group: Ints, sigma: Floats, p_all: int
) -> tuple[Floats, Floats, Floats, float, bool]:  # fmt: skip
    """Weight the data by the inverse covariance of their pattern.

    Returns the inverses (K, m, m), the weighted buffer, Z'WZ, the sum of log-determinants, and
    whether every covariance is positive definite.
    """
    n_pat, m = seen.shape
    inverse = np.zeros((n_pat, m, m))
    weighted = np.empty(z.shape[0])
    total = np.zeros((p_all, p_all))
    part = np.zeros((p_all, p_all))
    own = np.zeros((m, m))
    logdet = 0.0
    for k in range(n_pat):
        # A visit not seen is given variance one and no covariance: it changes nothing.
        for a in range(m):
            for b in range(m):
                own[a, b] = sigma[group[k], a, b] if seen[k, a] and seen[k, b] else 0.0
            if not seen[k, a]:
                own[a, a] = 1.0
        t, ld, ok = inverse_factor(own)
        if not ok:
            return inverse, weighted, total, 0.0, False
        logdet += count[k] * ld
        multiply_into(t, t.T, inverse[k])
        for a in range(m):
            if not seen[k, a]:
                inverse[k, a, a] = 0.0
        r = off[k + 1] - off[k]
        lo, hi = (off[k] - off[0]) * m * p_all, (off[k + 1] - off[0]) * m * p_all
        block, b_block = z[lo:hi], weighted[lo:hi]
        multiply_into(inverse[k], block.reshape(m, r * p_all), b_block.reshape(m, r * p_all))
        multiply_into(block.reshape(m * r, p_all).T, b_block.reshape(m * r, p_all), part)
        np.add(total, part, total)
    return inverse, weighted, total, logdet, True


def profile(total: Floats, logdet: float, reml: bool) -> tuple[float, Floats, Floats, bool]:
    """Log-likelihood (no constants), inverse factor of X'WX, coefficients; from Z'WZ."""
    p = total.shape[0] - 1
    t, ld, ok = inverse_factor(total[:p])
    beta = np.zeros(p)
    if not ok:
        return -np.inf, t, beta, False
    value = logdet + total[p, p] + (ld if reml else 0.0)
    for i in range(p):
        white = 0.0
        for j in range(i + 1):
            white += t[j, i] * total[j, p]
        value -= white * white
        for j in range(i + 1):
            beta[j] += t[j, i] * white
    return -0.5 * value, t, beta, np.isfinite(value)


def moments(
    weighted: Floats, off: Ints, count: Ints, first: Ints, inverse: Floats, t: Floats, beta: Floats,
    reml: bool,
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:  # fmt: skip
    """Sums over patients from which every derivative follows, in coordinates with X'WX = I.

    Per group, whose patterns ``first`` (g+1,) delimits: score (g, m*m, 1); tensors of the observed
    and expected information (g, m*m, m*m); minus x'WVWx as (g, m*m, p*p), where the pair (a, c) of
    visits holds the sum with (c, a); x'WVWr as (g, m*m, p). With them the whitened, weighted
    design as a buffer like ``weighted``, (m, r_k, p) for each pattern.
    """
    n_pat, m, _ = inverse.shape
    p, n_group, n, mm = t.shape[0], first.shape[0] - 1, off[-1] - off[0], m * m
    to_white = np.zeros((p + 1, p))
    np.positive(t, to_white[:p])
    to_resid = np.ones((p + 1, 1))
    for j in range(p):
        to_resid[j, 0] = -beta[j]
    white = np.empty(n * m * p)
    by_visit = np.empty((m, n, p))
    beside = np.empty(n * m * p)
    resid = np.empty((n, m))
    half = np.zeros((n_pat, mm))
    own = np.zeros((n_pat, mm))
    design = np.zeros((n_pat, mm))
    for k in range(n_pat):
        r = off[k + 1] - off[k]
        lo, hi = off[k] - off[0], off[k + 1] - off[0]
        b = weighted[lo * m * (p + 1) : hi * m * (p + 1)].reshape(m * r, p + 1)
        x = white[lo * m * p : hi * m * p].reshape(m * r, p)
        multiply_into(b, to_white, x)
        flat = np.empty((m * r, 1))
        multiply_into(b, to_resid, flat)
        u = flat.reshape(m, r)
        np.positive(u.T, resid[lo:hi])
        multiply_into(u, u.T, own[k].reshape(m, m))
        np.multiply(inverse[k], 0.5 * count[k], half[k].reshape(m, m))
        if reml:
            wide = x.reshape(m, r * p)
            multiply_into(wide, wide.T, design[k].reshape(m, m))
        for a in range(m):
            np.positive(x[a * r : (a + 1) * r], by_visit[a, lo:hi])
    np.add(own, design, own)
    observed = np.subtract(own, half)
    expected = np.subtract(half, design)
    np.subtract(observed, half, own)
    score = np.zeros((n_group, mm, 1))
    t_obs = np.zeros((n_group, mm, mm))
    t_exp = np.zeros((n_group, mm, mm))
    xx = np.zeros((n_group, mm, p * p))
    xr = np.zeros((n_group, mm, p))
    outer = np.zeros((mm, mm))
    for g in range(n_group):
        k0, k1 = first[g], first[g + 1]
        lo, hi = off[k0] - off[0], off[k1] - off[0]
        w = inverse[k0:k1].reshape(k1 - k0, mm)
        multiply_into(own[k0:k1].T, np.ones((k1 - k0, 1)), score[g])
        multiply_into(observed[k0:k1].T, w, outer)
        turn(outer, t_obs[g], m)
        multiply_into(expected[k0:k1].T, w, outer)
        turn(outer, t_exp[g], m)
        for a in range(m):
            one = by_visit[a, lo:hi]
            multiply_into(resid[lo:hi].T, one, xr[g, a * m : (a + 1) * m])
            later = (m - a) * p  # the columns of this visit and those after it, side by side
            wide = beside[: (hi - lo) * later].reshape(hi - lo, later)
            for c in range(a, m):
                np.positive(by_visit[c, lo:hi], wide[:, (c - a) * p : (c - a + 1) * p])
            tiles = multiplied(one.T, wide)
            for c in range(a, m):
                half_if_same = -0.5 if a == c else -1.0
                for i in range(p):
                    for j in range(p):
                        xx[g, a * m + c, i * p + j] = half_if_same * (
                            tiles[i, (c - a) * p + j] + tiles[j, (c - a) * p + i]
                        )
    return score, t_obs, t_exp, xx, xr, white


def turn(outer: Floats, out: Floats, m: int) -> None:
    """Bring sum_k C[d,a] W[b,c], rows (d,a) by columns (b,c), to rows (a,b) by columns (c,d)."""
    np.positive(outer.reshape(m, m * m * m).T, out.reshape(m * m * m, m))


def assemble(
    jac: Floats, hess: Floats, score: Floats, t_obs: Floats, t_exp: Floats, xx: Floats, xr: Floats,
    reml: bool,
) -> tuple[Floats, Floats, Floats, Floats]:  # fmt: skip
    """Score, observed and expected information of the parameters, and the derivatives of X'WX.

    ``jac`` (g, q, m*m), ``hess`` (g, q, q, m*m), empty where the covariance is linear. The last
    result, (g*q, p*p), is dA/dtheta in coordinates with A = I.
    """
    n_group, q, mm = jac.shape
    size = n_group * q
    gradient = np.zeros((size, 1))
    observed = np.zeros((size, size))
    expected = np.zeros((size, size))
    slope = np.zeros((size, xx.shape[2]))
    lean = np.zeros((size, xr.shape[2]))
    block = np.zeros((q, q))
    for g in range(n_group):
        lo, hi = g * q, (g + 1) * q
        j = jac[g]
        multiply_into(j, score[g], gradient[lo:hi])
        multiply_into(j, xx[g], slope[lo:hi])
        multiply_into(j, xr[g], lean[lo:hi])
        multiply_into(multiplied(j, t_exp[g]), j.T, block)
        np.positive(block, expected[lo:hi, lo:hi])
        multiply_into(multiplied(j, t_obs[g]), j.T, block)
        if hess.shape[1] > 0:
            bend = multiplied(hess[g].reshape(q * q, mm), score[g]).reshape(q, q)
            np.multiply(bend, -0.5, bend)
            np.add(block, bend, block)
        np.positive(block, observed[lo:hi, lo:hi])
    np.subtract(observed, multiplied(lean, lean.T), observed)
    if reml:
        traces = multiplied(slope, slope.T)
        np.multiply(traces, 0.5, traces)
        np.subtract(observed, traces, observed)
        np.add(expected, traces, expected)
    np.multiply(gradient, 0.5, gradient)
    return gradient.reshape(size), symmetric(observed), symmetric(expected), slope


def symmetric(a: Floats) -> Floats:
    """The mean of a matrix and its transpose."""
    both = np.add(a, a.T)
    np.multiply(both, 0.5, both)
    return both


def solve_positive(matrix: Floats, vector: Floats) -> tuple[Floats, bool]:
    """Solve a positive definite system; zeros and False where it is not."""
    t, _, ok = inverse_factor(matrix)
    result = np.zeros(vector.shape[0])
    if ok:
        for i in range(vector.shape[0]):
            white = 0.0
            for j in range(i + 1):
                white += t[j, i] * vector[j]
            for j in range(i + 1):
                result[j] += t[j, i] * white
    return result, ok


def ascent(
    gradient: Floats, observed: Floats, expected: Floats, far: bool
) -> tuple[Floats, bool, bool]:
    """Newton's step where the observed information allows it, else one from a mean or the expected.

    ``far`` from the maximum the expected information comes first: it is always positive definite,
    and with complete data it leads there in one step. Returns the step, whether it is Newton's
    own, and whether there is one.
    """
    step, ok = solve_positive(expected if far else observed, gradient)
    newton = ok and not far
    mean = np.add(observed, expected)
    np.multiply(mean, 0.5, mean)
    for attempt in range(2):
        if not ok:
            step, ok = solve_positive(mean if attempt == 0 else expected, gradient)
    return step, newton, ok


def inverse_information(information: Floats) -> tuple[Floats, bool]:
    """Covariance of the parameters, or zeros and False where the information is not positive."""
    t, _, ok = inverse_factor(information)
    return multiplied(t, t.T), ok


def small_sample(
    white: Floats, off: Ints, first: Ints, inverse: Floats, jac: Floats, hess: Floats, slope: Floats,
    spread: Floats, p: int, linear: bool,
) -> Floats:  # fmt: skip
    """Sum of Kenward and Roger's Q, P and R terms over the covariance ``spread`` of the parameters.

    Gives the (p, p) matrix whose double, in coordinates with X'WX = I, is added to the covariance
    of the coefficients; ``linear`` leaves out R, the second derivatives.
    """
    n_pat, m, _ = inverse.shape
    n_group, q, mm = jac.shape
    size = n_group * q
    middle = np.zeros((n_pat, mm))
    between = np.zeros((mm, mm))
    own = np.zeros((q, q))
    for g in range(n_group):
        k0, k1 = first[g], first[g + 1]
        np.positive(spread[g * q : (g + 1) * q, g * q : (g + 1) * q], own)
        # Rows (a,b), columns (c,d) become rows (b,c), columns (d,a), to meet the inverse at (b,c).
        turn(multiplied(multiplied(jac[g].T, own), jac[g]), between, m)
        multiply_into(inverse[k0:k1].reshape(k1 - k0, mm), between, middle[k0:k1])
        if hess.shape[1] > 0 and not linear:
            bend = multiplied(own.reshape(1, q * q), hess[g].reshape(q * q, mm))
            np.multiply(bend, 0.25, bend)
            np.subtract(middle[k0:k1], bend, middle[k0:k1])
    part = np.zeros((p, p))
    mixed = multiplied(spread, slope).reshape(size * p, p)
    result = np.zeros((p, p))
    multiply_into(slope.reshape(size * p, p).T, mixed, part)
    np.subtract(result, part, result)
    for k in range(n_pat):
        r = off[k + 1] - off[k]
        x = white[(off[k] - off[0]) * m * p : (off[k + 1] - off[0]) * m * p]
        bent = multiplied(middle[k].reshape(m, m), x.reshape(m, r * p)).reshape(m * r, p)
        multiply_into(x.reshape(m * r, p).T, bent, part)
        np.add(result, part, result)
    return symmetric(result)


def degrees_of_freedom(rows: Floats, slope: Floats, spread: Floats) -> Floats:
    """Satterthwaite's degrees of freedom 2 v^2 / (d' spread d) of each row, with v its variance.

    ``rows`` (c, p) in coordinates with X'WX = I, so v is the squared length and d its derivative.
    """
    n, p = rows.shape
    square = np.zeros((p * p, n))
    result = np.zeros(n)
    for i in range(n):
        for j in range(p):
            result[i] += rows[i, j] * rows[i, j]
            for k in range(p):
                square[j * p + k, i] = rows[i, j] * rows[i, k]
    change = multiplied(slope, square)
    spreading = multiplied(spread, change)
    for i in range(n):
        total = 0.0
        for j in range(slope.shape[0]):
            total += change[j, i] * spreading[j, i]
        result[i] = 2.0 * result[i] * result[i] / total
    return result


def to_log_cholesky(sigma: Floats) -> Floats:
    """Parameters of :func:`log_cholesky` of a positive definite matrix."""
    m = sigma.shape[0]
    theta = np.zeros(m * (m + 1) // 2)
    low = np.zeros((m, m))
    i = m
    for a in range(m):
        for b in range(a + 1):
            rest = sigma[a, b]
            for c in range(b):
                rest -= low[a, c] * low[b, c]
            low[a, b] = rest / low[b, b] if b < a else np.sqrt(rest)
        theta[a] = np.log(low[a, a])
        for b in range(a):
            theta[i] = low[a, b] / low[a, a]
            i += 1
    return theta


def groups(group: Ints, n_group: int) -> Ints:
    """First pattern of each group, and one past the last (g+1,); patterns come group by group."""
    first = np.zeros(n_group + 1, dtype=np.int64)
    for k in range(group.shape[0]):
        first[group[k] + 1] = k + 1
    for g in range(n_group):  # a group without patients
        first[g + 1] = max(first[g], first[g + 1])
    return first


def towards_diagonal(theta: Floats, n_group: int, m: int) -> None:
    """Halve the covariances of an unstructured start that is not positive definite."""
    i = 0
    for _ in range(n_group):
        for a in range(m):
            for b in range(a, m):
                if b > a:
                    theta[i] *= 0.5
                i += 1


def scaled_back(step: Floats, longest: float) -> float:
    """Shorten a step whose largest element exceeds ``longest``; gives the factor."""
    largest = 0.0
    for i in range(step.shape[0]):
        largest = max(largest, abs(step[i]))
    if largest <= longest:
        return 1.0
    factor = longest / largest
    for i in range(step.shape[0]):
        step[i] *= factor
    return factor


def solve(
    z: Floats, off: Ints, seen: NDArray[np.bool_], count: Ints, group: Ints, first_pattern: Ints,
    n_group: int, p: int, kind: int, heterogeneous: bool, final_kind: int, natural: bool, reml: bool,
    linear: bool, use_expected: bool, max_steps: int, rows: Floats, theta: Floats, value: Floats,
    gain: Floats, steps: Ints, status: Ints, beta: Floats, factor: Floats, sigma: Floats,
    observed: Floats, expected: Floats, slope: Floats, adjustment: Floats, spread: Floats,
    df_observed: Floats, df_expected: Floats,
) -> None:  # fmt: skip
    """Fit each of S data sets from its start in ``theta`` (S, q), which is overwritten, as is the rest.

    ``first_pattern`` (S+1,) delimits the patterns of each data set. At the maximum the
    derivatives are taken once more in the parameters of ``final_kind`` and ``natural``.
    ``rows`` (S, c, p) are the contrasts whose degrees of freedom are wanted, in the
    coordinates of the design in ``z``. Outputs, by data set: log-likelihood without constants,
    squared length of the last step in units of the information, number of steps, status,
    coefficients, t with t t' = inverse(X'WX), covariance of each group, both informations,
    dA/dtheta with A = I, the Kenward-Roger sum, covariance of the parameters, degrees of freedom.
    """
    m, n_theta = seen.shape[1], theta.shape[1]
    q = n_theta // n_group
    trial, step = np.zeros(n_theta), np.zeros(n_theta)
    for s in range(theta.shape[0]):
        k0, k1 = first_pattern[s], first_pattern[s + 1]
        one_off, one_count, one_group = off[k0 : k1 + 1], count[k0:k1], group[k0:k1]
        one_z = z[off[k0] * m * (p + 1) : off[k1] * m * (p + 1)]
        first = groups(one_group, n_group)
        current = theta[s].copy()
        step.fill(0.0)
        best, expected_gain, last, share = -np.inf, 0.0, np.inf, 1.0
        used, state, final, this_kind = 0, NO_START, False, kind
        newton, squares = False, False
        while True:
            for i in range(n_theta):
                trial[i] = current[i] + share * step[i]
            cov, jac, hess = covariances(
                this_kind, heterogeneous, trial, n_group, m, natural and final
            )
            inverse, weighted, total, logdet, ok = weigh(
                one_z, one_off, seen[k0:k1], one_count, one_group, cov, p + 1
            )
            now, t, b, ok_design = profile(total, logdet, reml)
            slack = 1e-11 * (1.0 + abs(best))
            too_low = not final and now < best + 1e-4 * share * expected_gain - slack
            if not ok or not ok_design or too_low:
                share *= 0.5
                if best == -np.inf and kind == US and share > 1e-9:
                    towards_diagonal(current, n_group, m)
                elif best == -np.inf or final or share < 1e-9:
                    state = NO_START if best == -np.inf else NO_ASCENT
                    break
                continue
            squares = newton and share == 1.0  # from a whole Newton step to this one
            best, share = now, 1.0
            np.positive(trial, current)
            score, t_obs, t_exp, xx, xr, white = moments(
                weighted, one_off, one_count, first, inverse, t, b, reml
            )
            gradient, obs, exp, bent = assemble(jac, hess, score, t_obs, t_exp, xx, xr, reml)
            if final:
                break
            step, newton, ok = ascent(gradient, obs, exp, last > 1.0)
            expected_gain = 0.0
            for i in range(n_theta):
                expected_gain += gradient[i] * step[i]
            if not ok or not np.isfinite(expected_gain):
                state = NO_ASCENT
                break
            # Newton's error squares at each step, so that two steps tell what a third would gain:
            # below 1e-20 nothing is left but rounding.
            small = expected_gain < 1e-11
            next_gain = expected_gain * (expected_gain / last) ** 2 if squares else 1.0
            done = next_gain < 1e-20 and expected_gain < 1e-6
            if newton and (done or expected_gain < 1e-17 or (small and expected_gain > 0.1 * last)):
                state, last, final = CONVERGED, expected_gain, True
                for i in range(n_theta):
                    current[i] += step[i]
                np.positive(current, theta[s])
                if final_kind != kind:
                    cov = covariances(kind, heterogeneous, current, n_group, m, False)[0]
                    for g in range(n_group):
                        np.positive(to_log_cholesky(cov[g]), current[g * q : (g + 1) * q])
                    this_kind = final_kind
                step.fill(0.0)
                continue
            if used == max_steps:
                state = TOO_MANY_STEPS
                break
            if kind != US:
                expected_gain *= scaled_back(step, 1.5)
            last = expected_gain
            used += 1
        if state == CONVERGED:
            inv_obs, ok = inverse_information(obs)
            inv_exp, ok_exp = inverse_information(exp)
            mine = inv_exp if use_expected else inv_obs
            own = multiplied(rows[s], t)
            np.positive(degrees_of_freedom(own, bent, inv_obs), df_observed[s])
            np.positive(degrees_of_freedom(own, bent, inv_exp), df_expected[s])
            np.positive(
                small_sample(white, one_off, first, inverse, jac, hess, bent, mine, p, linear),
                adjustment[s],
            )
            np.positive(b, beta[s])
            np.positive(t, factor[s])
            np.positive(cov, sigma[s])
            np.positive(obs, observed[s])
            np.positive(exp, expected[s])
            np.positive(bent, slope[s])
            np.positive(mine, spread[s])
            if not (ok and ok_exp):
                state = NO_ASCENT
        else:
            np.positive(current, theta[s])
        value[s], gain[s], steps[s], status[s] = best, last, used, state
