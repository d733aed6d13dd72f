"""Covariance structures between the visits of a patient: their names, sizes and starting values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures import kernels

Floats = NDArray[np.float64]


# Patients up to which a likelihood may have several maxima that are far apart.
SMALL = 60


@dataclass(frozen=True)
class Structure:
    """A covariance structure: its name in R's mmrm, what it says, and how the kernels know it."""

    name: str
    label: str
    kind: int
    heterogeneous: bool = False
    spatial: bool = False

    def n_parameters(self, m: int) -> int:
        """Number of parameters for ``m`` visits."""
        if self.kind == kernels.US:
            return m * (m + 1) // 2
        n_sd = m if self.heterogeneous else 1
        if m == 1:
            return n_sd
        return n_sd + (m - 1 if self.kind in (kernels.TOEP, kernels.AD) else 1)


STRUCTURES = {
    s.name: s
    for s in (
        Structure("us", "unstructured", kernels.US),
        Structure("cs", "compound symmetry", kernels.CS),
        Structure("csh", "heterogeneous compound symmetry", kernels.CS, True),
        Structure("ar1", "first-order autoregressive", kernels.AR1),
        Structure("ar1h", "heterogeneous first-order autoregressive", kernels.AR1, True),
        Structure("toep", "Toeplitz", kernels.TOEP),
        Structure("toeph", "heterogeneous Toeplitz", kernels.TOEP, True),
        Structure("ad", "first-order ante-dependence", kernels.AD),
        Structure("adh", "heterogeneous first-order ante-dependence", kernels.AD, True),
        Structure("sp_exp", "spatial exponential", -1, False, True),
        Structure("sp_gau", "spatial Gaussian", -2, False, True),
    )
}


def find_structure(name: str) -> Structure:
    """Give the structure of that name.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    if not isinstance(name, str) or name not in STRUCTURES:
        raise ValueError(
            f"{name!r} is not a covariance structure; expected one of {', '.join(STRUCTURES)}; correct it"
        )
    return STRUCTURES[name]


@lru_cache(maxsize=32)
def upper_triangle(m: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the elements of an unstructured covariance, in their order."""
    return np.triu_indices(m)


def starts(structure: Structure, moments: Floats, n_subjects: int) -> list[Floats]:
    """Working parameters (k, q) to start from, given residual covariances (k, m, m).

    The likelihoods of structures between compound symmetry and unstructured have several maxima,
    most of all in small samples: these get more starts, from other standard deviations too.
    """
    m = moments.shape[1]
    if structure.kind == kernels.US:
        return [moments[:, *upper_triangle(m)]]
    variance = np.diagonal(moments, axis1=1, axis2=2)
    positive = variance > 0
    mean = np.where(positive, variance, 0.0).sum(axis=1) / np.maximum(positive.sum(axis=1), 1)
    mean = np.where(mean > 0, mean, 1.0)[:, None]
    sd = np.sqrt(np.where(positive, variance, mean))
    own = np.log(sd) if structure.heterogeneous else 0.5 * np.log(mean)
    r = moments / (sd[:, :, None] * sd[:, None, :])
    found = [_working(structure, own, r, shape) for shape in (None, 0.0, 0.5, 0.9, -0.4)]
    if structure.kind == kernels.TOEP and n_subjects <= SMALL:
        lag = np.arange(m)
        for partial in np.random.default_rng(1).uniform(-0.9, 0.9, (12, m - 1)):
            rho = autocorrelation(partial)[np.abs(lag[:, None] - lag)]
            found.append(_working(structure, own, np.broadcast_to(rho, r.shape), None))
    if structure.heterogeneous and n_subjects <= SMALL:
        equal = np.broadcast_to(0.5 * np.log(mean), own.shape)
        found += [_working(structure, equal, r, shape) for shape in (None, 0.5, 0.95, -0.4)]
        for visit in range(m):
            for factor in (3.0, 1.0 / 3.0):
                moved = own.copy()
                moved[:, visit] += np.log(factor)
                found.append(_working(structure, moved, r, 0.9))
    return found


def _working(structure: Structure, log_sd: Floats, r: Floats, shape: float | None) -> Floats:
    """Log SDs, then correlations: those of the residuals ``r``, or a geometric decay from ``shape``."""
    m = r.shape[1]
    if m == 1:
        return log_sd
    if structure.kind == kernels.CS:
        rho = r[:, *np.triu_indices(m, 1)].mean(axis=1, keepdims=True)
    elif structure.kind == kernels.AD:
        rho = np.diagonal(r, 1, 1, 2)
    else:
        last = m if structure.kind == kernels.TOEP else 2
        rho = np.stack([np.diagonal(r, k, 1, 2).mean(axis=1) for k in range(1, last)], axis=1)
    if shape is not None:
        lag = np.arange(1, rho.shape[1] + 1) if structure.kind == kernels.TOEP else 1
        rho = np.broadcast_to(np.asarray(shape, dtype=float) ** lag, rho.shape)
    floor = -1.0 / (m - 1)
    if structure.kind == kernels.CS:
        rho = np.clip(rho, 0.9 * floor, 0.95)
        return np.concatenate((log_sd, np.log((rho - floor) / (1.0 - rho))), axis=1)
    rho = np.clip(rho, -0.9, 0.95)
    return np.concatenate((log_sd, rho / np.sqrt(1 - rho**2)), axis=1)


def autocorrelation(partial: Floats) -> Floats:
    """Correlations at lags 0, 1, ... from partial ones in (-1, 1) (Durbin and Levinson): positive definite."""
    rho = np.ones(len(partial) + 1)
    weights = np.zeros(0)
    left = 1.0
    for k, phi in enumerate(partial):
        rho[k + 1] = weights @ rho[k:0:-1] + phi * left if k else phi
        weights = np.append(weights - phi * weights[::-1], phi)
        left *= 1.0 - phi**2
    return rho
