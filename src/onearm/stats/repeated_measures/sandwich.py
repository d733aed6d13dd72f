"""The empirical (sandwich) covariance of the coefficients, and its degrees of freedom.

Patients are the clusters. Each patient's design and residual are whitened by the fitted covariance and
turned to a basis in which the whole design Q is orthonormal. Then the leverage of patient i is
Q_i Q_i', his adjustment A_i is a power of I - Q_i Q_i', and the sum over patients of the products of
Q_i' A_i r_i is the covariance in that basis. Nothing larger than the design is ever held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onearm.stats.repeated_measures.blocks import Block

Floats = NDArray[np.float64]

#: Power of I - leverage in the adjustment of each patient's residuals.
POWERS = {"CR0": 0.0, "CR2": -0.5, "CR3": -1.0}
# 1 - leverage below this is none: the patient alone determines a combination of coefficients.
NO_REMAINDER = 1e-10


@dataclass(frozen=True, eq=False)
class Sandwich:
    """Empirical covariance of the coefficients.

    Attributes
    ----------
    vcov
        (p, p) covariance of the coefficients.
    kind
        "CR0", "CR2" or "CR3".
    """

    vcov: Floats
    kind: str
    _basis: Floats
    # Whitened rows, a patient's together: orthonormal design, its adjusted form, first row of each patient.
    _design: Floats
    _adjusted: Floats
    _first: NDArray[np.int64]

    def df(self, L: ArrayLike) -> Floats:  # noqa: N803
        """Satterthwaite degrees of freedom of contrasts, with the fitted covariance as working model.

        The empirical variance of a contrast is a sum over patients of squares of normal variables,
        whose covariance matrix Omega is known if the fitted covariance is true; the degrees of
        freedom are trace(Omega)^2 / trace(Omega^2). Omega (patients x patients) is diagonal plus rank
        p and is never formed.

        Parameters
        ----------
        L
            (p,) for one contrast, or (c, p), each row by itself. Degrees of freedom of several
            rows tested together: turn the rows by the eigenvectors of L vcov L', take the degrees of
            freedom of each, and combine them (:func:`onearm.stats.repeated_measures.inference.combined_df`).

        Returns
        -------
        () or (c,) degrees of freedom; NaN for a contrast of zeros.

        Raises
        ------
        ValueError
            ``L`` does not have one number per coefficient.

        Source
        ------
        Bell and McCaffrey (2002) Survey Methodology 28:169; Pustejovsky and Tipton (2018) JBES
        36:672.
        """
        rows = np.asarray(L, dtype=np.float64)
        if rows.ndim not in (1, 2) or rows.shape[-1] != len(self.vcov):
            raise ValueError(
                f"L has shape {rows.shape}; expected ({len(self.vcov)},) or (contrasts, {len(self.vcov)}), one "
                "number per coefficient; give a zero for each coefficient that takes no part"
            )
        found = [self._df(self._basis.T @ row) for row in np.atleast_2d(rows)]
        return np.array(found).reshape(rows.shape[:-1])

    def _df(self, direction: Floats) -> float:
        a = self._adjusted @ direction
        u = np.add.reduceat(a[:, None] * self._design, self._first)
        shared = np.einsum("ip,ip->i", u, u)
        own = np.add.reduceat(a * a, self._first) - shared
        # Omega_ij = own_i where i = j, else -u_i'u_j; the squares of u_i'u_j sum to those of u'u.
        squares = float(np.sum(own**2 - shared**2) + np.sum((u.T @ u) ** 2))
        return float(own.sum()) ** 2 / squares if squares > 0 else np.nan


def sandwich(
    X: Floats,  # noqa: N803
    y: Floats,
    weights: Floats | None,
    beta: Floats,
    blocks: Sequence[Block],
    kind: str,
    vcov_asymptotic: Floats | None = None,
) -> Sandwich:
    """Empirical covariance of generalised least-squares coefficients, clustered by patient.

    Definitions and results are those of R's mmrm; no factor for the number of patients is applied.
    clubSandwich's CR0 and CR3 under the fitted covariance are the same. Its CR2 takes another root of
    the leverage, which is unbiased under the same condition and differs where visits are correlated.

    Parameters
    ----------
    X, y
        (n, p) design of full column rank and (n,) responses, no value missing.
    weights
        (n,) positive, or None for all one.
    beta
        (p,) generalised least-squares coefficients.
    blocks
        Every patient once, with his fitted covariance.
    kind
        "CR0": residuals as they are (Liang and Zeger; mmrm's Empirical). "CR2": residuals adjusted so
        that the result is unbiased where the fitted covariance is true (Bell and McCaffrey;
        Empirical-Bias-Reduced). "CR3": residuals as if the patient had been left out of the fit
        (Empirical-Jackknife).
    vcov_asymptotic
        (p, p) inverse of X'WX where it is at hand; computed from ``X`` if None.

    Notes
    -----
    Where one patient alone determines a combination of coefficients (the only patient seen at a
    visit), his residual there is zero whatever the data: CR0 and CR2 then count nothing for it, which
    understates the variance of that combination (to zero, if it rests on him alone), and CR3 has no
    value.

    Raises
    ------
    ValueError
        ``kind`` is none of the three, or CR3 has no value.

    Source
    ------
    Liang and Zeger (1986) Biometrika 73:13; Bell and McCaffrey (2002) Survey Methodology 28:169;
    Mancl and DeRouen (2001) Biometrics 57:126.
    """
    if kind not in POWERS:
        raise ValueError(
            f"kind is {kind!r}; expected one of {', '.join(POWERS)}; choose one of them"
        )
    designs, residuals = _whitened(X, y - X @ beta, weights, blocks)
    basis = _basis(designs, vcov_asymptotic)
    scores, all_q, all_adjusted = [], [], []
    for block, design, residual in zip(blocks, designs, residuals, strict=True):
        q = design @ basis
        adjusted = q if kind == "CR0" else _adjusted(q, POWERS[kind], block)
        scores.append(np.einsum("imp,im->ip", adjusted, residual))
        all_q.append(q.reshape(-1, len(beta)))
        all_adjusted.append(adjusted.reshape(-1, len(beta)))
    turned = np.concatenate(scores) @ basis.T
    sizes = np.concatenate([np.full(len(b.rows), len(b.visits)) for b in blocks])
    first = np.cumsum(sizes) - sizes
    stacked = np.concatenate(all_q)
    return Sandwich(
        vcov=turned.T @ turned,
        kind=kind,
        _basis=basis,
        _design=stacked,
        _adjusted=stacked if kind == "CR0" else np.concatenate(all_adjusted),
        _first=first,
    )


def _whitened(
    x: Floats, residual: Floats, weights: Floats | None, blocks: Sequence[Block]
) -> tuple[list[Floats], list[Floats]]:
    """Designs (n_k, m_k, p) and residuals (n_k, m_k) of each block, with identity covariance."""
    both = np.column_stack((x, residual))
    if weights is not None:
        both *= np.sqrt(weights)[:, None]
    designs, residuals = [], []
    for block in blocks:
        z = both[block.rows].transpose(1, 0, 2)
        white = np.linalg.solve(np.linalg.cholesky(block.sigma), z.reshape(len(z), -1))
        white = white.reshape(z.shape).transpose(1, 0, 2)
        designs.append(np.ascontiguousarray(white[:, :, :-1]))
        residuals.append(white[:, :, -1])
    return designs, residuals


def _basis(designs: Sequence[Floats], vcov: Floats | None) -> Floats:
    """(p, p) F with F F' the inverse of X'WX: the whitened design times F is orthonormal."""
    if vcov is not None:
        return np.asarray(np.linalg.cholesky(vcov))
    stacked = np.concatenate([design.reshape(-1, design.shape[-1]) for design in designs])
    return np.asarray(np.linalg.inv(np.linalg.qr(stacked, mode="r")))


def _adjusted(q: Floats, power: float, block: Block) -> Floats:
    """(I - q q')^power q of each patient; directions without remainder count nothing."""
    remainder, vectors = np.linalg.eigh(np.eye(q.shape[1]) - q @ q.transpose(0, 2, 1))
    none = remainder < NO_REMAINDER
    if power == POWERS["CR3"] and none.any():
        rows = block.rows[none.any(axis=1)][0]
        raise ValueError(
            f"the patient of row {int(rows[0])} (counted from 0 among the rows used) alone determines a "
            "combination of coefficients, and CR3 leaves each patient out in turn; use CR2 or the model's "
            "covariance, or leave out the visit or covariate that only this patient has"
        )
    scale = np.where(none, 0.0, np.where(none, 1.0, remainder) ** power)
    return (vectors * scale[:, None, :]) @ (vectors.transpose(0, 2, 1) @ q)
