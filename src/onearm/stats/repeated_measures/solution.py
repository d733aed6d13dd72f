"""One covariance structure fitted: starts, Newton's method, and why it failed where it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures import by_pattern, kernels
from onearm.stats.repeated_measures.compiled import Engine
from onearm.stats.repeated_measures.data import Observations
from onearm.stats.repeated_measures.patterns import Patterns, Squeezed, find_patterns, squeeze
from onearm.stats.repeated_measures.structures import Structure, starts

Floats = NDArray[np.float64]

MAX_STEPS = 100
LARGEST_GRID = 24  # visits; beyond it the sums over pairs of visits would grow with visits^4
NEARLY_SINGULAR = 1e-4  # smallest eigenvalue of a correlation, to be told
COLLAPSED = 1e-6  # the same, where a search is given up
EXACTLY = (
    1e-16  # a mean square of residuals, of their average over all visits, that is rounding only
)
NO_DECAY = 1e-6  # a spatial correlation below this, or as near to one, lies on the boundary


class FitError(ValueError):
    """A covariance structure that the data do not determine, or a fit that found no maximum.

    ``reason`` is what was found, ``advice`` what to do; the message is both.
    """

    def __init__(self, reason: str, advice: str):
        super().__init__(f"{reason}; {advice}")
        self.reason, self.advice = reason, advice


@dataclass(frozen=True)
class Inference:
    """What the method of inference asks of the fit."""

    reml: bool
    natural: bool
    linear: bool
    use_expected: bool
    log_cholesky: bool


@dataclass(frozen=True)
class Solution:
    """The maximum of the likelihood; whitened coordinates are those in which X'WX = I.

    Attributes
    ----------
    loglik
        (Restricted) log-likelihood with all constants.
    coef
        (p,) coefficients, NaN for columns that others determine.
    whitener
        (p_kept, p_kept): inverse(X'WX) = whitener whitener'. A contrast L has whitened rows L whitener.
    sigma
        Covariance by group (g, m, m); in spatial structures by pattern (K, m, m).
    decay
        Variance and logarithm of the correlation at distance one by group (g, 2), in spatial structures only.
    slope, spread, adjustment
        dA/dtheta (q, p*p), covariance of the parameters, Kenward-Roger sum (p, p), all whitened.
    df_observed, df_expected
        (p,) Satterthwaite degrees of freedom of the coefficients by each information.
    steps
        Newton steps taken.
    """

    loglik: float
    coef: Floats
    whitener: Floats
    sigma: Floats
    slope: Floats
    spread: Floats
    adjustment: Floats
    df_observed: Floats
    df_expected: Floats
    steps: int
    decay: Floats | None = None


@dataclass(frozen=True)
class Prepared:
    """Rows gathered by pattern and squeezed, ready for any structure of one kind of visit axis."""

    rows: Observations
    patterns: Patterns
    squeezed: Squeezed
    n_group: int
    constant: float  # of the log-likelihood without a covariance
    times: tuple[NDArray[Any], ...] | None  # per pattern, spatial structures only


def prepare(rows: Observations, spatial: bool, reml: bool, engine: Engine) -> Prepared:
    """Gather and squeeze the rows.

    Raises
    ------
    FitError
        The design leaves no residual.
    """
    n_visits = len(rows.visit_levels)
    patterns = find_patterns(rows.subject, rows.visit, rows.group, n_visits)
    times = None
    y, x, half_log_weights = rows.y, rows.x, 0.0
    if rows.weights is not None:
        root = np.sqrt(rows.weights)
        y, x, half_log_weights = y * root, x * root[:, None], float(np.log(root).sum())
    placed = patterns
    if spatial:
        levels = np.array(rows.visit_levels, dtype=np.float64)
        times = tuple(levels[slots] for slots in patterns.slots)
        n_visits = max(len(t) for t in times)
        own = tuple(np.arange(len(t)) for t in times)
        placed = Patterns(patterns.rows, own, patterns.group, patterns.n_subjects)
    n, n_columns = x.shape
    if n <= n_columns:
        raise FitError(
            f"{n} rows and {n_columns} columns of the design leave nothing to estimate a variance from: "
            "expected more rows than columns",
            "use fewer covariates",
        )
    squeezed = squeeze(y, x, placed, n_visits, engine)
    p = len(squeezed.kept)
    if p == 0:
        raise FitError("every column of the design is zero", "give at least an intercept")
    size = float(np.abs(y).max())
    if not squeezed.scale > 1e-13 * max(size, 1e-300):
        raise FitError(
            "the design explains the response without any residual (it may be constant); there is no "
            "variance to estimate",
            "check the response",
        )
    log_basis = float(np.log(np.abs(np.diag(squeezed.basis))).sum())
    free = n - p if reml else n
    constant = -0.5 * free * np.log(2 * np.pi) - free * np.log(squeezed.scale) + half_log_weights
    if reml:
        constant -= log_basis
    return Prepared(rows, patterns, squeezed, len(rows.group_levels), float(constant), times)


def residual_moments(data: Prepared) -> tuple[Floats, Floats]:
    """Mean products of least-squares residuals (g, m, m), and patients behind each (g, m, m)."""
    squeezed = data.squeezed
    m = squeezed.seen.shape[1]
    p_all = len(squeezed.kept) + 1
    total = np.zeros((data.n_group, m, m))
    for k, group in enumerate(squeezed.group.tolist()):
        lo, hi = squeezed.off[k] * m * p_all, squeezed.off[k + 1] * m * p_all
        e = squeezed.z[lo:hi].reshape(m, -1, p_all)[:, :, -1]
        total[group] += e @ e.T
    there = squeezed.seen.astype(np.float64)
    seen = np.empty_like(total)
    for g in range(data.n_group):
        by_count = there.T * (squeezed.count * (squeezed.group == g))
        seen[g] = by_count @ there
    return total / np.maximum(seen, 1.0), seen


def solve(data: Prepared, structure: Structure, wanted: Inference, engine: Engine) -> Solution:
    """Fit one structure.

    Raises
    ------
    FitError
        The data do not determine it; the words say why.
    """
    m = data.squeezed.seen.shape[1]
    if structure.spatial or m > LARGEST_GRID:
        return _solve_by_pattern(data, structure, wanted)
    moments, seen = residual_moments(data)
    refuse_undetermined(data, structure, moments, seen)
    best: _Raw | None = None
    failures = []
    for start in starts(structure, moments, data.patterns.n_subjects):
        raw = _Raw(data, structure, wanted, structure.kind, start.ravel(), engine)
        if raw.status != kernels.CONVERGED and structure.kind == kernels.US and not raw.collapsed():
            raw = _from_log_cholesky(data, structure, wanted, moments, engine, raw)
        if raw.status != kernels.CONVERGED:
            failures.append(raw)
        elif best is None or raw.value > best.value + 1e-9:
            best = raw
    if best is None:
        raise _without_maximum(data, structure, failures)
    return best.solution()


class _Raw:
    """One run of the kernel, with the arrays it fills."""

    def __init__(
        self,
        data: Prepared,
        structure: Structure,
        wanted: Inference,
        kind: int,
        start: Floats,
        engine: Engine,
    ):
        squeezed, g = data.squeezed, data.n_group
        m, p, q = squeezed.seen.shape[1], len(squeezed.kept), len(start)
        self.data = data
        self.theta = start[None].copy()
        self.values, self.gain = np.zeros(1), np.zeros(1)
        self.steps, self.statuses = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        self.beta, self.factor = np.zeros((1, p)), np.zeros((1, p, p))
        self.sigma = np.zeros((1, g, m, m))
        self.observed, self.expected = np.zeros((1, q, q)), np.zeros((1, q, q))
        self.slope, self.spread = np.zeros((1, q, p * p)), np.zeros((1, q, q))
        self.adjustment = np.zeros((1, p, p))
        self.df_observed, self.df_expected = np.zeros((1, p)), np.zeros((1, p))
        final = kernels.CHOLESKY if wanted.log_cholesky and kind == kernels.US else kind
        engine.solve(
            squeezed.z, squeezed.off, squeezed.seen, squeezed.count, squeezed.group,
            np.array([0, len(squeezed.count)]), g, p, kind, structure.heterogeneous, final,
            wanted.natural, wanted.reml, wanted.linear, wanted.use_expected, MAX_STEPS,
            squeezed.inverse_basis[None], self.theta, self.values, self.gain, self.steps,
            self.statuses, self.beta, self.factor, self.sigma, self.observed, self.expected,
            self.slope, self.adjustment, self.spread, self.df_observed, self.df_expected,
        )  # fmt: skip
        self.value, self.status = float(self.values[0]), int(self.statuses[0])

    def collapsed(self) -> bool:
        """Whether an unstructured fit ended at a singular covariance: there is nothing to try again."""
        return bool(
            smallest_eigenvalues(self.theta.reshape(self.data.n_group, -1)).min() < COLLAPSED
        )

    def solution(self) -> Solution:
        return to_solution(
            self.data, self.value, self.beta[0], self.factor[0], self.sigma[0], self.slope[0],
            self.spread[0], self.adjustment[0], self.df_observed[0], self.df_expected[0],
            int(self.steps[0]),
        )  # fmt: skip


def to_solution(
    data: Prepared, value: float, beta: Floats, factor: Floats, sigma: Floats, slope: Floats, spread: Floats,
    adjustment: Floats, df_observed: Floats, df_expected: Floats, steps: int,
) -> Solution:  # fmt: skip
    """Bring the kernels' results from the orthonormal basis to the user's columns."""
    squeezed = data.squeezed
    coef = np.full(data.rows.x.shape[1], np.nan)
    coef[squeezed.kept] = squeezed.inverse_basis @ (squeezed.offset + squeezed.scale * beta)
    full_o, full_e = np.full(len(coef), np.nan), np.full(len(coef), np.nan)
    full_o[squeezed.kept], full_e[squeezed.kept] = df_observed, df_expected
    return Solution(
        loglik=value + data.constant,
        coef=coef,
        whitener=squeezed.scale * (squeezed.inverse_basis @ factor),
        sigma=squeezed.scale**2 * sigma,
        slope=slope,
        spread=spread,
        adjustment=adjustment,
        df_observed=full_o,
        df_expected=full_e,
        steps=steps,
    )


def _from_log_cholesky(
    data: Prepared,
    structure: Structure,
    wanted: Inference,
    moments: Floats,
    engine: Engine,
    failed: _Raw,
) -> _Raw:
    """Try an unstructured fit again from within the positive definite matrices, then finish as before."""
    m = moments.shape[1]
    upper = np.triu_indices(m)
    near = [np.diag(np.maximum(np.diag(s), 1e-3)) for s in moments]
    start = np.concatenate([kernels.to_log_cholesky(s) for s in near])
    raw = _Raw(data, structure, wanted, kernels.CHOLESKY, start, engine)
    if raw.status != kernels.CONVERGED:
        return failed
    found = np.concatenate([s[upper] for s in raw.sigma[0]])
    again = _Raw(data, structure, wanted, kernels.US, found, engine)
    return again if again.status == kernels.CONVERGED else failed


def _solve_by_pattern(data: Prepared, structure: Structure, wanted: Inference) -> Solution:
    rows = by_pattern.unpack(data.squeezed)
    covariances: Callable[[Floats, bool], by_pattern.Covariances]
    distance, typical = np.zeros(0), 1.0
    if structure.spatial:
        distance, typical = _distances(data, structure)
        covariances = partial(_spatial, data, structure, distance / typical)
        steady = [np.log(rho / (1.0 - rho)) for rho in (0.5, 0.1, 0.9)]
        candidates = [np.tile([0.0, x], data.n_group) for x in steady]
    else:
        moments, seen = residual_moments(data)
        refuse_undetermined(data, structure, moments, seen)
        covariances = partial(_grid, data, structure)
        candidates = [
            start.ravel() for start in starts(structure, moments, data.patterns.n_subjects)
        ]
    best = None
    for start in candidates:
        theta, value, _, steps, status = by_pattern.climb(
            rows, covariances, start, wanted.reml, MAX_STEPS
        )
        if status == kernels.CONVERGED and (best is None or value > best[1] + 1e-9):
            best = theta, value, steps
    if best is None:
        raise _without_maximum(data, structure, [])
    theta, value, steps = best
    decay = None
    if structure.spatial:
        _refuse_spatial_boundary(theta, structure)
        log_rho = -np.log1p(np.exp(-theta[1::2])) / typical ** (
            1 if structure.name == "sp_exp" else 2
        )
        variance = data.squeezed.scale**2 * np.exp(theta[0::2])
        decay = np.column_stack((variance, log_rho))
        if not wanted.natural:  # R's second derivatives are to logit rho in the user's unit of time
            theta = theta.copy()
            theta[1::2] = -np.log(np.expm1(-log_rho))
            covariances = partial(_spatial, data, structure, distance)
    cov = covariances(theta, wanted.natural)
    point = by_pattern.evaluate(rows, cov, wanted.reml)
    assert point is not None
    spread_o, ok_o = kernels.inverse_information(point.observed)
    spread_e, ok_e = kernels.inverse_information(point.expected)
    if not (ok_o and ok_e):
        raise _without_maximum(data, structure, [])
    spread = spread_e if wanted.use_expected else spread_o
    own = data.squeezed.inverse_basis @ point.factor
    sigma = cov[0]
    if not structure.spatial:  # of all visits, not of each pattern's
        m = data.squeezed.seen.shape[1]
        sigma, *_ = kernels.covariances(
            structure.kind, structure.heterogeneous, theta, data.n_group, m, False
        )
    found = to_solution(
        data, value, point.beta, point.factor, sigma, point.slope, spread,
        by_pattern.small_sample(rows, cov, point, spread, wanted.linear),
        kernels.degrees_of_freedom(own, point.slope, spread_o),
        kernels.degrees_of_freedom(own, point.slope, spread_e), steps,
    )  # fmt: skip
    return replace(found, decay=decay)


def _grid(
    data: Prepared, structure: Structure, theta: Floats, natural: bool
) -> by_pattern.Covariances:
    squeezed = data.squeezed
    return by_pattern.grid_covariances(
        structure, theta, squeezed.seen, squeezed.group, data.n_group, natural
    )


def _distances(data: Prepared, structure: Structure) -> tuple[Floats, float]:
    """Distances in time between the visits of each pattern (K, m, m), and a typical one.

    In units of the typical distance the search is the same in days and in years.
    """
    assert data.times is not None
    n_pat, m = data.squeezed.seen.shape
    distance = np.zeros((n_pat, m, m))
    for k, t in enumerate(data.times):
        distance[k, : len(t), : len(t)] = np.abs(t[:, None] - t[None, :])
    positive = distance[distance > 0]
    if not len(positive):
        raise FitError(
            f"no patient has two visits; {structure.label} needs distances between visits",
            "use another structure",
        )
    return distance, float(np.median(positive))


def _spatial(
    data: Prepared, structure: Structure, distance: Floats, theta: Floats, natural: bool
) -> by_pattern.Covariances:
    squeezed = data.squeezed
    return by_pattern.spatial_covariances(
        structure, theta, distance, squeezed.seen, squeezed.group, natural
    )


def _refuse_spatial_boundary(theta: Floats, structure: Structure) -> None:
    rho = 1.0 / (1.0 + np.exp(-theta[1::2]))
    if np.any(rho < NO_DECAY) or np.any(1.0 - rho < NO_DECAY * 1e-6):
        raise FitError(
            f"{structure.label}: the correlation between visits goes to {'zero' if rho.min() < 0.5 else 'one'} "
            "(a boundary); the data do not determine its decay",
            "use compound symmetry (cs)",
        )


def refuse_undetermined(
    data: Prepared, structure: Structure, moments: Floats, seen: Floats
) -> None:
    """Refuse a structure with a parameter that no patient tells anything about.

    Raises
    ------
    FitError
        Two visits are never seen in one patient (unstructured), or the design fits the values of a
        visit exactly (a variance of its own): a single patient at it, say, and an effect of visit.
    """
    if seen.min() > 0 and moments.diagonal(axis1=1, axis2=2).min() >= EXACTLY:
        return
    if seen.shape[1] > 1 and not np.any(np.triu(seen.sum(axis=0), 1)):
        raise FitError(
            "no patient has two visits, so that nothing is known of the covariance between visits",
            "analyse one visit, or compare the visits as independent samples",
        )
    levels = data.rows.visit_levels
    for g, pairs in enumerate(seen):
        where = "" if data.n_group == 1 else f" in group {data.rows.group_levels[g]!r}"
        if structure.kind == kernels.US or structure.heterogeneous:
            fitted = np.flatnonzero(np.diag(moments[g]) < EXACTLY)
            if len(fitted):
                n = int(pairs[fitted[0], fitted[0]])
                told = f"visit {levels[fitted[0]]!r} has no value{where}"
                if n:
                    values = "one value" if n == 1 else f"{n} values"
                    told = f"the design fits the {values} of visit {levels[fitted[0]]!r}{where} exactly"
                raise FitError(
                    f"{told}: a variance of its own cannot be estimated there",
                    "use a structure with one variance (cs, ar1) or leave the visit out",
                )
        if structure.kind == kernels.US and len(levels) > 1:
            never = np.argwhere(np.triu(pairs == 0, 1))
            if len(never):
                a, b = never[0]
                raise FitError(
                    f"visits {levels[a]!r} and {levels[b]!r} are never seen in the same patient{where}: their "
                    "covariance cannot be estimated",
                    "use a structure that shares it (toep, ar1h, csh, cs)",
                )


def _without_maximum(data: Prepared, structure: Structure, failures: list[_Raw]) -> FitError:
    """What to tell the user of a structure that has no maximum inside its limits."""
    m = data.squeezed.seen.shape[1]
    q = structure.n_parameters(m) * data.n_group
    fewer = "adh, ar1h, csh or cs" if structure.kind == kernels.US else "csh, ar1 or cs"
    if structure.name in ("cs", "ar1"):
        fewer = "fewer visits or covariates"
    near = ""
    if failures and structure.kind == kernels.US:
        smallest = smallest_eigenvalues(failures[-1].theta.reshape(data.n_group, -1)).min()
        if smallest < NEARLY_SINGULAR:
            near = (
                ": the likelihood rises towards a singular covariance, in which some visits are exact sums of "
                f"others (smallest eigenvalue of the correlation {smallest:.0e})"
            )
    return FitError(
        f"{structure.label} ({structure.name}) has no maximum inside its limits: {q} covariance parameters from "
        f"{data.patterns.n_subjects} patients with {len(data.rows.y)} values are more than the data determine{near}",
        f"use {fewer}, or give a list of structures, which are tried in order",
    )


def smallest_eigenvalues(theta: Floats) -> Floats:
    """Smallest eigenvalue of each correlation (k,), from unstructured parameters (k, q); 0 at the least."""
    m = int(np.sqrt(2 * theta.shape[1]))
    sigma = np.zeros((len(theta), m, m))
    rows, columns = np.triu_indices(m)
    sigma[:, rows, columns] = theta
    sigma[:, columns, rows] = theta
    sd = np.sqrt(np.maximum(np.diagonal(sigma, axis1=1, axis2=2), 1e-300))
    correlation = np.nan_to_num(sigma / (sd[:, :, None] * sd[:, None, :]))
    return np.maximum(np.linalg.eigvalsh(correlation)[:, 0], 0.0)
