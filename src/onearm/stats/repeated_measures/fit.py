"""The mixed model for repeated measures: fit and what is read from it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures import inference, residuals
from onearm.stats.repeated_measures.blocks import Block
from onearm.stats.repeated_measures.compiled import Engine
from onearm.stats.repeated_measures.compiled import compiled as compiled_engine
from onearm.stats.repeated_measures.data import Observations, observations, refuse_torn
from onearm.stats.repeated_measures.inference import Contrast, Estimates, FTest
from onearm.stats.repeated_measures.patterns import Patterns
from onearm.stats.repeated_measures.solution import (
    FitError,
    Inference,
    Prepared,
    Solution,
    prepare,
    solve,
)
from onearm.stats.repeated_measures.structures import find_structure

if TYPE_CHECKING:
    from onearm.stats.repeated_measures.formula import Design
    from onearm.stats.repeated_measures.residuals import Prediction
    from onearm.stats.repeated_measures.sandwich import Sandwich

Floats = NDArray[np.float64]
Df = Literal[
    "kenward-roger",
    "kenward-roger-linear",
    "kenward-roger-mmrm",
    "satterthwaite",
    "residual",
    "between-within",
]
Information = Literal["observed", "expected"]
Vcov = Literal["model", "CR0", "CR2", "CR3"]
ResidualKind = Literal["response", "pearson", "normalized"]

DF_METHODS: tuple[str, ...] = Df.__args__  # type: ignore[attr-defined]
MODEL_BASED = DF_METHODS[:4]
KENWARD_ROGER = DF_METHODS[:3]


class MMRMWarning(UserWarning):
    """Degrees of freedom that should not be relied on, or columns that were left out."""


@dataclass(frozen=True)
class Attempt:
    """One covariance structure that was tried; ``reason`` is why it failed, or empty."""

    covariance: str
    converged: bool
    reason: str


@dataclass(frozen=True, repr=False)
class MMRM:
    """A fitted mixed model for repeated measures.

    Attributes
    ----------
    rows
        The rows used.
    covariance, attempts
        Structure used, and every one tried, in order, with the reason why it failed.
    method, information, vcov_kind, reml
        Degrees of freedom, information for the covariance of the parameters, covariance of the
        coefficients, and whether the likelihood was restricted.
    notes
        What the reader should know, in words; issued as :class:`MMRMWarning` too.
    """

    rows: Observations
    covariance: str
    attempts: tuple[Attempt, ...]
    method: str
    information: str
    vcov_kind: str
    reml: bool
    solution: Solution
    patterns: Patterns
    kept: NDArray[np.int64]
    notes: tuple[str, ...]
    design: Design | None = None

    def __str__(self) -> str:
        """What was fitted, how, and the table of coefficients."""
        structure = find_structure(self.covariance)
        parts = [
            f"Mixed model for repeated measures: {self.n_subjects} patients, {self.n_obs} values"
            + (f", {self.n_dropped} rows with missing values left out" if self.n_dropped else ""),
            f"Covariance {structure.label} ({self.covariance}, {self.n_parameters} parameters); "
            + ("restricted " if self.reml else "")
            + f"log-likelihood {self.loglik:.4f}, AIC {self.aic:.2f}, BIC {self.bic:.2f}",
            f"Degrees of freedom: {self.method}, {self.information} information"
            + ("" if self.vcov_kind == "model" else f"; empirical covariance {self.vcov_kind}"),
            *(f"{a.covariance} could not be fitted: {a.reason}" for a in self.attempts if a.reason),
            *(f"Note: {note}" for note in self.notes),
        ]
        return "\n".join(parts) + f"\n\n{self.table()}"

    def __repr__(self) -> str:
        """One line."""
        return (
            f"<MMRM {self.covariance}: {self.n_subjects} patients, {self.n_obs} values, "
            f"{len(self.coef)} coefficients>"
        )

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.rows.terms

    @property
    def coef(self) -> Floats:
        """(p,) coefficients; NaN for a column that the columns before it determine."""
        return self.solution.coef

    @property
    def loglik(self) -> float:
        """Log-likelihood, restricted where ``reml``, with all constants (as R's mmrm and nlme)."""
        return self.solution.loglik

    @property
    def n_parameters(self) -> int:
        """Number of covariance parameters."""
        return len(self.solution.spread)

    @property
    def n_obs(self) -> int:
        """Rows used."""
        return len(self.rows.y)

    @property
    def n_subjects(self) -> int:
        """Patients with a used row."""
        return self.patterns.n_subjects

    @property
    def n_dropped(self) -> int:
        """Rows left out because a value was missing."""
        return self.rows.n_dropped

    @property
    def aic(self) -> float:
        """Akaike's criterion; counts covariance parameters only, as R's mmrm does."""
        return -2.0 * self.loglik + 2.0 * self.n_parameters

    @property
    def bic(self) -> float:
        """Schwarz's criterion, with the number of patients, as R's mmrm does."""
        return -2.0 * self.loglik + float(np.log(self.n_subjects)) * self.n_parameters

    @property
    def X(self) -> Floats:  # noqa: N802
        """(n, p) design of the used rows."""
        return self.rows.x

    @property
    def y(self) -> Floats:
        """(n,) responses used."""
        return self.rows.y

    @property
    def weights(self) -> Floats | None:
        """(n,) weights, or None."""
        return self.rows.weights

    @property
    def visit_levels(self) -> tuple[Any, ...]:
        """Visits in order; in spatial structures the distinct times."""
        return self.rows.visit_levels

    @cached_property
    def vcov_asymptotic(self) -> Floats:
        """(p, p) inverse of X'WX, without any adjustment for small samples."""
        return self._spread_out(self.solution.whitener @ self.solution.whitener.T)

    @cached_property
    def vcov(self) -> Floats:
        """(p, p) covariance of the coefficients that tests and intervals use."""
        if self.vcov_kind != "model":
            return self._sandwich.vcov
        if self.method not in KENWARD_ROGER:
            return self.vcov_asymptotic
        w = self.solution.whitener
        return self._spread_out(w @ (np.eye(len(w)) + 2.0 * self.solution.adjustment) @ w.T)

    def _spread_out(self, kept: Floats) -> Floats:
        """Put the covariance of the kept coefficients among NaN for the others."""
        p = len(self.coef)
        if len(self.kept) == p:
            return kept
        full = np.full((p, p), np.nan)
        full[np.ix_(self.kept, self.kept)] = kept
        return full

    @cached_property
    def se(self) -> Floats:
        """(p,) standard errors; NaN, with a note, where the adjustment leaves a negative variance."""
        return _root(np.diag(self.vcov))

    @property
    def df_observed(self) -> Floats:
        """(p,) Satterthwaite degrees of freedom under the observed information."""
        return self.solution.df_observed

    @property
    def df_expected(self) -> Floats:
        """(p,) Satterthwaite degrees of freedom under the expected information."""
        return self.solution.df_expected

    @cached_property
    def df(self) -> Floats:
        """(p,) degrees of freedom of the coefficients, by ``method``."""
        if self.vcov_kind == "model" and self.method in MODEL_BASED:
            chosen = self.information == "expected"
            return self.df_expected if chosen else self.df_observed
        return self._df(np.eye(len(self.coef))[self.kept])

    @property
    def covariance_matrix(self) -> Floats | dict[Any, Floats]:
        """(m, m) fitted covariance between visits for weight one; by group where it differs by group.

        In spatial structures: between the times of the patient who has most of them.
        """
        sigma: Sequence[Floats] = list(self.solution.sigma)
        if self._spatial:
            sizes = np.array([len(slots) for slots in self.patterns.slots])
            groups = range(len(self.rows.group_levels))
            whole = [int(np.argmax(np.where(self.patterns.group == g, sizes, 0))) for g in groups]
            sigma = [sigma[k][: sizes[k], : sizes[k]] for k in whole]
        if len(sigma) == 1:
            return np.asarray(sigma[0])
        return dict(zip(self.rows.group_levels, sigma, strict=True))

    @property
    def _spatial(self) -> bool:
        """Whether ``solution.sigma`` holds a covariance for each pattern instead of each group."""
        return find_structure(self.covariance).spatial

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Patients gathered by the visits they have, with their fitted covariance for weight one."""
        found = []
        for k, (rows, slots) in enumerate(
            zip(self.patterns.rows, self.patterns.slots, strict=True)
        ):
            group = int(self.patterns.group[k])
            if self._spatial:
                sigma = self.solution.sigma[k][: len(slots), : len(slots)]
            else:
                sigma = self.solution.sigma[group][np.ix_(slots, slots)]
            found.append(Block(rows, slots, group, sigma))
        return tuple(found)

    @cached_property
    def _sandwich(self) -> Sandwich:
        from onearm.stats.repeated_measures.sandwich import sandwich

        if len(self.kept) < len(self.coef):
            raise ValueError(
                "the design has columns that others determine; the empirical covariance needs a design of full "
                "rank; leave out " + ", ".join(self._aliased())
            )
        return sandwich(
            self.X,
            self.y,
            self.weights,
            self.coef,
            self.blocks,
            self.vcov_kind,
            self.vcov_asymptotic,
        )

    def _aliased(self) -> list[str]:
        return [t for j, t in enumerate(self.terms) if j not in set(self.kept.tolist())]

    def _whitened(self, rows: Floats) -> Floats:
        return rows[:, self.kept] @ self.solution.whitener

    def _df(self, rows: Floats) -> Floats:
        """Degrees of freedom of single rows (c, p)."""
        if self.method == "residual":
            return np.full(len(rows), float(self.n_obs - len(self.kept)))
        if self.method == "between-within":
            own = inference.between_within(self.X, self.rows.subject, self.kept)
            return np.array([own[row != 0].min() if np.any(row) else np.nan for row in rows])
        if self.vcov_kind != "model":
            return np.asarray(self._sandwich.df(rows))
        return inference.satterthwaite(
            self._whitened(rows), self.solution.slope, self.solution.spread
        )

    def _estimable(self, rows: Floats) -> None:
        """Refuse contrasts of coefficients that the data cannot tell apart."""
        if len(self.kept) == len(self.coef):
            return
        lost = np.setdiff1d(np.arange(len(self.coef)), self.kept)
        copy, *_ = np.linalg.lstsq(self.X[:, self.kept], self.X[:, lost], rcond=None)
        gap = rows[:, lost] - rows[:, self.kept] @ copy
        if np.any(np.abs(gap) > 1e-7 * max(1.0, float(np.abs(rows).max()))):
            raise ValueError(
                "a contrast asks for more than the design determines: the columns "
                f"{', '.join(self._aliased())} are sums of others; leave them out of the contrast or the model"
            )

    def _estimate(self, rows: Floats) -> tuple[Floats, Floats, Floats]:
        self._estimable(rows)
        estimate = rows[:, self.kept] @ self.coef[self.kept]
        v = self.vcov[np.ix_(self.kept, self.kept)]
        se = _root(np.einsum("cp,pq,cq->c", rows[:, self.kept], v, rows[:, self.kept]))
        return estimate, se, self._df(rows)

    def contrast(self, L: Any, *, conf_level: float = 0.95) -> Contrast | FTest:  # noqa: N803
        """Test a linear combination of the coefficients, or several together.

        Parameters
        ----------
        L
            (p,) for one combination, tested with t; (c, p) for several, tested with F. Rows that
            others determine add nothing; they are left out of the F test.
        conf_level
            Level of the interval.

        Returns
        -------
        :class:`Contrast` for one row, :class:`FTest` for several.

        Raises
        ------
        ValueError
            ``L`` does not fit the model, or the design does not determine it.

        Source
        ------
        Kenward and Roger (1997) Biometrics 53:983; Fai and Cornelius (1996) for several rows under
        Satterthwaite.
        """
        rows = inference.as_rows(L, len(self.coef))
        estimate, se, df = self._estimate(rows)
        t = estimate / se
        p = inference.two_sided(t, df)
        low, high = inference.limits(estimate, se, df, conf_level)
        level = np.full(len(rows), conf_level)
        singles = tuple(
            Contrast(*map(float, values))
            for values in zip(estimate, se, df, t, p, low, high, level, strict=True)
        )
        if np.ndim(L) == 1:
            return singles[0]
        return self._together(rows, singles)

    def _together(self, rows: Floats, singles: tuple[Contrast, ...]) -> FTest:
        from scipy.special import fdtrc

        rows = _independent_rows(rows[:, self.kept])
        full = np.zeros((len(rows), len(self.coef)))
        full[:, self.kept] = rows
        estimate = rows @ self.coef[self.kept]
        v = rows @ self.vcov[np.ix_(self.kept, self.kept)] @ rows.T
        rank = len(rows)
        statistic = float(estimate @ np.linalg.solve(v, estimate)) / rank
        den = float(np.min(self._df(full)))
        if self.method not in ("residual", "between-within"):
            if self.vcov_kind == "model" and self.method in KENWARD_ROGER:
                own = rows @ self.solution.whitener
                scale, den = inference.kenward_roger(own, self.solution.slope, self.solution.spread)
                statistic *= scale
                if not (den > 0 and statistic >= 0):
                    warnings.warn(
                        "Kenward and Roger's approximation has no solution for this F test in so small a sample "
                        "(negative statistic or degrees of freedom); use df='satterthwaite' or test single rows",
                        MMRMWarning,
                        stacklevel=3,
                    )
            elif rank > 1:
                _, turn = np.linalg.eigh(v)
                den = inference.combined_df(self._df(turn.T @ full))
        return FTest(rank, den, statistic, float(fdtrc(rank, den, statistic)), singles)

    def contrasts(
        self,
        L: Any,  # noqa: N803
        labels: Sequence[str] | None = None,
        *,
        conf_level: float = 0.95,
    ) -> Estimates:
        """Estimates of several linear combinations, one line each; columns as :meth:`table`."""
        rows = inference.as_rows(L, len(self.coef))
        names = labels or [f"contrast {i + 1}" for i in range(len(rows))]
        return self._lines({"contrast": inference.labelled(names, len(rows))}, rows, conf_level)

    def _lines(self, head: Mapping[str, Any], rows: Floats, conf_level: float) -> Estimates:
        estimate, se, df = self._estimate(rows)
        t = estimate / se
        low, high = inference.limits(estimate, se, df, conf_level)
        return Estimates(
            **head, estimate=estimate, se=se, df=df, statistic=t, p=inference.two_sided(t, df),
            lower=low, upper=high,
        )  # fmt: skip

    def table(self, *, conf_level: float = 0.95) -> Estimates:
        """Coefficients with standard error, degrees of freedom, t, two-sided P and interval.

        ``df_observed`` and ``df_expected`` stand beside the degrees of freedom used. A coefficient
        that the design does not determine is NaN.
        """
        low, high = inference.limits(self.coef, self.se, self.df, conf_level)
        t = self.coef / self.se
        return Estimates(
            term=list(self.terms), estimate=self.coef, se=self.se, df=self.df, statistic=t,
            p=inference.two_sided(t, self.df), lower=low, upper=high,
            df_observed=self.df_observed, df_expected=self.df_expected,
        )  # fmt: skip

    def _designed(self) -> Design:
        if self.design is None:
            raise ValueError(
                "this model was fitted to arrays, which do not name their variables; give the rows of the "
                "means to contrasts(), or fit with a formula: mmrm(formula, data, ...)"
            )
        return self.design

    def lsmeans(
        self,
        by: str | Sequence[str],
        *,
        at: Mapping[str, Any] | None = None,
        weights: Literal["equal", "proportional"] = "equal",
        conf_level: float = 0.95,
    ) -> Estimates:
        """Least-squares means at each level of ``by``.

        Parameters
        ----------
        by
            One factor or several.
        at
            Values of numeric covariates (else their mean over the used rows), or levels of factors.
        weights
            How the levels of the other factors are averaged.
        conf_level
            Level of the intervals.
        """
        from onearm.stats.repeated_measures.formula import reference_grid

        labels, rows = reference_grid(self._designed(), by, at=at, weights=weights)
        return self._lines(labels, rows, conf_level)

    def change(
        self,
        baseline: Any = None,
        *,
        by: str,
        at: Mapping[str, Any] | None = None,
        weights: Literal["equal", "proportional"] = "equal",
        conf_level: float = 0.95,
    ) -> Estimates:
        """Difference of each visit's least-squares mean from that of the baseline visit.

        ``by`` names the visit factor of the formula, ``baseline`` one of its levels (default: the first).
        """
        from onearm.stats.repeated_measures.formula import reference_grid

        labels, rows = reference_grid(self._designed(), by, at=at, weights=weights)
        levels = list(labels[by])
        first = levels[0] if baseline is None else baseline
        if first not in levels:
            raise ValueError(
                f"{first!r} is not a level of {by}; the levels are {levels}; give one of them"
            )
        place = levels.index(first)
        others = [i for i in range(len(levels)) if i != place]
        names = [f"{levels[i]} - {first}" for i in others]
        return self._lines({"contrast": names}, rows[others] - rows[place], conf_level)

    def type3(self) -> Estimates:
        """Type III F test of each term of the formula (hypotheses that do not depend on the coding)."""
        from onearm.stats.repeated_measures.formula import type3_hypotheses

        found = {name: self.contrast(np.atleast_2d(rows)) for name, rows in
                 type3_hypotheses(self._designed()).items()}  # fmt: skip
        tests = {name: test for name, test in found.items() if isinstance(test, FTest)}
        return Estimates(
            term=list(tests),
            num_df=np.array([t.num_df for t in tests.values()]),
            den_df=np.array([t.den_df for t in tests.values()]),
            statistic=np.array([t.statistic for t in tests.values()]),
            p=np.array([t.p for t in tests.values()]),
        )

    def fitted(self) -> Floats:
        """(n,) means of the used rows."""
        return residuals.fitted(self.X[:, self.kept], self.coef[self.kept])

    def residuals(self, kind: ResidualKind = "response") -> Floats:
        """(n,) residuals of the used rows.

        ``response``: observed less mean; ``pearson``: divided by the fitted SD; ``normalized``: freed
        of the fitted covariance within the patient, so that they are uncorrelated with variance one.
        """
        return residuals.residuals(
            self.X[:, self.kept], self.y, self.weights, self.coef[self.kept], self.blocks, kind
        )

    def simulate(
        self, rng: np.random.Generator, nsim: int = 1, *, draw_coefficients: bool = False
    ) -> Floats:
        """(nsim, n) responses drawn from the fit at the used rows.

        ``draw_coefficients`` draws these from their estimated distribution first; the covariance
        parameters stay at their estimates.
        """
        vcov = self.vcov[np.ix_(self.kept, self.kept)] if draw_coefficients else None
        return residuals.simulate(
            self.X[:, self.kept], self.weights, self.coef[self.kept], self.blocks, rng, nsim, vcov
        )

    def predict(
        self,
        X: Any,  # noqa: N803
        subject: Any,
        visit: Any,
        *,
        group: Any = None,
        weights: Any = None,
    ) -> Prediction:
        """Expected responses of new rows, each given what was seen of the same patient.

        Parameters
        ----------
        X, subject, visit, group, weights
            (k, p) design in the order of ``terms`` and (k,) labels, as at the fit; a patient not in
            the fit is predicted from his covariates alone.

        Returns
        -------
        Prediction
            Mean, its standard error, and the standard error of the response itself (k,).

        Raises
        ------
        ValueError
            A visit or group was not in the fit (in spatial structures any time will do).
        """
        design = np.asarray(X, dtype=np.float64)
        if design.ndim != 2 or design.shape[1] != len(self.coef):
            raise ValueError(
                f"X has shape {design.shape}; expected one row for each new response and "
                f"{len(self.coef)} columns: {', '.join(self.terms)}"
            )
        self._estimable(design)
        for name, given in (
            ("subject", subject),
            ("visit", visit),
            ("group", group),
            ("weights", weights),
        ):
            if given is not None and np.shape(given) != (len(design),):
                raise ValueError(
                    f"{name} has shape {np.shape(given)} and X has {len(design)} rows; give one for each row"
                )
        if np.asarray(subject).dtype.kind != np.asarray(self.rows.subjects).dtype.kind:
            raise ValueError(
                f"the subjects of the fit are of another kind (as {self.rows.subjects[0]!r}) than the new ones (as "
                f"{np.asarray(subject).tolist()[0]!r}); write them alike"
            )
        times = np.array(self.visit_levels, dtype=np.float64) if self._spatial else None
        seen = self.rows.visit.astype(np.float64) if times is None else times[self.rows.visit]
        new = (
            np.asarray(visit, dtype=np.float64)
            if self._spatial
            else (_positions(visit, self.visit_levels, "visit").astype(np.float64))
        )
        groups = None
        if group is not None:
            groups = _positions(group, self.rows.group_levels, "group")
        elif len(self.rows.group_levels) > 1:
            raise ValueError("the covariance differs by group; give the group of each new row")
        return residuals.predict(
            design[:, self.kept],
            np.asarray(subject),
            new,
            self.X[:, self.kept],
            self.y,
            np.array(self.rows.subjects)[self.rows.subject],
            seen,
            self.coef[self.kept],
            self._covariance_at,
            vcov=self.vcov[np.ix_(self.kept, self.kept)],
            group_new=groups,
            weights=self.weights,
            weights_new=None if weights is None else np.asarray(weights, dtype=np.float64),
        )

    def _covariance_at(self, group: int, visits: Floats) -> Floats:
        """Fitted covariance for weight one at visits by position, or at times."""
        if self.solution.decay is None:
            places = visits.astype(np.int64)
            return np.asarray(self.solution.sigma[group][np.ix_(places, places)])
        variance, log_rho = self.solution.decay[group]
        distance = np.abs(visits[:, None] - visits[None, :])
        power = distance if self.covariance == "sp_exp" else distance**2
        return np.asarray(variance * np.exp(log_rho * power))


def _positions(labels: Any, levels: tuple[Any, ...], what: str) -> NDArray[np.int64]:
    """Positions of labels among the levels of the fit."""
    place = {level: i for i, level in enumerate(levels)}
    found = np.asarray(labels).tolist()
    lost = [label for label in found if label not in place]
    if lost:
        raise ValueError(f"{what} {lost[0]!r} is not in the fit; its {what}s are {list(levels)}")
    return np.array([place[label] for label in found], dtype=np.int64)


def _root(variance: Floats) -> Floats:
    return np.sqrt(np.where(variance >= 0, variance, np.nan))


def _independent_rows(rows: Floats) -> Floats:
    """Rows that no rows before them determine."""
    kept: list[Floats] = []
    for row in rows:
        trial = np.array([*kept, row])
        if np.linalg.matrix_rank(trial) == len(trial):
            kept.append(row)
    return np.array(kept)


def mmrm_fit(
    y: Any,
    X: Any,  # noqa: N803
    subject: Any,
    visit: Any,
    *,
    covariance: str | list[str] | tuple[str, ...] = "us",
    group: Any = None,
    weights: Any = None,
    reml: bool = True,
    df: Df | None = None,
    information: Information = "observed",
    vcov: Vcov = "model",
    terms: Sequence[str] | None = None,
    visit_levels: Sequence[Any] | None = None,
    compiled: bool = True,
) -> MMRM:
    """Mixed model for repeated measures, fitted to arrays.

    Parameters
    ----------
    y
        (n,) responses; NaN is missing and leaves the row out.
    X
        (n, p) design; a column that the columns before it determine is left out (coefficient NaN, noted).
    subject
        (n,) patient of each row.
    visit
        (n,) visit of each row, ordered by ``visit_levels`` or as sorted; numbers (times) for
        ``sp_exp`` and ``sp_gau``. A patient has one row at a visit.
    covariance
        Structure of the covariance between visits: ``us`` unstructured, ``cs``/``csh`` compound
        symmetry, ``ar1``/``ar1h`` autoregressive, ``toep``/``toeph`` Toeplitz, ``ad``/``adh``
        ante-dependence (with one variance / one per visit), ``sp_exp`` variance x rho^distance,
        ``sp_gau`` variance x rho^(distance^2). A list is tried in order until one can be fitted.
    group
        (n,) group of each row; each group has a covariance of its own.
    weights
        (n,) positive; the covariance of rows i and j is divided by sqrt(weight_i weight_j).
    reml
        Restricted (True) or full (False) maximum likelihood.
    df
        ``kenward-roger`` (natural parameters, as SAS; the default), ``kenward-roger-linear`` (no second
        derivatives), ``kenward-roger-mmrm`` (R mmrm's default: log-Cholesky parameters),
        ``satterthwaite``, ``residual``, ``between-within``. The default is ``satterthwaite`` with
        ``reml=False`` or an empirical ``vcov``, for which Kenward-Roger is not defined.
    information
        Information for the covariance of the parameters: ``observed`` or ``expected``.
    vcov
        ``model``, or empirical: ``CR0``, ``CR2`` (bias-reduced), ``CR3``.
    terms
        Names of the columns of X.
    compiled
        Use the kernels compiled by numba (compiled once per machine, then kept on disk), or the
        same kernels in plain NumPy.

    Raises
    ------
    FitError
        No structure asked for can be fitted; the words say why, for each.
    ValueError
        The arrays or options are not as described.

    Notes
    -----
    Warns (:class:`MMRMWarning`) of degrees of freedom below 2 or that differ by more than a third
    between the two informations, and of columns left out.
    """
    rows = observations(
        y, X, subject, visit, group=group, weights=weights, terms=terms, visit_levels=visit_levels
    )
    return fit_rows(rows, covariance, reml, df, information, vcov, compiled, None)


def mmrm(
    formula: str,
    data: Any,
    *,
    subject: str,
    visit: str,
    covariance: str | list[str] | tuple[str, ...] = "us",
    group: str | None = None,
    weights: str | None = None,
    reml: bool = True,
    df: Df | None = None,
    information: Information = "observed",
    vcov: Vcov = "model",
    compiled: bool = True,
) -> MMRM:
    """Mixed model for repeated measures, by formula from a frame.

    Parameters
    ----------
    formula
        Response and fixed effects, as ``"CHG ~ BASE + AVISIT"``; coefficients are named and ordered as R's.
    data
        pandas, polars or arrow frame (any that narwhals knows), one row per patient and visit.
    subject, visit, group, weights
        Names of columns. Text is ordered alphabetically, a categorical column by its categories.
    covariance, reml, df, information, vcov, compiled
        As :func:`mmrm_fit`.

    Raises
    ------
    FitError, ValueError
        As :func:`mmrm_fit`; the words name the column.

    Examples
    --------
    >>> from onearm.stats import mmrm
    >>> data = {
    ...     "USUBJID": ["01", "01", "02", "02", "03", "03", "04", "04"],
    ...     "AVISIT": ["M0", "M3"] * 4,
    ...     "AVAL": [2.1, 1.5, 3.0, 2.2, 1.8, 1.9, 2.6, 1.4],
    ... }
    >>> fit = mmrm("AVAL ~ AVISIT", data, subject="USUBJID", visit="AVISIT", compiled=False)
    >>> print(fit.change("M0", by="AVISIT"))  # two visits, complete: the paired t test
    contrast  estimate      se    df  statistic       p    lower   upper
    M3 - M0    -0.6250  0.2720  3.00    -2.2982  0.1052  -1.4905  0.2405
    """
    from onearm.stats.repeated_measures.formula import design

    table = design(formula, data, subject=subject, visit=visit, group=group, weights=weights)
    rows = Observations(
        y=table.y,
        x=table.X,
        subject=table.subject,
        visit=table.visit,
        group=np.zeros(len(table.y), dtype=np.int64) if table.group is None else table.group,
        subjects=table.subject_labels,
        visit_levels=table.visit_levels,
        group_levels=table.group_levels or ("all",),
        weights=table.weights,
        terms=table.terms,
        n_dropped=table.n_dropped,
    )
    refuse_torn(rows)
    return fit_rows(rows, covariance, reml, df, information, vcov, compiled, table)


def fit_rows(
    rows: Observations,
    covariance: str | list[str] | tuple[str, ...],
    reml: bool,
    df: str | None,
    information: str,
    vcov: str,
    compiled: bool,
    design: Design | None,
) -> MMRM:
    """Fit checked rows with the first structure that can be fitted."""
    several = isinstance(covariance, list | tuple)
    names: list[str] = list(covariance) if several else [covariance]  # type: ignore[list-item]
    method = _method(df, information, vcov, reml)
    wanted = Inference(
        reml=reml,
        natural=method != "kenward-roger-mmrm",
        linear=method == "kenward-roger-linear",
        use_expected=information == "expected",
        log_cholesky=method == "kenward-roger-mmrm",
    )
    structures = [find_structure(name) for name in names]
    if not structures:
        raise ValueError("the list of covariance structures is empty; give at least one, as 'us'")
    engine = compiled_engine() if compiled else Engine()
    prepared: dict[bool, Prepared] = {}
    attempts: list[Attempt] = []
    advice = ""
    for structure in structures:
        _refuse_text_times(rows, structure.name, structure.spatial)
        if structure.spatial not in prepared:
            prepared[structure.spatial] = prepare(rows, structure.spatial, reml, engine)
        data = prepared[structure.spatial]
        try:
            solution = solve(data, structure, wanted, engine)
        except FitError as error:
            attempts.append(Attempt(structure.name, False, error.reason))
            advice = error.advice
            continue
        attempts.append(Attempt(structure.name, True, ""))
        notes = _notes(rows, data, solution, method, vcov, attempts)
        for note in notes:
            warnings.warn(note, MMRMWarning, stacklevel=3)
        return MMRM(
            rows=rows, covariance=structure.name, attempts=tuple(attempts), method=method,
            information=information, vcov_kind=vcov, reml=reml, solution=solution,
            patterns=data.patterns, kept=data.squeezed.kept, notes=notes, design=design,
        )  # fmt: skip
    if len(attempts) == 1:
        raise FitError(attempts[0].reason, advice)
    told = "; ".join(f"{a.covariance}: {a.reason}" for a in attempts)
    raise FitError(told, "add a structure with fewer parameters, as cs, at the end of the list")


def _method(df: str | None, information: str, vcov: str, reml: bool) -> str:
    """The degrees-of-freedom method, after checking that the options go together."""
    for name, given, allowed in (
        ("df", df or DF_METHODS[0], DF_METHODS),
        ("information", information, Information.__args__),  # type: ignore[attr-defined]
        ("vcov", vcov, Vcov.__args__),  # type: ignore[attr-defined]
    ):
        if given not in allowed:
            raise ValueError(
                f"{name} is {given!r}; expected one of {', '.join(allowed)}; correct it"
            )
    if df is None:
        return "kenward-roger" if reml and vcov == "model" else "satterthwaite"
    if df in KENWARD_ROGER and not reml:
        raise ValueError(
            "Kenward-Roger is defined for restricted likelihood; use reml=True or df='satterthwaite'"
        )
    if df in KENWARD_ROGER and vcov != "model":
        raise ValueError(
            f"Kenward-Roger adjusts the model's covariance, and vcov is {vcov}; use df='satterthwaite' with it"
        )
    return df


def _refuse_text_times(rows: Observations, name: str, spatial: bool) -> None:
    if spatial and not all(isinstance(v, int | float | np.number) for v in rows.visit_levels):
        raise ValueError(
            f"{name} measures the distance between visits, and the visits are {rows.visit_levels[:3]}...; "
            "expected numbers (days, weeks); give a numeric visit column"
        )


def _notes(
    rows: Observations,
    data: Prepared,
    solution: Solution,
    method: str,
    vcov: str,
    attempts: list[Attempt],
) -> tuple[str, ...]:
    notes = []
    if len(data.squeezed.dropped):
        lost = ", ".join(rows.terms[j] for j in data.squeezed.dropped)
        notes.append(f"left out of the model, since the columns before determine them: {lost}")
    if vcov == "model" and method in MODEL_BASED:
        names = [rows.terms[j] for j in data.squeezed.kept]
        o, e = solution.df_observed[data.squeezed.kept], solution.df_expected[data.squeezed.kept]
        few = [name for name, v in zip(names, o, strict=True) if v < 2.0]
        if few:
            notes.append(
                f"the observed information gives fewer than 2 degrees of freedom for {', '.join(few)}; such an "
                "interval is of little use; see df_expected or a structure with fewer parameters"
            )
        if method in KENWARD_ROGER:
            w, a = solution.whitener, solution.adjustment
            variance = ((w + 2.0 * w @ a) * w).sum(axis=1)
            if variance.min() < 0:
                negative = ", ".join(n for n, v in zip(names, variance, strict=True) if v < 0)
                notes.append(
                    f"the Kenward-Roger adjustment leaves a negative variance for {negative}: no standard "
                    "error; use df='kenward-roger-linear' or 'satterthwaite'"
                )
        apart = [n for n, a, b in zip(names, o, e, strict=True) if abs(a - b) > max(a, b) / 3.0]
        if apart:
            notes.append(
                "degrees of freedom by observed and expected information differ by more than a third for "
                f"{', '.join(apart)}; the sample is too small for this structure to be relied on"
            )
    return tuple(notes)
