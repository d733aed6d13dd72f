"""Fitted values, residuals, prediction of unseen responses and simulation, from a fitted model.

The functions take what a fit holds: the rows used (design X, response y, weights), coefficients, and the
patients in blocks (:class:`onearm.stats.repeated_measures.blocks.Block`). The covariance of a patient
with weights w is D sigma D, D = diag(1 / sqrt(w)); weights None are all one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures.blocks import Block

Floats = NDArray[np.float64]
Numbers = NDArray[Any]

KINDS = ("response", "pearson", "normalized")


def fitted(X: Floats, beta: Floats) -> Floats:  # noqa: N803
    """Means X beta (n,) of the rows of a design (n, p), whatever the patient's other responses."""
    return np.asarray(X @ beta)


def residuals(
    X: Floats,  # noqa: N803
    y: Floats,
    weights: Floats | None,
    beta: Floats,
    blocks: Sequence[Block],
    kind: str = "response",
) -> Floats:
    """Residuals (n,) of the rows used, in their order; the definitions are those of R's mmrm.

    Parameters
    ----------
    X, y, weights, beta
        Design (n, p), responses (n,), weights (n,) or None, coefficients (p,).
    blocks
        Every patient once, with his fitted covariance.
    kind
        "response": y - X beta. "pearson": divided by the fitted standard deviation of its row.
        "normalized": the inverse of the lower Cholesky factor of the patient's covariance times his
        residuals in order of visit: what each visit adds to the visits before it, divided by its
        standard deviation. If the model holds these have covariance one, apart from the fitting of
        the coefficients.

    Raises
    ------
    ValueError
        ``kind`` is none of the three.

    Source
    ------
    Galecki and Burzykowski (2013) Linear Mixed-Effects Models Using R.
    """
    if kind not in KINDS:
        raise ValueError(
            f"kind is {kind!r}; expected one of {', '.join(KINDS)}; choose one of them"
        )
    raw = y - X @ beta
    if kind == "response":
        return np.asarray(raw)
    scaled = raw if weights is None else raw * np.sqrt(weights)
    out = np.empty(len(y))
    for block in blocks:
        own = scaled[block.rows]
        if kind == "pearson":
            out[block.rows] = own / np.sqrt(np.diag(block.sigma))
        else:
            out[block.rows] = np.linalg.solve(np.linalg.cholesky(block.sigma), own.T).T
    return out


def simulate(
    X: Floats,  # noqa: N803
    weights: Floats | None,
    beta: Floats,
    blocks: Sequence[Block],
    rng: np.random.Generator,
    nsim: int = 1,
    vcov: Floats | None = None,
) -> Floats:
    """Draw responses (nsim, n) of the rows used from the fitted model.

    Each draw is X beta plus a residual with the patient's fitted covariance, independent of the
    responses observed. The covariance parameters stay at their estimates.

    Parameters
    ----------
    X, weights, beta, blocks
        As for :func:`residuals`.
    rng
        Source of randomness.
    nsim
        Number of draws.
    vcov
        (p, p) covariance of the coefficients: they are then drawn first, anew for each draw, from
        the normal distribution. None: they stay at their estimates.

    Raises
    ------
    TypeError
        ``rng`` is not a generator.
    ValueError
        ``nsim`` is less than 1.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng is {type(rng).__name__}; expected numpy.random.Generator, as numpy.random.default_rng(2018)"
        )
    if nsim < 1:
        raise ValueError(f"nsim is {nsim}; expected at least one draw; give nsim=1 or more")
    coefficients = np.broadcast_to(beta, (nsim, len(beta)))
    if vcov is not None:
        coefficients = rng.multivariate_normal(beta, vcov, size=nsim, method="eigh")
    out = coefficients @ X.T
    for block in blocks:
        noise = rng.standard_normal((nsim, *block.rows.shape)) @ np.linalg.cholesky(block.sigma).T
        out[:, block.rows] += noise if weights is None else noise / np.sqrt(weights[block.rows])
    return np.asarray(out)


@dataclass(frozen=True, eq=False)
class Conditional:
    """Responses of k patients at a visits, given their other responses.

    Attributes
    ----------
    mean
        (k, a) expectation.
    vcov
        (k, a, a) covariance of the responses about ``mean``, with that of ``mean`` included.
    vcov_mean
        (k, a, a) covariance of ``mean`` that comes from the coefficients; zero where they are taken
        as known.
    """

    mean: Floats
    vcov: Floats
    vcov_mean: Floats


def predict_conditional(
    X_new: Floats,  # noqa: N803
    X_seen: Floats,  # noqa: N803
    y_seen: Floats,
    sigma: Floats,
    beta: Floats,
    vcov: Floats | None = None,
    weights_new: Floats | None = None,
    weights_seen: Floats | None = None,
) -> Conditional:
    """Expect the unseen responses of patients from those seen, with what is left uncertain.

    In a patient with new rows 1 and seen rows 2, and S = sigma_12 sigma_22^-1: the expectation is
    X_1 beta + S (y_2 - X_2 beta), the covariance sigma_11 - S sigma_21, and estimated coefficients
    add (X_1 - S X_2) vcov (X_1 - S X_2)'. That is exact for the covariance parameters given, also where
    the coefficients were estimated from the same responses, since the error of S y_2 is
    independent of every response seen. The uncertainty of the covariance parameters is not included.

    Parameters
    ----------
    X_new, X_seen, y_seen
        (k, a, p), (k, b, p), (k, b): k patients with the same visits; b may be 0.
    sigma
        (a + b, a + b) covariance of the new rows, then the seen rows, for weight one.
    beta, vcov
        (p,) coefficients and their covariance (p, p); None takes the coefficients as known.
    weights_new, weights_seen
        (k, a) and (k, b), or None for all one.

    Source
    ------
    Goldberger (1962) JASA 57:369; R's mmrm and SAS's OUTP= predict by the same formula.
    """
    a = X_new.shape[1]
    root_new = np.ones(X_new.shape[:2]) if weights_new is None else np.sqrt(weights_new)
    root_seen = np.ones(X_seen.shape[:2]) if weights_seen is None else np.sqrt(weights_seen)
    share = np.linalg.solve(sigma[a:, a:], sigma[a:, :a]).T
    design = root_new[:, :, None] * X_new - share @ (root_seen[:, :, None] * X_seen)
    mean = design @ beta + (root_seen * y_seen) @ share.T
    left = sigma[:a, :a] - share @ sigma[a:, :a]
    scale = root_new[:, :, None] * root_new[:, None, :]
    of_mean = np.zeros_like(scale)
    if vcov is not None:
        of_mean = design @ vcov @ design.transpose(0, 2, 1) / scale
    return Conditional(mean / root_new, left / scale + of_mean, of_mean)


@dataclass(frozen=True, eq=False)
class Prediction:
    """One response for each new row.

    Attributes
    ----------
    mean
        (k,) expectation of the response, given the patient's responses that were seen.
    se_mean
        (k,) standard error of ``mean`` from the coefficients, for a confidence interval.
    se
        (k,) standard error of the response itself, for a prediction interval; 0 where it was seen.
    """

    mean: Floats
    se_mean: Floats
    se: Floats


def predict(
    X_new: Floats,  # noqa: N803
    subject_new: Numbers,
    visit_new: Numbers,
    X: Floats,  # noqa: N803
    y: Floats,
    subject: Numbers,
    visit: Numbers,
    beta: Floats,
    covariance: Callable[[int, Numbers], Floats],
    *,
    vcov: Floats | None = None,
    group_new: Numbers | None = None,
    weights: Floats | None = None,
    weights_new: Floats | None = None,
) -> Prediction:
    """Expect the responses of new rows, each from the responses of the same patient that were seen.

    Parameters
    ----------
    X_new, subject_new, visit_new
        (k, p) design, patients and visits of the new rows. A patient not among ``subject`` is
        predicted by his covariates alone. At a visit already seen the response of that visit is
        returned, moved by any change of covariates.
    X, y, subject, visit
        (n, p), (n,) rows seen. Patients are numbers or labels, alike in both; visits are numbers
        (positions among the visit levels, or times).
    beta, vcov
        (p,) coefficients and their covariance; None takes the coefficients as known.
    covariance
        ``covariance(group, visits)`` gives the (m, m) covariance for weight one at these visits.
    group_new
        (k,) covariance group of each new row, the same in a patient; None where there is one, 0.
    weights, weights_new
        (n,) and (k,), or None for all one.

    Notes
    -----
    Patients with the same group and the same visits, new and seen, are predicted together.
    """
    groups = np.zeros(len(X_new), dtype=np.int64) if group_new is None else group_new
    seen = _rows_by_patient(subject, visit)
    alike: dict[tuple[Any, ...], tuple[list[Numbers], list[Numbers]]] = {}
    for patient, rows in _rows_by_patient(subject_new, visit_new).items():
        others = seen.get(patient, np.empty(0, dtype=np.int64))
        key = (int(groups[rows[0]]), tuple(visit_new[rows]), tuple(visit[others]))
        new_rows, seen_rows = alike.setdefault(key, ([], []))
        new_rows.append(rows)
        seen_rows.append(others)
    mean, of_mean, total = (np.empty(len(X_new)) for _ in range(3))
    for (group, new_visits, seen_visits), gathered in alike.items():
        new, old = (np.stack(rows) for rows in gathered)
        found = predict_conditional(
            X_new[new],
            X[old],
            y[old],
            covariance(group, np.array((*new_visits, *seen_visits))),
            beta,
            vcov,
            None if weights_new is None else weights_new[new],
            None if weights is None else weights[old],
        )
        mean[new] = found.mean
        of_mean[new] = np.einsum("kaa->ka", found.vcov_mean)
        total[new] = np.einsum("kaa->ka", found.vcov)
    # Rounding leaves a response that was seen a variance of about -1e-16.
    return Prediction(mean, np.sqrt(np.maximum(of_mean, 0.0)), np.sqrt(np.maximum(total, 0.0)))


def _rows_by_patient(subject: Numbers, visit: Numbers) -> dict[Any, Numbers]:
    """Rows of each patient in order of visit."""
    order = np.lexsort((visit, np.unique(subject, return_inverse=True)[1]))
    if not len(order):
        return {}
    ends = np.flatnonzero(subject[order][1:] != subject[order][:-1]) + 1
    return {subject[rows[0]].item(): rows for rows in np.split(order, ends)}
