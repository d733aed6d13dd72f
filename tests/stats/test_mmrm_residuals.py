"""Residuals, conditional prediction and simulation against nlme, SAS, R's mmrm and their definitions."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from onearm.stats.repeated_measures.blocks import Block
from onearm.stats.repeated_measures.fit import mmrm_fit
from onearm.stats.repeated_measures.residuals import (
    fitted,
    predict,
    predict_conditional,
    residuals,
    simulate,
)

Floats = NDArray[np.float64]

REFERENCE = Path(__file__).parents[1] / "reference" / "stats_mmrm_sandwich.csv"
FEV = Path(__file__).parents[2].parent / "shared" / "data" / "mmrm" / "fev_data.csv"
SIGMA = np.array([[9.0, 4.0, 2.0], [4.0, 16.0, 5.0], [2.0, 5.0, 25.0]])


def _blocks(subject: Any, visit: Any, sigma: Floats) -> list[Block]:
    """Patients by the visits they have; ``visit`` are codes."""
    of_subject: dict[Any, list[int]] = {}
    for i in sorted(range(len(subject)), key=lambda i: visit[i]):
        of_subject.setdefault(subject[i], []).append(i)
    patterns: dict[tuple[int, ...], list[list[int]]] = {}
    for rows in of_subject.values():
        patterns.setdefault(tuple(int(visit[i]) for i in rows), []).append(rows)
    return [
        Block(np.array(rows), np.array(seen), 0, sigma[np.ix_(seen, seen)])
        for seen, rows in patterns.items()
    ]


def _sets() -> dict[str, dict[str, Floats]]:
    sets: dict[str, dict[str, Floats]] = {}
    with REFERENCE.open() as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            numbers = np.array([float(number) for number in row["value"].split()])
            sets.setdefault(row["set"], {})[row["quantity"]] = numbers
    return sets


GLS = _sets()


def _gls(name: str) -> tuple[Floats, Floats, Floats | None, Floats, list[Block]]:
    """Design, response, weights, coefficients and blocks of a fit by nlme's gls."""
    found = GLS[name]
    visit = found["visit"].astype(int)
    later = visit[:, None] == np.arange(2, visit.max() + 1)
    x = np.column_stack((np.ones(len(visit)), found["base"], found["arm"], later))
    m = visit.max()
    blocks = _blocks(found["id"], visit - 1, found["sigma"].reshape(m, m))
    return x, found["y"], found.get("w"), found["beta"], blocks


@pytest.mark.parametrize("name", GLS)
def test_pearson_residuals_are_those_of_nlme(name: str) -> None:
    x, y, weights, beta, blocks = _gls(name)
    found = residuals(x, y, weights, beta, blocks, "pearson")
    assert found == pytest.approx(GLS[name]["pearson"], rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("name", GLS)
def test_normalized_residuals_are_those_of_nlme(name: str) -> None:
    x, y, weights, beta, blocks = _gls(name)
    found = residuals(x, y, weights, beta, blocks, "normalized")
    theirs = GLS[name]["normalized"]
    if name == "thirty":  # unstructured: nlme's root is the Cholesky factor
        assert found == pytest.approx(theirs, rel=1e-8, abs=1e-9)
    for rows in (row for block in blocks for row in block.rows):  # another root: equal in length
        assert found[rows] @ found[rows] == pytest.approx(theirs[rows] @ theirs[rows], rel=1e-8)


def test_response_residuals_and_fitted_values_add_to_the_response() -> None:
    x, y, weights, beta, blocks = _gls("nine_weighted")
    assert fitted(x, beta) == pytest.approx(np.array([row @ beta for row in x]), rel=1e-14)
    assert fitted(x, beta) + residuals(x, y, weights, beta, blocks) == pytest.approx(y, rel=1e-14)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_normalized_residual_is_the_error_of_predicting_a_visit_from_those_before(
    weighted: bool,
) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((1, 3, 2)), rng.standard_normal((1, 3))
    w = rng.uniform(0.5, 2, (1, 3)) if weighted else None
    beta = np.array([0.5, -1.0])
    block = Block(np.array([[0, 1, 2]]), np.arange(3), 0, SIGMA)
    found = residuals(x[0], y[0], None if w is None else w[0], beta, [block], "normalized")
    for j in range(3):
        order = [j, *range(j)]
        step = predict_conditional(
            x[:, [j]], x[:, :j], y[:, :j], SIGMA[np.ix_(order, order)], beta,
            weights_new=None if w is None else w[:, [j]], weights_seen=None if w is None else w[:, :j],
        )  # fmt: skip
        error = (y[0, j] - step.mean[0, 0]) / np.sqrt(step.vcov[0, 0, 0])
        assert found[j] == pytest.approx(error, rel=1e-12)


def _fev() -> tuple[list[dict[str, str]], Floats, NDArray[np.str_], NDArray[np.int64]]:
    if not FEV.exists():
        pytest.skip("the FEV1 data of R's mmrm are not beside the repository")
    with FEV.open() as lines:
        rows = list(csv.DictReader(lines))
    y = np.array([float(row["FEV1"] or "nan") for row in rows])
    visit = np.array([int(row["VISITN"]) - 1 for row in rows])
    return rows, y, np.array([row["USUBJID"] for row in rows]), visit


# Asserted in R mmrm's own tests (tests/testthat/test-tmb-methods.R): residuals of FEV1 ~ RACE + SEX +
# ARMCD * AVISIT + us(AVISIT | USUBJID) on its FEV1 data. Its optimiser brings four digits.
MMRM_RESIDUALS = {
    "pearson": ([], [2.22057, 1.79050, 0.53322, 0.87243, 0.70477]),
    "normalized": (
        [-0.23957, -3.23322, -0.80740, -0.99548, 0.43232],
        [1.99092, 1.49689, 0.53322, 0.71055, 0.56152],
    ),
}


@pytest.mark.parametrize("kind", MMRM_RESIDUALS)
def test_residuals_are_those_of_mmrm(kind: str) -> None:
    rows, y, subject, visit = _fev()
    race = [[row["RACE"].startswith("Black"), row["RACE"] == "White"] for row in rows]
    arm = np.array([row["ARMCD"] == "TRT" for row in rows])
    later = visit[:, None] == np.arange(1, 4)
    x = np.column_stack(
        (np.ones(len(y)), race, [row["SEX"] == "Female" for row in rows], arm, later, later * arm[:, None])
    )  # fmt: skip
    fit = mmrm_fit(y, x, subject, visit, df="residual", compiled=False)
    found = residuals(fit.X, fit.y, fit.weights, fit.coef, fit.blocks, kind)
    first, last = MMRM_RESIDUALS[kind]
    assert found[: len(first)] == pytest.approx(np.array(first), abs=2e-4)
    assert found[-5:] == pytest.approx(np.array(last), abs=2e-4)


# SAS's prediction of visits 1 and 3 of the first patient, who has visits 2 and 4, and its standard
# error, in FEV1 ~ ARMCD; listed in R mmrm's own tests (tests/testthat/test-tmb-methods.R, "integration
# test with SAS"). The tolerance is SAS's convergence; compound symmetry agrees to nine digits.
SAS_PREDICTIONS = {
    "us": ([44.9753553724207, 41.4074753229983], [7.07537882030293, 4.72199122235202], 2e-4),
    "toep": ([49.2972533971016, 32.5585487765097], [7.89495102841021, 7.32982693449642], 5e-5),
    "ar1": ([42.7404650408987, 34.8347780646782], [8.469966361884, 7.88346546930503], 5e-6),
    "cs": ([44.0595030539703, 44.0595030539703], [9.10525401644359, 9.10525401644359], 1e-7),
}


@pytest.mark.parametrize("covariance", SAS_PREDICTIONS)
def test_predictions_and_their_standard_errors_are_those_of_sas(covariance: str) -> None:
    rows, y, subject, visit = _fev()
    x = np.column_stack((np.ones(len(y)), [row["ARMCD"] == "TRT" for row in rows]))
    fit = mmrm_fit(y, x, subject, visit, covariance=covariance, df="residual", compiled=False)
    sigma, seen, new = fit.covariance_matrix, ~np.isnan(y), [0, 2]
    assert isinstance(sigma, np.ndarray)
    found = predict(
        x[new], subject[new], visit[new], x[seen], y[seen], subject[seen], visit[seen], fit.coef,
        lambda group, visits: sigma[np.ix_(visits, visits)], vcov=fit.vcov_asymptotic,
    )  # fmt: skip
    mean, se, rel = SAS_PREDICTIONS[covariance]
    assert found.mean == pytest.approx(mean, rel=rel)
    assert found.se == pytest.approx(se, rel=rel)


def _trial(weighted: bool) -> dict[str, Any]:
    """Seven patients with gaps, their covariance in full and the least-squares fit with it."""
    rng = np.random.default_rng(12)
    subject, visit = np.repeat(np.arange(7), 3), np.tile(np.arange(3), 7)
    seen = np.ones(21, dtype=bool)
    seen[[1, 5, 9, 10, 14]] = False
    x = np.column_stack((np.ones(21), rng.standard_normal(21), visit))
    w = rng.uniform(0.5, 2, 21) if weighted else np.ones(21)
    full = np.kron(np.eye(7), SIGMA) / np.sqrt(np.outer(w, w))
    y = rng.standard_normal(21) * 4
    v = np.linalg.inv(full[np.ix_(seen, seen)])
    vcov = np.linalg.inv(x[seen].T @ v @ x[seen])
    beta = vcov @ x[seen].T @ v @ y[seen]
    return {
        "subject": subject, "visit": visit, "seen": seen, "x": x, "y": y, "full": full, "vcov": vcov,
        "beta": beta, "weights": w if weighted else None,
    }  # fmt: skip


def _predicted(trial: dict[str, Any], new: Any, vcov: Floats | None, **changed: Any) -> Any:
    t = trial | changed
    seen, w = t["seen"], t["weights"]
    return predict(
        t["x"][new], t["subject"][new], t["visit"][new],
        t["x"][seen], t["y"][seen], t["subject"][seen], t["visit"][seen], t["beta"],
        lambda group, visits: SIGMA[np.ix_(visits, visits)],
        vcov=vcov,
        weights=None if w is None else w[seen], weights_new=None if w is None else w[new],
    )  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True])
def test_prediction_is_the_conditional_normal_distribution(weighted: bool) -> None:
    # From the precision matrix P of all rows: mean mu_1 - P_11^-1 P_12 (y_2 - mu_2), covariance P_11^-1.
    t = _trial(weighted)
    seen, mu = t["seen"], t["x"] @ t["beta"]
    precision = np.linalg.inv(t["full"])
    own = np.linalg.inv(precision[np.ix_(~seen, ~seen)])
    mean = mu[~seen] - own @ precision[np.ix_(~seen, seen)] @ (t["y"] - mu)[seen]
    found = _predicted(t, ~seen, None)
    assert found.mean == pytest.approx(mean, rel=1e-10)
    assert found.se == pytest.approx(np.sqrt(np.diag(own)), rel=1e-10)
    assert np.all(found.se_mean == 0)


def test_several_unseen_visits_of_a_patient_keep_their_covariance() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 3, 2))
    order = [1, 2, 0]
    found = predict_conditional(
        x[:, 1:], x[:, :1], rng.standard_normal((2, 1)), SIGMA[np.ix_(order, order)], np.ones(2)
    )
    expected = SIGMA[1:, 1:] - np.outer(SIGMA[1:, 0], SIGMA[0, 1:]) / SIGMA[0, 0]
    for vcov in found.vcov:
        assert vcov == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_with_estimated_coefficients_it_is_the_best_linear_unbiased_prediction(
    weighted: bool,
) -> None:
    # Weights l of all responses seen with the least error variance among those with l'X = x_new:
    # [V X; X' 0] [l; m] = [c; x_new], error variance s - l'c - m'x_new.
    t = _trial(weighted)
    seen, p = t["seen"], 3
    x, v = t["x"][seen], t["full"][np.ix_(seen, seen)]
    system = np.block([[v, x], [x.T, np.zeros((p, p))]])
    found = _predicted(t, ~seen, t["vcov"])
    for k, row in enumerate(np.flatnonzero(~seen)):
        right = np.concatenate((t["full"][row, seen], t["x"][row]))
        solved = np.linalg.solve(system, right)
        assert found.mean[k] == pytest.approx(solved[:-p] @ t["y"][seen], rel=1e-9)
        variance = t["full"][row, row] - solved @ right
        assert found.se[k] == pytest.approx(np.sqrt(variance), rel=1e-9)
        known = _predicted(t, ~seen, None).se[k]
        assert found.se_mean[k] ** 2 == pytest.approx(variance - known**2, rel=1e-8)


def test_a_response_that_was_seen_is_returned_and_a_new_patient_gets_his_mean() -> None:
    t = _trial(weighted=False)
    again = _predicted(t, t["seen"], t["vcov"])
    assert again.mean == pytest.approx(t["y"][t["seen"]], abs=1e-12)
    assert again.se == pytest.approx(0, abs=1e-7)
    strangers = _predicted(t | {"subject": t["subject"] + 100 * ~t["seen"]}, ~t["seen"], t["vcov"])
    x = t["x"][~t["seen"]]
    assert strangers.mean == pytest.approx(x @ t["beta"], rel=1e-12)
    of_mean = np.einsum("kp,pq,kq->k", x, t["vcov"], x)
    assert strangers.se_mean == pytest.approx(np.sqrt(of_mean), rel=1e-12)
    own = np.diag(SIGMA)[t["visit"][~t["seen"]]]
    assert strangers.se == pytest.approx(np.sqrt(of_mean + own), rel=1e-12)


def test_the_order_of_rows_changes_nothing() -> None:
    t = _trial(weighted=True)
    found = _predicted(t, ~t["seen"], t["vcov"])
    turn = np.random.default_rng(2).permutation(21)
    turned = {k: t[k][turn] for k in ("subject", "visit", "seen", "x", "y", "weights")}
    other = _predicted(t | turned, ~turned["seen"], t["vcov"])
    back = np.argsort(np.argsort(turn[~turned["seen"]]))
    assert other.mean == pytest.approx(found.mean[back], rel=1e-12)
    assert other.se == pytest.approx(found.se[back], rel=1e-12)


def test_each_group_is_predicted_with_its_own_covariance_and_no_rows_give_no_predictions() -> None:
    one = np.ones((2, 1))
    nobody = np.empty(0, dtype=np.int64)
    nothing = (np.empty((0, 1)), np.empty(0), nobody, nobody)
    found = predict(
        one, np.array(["a", "b"]), np.zeros(2), *nothing, np.array([3.0]),
        lambda group, visits: np.full((len(visits), len(visits)), [4.0, 9.0][group]),
        group_new=np.array([0, 1]),
    )  # fmt: skip
    assert found.mean.tolist() == [3.0, 3.0]
    assert found.se.tolist() == [2.0, 3.0]
    empty = predict(*nothing[::2], nobody, *nothing, np.array([3.0]), lambda group, visits: SIGMA)
    assert empty.mean.shape == empty.se.shape == (0,)


def _simulated(weights: Floats | None, vcov: Floats | None, nsim: int) -> tuple[Floats, ...]:
    """Draws for two patients, the second without the middle visit, their mean and full covariance."""
    blocks = [
        Block(np.array([[0, 1, 2]]), np.arange(3), 0, SIGMA),
        Block(np.array([[3, 4]]), np.array([0, 2]), 0, SIGMA[::2, ::2]),
    ]
    x = np.array([[1.0, 0], [1, 1], [1, 2], [1, 0], [1, 2]])
    beta = np.array([10.0, -1.5])
    sims = simulate(x, weights, beta, blocks, np.random.default_rng(77), nsim, vcov)
    full = np.zeros((5, 5))
    full[:3, :3], full[3:, 3:] = SIGMA, SIGMA[::2, ::2]
    if weights is not None:
        full /= np.sqrt(np.outer(weights, weights))
    if vcov is not None:
        full += x @ vcov @ x.T
    return sims, x @ beta, full


@pytest.mark.parametrize("weights", [None, np.array([0.5, 1.0, 2.0, 4.0, 0.25])])
@pytest.mark.parametrize("vcov", [None, np.array([[2.0, -0.5], [-0.5, 1.0]])])
def test_simulated_responses_have_the_fitted_mean_and_covariance(
    weights: Floats | None, vcov: Floats | None
) -> None:
    nsim = 40_000
    sims, mean, full = _simulated(weights, vcov, nsim)
    assert sims.shape == (nsim, 5)
    sd = np.sqrt(np.diag(full))
    assert np.abs((sims.mean(axis=0) - mean) / sd).max() < 4.5 / np.sqrt(nsim)
    # A covariance of n normal pairs has variance (s_ii s_jj + s_ij^2) / n.
    error = np.sqrt((np.outer(sd**2, sd**2) + full**2) / nsim)
    assert np.abs((np.cov(sims.T) - full) / error).max() < 4.5


def test_the_same_generator_gives_the_same_draws_and_the_coefficients_are_drawn_once_a_draw() -> (
    None
):
    first, *_ = _simulated(None, None, 3)
    second, *_ = _simulated(None, None, 3)
    assert np.array_equal(first, second)
    tight = Block(np.array([[0, 1]]), np.arange(2), 0, 1e-18 * np.eye(2))
    x = np.array([[1.0], [2.0]])
    vcov = np.array([[4.0]])
    drawn = simulate(x, None, np.array([1.0]), [tight], np.random.default_rng(5), 50, vcov)
    assert drawn[:, 1] == pytest.approx(2 * drawn[:, 0], rel=1e-6)
    assert 1.4 < drawn[:, 0].std() < 2.6


def test_what_cannot_be_done_is_said() -> None:
    x, y, weights, beta, blocks = _gls("nine")
    with pytest.raises(
        ValueError, match="kind is 'raw'; expected one of response, pearson, normalized"
    ):
        residuals(x, y, weights, beta, blocks, "raw")
    with pytest.raises(TypeError, match=r"rng is int; expected numpy\.random\.Generator"):
        simulate(x, weights, beta, blocks, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nsim is 0; expected at least one draw"):
        simulate(x, weights, beta, blocks, np.random.default_rng(1), 0)
