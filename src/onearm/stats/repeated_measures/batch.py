"""Thousands of small repeated-measures models at once: simulation, multiple imputation, bootstrap."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures import inference, kernels
from onearm.stats.repeated_measures.compiled import Engine
from onearm.stats.repeated_measures.compiled import compiled as compiled_engine
from onearm.stats.repeated_measures.data import numbers
from onearm.stats.repeated_measures.patterns import ALIASED
from onearm.stats.repeated_measures.solution import (
    COLLAPSED,
    LARGEST_GRID,
    MAX_STEPS,
    smallest_eigenvalues,
)
from onearm.stats.repeated_measures.structures import Structure, find_structure, starts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BatchDf = Literal[
    "kenward-roger", "kenward-roger-linear", "kenward-roger-mmrm", "satterthwaite", "residual"
]

# Data sets prepared together: enough to make NumPy's overhead small, few enough to stay in memory.
TOGETHER = 250


@dataclass(frozen=True)
class Batch:
    """Fits of S data sets; NaN wherever a data set has no fit.

    Attributes
    ----------
    coef, vcov
        (S, p) coefficients and (S, p, p) the covariance of them that ``se`` uses.
    loglik
        (S,) log-likelihood, restricted where asked.
    covariance
        (S, m, m) fitted covariance between visits.
    estimate, se, df, p
        (S, c) of the contrasts.
    converged
        (S,) whether a maximum was found inside the limits of the structure.
    """

    coef: Floats
    vcov: Floats
    loglik: Floats
    covariance: Floats
    estimate: Floats
    se: Floats
    df: Floats
    p: Floats
    converged: NDArray[np.bool_]


@dataclass(frozen=True)
class _Stack:
    """Data sets in the kernels' form; ``first_pattern`` delimits the patterns of each."""

    z: Floats
    off: Ints
    seen: NDArray[np.bool_]
    count: Ints
    first_pattern: Ints
    basis: Floats
    offset: Floats
    scale: Floats
    n_rows: Ints
    moments: Floats
    usable: NDArray[np.bool_]


def mmrm_batch(
    y: Any,
    X: Any,  # noqa: N803
    *,
    covariance: str = "us",
    reml: bool = True,
    df: BatchDf | None = None,
    information: Literal["observed", "expected"] = "observed",
    contrasts: Any = None,
    compiled: bool = True,
    threads: int | None = None,
) -> Batch:
    """Fit one repeated-measures model to each of S small data sets.

    Parameters
    ----------
    y
        (S, n, m) responses of n patients at m visits; NaN is missing. (n, m) is taken as one data set.
    X
        Design, (n, m, p) for all data sets or (S, n, m, p); NaN leaves the row out.
    covariance
        One structure on common visits, as :func:`mmrm_fit` (not the spatial ones); no fallbacks.
    reml, df, information
        As :func:`mmrm_fit`; ``between-within`` is not offered.
    contrasts
        (c, p) linear combinations of the coefficients; default: each coefficient.
    compiled
        Use the compiled kernels, or plain NumPy (slower by an order of magnitude).
    threads
        Threads to share the compiled work among; default: as many as this process has processors.

    Returns
    -------
    Batch
        A data set whose maximum lies on a boundary, or whose design is not of full rank, has
        ``converged`` False and NaN in place of numbers: count these, they are part of the result.

    Raises
    ------
    ValueError
        Shapes do not fit together, or an option is not known.
    """
    y, x, rows = _checked(y, X, contrasts)
    structure = find_structure(covariance)
    method = _method(df, information, reml, structure, y.shape[2])
    engine = compiled_engine() if compiled else Engine()
    n_threads = (threads or _processors()) if compiled else 1
    shares = min(TOGETHER, -(-len(y) // n_threads))
    chunks = [slice(at, at + shares) for at in range(0, len(y), shares)]

    def work(chunk: slice) -> Batch:
        one_x = x[chunk] if len(x) > 1 else x
        return _fit_stack(y[chunk], one_x, rows, structure, reml, method, information, engine)

    if n_threads > 1 and len(chunks) > 1:
        with ThreadPoolExecutor(n_threads) as pool:
            parts = list(pool.map(work, chunks))
    else:
        parts = [work(chunk) for chunk in chunks]
    return Batch(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Batch.__annotations__)
    )


def _checked(y: Any, x: Any, contrasts: Any) -> tuple[Floats, Floats, Floats]:
    y, x = numbers(y, "y"), numbers(x, "X")
    if y.ndim == 2:
        y = y[None]
    if x.ndim == 3:
        x = x[None]
    if y.ndim != 3 or x.ndim != 4 or x.shape[1:3] != y.shape[1:] or len(x) not in (1, len(y)):
        raise ValueError(
            f"y has shape {y.shape} and X {x.shape}; expected y (S, n, m) and X (n, m, p) or (S, n, m, p) with "
            "the same n patients and m visits; reshape them"
        )
    if not len(y):
        raise ValueError("there is no data set; give at least one")
    if np.isinf(y).any() or np.isinf(x).any():
        raise ValueError(
            "a response or a covariate is infinite; correct it or leave it missing (NaN)"
        )
    p = x.shape[3]
    rows = np.eye(p) if contrasts is None else inference.as_rows(contrasts, p)
    return y, x, rows


def _method(
    df: str | None, information: str, reml: bool, structure: Structure, n_visits: int
) -> str:
    if structure.spatial:
        raise ValueError(f"{structure.name} has visit times of its own; fit it with mmrm_fit")
    if n_visits > LARGEST_GRID:
        raise ValueError(f"{n_visits} visits; a batch takes at most {LARGEST_GRID}; use mmrm_fit")
    allowed = BatchDf.__args__  # type: ignore[attr-defined]
    chosen = df or ("kenward-roger" if reml else "satterthwaite")
    if chosen not in allowed:
        raise ValueError(f"df is {df!r}; a batch offers {', '.join(allowed)}; choose one of them")
    if information not in ("observed", "expected"):
        raise ValueError(
            f"information is {information!r}; expected observed or expected; correct it"
        )
    if chosen.startswith("kenward") and not reml:
        raise ValueError(
            "Kenward-Roger is defined for restricted likelihood; use df='satterthwaite'"
        )
    return chosen


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _stack(y: Floats, x: Floats) -> _Stack:
    """Orthonormalise every design and gather the patients of every data set by their visits."""
    n_sets, n, m = y.shape
    p = x.shape[3]
    seen = ~(np.isnan(y) | np.isnan(x).any(axis=3))
    response = np.where(seen, y, 0.0).reshape(n_sets, n * m)
    design = np.where(seen[..., None], x, 0.0).reshape(n_sets, n * m, p)
    n_rows = seen.sum(axis=(1, 2))
    q, basis = np.linalg.qr(design)
    diagonal = np.abs(np.diagonal(basis, axis1=1, axis2=2))
    length = np.sqrt((design**2).sum(axis=1))
    usable = (n_rows > p) & np.all(diagonal > ALIASED * length, axis=1)
    offset = np.einsum("srp,sr->sp", q, response)
    residual = response - np.einsum("srp,sp->sr", q, offset)
    again = np.einsum("srp,sr->sp", q, residual)  # a second pass takes away what rounding left
    offset, residual = offset + again, residual - np.einsum("srp,sp->sr", q, again)
    residual *= seen.reshape(n_sets, -1)
    scale = np.sqrt((residual**2).sum(axis=1) / np.maximum(n_rows - p, 1))
    usable &= scale > 1e-13 * np.abs(response).max(axis=1)
    residual /= np.where(usable, scale, 1.0)[:, None]
    e = residual.reshape(n_sets, n, m)
    together = np.einsum("sna,snb->sab", seen.astype(float), seen.astype(float))
    moments = np.einsum("sna,snb->sab", e, e) / np.maximum(together, 1.0)
    z = np.concatenate((q, residual[..., None]), axis=2).reshape(n_sets, n, m, p + 1)
    return _gather(z, seen, basis, offset, scale, n_rows, moments, usable)


def _gather(
    z: Floats, seen: NDArray[np.bool_], basis: Floats, offset: Floats, scale: Floats, n_rows: Ints,
    moments: Floats, usable: NDArray[np.bool_],
) -> _Stack:  # fmt: skip
    n_sets, n, m, p_all = z.shape
    mask = (seen @ (np.int64(1) << np.arange(m))).ravel()
    of_set = np.repeat(np.arange(n_sets), n)
    order = np.lexsort((mask, of_set))
    order = order[mask[order] > 0]
    set_s, mask_s = of_set[order], mask[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (set_s[1:] != set_s[:-1]) | (mask_s[1:] != mask_s[:-1])
    off = np.append(np.flatnonzero(new), len(order))
    pattern = np.cumsum(new) - 1
    count = np.diff(off)
    # Patient t of pattern k goes, visit by visit, to its column of the block (m, r_k, P).
    inside = np.arange(len(order)) - off[pattern]
    place = (off[pattern] * m + inside)[:, None] + np.arange(m) * count[pattern][:, None]
    buffer = np.empty((len(order) * m, p_all))
    buffer[place.ravel()] = z.reshape(-1, m, p_all)[order].reshape(-1, p_all)
    heads = off[:-1]
    return _Stack(
        z=buffer.ravel(),
        off=off,
        seen=seen.reshape(-1, m)[order[heads]],
        count=count,
        first_pattern=np.searchsorted(set_s[heads], np.arange(n_sets + 1)),
        basis=basis,
        offset=offset,
        scale=scale,
        n_rows=n_rows,
        moments=moments,
        usable=usable,
    )


@dataclass
class _Filled:
    """What the kernel fills, one line per data set."""

    theta: Floats
    value: Floats
    status: Ints
    beta: Floats
    factor: Floats
    sigma: Floats
    adjustment: Floats
    df_observed: Floats
    df_expected: Floats


def _run(
    stack: _Stack, kind: int, structure: Structure, start: Floats, rows: Floats, reml: bool, method: str,
    information: str, engine: Engine,
) -> _Filled:  # fmt: skip
    n_sets, q = start.shape
    m, p = stack.moments.shape[1], stack.basis.shape[1]
    theta = start.copy()
    value, gain = np.full(n_sets, -np.inf), np.zeros(n_sets)
    steps, status = np.zeros(n_sets, np.int64), np.full(n_sets, kernels.NO_START)
    beta, factor = np.zeros((n_sets, p)), np.zeros((n_sets, p, p))
    sigma = np.zeros((n_sets, 1, m, m))
    observed, expected = np.zeros((n_sets, q, q)), np.zeros((n_sets, q, q))
    slope, spread = np.zeros((n_sets, q, p * p)), np.zeros((n_sets, q, q))
    adjustment = np.zeros((n_sets, p, p))
    df_o, df_e = np.zeros((n_sets, len(rows))), np.zeros((n_sets, len(rows)))
    safe = np.where(stack.usable[:, None, None], stack.basis, np.eye(p))
    own = rows @ np.linalg.inv(safe)
    group = np.zeros(len(stack.count), dtype=np.int64)
    final = kernels.CHOLESKY if method == "kenward-roger-mmrm" and kind == kernels.US else kind

    engine.solve(
        stack.z, stack.off, stack.seen, stack.count, group, stack.first_pattern, 1, p, kind,
        structure.heterogeneous, final, method != "kenward-roger-mmrm", reml,
        method == "kenward-roger-linear", information == "expected", MAX_STEPS, own, theta, value,
        gain, steps, status, beta, factor, sigma, observed, expected, slope, adjustment, spread, df_o,
        df_e,
    )  # fmt: skip
    status[~stack.usable] = kernels.NO_START
    return _Filled(theta, value, status, beta, factor, sigma, adjustment, df_o, df_e)


def _better(best: _Filled, new: _Filled, which: Ints) -> None:
    """Take over the data sets ``which`` where the new fit converged to a higher likelihood."""
    old = np.where(best.status[which] == kernels.CONVERGED, best.value[which], -np.inf)
    take = (new.status == kernels.CONVERGED) & (new.value > old + 1e-9)
    for name in _Filled.__annotations__:
        getattr(best, name)[which[take]] = getattr(new, name)[take]


def _subset(y: Floats, x: Floats, which: Ints) -> _Stack:
    return _stack(y[which], x[which] if len(x) > 1 else x)


def _fit_stack(
    y: Floats, x: Floats, rows: Floats, structure: Structure, reml: bool, method: str, information: str,
    engine: Engine,
) -> Batch:  # fmt: skip
    stack = _stack(y, np.broadcast_to(x, (len(y), *x.shape[1:])))
    options = (rows, reml, method, information, engine)
    first, *others = starts(structure, stack.moments, y.shape[1])
    best = _run(stack, structure.kind, structure, first, *options)
    for start in others:
        _better(best, _run(stack, structure.kind, structure, start, *options), np.arange(len(y)))
    if structure.kind == kernels.US:
        which = np.flatnonzero(stack.usable & (best.status != kernels.CONVERGED))
        which = which[smallest_eigenvalues(best.theta[which]) >= COLLAPSED]
        if len(which):
            part = _subset(y, x, which)
            _better(best, _from_log_cholesky(part, structure, options), which)
    return _result(stack, best, rows, reml, method, information)


def _from_log_cholesky(stack: _Stack, structure: Structure, options: tuple[Any, ...]) -> _Filled:
    """Unstructured fits again, from diagonal matrices and inside the positive definite ones."""
    m = stack.moments.shape[1]
    diagonal = np.maximum(np.diagonal(stack.moments, axis1=1, axis2=2), 1e-3)
    start = np.zeros((len(diagonal), m * (m + 1) // 2))
    start[:, :m] = 0.5 * np.log(diagonal)
    climbed = _run(stack, kernels.CHOLESKY, structure, start, *options)
    upper = np.triu_indices(m)
    there = climbed.status == kernels.CONVERGED
    sigma = np.where(there[:, None, None], climbed.sigma[:, 0], np.eye(m))
    usable = replace(stack, usable=stack.usable & there)
    return _run(usable, kernels.US, structure, sigma[:, upper[0], upper[1]], *options)


def _result(
    stack: _Stack, best: _Filled, rows: Floats, reml: bool, method: str, information: str
) -> Batch:
    good = best.status == kernels.CONVERGED
    p = stack.basis.shape[1]
    basis = np.where(good[:, None, None], stack.basis, np.eye(p))
    scale = np.where(good, stack.scale, 1.0)
    coef = np.linalg.solve(basis, (stack.offset + scale[:, None] * best.beta)[..., None])[..., 0]
    whitener = scale[:, None, None] * np.linalg.solve(basis, best.factor)
    middle = np.broadcast_to(np.eye(p), whitener.shape)
    if method.startswith("kenward"):
        middle = middle + 2.0 * best.adjustment
    vcov = whitener @ middle @ whitener.transpose(0, 2, 1)
    variance = np.einsum("cp,spq,cq->sc", rows, vcov, rows)
    free = stack.n_rows - (p if reml else 0)
    loglik = best.value - 0.5 * free * np.log(2 * np.pi) - free * np.log(scale)
    if reml:
        loglik = loglik - np.log(np.abs(np.diagonal(basis, axis1=1, axis2=2))).sum(axis=1)
    df = best.df_expected if information == "expected" else best.df_observed
    if method == "residual":
        df = np.repeat((stack.n_rows - p).astype(float)[:, None], len(rows), axis=1)
    estimate = coef @ rows.T
    se = np.sqrt(np.where(variance > 0, variance, np.nan))
    with np.errstate(invalid="ignore"):
        p_value = inference.two_sided(estimate / se, df)
    found = Batch(
        coef=np.asarray(coef),
        vcov=vcov,
        loglik=loglik,
        covariance=scale[:, None, None] ** 2 * best.sigma[:, 0],
        estimate=estimate,
        se=se,
        df=df.copy(),
        p=p_value,
        converged=good,
    )
    for name in Batch.__annotations__:
        if name != "converged":
            getattr(found, name)[~good] = np.nan
    return found
