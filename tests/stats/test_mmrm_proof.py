"""The longitudinal model from its definition: one dense covariance matrix of all measurements.

Nothing of the package's algebra is used here. The covariance V of all rows is built whole, the
restricted likelihood and its derivatives are those of Harville (1977), the adjusted covariance and
degrees of freedom those of Kenward and Roger (1997), in the parameters of SAS PROC MIXED.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from scipy import stats as distributions

from onearm.stats import paired_t
from onearm.stats.repeated_measures import MMRM, MMRMWarning, mmrm_fit

STRUCTURES = ("us", "cs", "csh", "ar1", "ar1h", "toep", "toeph", "ad", "adh", "sp_exp", "sp_gau")
#: Structures whose covariance is a linear function of its natural parameters.
LINEAR = ("us", "cs", "toep")

# --- The structures and their natural parameters ----------------------------------------------


def _chain(steps: np.ndarray) -> np.ndarray:
    """Correlations of a chain in which each visit depends on the one before."""
    m = len(steps) + 1
    return np.array(
        [[np.prod(steps[min(s, t) : max(s, t)]) for t in range(m)] for s in range(m)],
    )


def _lags(m: int) -> np.ndarray:
    return np.abs(np.subtract.outer(np.arange(m), np.arange(m)))


def _spread(variances: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    sd = np.sqrt(variances)
    return sd[:, None] * correlation * sd[None, :]


def _us(theta: np.ndarray, m: int) -> np.ndarray:
    lower = np.zeros((m, m), dtype=theta.dtype)
    lower[np.tril_indices(m)] = theta
    return lower + lower.T - np.diag(np.diag(lower))


def _sigma(structure: str, theta: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Covariance at these times; analytic in theta, so that complex steps differentiate it."""
    m = len(times)
    one = np.ones(m, dtype=theta.dtype)
    distance = np.abs(np.subtract.outer(times, times))
    build: dict[str, Callable[[], np.ndarray]] = {
        "us": lambda: _us(theta, m),
        "cs": lambda: theta[0] + theta[1] * np.eye(m),
        "csh": lambda: _spread(theta[:m], np.where(np.eye(m) == 1, 1.0, theta[m])),
        "ar1": lambda: theta[0] * _chain(theta[1] * one[1:]),
        "ar1h": lambda: _spread(theta[:m], _chain(theta[m] * one[1:])),
        "toep": lambda: theta[_lags(m)],
        "toeph": lambda: _spread(theta[:m], np.append(one[:1], theta[m:])[_lags(m)]),
        "ad": lambda: theta[0] * _chain(theta[1:]),
        "adh": lambda: _spread(theta[:m], _chain(theta[m:])),
        "sp_exp": lambda: theta[0] * np.exp(-distance / theta[1]),
        "sp_gau": lambda: theta[0] * np.exp(-(distance**2) / theta[1] ** 2),
    }
    return build[structure]()


def _theta(structure: str, sigma: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Natural parameters of a covariance matrix of this structure."""
    variances = np.diag(sigma)
    correlation = sigma / np.sqrt(np.outer(variances, variances))
    steps = np.diag(correlation, 1)
    gap = times[1] - times[0]
    read: dict[str, Callable[[], Any]] = {
        "us": lambda: sigma[np.tril_indices(len(sigma))],
        "cs": lambda: [sigma[0, 1], sigma[0, 0] - sigma[0, 1]],
        "csh": lambda: [*variances, steps[0]],
        "ar1": lambda: [variances[0], steps[0]],
        "ar1h": lambda: [*variances, steps[0]],
        "toep": lambda: sigma[0],
        "toeph": lambda: [*variances, *correlation[0, 1:]],
        "ad": lambda: [variances[0], *steps],
        "adh": lambda: [*variances, *steps],
        "sp_exp": lambda: [variances[0], -gap / math.log(steps[0])],
        "sp_gau": lambda: [variances[0], gap / math.sqrt(-math.log(steps[0]))],
    }
    return np.array(read[structure](), dtype=float)


# --- The model with everything written out -----------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """Data sorted by patient; ``at`` is the index of the visit, ``times`` its time."""

    y: np.ndarray
    X: np.ndarray
    subject: np.ndarray
    at: np.ndarray
    times: np.ndarray
    weights: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class Dense:
    """Likelihood, informations and Kenward-Roger at given natural parameters, from V itself."""

    rows: Rows
    structure: str
    theta: np.ndarray
    reml: bool = True

    def covariance(self, theta: np.ndarray) -> np.ndarray:
        rows = self.rows
        levels, group = np.unique(rows.group, return_inverse=True)
        parts = np.split(theta, len(levels))
        sigma = np.array([_sigma(self.structure, part, rows.times) for part in parts])
        same_patient = rows.subject[:, None] == rows.subject
        d = 1 / np.sqrt(rows.weights)
        between: np.ndarray = sigma[group[:, None], rows.at[:, None], rows.at]
        return d[:, None] * np.where(same_patient, between, 0.0) * d

    def loglik(self, theta: np.ndarray) -> float:
        rows, v = self.rows, self.covariance(theta)
        a = rows.X.T @ np.linalg.solve(v, rows.X)
        residual = rows.y - rows.X @ np.linalg.solve(a, rows.X.T @ np.linalg.solve(v, rows.y))
        n, p = rows.X.shape
        total = (n - p * self.reml) * math.log(2 * math.pi) + np.linalg.slogdet(v)[1]
        total += np.linalg.slogdet(a)[1] * self.reml + residual @ np.linalg.solve(v, residual)
        return float(-0.5 * total)

    @cached_property
    def inverse(self) -> np.ndarray:
        return np.linalg.inv(self.covariance(self.theta))

    @cached_property
    def phi(self) -> np.ndarray:
        return np.linalg.inv(self.rows.X.T @ self.inverse @ self.rows.X)

    @cached_property
    def first(self) -> np.ndarray:
        """First derivatives of V by complex steps, exact to rounding."""
        return self._first(self.theta)

    def _first(self, theta: np.ndarray) -> np.ndarray:
        step = 1e-30
        return np.array(
            [self.covariance(theta + 1j * step * unit).imag / step for unit in np.eye(len(theta))]
        )

    @cached_property
    def second(self) -> np.ndarray:
        """Second derivatives of V: differences of the first, extrapolated to step zero."""
        total = []
        for unit, size in zip(np.eye(len(self.theta)), np.abs(self.theta), strict=True):
            step = 2e-3 * size * unit
            h = float(np.max(step))
            wide = (self._first(self.theta + step) - self._first(self.theta - step)) / (2 * h)
            narrow = (self._first(self.theta + step / 2) - self._first(self.theta - step / 2)) / h
            total.append((4 * narrow - wide) / 3)
        return np.array(total)

    @cached_property
    def projection(self) -> np.ndarray:
        u = self.inverse @ self.rows.X
        return self.inverse - u @ self.phi @ u.T

    @cached_property
    def gradient(self) -> np.ndarray:
        trace_matrix = self.projection if self.reml else self.inverse
        py = self.projection @ self.rows.y
        return np.array([-0.5 * np.sum(trace_matrix * d) + 0.5 * py @ d @ py for d in self.first])

    def information(self, kind: str) -> np.ndarray:
        p, py = self.projection, self.projection @ self.rows.y
        t = p if self.reml else self.inverse
        expected = 0.5 * np.einsum("iab,jba->ij", t @ self.first, t @ self.first, optimize=True)
        if kind == "expected":
            return expected
        left = np.einsum("a,iab->ib", py, self.first)
        quadratic = left @ p @ left.T
        bend = 0.5 * np.tensordot(self.second, t - np.outer(py, py), axes=2)
        return quadratic - expected + bend

    def w(self, kind: str) -> np.ndarray:
        """Covariance of the natural parameters."""
        return np.linalg.inv(self.information(kind))

    @cached_property
    def p_matrices(self) -> np.ndarray:
        u = self.inverse @ self.rows.X
        return np.array([-u.T @ d @ u for d in self.first])

    def adjusted(self, kind: str, *, linear: bool = False) -> np.ndarray:
        """Kenward and Roger's covariance of the coefficients."""
        u, w = self.inverse @ self.rows.X, self.w(kind)
        inside = np.zeros_like(self.phi)
        turned = self.first @ u
        for i, left in enumerate(turned):
            for j, right in enumerate(turned):
                q = left.T @ self.inverse @ right
                r = u.T @ self.second[i, j] @ u * (not linear)
                inside += w[i, j] * (q - self.p_matrices[i] @ self.phi @ self.p_matrices[j] - r / 4)
        return self.phi + 2 * self.phi @ inside @ self.phi

    def satterthwaite(self, kind: str) -> np.ndarray:
        slopes = np.array([-np.diag(self.phi @ p @ self.phi) for p in self.p_matrices])
        spread = np.einsum("ip,ij,jp->p", slopes, self.w(kind), slopes)
        return 2 * np.diag(self.phi) ** 2 / spread

    def f_test(self, rows: np.ndarray, kind: str) -> tuple[float, float, float]:
        """Kenward and Roger's F, its denominator df and P for several rows."""
        count, w, phi = len(rows), self.w(kind), self.phi
        theta = rows.T @ np.linalg.inv(rows @ phi @ rows.T) @ rows
        turned = [theta @ phi @ p @ phi for p in self.p_matrices]
        traces = np.array([np.trace(t) for t in turned])
        a1 = traces @ w @ traces
        a2 = sum(
            w[i, j] * np.trace(a @ b) for i, a in enumerate(turned) for j, b in enumerate(turned)
        )
        b = (a1 + 6 * a2) / (2 * count)
        g = ((count + 1) * a1 - (count + 4) * a2) / ((count + 2) * a2)
        below = 3 * count + 2 * (1 - g)
        c1, c2, c3 = g / below, (count - g) / below, (count + 2 - g) / below
        mean = 1 / (1 - a2 / count)
        variance = 2 / count * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
        ratio = variance / (2 * mean**2)
        df = 4 + (count + 2) / (count * ratio - 1)
        scale = df / (mean * (df - 2))
        estimate = rows @ (phi @ self.rows.X.T @ self.inverse @ self.rows.y)
        f = (
            scale
            / count
            * estimate
            @ np.linalg.solve(rows @ self.adjusted(kind) @ rows.T, estimate)
        )
        return float(f), float(df), float(distributions.f.sf(f, count, df))


# --- Small data sets ---------------------------------------------------------------------------


def _rows(seed: int, n: int = 14, m: int = 4, *, groups: int = 1, weighted: bool = False) -> Rows:
    """Patients with dropout and a hole here and there, a covariate and uneven times."""
    rng = np.random.default_rng(seed)
    times = np.array([0.0, 1.0, 2.5, 4.0, 7.0])[:m]
    subject, at = np.divmod(np.arange(n * m), m)
    group = (subject % groups).astype(float)
    covariate = rng.normal(10, 3, n)[subject]
    own = rng.normal(0, 1.5, n)[subject]
    noise = rng.normal(size=(n, m))
    for t in range(1, m):
        noise[:, t] += 0.6 * noise[:, t - 1]
    y = 2 + 0.4 * covariate - 1.2 * at + own + noise.ravel() * (1 + 0.2 * at) * (1 + 0.5 * group)
    last = np.where(rng.random(n) < 0.25, rng.integers(1, m, n), m)
    kept = (at < last[subject]) & ((rng.random(n * m) > 0.08) | (at == 0))
    weights = rng.uniform(0.5, 2.0, n * m) if weighted else np.ones(n * m)
    columns = [np.ones(n * m), covariate, *(at == np.arange(1, m)[:, None]).astype(float)]
    x = np.column_stack(columns)
    return Rows(y[kept], x[kept], subject[kept], at[kept], times, weights[kept], group[kept])


def _fit(rows: Rows, structure: str, **options: Any) -> MMRM:
    visit = rows.times[rows.at] if structure.startswith("sp_") else rows.at
    given: dict[str, Any] = {"covariance": structure}
    if np.ptp(rows.group) > 0:
        given["group"] = rows.group
    if np.ptp(rows.weights) > 0:
        given["weights"] = rows.weights
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MMRMWarning)
        return mmrm_fit(rows.y, rows.X, rows.subject, visit, **{**given, **options})


def _dense(rows: Rows, structure: str, fit: MMRM, *, reml: bool = True) -> Dense:
    """The dense model at the parameters of a fit, read from its fitted covariances."""
    # A patient with all visits of each group carries the whole covariance of the group.
    whole = {b.group: b.sigma for b in fit.blocks if len(b.sigma) == len(rows.times)}
    parts = [whole[group] for group in sorted(whole)]
    theta = np.concatenate([_theta(structure, part, rows.times) for part in parts])
    return Dense(rows, structure, theta, reml)


SHAPES = {
    "plain": {},
    "weighted": {"weighted": True},
    "grouped": {"groups": 2, "n": 20, "m": 3},
    "grouped and weighted": {"groups": 2, "n": 20, "m": 3, "weighted": True},
}
CASES = [(structure, shape) for shape in SHAPES for structure in STRUCTURES]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request: pytest.FixtureRequest) -> tuple[str, Rows]:
    structure, shape = request.param
    return structure, _rows(20, **SHAPES[shape])


# --- The proofs --------------------------------------------------------------------------------


def test_the_dense_derivatives_are_those_of_the_dense_likelihood() -> None:
    rows = _rows(3, n=10, m=3)
    for structure in STRUCTURES:
        start = _sigma("sp_exp", np.array([6.0, 3.0]), rows.times)
        dense = Dense(rows, structure, _theta(structure, start, rows.times))
        steps = np.diag(1e-4 * np.abs(dense.theta))
        units = [
            (dense.loglik(dense.theta + s) - dense.loglik(dense.theta - s)) / (2 * s.max())
            for s in steps
        ]
        assert dense.gradient == pytest.approx(np.array(units), rel=1e-4, abs=1e-6)
        hessian = [
            (
                Dense(rows, structure, dense.theta + s).gradient
                - Dense(rows, structure, dense.theta - s).gradient
            )
            / (2 * s.max())
            for s in steps
        ]
        size = np.abs(hessian).max()
        assert dense.information("observed") == pytest.approx(-np.array(hessian), abs=1e-5 * size)


@pytest.mark.parametrize("reml", [True, False])
def test_the_fit_is_a_maximum_of_the_likelihood_by_definition(
    case: tuple[str, Rows], reml: bool
) -> None:
    structure, rows = case
    fit = _fit(rows, structure, reml=reml, df="residual")
    dense = _dense(rows, structure, fit, reml=reml)
    assert fit.loglik == pytest.approx(dense.loglik(dense.theta), abs=1e-9, rel=0)
    # A Newton step from here would gain nothing: half of it is g' H^-1 g.
    information = dense.information("observed")
    assert np.linalg.eigvalsh(information)[0] > 0
    assert dense.gradient @ np.linalg.solve(information, dense.gradient) < 1e-12
    coef = dense.phi @ rows.X.T @ dense.inverse @ rows.y
    assert fit.coef == pytest.approx(coef, rel=1e-8, abs=1e-9)
    assert fit.vcov_asymptotic == pytest.approx(dense.phi, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("information", ["observed", "expected"])
def test_degrees_of_freedom_and_kenward_roger_are_those_of_the_definition(
    case: tuple[str, Rows], information: str
) -> None:
    structure, rows = case
    natural = _fit(rows, structure, df="kenward-roger", information=information)
    dense = _dense(rows, structure, natural)
    assert natural.df_observed == pytest.approx(dense.satterthwaite("observed"), rel=1e-6)
    assert natural.df_expected == pytest.approx(dense.satterthwaite("expected"), rel=1e-6)
    assert natural.df == pytest.approx(dense.satterthwaite(information), rel=1e-6)
    scale = np.abs(dense.phi).max()
    adjusted = dense.adjusted(information)
    assert natural.vcov == pytest.approx(adjusted, rel=1e-7, abs=1e-8 * scale)
    linear = _fit(rows, structure, df="kenward-roger-linear", information=information)
    assert linear.vcov == pytest.approx(
        dense.adjusted(information, linear=True), rel=1e-7, abs=1e-8 * scale
    )
    test = natural.contrast(np.eye(rows.X.shape[1])[2:])
    f, df, p = dense.f_test(np.eye(rows.X.shape[1])[2:], information)
    ours = [test.statistic, test.den_df, test.p]
    assert ours == pytest.approx([f, df, p], rel=1e-6, abs=0)


def test_a_row_of_a_contrast_is_the_coefficient_of_another_basis() -> None:
    rows = _rows(5)
    turn = np.eye(5)
    turn[3, 2] = -1.0  # column 2 becomes visit 1 minus visit 2; coefficient 3 their sum
    other = Rows(rows.y, rows.X @ turn, rows.subject, rows.at, rows.times, rows.weights, rows.group)
    a, b = _fit(rows, "us"), _fit(other, "us")
    row = a.contrast(np.linalg.inv(turn)[3])
    assert b.loglik == pytest.approx(a.loglik, abs=1e-9)
    assert [row.estimate, row.se, row.df] == pytest.approx([b.coef[3], b.se[3], b.df[3]], rel=1e-8)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_neither_row_order_nor_names_of_patients_matter(structure: str) -> None:
    rows = _rows(7)
    order = np.random.default_rng(1).permutation(len(rows.y))
    names = np.array([f"patient {chr(122 - s)}" for s in rows.subject])
    mixed = Rows(
        rows.y[order],
        rows.X[order],
        names[order],
        rows.at[order],
        rows.times,
        rows.weights[order],
        rows.group[order],
    )
    a, b = _fit(rows, structure), _fit(mixed, structure)
    assert b.loglik == pytest.approx(a.loglik, abs=1e-9)
    assert b.coef == pytest.approx(a.coef, rel=1e-8, abs=1e-9)
    assert b.se == pytest.approx(a.se, rel=1e-8)
    assert b.df == pytest.approx(a.df, rel=1e-7)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e6), (-2.5, 40.0)])
def test_the_unit_and_the_origin_of_the_response_do_not_matter(
    structure: str, scale: float, shift: float
) -> None:
    rows = _rows(8)
    moved = Rows(
        scale * rows.y + shift,
        rows.X,
        rows.subject,
        rows.at,
        rows.times,
        rows.weights,
        rows.group,
    )
    a, b = _fit(rows, structure), _fit(moved, structure)
    freedom = len(rows.y) - rows.X.shape[1]
    assert b.loglik == pytest.approx(a.loglik - freedom * math.log(abs(scale)), abs=1e-6)
    # A shift by 1e6 leaves ten digits of the response.
    coef = (b.coef - shift * (np.arange(5) == 0)) / scale
    assert coef == pytest.approx(a.coef, rel=1e-6, abs=1e-6)
    assert b.se / abs(scale) == pytest.approx(a.se, rel=1e-6)
    assert b.df == pytest.approx(a.df, rel=1e-6)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_covariate_in_a_unit_a_million_times_smaller_changes_only_its_coefficient(
    structure: str,
) -> None:
    rows = _rows(9)
    factor = np.array([1.0, 1e6, 1.0, 1.0, 1.0])
    scaled = Rows(
        rows.y, rows.X * factor, rows.subject, rows.at, rows.times, rows.weights, rows.group
    )
    a, b = _fit(rows, structure), _fit(scaled, structure)
    # The restricted likelihood contains log |X'V^-1 X|, and so the unit of the columns.
    assert b.loglik == pytest.approx(a.loglik - math.log(1e6), abs=1e-8)
    assert b.coef * factor == pytest.approx(a.coef, rel=1e-8, abs=1e-9)
    assert b.se * factor == pytest.approx(a.se, rel=1e-8)
    assert b.df == pytest.approx(a.df, rel=1e-6)


@pytest.mark.parametrize("structure", LINEAR)
@pytest.mark.parametrize("shape", SHAPES)
def test_where_the_covariance_is_linear_both_kenward_rogers_are_the_same(
    structure: str, shape: str
) -> None:
    rows = _rows(10, **SHAPES[shape])
    natural = _fit(rows, structure, df="kenward-roger")
    linear = _fit(rows, structure, df="kenward-roger-linear")
    assert natural.vcov == pytest.approx(linear.vcov, rel=1e-12)
    assert natural.df == pytest.approx(linear.df, rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_kenward_roger_never_shrinks_an_unstructured_standard_error(seed: int) -> None:
    fit = _fit(_rows(seed, n=15), "us", df="kenward-roger")
    unadjusted = np.sqrt(np.diag(fit.vcov_asymptotic))
    assert np.all(fit.se >= unadjusted * (1 - 1e-12))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_compiled_and_plain_kernels_give_the_same_fit(structure: str) -> None:
    rows = _rows(11)
    a, b = _fit(rows, structure, compiled=True), _fit(rows, structure, compiled=False)
    assert b.loglik == pytest.approx(a.loglik, abs=1e-9)
    assert b.coef == pytest.approx(a.coef, rel=1e-9, abs=1e-10)
    assert b.se == pytest.approx(a.se, rel=1e-9)
    assert b.df == pytest.approx(a.df, rel=1e-8)


# --- Where the answer is known in closed form ---------------------------------------------------


def _complete(seed: int, n: int, m: int, *, correlation: float = 0.5) -> Rows:
    """Complete data, one mean for each visit."""
    rng = np.random.default_rng(seed)
    subject, at = np.divmod(np.arange(n * m), m)
    root = np.linalg.cholesky(correlation + (1 - correlation) * np.eye(m))
    y = (rng.normal(size=(n, m)) @ root.T * (1 + np.arange(m) / 3) - np.arange(m)).ravel()
    x = np.column_stack([np.ones(n * m), *(at == np.arange(1, m)[:, None]).astype(float)])
    return Rows(y, x, subject, at, np.arange(m) * 1.0, np.ones(n * m), np.zeros(n * m))


def test_the_unstructured_covariance_of_complete_data_is_that_of_the_sample() -> None:
    rows = _complete(1, 9, 4)
    sample = np.cov(rows.y.reshape(9, 4), rowvar=False)
    assert _fit(rows, "us").covariance_matrix == pytest.approx(sample, rel=1e-9)
    ml = _fit(rows, "us", reml=False)
    assert ml.covariance_matrix == pytest.approx(sample * 8 / 9, rel=1e-9)


def test_kenward_roger_of_complete_unstructured_data_is_hotellings_test() -> None:
    rows = _complete(2, 9, 4)
    changes = np.diff(rows.y.reshape(9, 4), axis=1)
    mean, sample = changes.mean(axis=0), np.cov(changes, rowvar=False)
    t_squared = 9 * mean @ np.linalg.solve(sample, mean)
    test = _fit(rows, "us").contrast(np.eye(4)[1:])
    assert test.num_df == 3
    assert test.den_df == pytest.approx(6, rel=1e-8)
    assert test.statistic == pytest.approx(t_squared * 6 / (8 * 3), rel=1e-8)
    assert test.p == pytest.approx(distributions.f.sf(t_squared / 4, 3, 6), rel=1e-7, abs=0)


@pytest.mark.parametrize("correlation", [0.5, -0.2])
def test_kenward_roger_of_complete_compound_symmetry_is_the_analysis_of_variance(
    correlation: float,
) -> None:
    rows = _complete(3, 9, 4, correlation=correlation)
    table = rows.y.reshape(9, 4)
    error = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    between_visits = 9 * np.sum((table.mean(axis=0) - table.mean()) ** 2) / 3
    test = _fit(rows, "cs").contrast(np.eye(4)[1:])
    assert test.den_df == pytest.approx(24, rel=1e-8)
    assert test.statistic == pytest.approx(between_visits / (np.sum(error**2) / 24), rel=1e-8)


@pytest.mark.parametrize("structure", [s for s in STRUCTURES if not s.startswith("sp_")])
def test_one_visit_is_least_squares(structure: str) -> None:
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(12), rng.normal(10, 2, 12)])
    y = x @ [3.0, 0.5] + rng.normal(size=12)
    fit = mmrm_fit(y, x, np.arange(12), np.ones(12), covariance=structure)
    coef, rss, *_ = np.linalg.lstsq(x, y, rcond=None)
    assert fit.coef == pytest.approx(coef, rel=1e-9)
    vcov = rss[0] / 10 * np.linalg.inv(x.T @ x)
    assert fit.vcov == pytest.approx(vcov, rel=1e-9)
    assert fit.df == pytest.approx([10, 10], rel=1e-9)


@pytest.mark.parametrize("structure", ["csh", "ar1h", "toeph", "adh"])
def test_with_two_visits_every_heterogeneous_structure_is_the_unstructured(structure: str) -> None:
    rows = _rows(12, m=2)
    us, other = _fit(rows, "us"), _fit(rows, structure)
    assert other.loglik == pytest.approx(us.loglik, abs=1e-10)
    assert other.coef == pytest.approx(us.coef, rel=1e-8)
    linear = [_fit(rows, name, df="kenward-roger-linear") for name in ("us", structure)]
    assert linear[1].se == pytest.approx(linear[0].se, rel=1e-8)
    assert other.df_expected == pytest.approx(us.df_expected, rel=1e-7)


@pytest.mark.parametrize("structure", ["cs", "ar1", "toep", "ad"])
def test_with_two_visits_every_homogeneous_structure_is_the_same(structure: str) -> None:
    rows = _rows(12, m=2)
    reference, other = _fit(rows, "sp_exp"), _fit(rows, structure)
    assert other.loglik == pytest.approx(reference.loglik, abs=1e-9)
    assert other.vcov_asymptotic == pytest.approx(reference.vcov_asymptotic, rel=1e-7, abs=1e-12)


def test_spatial_exponential_at_even_times_is_the_autoregression() -> None:
    rows = _rows(13)
    even = Rows(rows.y, rows.X, rows.subject, rows.at, np.arange(4) * 1.0, rows.weights, rows.group)
    ar1, spatial = _fit(even, "ar1"), _fit(even, "sp_exp")
    assert spatial.loglik == pytest.approx(ar1.loglik, abs=1e-10)
    assert spatial.coef == pytest.approx(ar1.coef, rel=1e-8)
    assert spatial.df_expected == pytest.approx(ar1.df_expected, rel=1e-7)


@pytest.mark.parametrize("df", ["kenward-roger", "kenward-roger-linear", "satterthwaite"])
def test_nine_complete_pairs_are_the_paired_t_to_rounding(df: str) -> None:
    before = np.random.default_rng(9).normal(50, 8, 9).round(1)
    after = (0.8 * before + np.random.default_rng(10).normal(0, 9, 9)).round(1)
    t = paired_t(after - before)
    fit = mmrm_fit(
        np.column_stack([before, after]).ravel(),
        np.column_stack([np.ones(18), np.tile([0.0, 1.0], 9)]),
        np.repeat(np.arange(9), 2),
        np.tile([0, 1], 9),
        df=df,
    )
    assert fit.coef[1] == pytest.approx(t.estimate, rel=1e-12)
    assert fit.se[1] == pytest.approx(t.sd / 3, rel=1e-12)
    assert fit.df[1] == pytest.approx(8, rel=1e-9)
    row = fit.contrast([0.0, 1.0])
    assert [row.p, row.lower, row.upper] == pytest.approx([t.pvalue, t.lower, t.upper], rel=1e-10)
