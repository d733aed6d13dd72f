"""Covariance structures between the visits of a patient: their names, sizes and starting values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures import kernels

Floats = NDArray[np.float64]


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
    if name not in STRUCTURES:
        raise ValueError(
            f"{name!r} is not a covariance structure; expected one of {', '.join(STRUCTURES)}; correct it"
        )
    return STRUCTURES[name]


def starts(structure: Structure, moments: Floats) -> list[Floats]:
    """Working parameters to start from, given each group's residual covariance (g, m, m).

    Ante-dependence and Toeplitz likelihoods have several maxima: they get several starts.
    """
    m = moments.shape[1]
    if structure.kind == kernels.US:
        upper = np.triu_indices(m)
        return [np.concatenate([s[upper] for s in moments])]
    shapes: list[float | None] = [None, 0.0]
    if structure.kind in (kernels.TOEP, kernels.AD):
        shapes = [None, 0.0, 0.5, 0.9, -0.4]
    return [np.concatenate([_start(structure, s, shape) for s in moments]) for shape in shapes]


def _start(structure: Structure, s: Floats, shape: float | None) -> Floats:
    """Log SDs, then correlations: those of the residuals, or a geometric decay from ``shape``."""
    m = len(s)
    variance = np.diag(s).copy()
    variance[~(variance > 0)] = variance[variance > 0].mean() if (variance > 0).any() else 1.0
    sd = np.sqrt(variance)
    r = s / np.outer(sd, sd)
    lags = [float(np.mean(np.diag(r, k))) for k in range(1, m)]
    if structure.kind == kernels.CS:
        rho = [float(np.mean(r[np.triu_indices(m, 1)]))] if m > 1 else []
    elif structure.kind == kernels.AR1:
        rho = lags[:1]
    elif structure.kind == kernels.TOEP:
        rho = lags
    else:
        rho = [float(v) for v in np.diag(r, 1)]
    if shape is not None:
        rho = [shape ** (k + 1 if structure.kind == kernels.TOEP else 1) for k in range(len(rho))]
    lowest = -0.9 / max(m - 1, 1) if structure.kind == kernels.CS else -0.9
    rho_array = np.clip(np.nan_to_num(np.array(rho)), lowest, 0.95)
    working = rho_array / np.sqrt(1 - rho_array**2)
    if structure.kind == kernels.CS and m > 1:
        floor = -1.0 / (m - 1)
        working = np.log((rho_array - floor) / (1.0 - rho_array))
    log_sd = np.log(sd) if structure.heterogeneous else [0.5 * np.log(variance.mean())]
    return np.concatenate((log_sd, working))
