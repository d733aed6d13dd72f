"""The numerical heart of the repeated-measures model, for visits on a common grid.

Everything here is written in the part of NumPy that numba also compiles: the same lines run as they
stand, or compiled (:mod:`onearm.stats.repeated_measures.compiled`).

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

# Covariance structures by number, since compiled code compares numbers.
US, CS, AR1, TOEP, AD, CHOLESKY = 0, 1, 2, 3, 4, 5

CONVERGED, NO_ASCENT, TOO_MANY_STEPS, NO_START = 0, 1, 2, 3

# The smallest share of a visit's variance that the visits before it may leave unexplained.
SMALLEST_PIVOT = 1e-12


def inverse_factor(a):
    """Give the upper ``t`` with ``t t' = inverse(a)``, log|a|, and whether ``a`` is positive definite."""
    n = a.shape[0]
    low = np.zeros((n, n))
    t = np.zeros((n, n))
    logdet = 0.0
    for j in range(n):
        pivot = a[j, j] - np.dot(low[j, :j], low[j, :j])
        if not (pivot > SMALLEST_PIVOT * a[j, j]):
            return t, 0.0, False
        root = np.sqrt(pivot)
        low[j, j] = root
        logdet += 2.0 * np.log(root)
        for i in range(j + 1, n):
            low[i, j] = (a[i, j] - np.dot(low[i, :j], low[j, :j])) / root
    for i in range(n):
        t[i, i] = 1.0 / low[i, i]
        for j in range(i):
            t[j, i] = -np.dot(low[i, j:i], t[j, j:i]) * t[i, i]
    return t, logdet, True


def scaled_correlation(kind, heterogeneous, theta, m, natural):
    """Covariance = SD x correlation x SD with its derivatives, in working or natural parameters.

    ``theta`` holds working parameters, those of R's mmrm: log SD (one, or one per visit), then each
    correlation as rho = theta / sqrt(1 + theta^2), or, in compound symmetry, as the logistic function
    stretched from -1/(m - 1), below which it is not positive definite, to 1. Derivatives are to these, or, when ``natural``, to variances
    and correlations (to variance and covariances, in which they are linear, for cs and toep).
    Shapes (m, m), (q, m*m), (q, q, m*m).
    """
    q = theta.shape[0]
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
    sigma = np.zeros((m, m))
    jac = np.zeros((q, m * m))
    hess = np.zeros((q, q, m * m))
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
    if natural and not heterogeneous and (kind == CS or kind == TOEP):
        hess[:] = 0.0
        jac[:] = 0.0
        for a in range(m):
            for b in range(m):
                jac[min(abs(a - b), q - 1), a * m + b] = 1.0
    return sigma, jac, hess


def correlated_by(kind, n_sd, a, b):
    """First and last-but-one position of the correlation parameters between visits a <= b."""
    if a == b:
        return n_sd, n_sd
    if kind == AD:
        return n_sd + a, n_sd + b
    if kind == TOEP:
        return n_sd + b - a - 1, n_sd + b - a
    return n_sd, n_sd + 1


def product(kind, value, lo, hi, lag, i, j):
    """The correlation of two visits, or its derivative to parameters ``i`` and ``j`` (-1: to none)."""
    if kind == AR1 and lag > 0:
        rho = value[lo]
        if i < 0:
            return rho**lag
        if j < 0:
            return lag * rho ** (lag - 1)
        return lag * (lag - 1) * rho ** (lag - 2) if lag > 1 else 0.0
    if i >= 0 and i == j:
        return 0.0
    result = 1.0
    for k in range(lo, hi):
        if k != i and k != j:
            result *= value[k]
    return result


def unstructured(theta, m):
    """The covariance from its own elements (upper triangle, row by row), in which it is linear."""
    sigma = np.zeros((m, m))
    jac = np.zeros((theta.shape[0], m * m))
    i = 0
    for a in range(m):
        for b in range(a, m):
            sigma[a, b] = theta[i]
            sigma[b, a] = theta[i]
            jac[i, a * m + b] = 1.0
            jac[i, b * m + a] = 1.0
            i += 1
    return sigma, jac, np.zeros((0, 0, m * m))


def log_cholesky(theta, m):
    """The covariance from log d and unit lower-triangular l, L = diag(d) l, with its derivatives.

    Parameters: log d_1..m, then l row by row below the diagonal: those of R's mmrm.
    """
    q = theta.shape[0]
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
    first = np.zeros((q, m, m))
    for i in range(q):
        a = row[i]
        if col[i] < 0:
            first[i, a] = low[a]
        else:
            first[i, a, col[i]] = low[a, a]
    sigma = np.dot(low, low.T)
    jac = np.zeros((q, m * m))
    hess = np.zeros((q, q, m * m))
    for i in range(q):
        half = np.dot(first[i], low.T)
        jac[i] = (half + half.T).reshape(m * m)
        for j in range(i + 1):
            both = np.dot(first[i], first[j].T)
            both = both + both.T
            if row[i] == row[j] and (col[i] < 0 or col[j] < 0):
                # Second derivatives of L: d_a again for the whole row, or for the one element.
                bent = np.dot(first[i] if col[i] >= 0 else first[j], low.T)
                both = both + bent + bent.T
            hess[i, j] = both.reshape(m * m)
            hess[j, i] = hess[i, j]
    return sigma, jac, hess


def structure(kind, heterogeneous, theta, m, natural):
    """Covariance of one group of patients with derivatives, by structure number."""
    if kind == US:
        return unstructured(theta, m)
    if kind == CHOLESKY:
        return log_cholesky(theta, m)
    return scaled_correlation(kind, heterogeneous, theta, m, natural)


def weigh(z, off, seen, count, group, sigma, p_all):
    """Weight the data by the inverse covariance of their pattern.

    Returns the inverses (K, m, m), the weighted buffer, Z'WZ, the sum of log-determinants, and
    whether every covariance is positive definite.
    """
    n_pat, m = seen.shape
    inverse = np.zeros((n_pat, m, m))
    weighted = np.empty_like(z)
    total = np.zeros((p_all, p_all))
    logdet = 0.0
    for k in range(n_pat):
        idx = np.nonzero(seen[k])[0]
        full = sigma[group[k]]
        part = np.empty((idx.shape[0], idx.shape[0]))
        for a in range(idx.shape[0]):
            part[a] = full[idx[a]][idx]
        t, ld, ok = inverse_factor(part)
        if not ok:
            return inverse, weighted, total, 0.0, False
        logdet += count[k] * ld
        w = np.dot(t, t.T)
        for a in range(idx.shape[0]):
            inverse[k, idx[a]][idx] = w[a]
        lo, hi = off[k] * m * p_all, off[k + 1] * m * p_all
        r = off[k + 1] - off[k]
        block = z[lo:hi]
        b = np.dot(inverse[k], block.reshape(m, r * p_all))
        weighted[lo:hi] = b.reshape(m * r * p_all)
        total += np.dot(block.reshape(m * r, p_all).T, b.reshape(m * r, p_all))
    return inverse, weighted, total, logdet, True


def profile(total, logdet, reml):
    """Log-likelihood (no constants), inverse factor of X'WX, coefficients; from Z'WZ."""
    p = total.shape[0] - 1
    t, ld, ok = inverse_factor(np.ascontiguousarray(total[:p, :p]))
    if not ok:
        return -np.inf, t, np.zeros(p), False
    b = np.ascontiguousarray(total[:p, p])
    white = np.dot(t.T, b)
    value = -0.5 * (logdet + total[p, p] - np.dot(white, white))
    if reml:
        value -= 0.5 * ld
    return value, t, np.dot(t, white), np.isfinite(value)


def moments(weighted, off, count, group, n_group, inverse, t, beta, reml):
    """Sums over patients from which every derivative follows, in coordinates with X'WX = I.

    Per group: score (g, m*m); tensors of the observed and expected information (g, m*m, m*m);
    x'WVWx as (g, m*m, p*p) and x'WVWr as (g, m*m, p). With them the whitened, weighted design
    by pseudo-patient (N, m*p).
    """
    n_pat, m, _ = inverse.shape
    p = t.shape[0]
    p_all = p + 1
    n = off[n_pat]
    to_white = np.zeros((p_all, p))
    to_white[:p] = t
    to_resid = np.ones(p_all)
    to_resid[:p] = -beta
    white = np.zeros((n, m, p))
    resid = np.zeros((n, m))
    observed = np.zeros((n_pat, m * m))
    expected = np.zeros((n_pat, m * m))
    score = np.zeros((n_group, m * m))
    first = np.zeros(n_group + 1, dtype=np.int64)
    for k in range(n_pat):
        first[group[k] + 1] = k + 1
        lo, hi = off[k] * m * p_all, off[k + 1] * m * p_all
        r = off[k + 1] - off[k]
        b = weighted[lo:hi].reshape(m * r, p_all)
        x = np.dot(b, to_white)
        u = np.dot(b, to_resid).reshape(m, r)
        e = np.dot(u, u.T)
        nw = count[k] * inverse[k]
        g = e - nw
        obs = e - 0.5 * nw
        exp = 0.5 * nw
        if reml:
            wide = x.reshape(m, r * p)
            h = np.dot(wide, wide.T)
            g += h
            obs += h
            exp = exp - h
        score[group[k]] += g.reshape(m * m)
        observed[k] = obs.reshape(m * m)
        expected[k] = exp.reshape(m * m)
        cube = x.reshape(m, r, p)
        for a in range(m):
            white[off[k] : off[k + 1], a] = cube[a]
            resid[off[k] : off[k + 1], a] = u[a]
    t_obs = np.zeros((n_group, m * m, m * m))
    t_exp = np.zeros((n_group, m * m, m * m))
    xx = np.zeros((n_group, m * m, p * p))
    xr = np.zeros((n_group, m * m, p))
    flat = white.reshape(n, m * p)
    for g in range(n_group):
        k0, k1 = first[g], first[g + 1]
        i0, i1 = off[k0], off[k1]
        w = inverse[k0:k1].reshape(k1 - k0, m * m)
        t_obs[g] = turned(np.dot(observed[k0:k1].T, w), m)
        t_exp[g] = turned(np.dot(expected[k0:k1].T, w), m)
        square = np.dot(flat[i0:i1].T, flat[i0:i1])
        cross = np.dot(flat[i0:i1].T, resid[i0:i1])
        for a in range(m):
            for c in range(m):
                tile = square[a * p : (a + 1) * p, c * p : (c + 1) * p]
                xx[g, a * m + c] = np.ascontiguousarray(tile).reshape(p * p)
                xr[g, a * m + c] = cross[a * p : (a + 1) * p, c]
    return score, t_obs, t_exp, xx, xr, flat


def turned(outer, m):
    """Bring sum_k C[d,a] W[b,c], rows (d,a) by columns (b,c), to rows (a,b) by columns (c,d)."""
    four = outer.reshape(m, m, m, m).transpose(1, 2, 3, 0)
    return np.ascontiguousarray(four).reshape(m * m, m * m)


def assemble(jac, hess, score, t_obs, t_exp, xx, xr, reml):
    """Score, observed and expected information of the parameters, and the derivatives of X'WX.

    ``jac`` (g, q, m*m), ``hess`` (g, q, q, m*m), empty where the covariance is linear. The last
    result, (g*q, p*p), is dA/dtheta in coordinates with A = I.
    """
    n_group, q, _ = jac.shape
    pp = xx.shape[2]
    p = xr.shape[2]
    size = n_group * q
    gradient = np.zeros(size)
    observed = np.zeros((size, size))
    expected = np.zeros((size, size))
    slope = np.zeros((size, pp))
    lean = np.zeros((size, p))
    for g in range(n_group):
        lo, hi = g * q, (g + 1) * q
        j = jac[g]
        gradient[lo:hi] = 0.5 * np.dot(j, score[g])
        slope[lo:hi] = -np.dot(j, xx[g])
        lean[lo:hi] = np.dot(j, xr[g])
        obs = np.dot(np.dot(j, t_obs[g]), j.T)
        if hess.shape[1] > 0:
            obs -= 0.5 * np.dot(hess[g].reshape(q * q, j.shape[1]), score[g]).reshape(q, q)
        observed[lo:hi, lo:hi] = obs
        expected[lo:hi, lo:hi] = np.dot(np.dot(j, t_exp[g]), j.T)
    observed -= np.dot(lean, lean.T)
    if reml:
        traces = 0.5 * np.dot(slope, slope.T)
        observed -= traces
        expected += traces
    return gradient, 0.5 * (observed + observed.T), 0.5 * (expected + expected.T), slope


def scaled_solve(matrix, vector):
    """Solve a positive definite system after scaling its diagonal to one; False where it is not."""
    n = vector.shape[0]
    scale = np.zeros(n)
    for i in range(n):
        if not (matrix[i, i] > 0.0):
            return vector, False
        scale[i] = 1.0 / np.sqrt(matrix[i, i])
    t, _, ok = inverse_factor(matrix * scale.reshape(n, 1) * scale.reshape(1, n))
    if not ok:
        return vector, False
    return scale * np.dot(t, np.dot(t.T, scale * vector)), True


def ascent(gradient, observed, expected):
    """Newton's step where the observed information allows it, else one from a mean or the expected."""
    step, ok = scaled_solve(observed, gradient)
    if ok:
        return step, True, True
    step, ok = scaled_solve(0.5 * (observed + expected), gradient)
    if ok:
        return step, False, True
    step, ok = scaled_solve(expected, gradient)
    return step, False, ok


def covariances(kind, heterogeneous, theta, n_group, m, natural):
    """Covariance, first and second derivatives of each group: (g, m, m), (g, q, m*m), (g, q, q, m*m)."""
    q = theta.shape[0] // n_group
    n_hess = 0 if kind == US else q
    sigma = np.zeros((n_group, m, m))
    jac = np.zeros((n_group, q, m * m))
    hess = np.zeros((n_group, n_hess, n_hess, m * m))
    for g in range(n_group):
        s, j, h = structure(kind, heterogeneous, theta[g * q : (g + 1) * q], m, natural)
        sigma[g] = s
        jac[g] = j
        hess[g] = h
    return sigma, jac, hess


def inverse_information(information):
    """Covariance of the parameters, or zeros and False where the information is not positive."""
    n = information.shape[0]
    scale = np.ones(n)
    for i in range(n):
        if not (information[i, i] > 0.0):
            return np.zeros((n, n)), False
        scale[i] = 1.0 / np.sqrt(information[i, i])
    outer = scale.reshape(n, 1) * scale.reshape(1, n)
    t, _, ok = inverse_factor(information * outer)
    return np.dot(t, t.T) * outer, ok


def small_sample(white, off, group, inverse, jac, hess, slope, spread, linear):
    """Sum of Kenward and Roger's Q, P and R terms over the covariance ``spread`` of the parameters.

    Gives the (p, p) matrix whose double, in coordinates with X'WX = I, is added to the covariance
    of the coefficients; ``linear`` leaves out R, the second derivatives.
    """
    n_pat, m, _ = inverse.shape
    n_group, q, _ = jac.shape
    p = white.shape[1] // m
    between = np.zeros((n_group, m * m, m * m))
    bend = np.zeros((n_group, m * m))
    for g in range(n_group):
        w = np.ascontiguousarray(spread[g * q : (g + 1) * q, g * q : (g + 1) * q])
        pairs = np.dot(np.dot(jac[g].T, w), jac[g]).reshape(m, m, m, m)
        # Rows (a,b), columns (c,d) become rows (b,c), columns (a,d), to meet the inverse at (b,c).
        between[g] = np.ascontiguousarray(pairs.transpose(1, 2, 0, 3)).reshape(m * m, m * m)
        if hess.shape[1] > 0 and not linear:
            bend[g] = np.dot(w.reshape(q * q), hess[g].reshape(q * q, m * m))
    result = np.zeros((p, p))
    for k in range(n_pat):
        flat = np.dot(inverse[k].reshape(m * m), between[group[k]]) - 0.25 * bend[group[k]]
        middle = flat.reshape(m, m)
        r = off[k + 1] - off[k]
        part = white[off[k] : off[k + 1]].reshape(r, m, p)
        x = np.ascontiguousarray(part.transpose(1, 0, 2)).reshape(m, r * p)
        result += np.dot(x.reshape(m * r, p).T, np.dot(middle, x).reshape(m * r, p))
    size = n_group * q
    mixed = np.dot(spread, slope).reshape(size * p, p)
    result -= np.dot(slope.reshape(size * p, p).T, mixed)
    return 0.5 * (result + result.T)


def degrees_of_freedom(rows, slope, spread):
    """Satterthwaite's degrees of freedom 2 v^2 / (d' spread d) of each row, with v its variance.

    ``rows`` (c, p) in coordinates with X'WX = I, so v is the squared length and d its derivative.
    """
    size, p = slope.shape[0], rows.shape[1]
    result = np.zeros(rows.shape[0])
    change = np.zeros(size)
    for i in range(rows.shape[0]):
        row = rows[i]
        v = np.dot(row, row)
        for j in range(size):
            change[j] = np.dot(row, np.dot(slope[j].reshape(p, p), row))
        result[i] = 2.0 * v * v / np.dot(change, np.dot(spread, change))
    return result


def to_log_cholesky(sigma):
    """Parameters of :func:`log_cholesky` of a positive definite matrix."""
    m = sigma.shape[0]
    theta = np.zeros(m * (m + 1) // 2)
    low = np.zeros((m, m))
    i = m
    for a in range(m):
        for b in range(a):
            low[a, b] = (sigma[a, b] - np.dot(low[a, :b], low[b, :b])) / low[b, b]
        low[a, a] = np.sqrt(sigma[a, a] - np.dot(low[a, :a], low[a, :a]))
        theta[a] = np.log(low[a, a])
        for b in range(a):
            theta[i] = low[a, b] / low[a, a]
            i += 1
    return theta


def solve(
    z, off, seen, count, group, first_pattern, n_group, p, kind, heterogeneous, final_kind,
    natural, reml, linear, use_expected, max_steps, rows, theta, value, gain, steps, status,
    beta, factor, sigma, observed, expected, slope, adjustment, spread, df_observed, df_expected,
):  # fmt: skip
    """Fit each of S data sets from its start in ``theta`` (S, q), which is overwritten, as is the rest.

    ``first_pattern`` (S+1,) delimits the patterns of each data set. At the maximum the
    derivatives are taken once more in the parameters of ``final_kind`` and ``natural``.
    ``rows`` (S, c, p) are the contrasts whose degrees of freedom are wanted, in the
    coordinates of the design in ``z``. Outputs, by data set: log-likelihood without constants,
    squared length of the last step in units of the information, number of steps, status,
    coefficients, t with t t' = inverse(X'WX), covariance of each group, both informations,
    dA/dtheta with A = I, the Kenward-Roger sum, covariance of the parameters, degrees of freedom.
    """
    m = seen.shape[1]
    for s in range(theta.shape[0]):
        k0, k1 = first_pattern[s], first_pattern[s + 1]
        begin = off[k0]
        one_off = off[k0 : k1 + 1] - begin
        one_z = z[begin * m * (p + 1) : off[k1] * m * (p + 1)]
        one_seen, one_count, one_group = seen[k0:k1], count[k0:k1], group[k0:k1]
        current = theta[s].copy()
        step = np.zeros(current.shape[0])
        best, expected_gain, last, share = -np.inf, 0.0, np.inf, 1.0
        used, state, final, this_kind = 0, NO_START, False, kind
        while True:
            trial = current + share * step
            cov, jac, hess = covariances(
                this_kind, heterogeneous, trial, n_group, m, natural and final
            )
            inverse, weighted, total, logdet, ok = weigh(
                one_z, one_off, one_seen, one_count, one_group, cov, p + 1
            )
            now, t, b = -np.inf, np.zeros((p, p)), np.zeros(p)
            if ok:
                now, t, b, ok = profile(total, logdet, reml)
            slack = 1e-11 * (1.0 + abs(best))
            if not ok or (not final and now < best + 1e-4 * share * expected_gain - slack):
                share *= 0.5
                if best == -np.inf and kind == US and share > 1e-9:
                    current = towards_diagonal(current, n_group, m)
                elif best == -np.inf or final or share < 1e-9:
                    state = NO_START if best == -np.inf else NO_ASCENT
                    break
                continue
            current, best, share = trial, now, 1.0
            score, t_obs, t_exp, xx, xr, white = moments(
                weighted, one_off, one_count, one_group, n_group, inverse, t, b, reml
            )
            gradient, obs, exp, bent = assemble(jac, hess, score, t_obs, t_exp, xx, xr, reml)
            if final:
                inv_obs, ok = inverse_information(obs)
                inv_exp, ok_exp = inverse_information(exp)
                if not (ok and ok_exp):
                    state = NO_ASCENT
                    break
                mine = inv_exp if use_expected else inv_obs
                own = np.dot(rows[s], t)
                df_observed[s] = degrees_of_freedom(own, bent, inv_obs)
                df_expected[s] = degrees_of_freedom(own, bent, inv_exp)
                adjustment[s] = small_sample(
                    white, one_off, one_group, inverse, jac, hess, bent, mine, linear
                )
                value[s], beta[s], factor[s], sigma[s] = now, b, t, cov
                observed[s], expected[s], slope[s], spread[s] = obs, exp, bent, mine
                break
            step, newton, ok = ascent(gradient, obs, exp)
            expected_gain = np.dot(gradient, step)
            if not ok or not np.isfinite(expected_gain):
                state = NO_ASCENT
                break
            # Newton's error squares at each step: below 1e-16 nothing is left but rounding.
            small = expected_gain < 1e-11
            if newton and (expected_gain < 1e-17 or (small and expected_gain > 0.1 * last)):
                state, last, final = CONVERGED, expected_gain, True
                theta[s] = current
                if final_kind != kind:
                    q = current.shape[0] // n_group
                    for g in range(n_group):
                        current[g * q : (g + 1) * q] = to_log_cholesky(cov[g])
                    this_kind = final_kind
                step = np.zeros(current.shape[0])
                continue
            if used == max_steps:
                state = TOO_MANY_STEPS
                break
            if kind != US:
                longest = np.max(np.abs(step))
                if longest > 1.5:
                    step = step * (1.5 / longest)
                    expected_gain = expected_gain * (1.5 / longest)
            last = expected_gain
            used += 1
        if state != CONVERGED:
            theta[s] = current
            value[s] = best
        gain[s], steps[s], status[s] = last, used, state


def towards_diagonal(theta, n_group, m):
    """Halve the covariances of an unstructured start that is not positive definite."""
    result = 0.5 * theta
    q = theta.shape[0] // n_group
    for g in range(n_group):
        i = g * q
        for a in range(m):
            result[i] = theta[i]
            i += m - a
    return result
