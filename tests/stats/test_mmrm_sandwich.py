"""Empirical covariance against R's mmrm, clubSandwich and its own definition."""

import csv
import itertools
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from onearm.stats.repeated_measures.blocks import Block
from onearm.stats.repeated_measures.inference import combined_df
from onearm.stats.repeated_measures.sandwich import Sandwich, sandwich

Floats = NDArray[np.float64]

MMRM_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "mmrm"
REFERENCE = Path(__file__).parents[1] / "reference" / "stats_mmrm_sandwich.csv"
#: Fits of R's mmrm; the other files there are not fits.
FITS = sorted(path.name for path in MMRM_DATA.glob("*__*.json"))
KINDS = {
    "CR0": "empirical_satterthwaite",
    "CR2": "empirical_bias_reduced_satterthwaite",
    "CR3": "empirical_jackknife_satterthwaite",
}


def _column(term: str, rows: list[dict[str, str]]) -> Floats:
    """A column of R's treatment coding by its name: products of covariates and of levels of factors."""
    column = np.ones(len(rows))
    for part in term.split(":") if term != "(Intercept)" else []:
        if part in rows[0]:
            column = column * np.array([float(row[part]) for row in rows])
            continue
        (hit,) = [
            found
            for name in rows[0]
            if part.startswith(name)
            and np.any(found := np.array([row[name] == part.removeprefix(name) for row in rows]))
        ]
        column = column * hit
    return column


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


def _mmrm(name: str) -> tuple[dict[str, Any], Floats, Floats, list[Block]]:
    answers = json.loads((MMRM_DATA / name).read_text())
    meta, fit = answers["meta"], answers["fit"]
    response = meta["formula"].split(" ~")[0]
    with (MMRM_DATA / meta["csv"]).open() as lines:
        rows = [row for row in csv.DictReader(lines) if row[response] not in ("", "NA")]
    labels = [row[meta["visit"]] for row in rows]
    levels, sigma = fit["visit_levels"], np.array(fit["sigma"])
    if meta["covariance"].startswith("sp_"):  # sigma is that of two visits at distance one
        levels = sorted(set(labels), key=float)
        times = np.array(levels, dtype=float)
        distance = np.abs(times[:, None] - times)
        power = distance if meta["covariance"] == "sp_exp" else distance**2
        sigma = sigma[0, 0] * (sigma[0, 1] / sigma[0, 0]) ** power
    visit = [levels.index(label) for label in labels]
    x = np.column_stack([_column(term, rows) for term in fit["beta_names"]])
    y = np.array([float(row[response]) for row in rows])
    return answers, x, y, _blocks([row[meta["subject"]] for row in rows], visit, sigma)


def _sets() -> dict[str, dict[str, Floats]]:
    sets: dict[str, dict[str, Floats]] = {}
    with REFERENCE.open() as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            numbers = np.array([float(number) for number in row["value"].split()])
            sets.setdefault(row["set"], {})[row["quantity"]] = numbers
    return sets


CLUB = _sets()


def _club(name: str) -> tuple[Floats, Floats, Floats | None, Floats, list[Block]]:
    """Design, response, weights, coefficients, blocks of a set of clubSandwich's."""
    found = CLUB[name]
    visit = found["visit"].astype(int)
    later = visit[:, None] == np.arange(2, visit.max() + 1)
    x = np.column_stack((np.ones(len(visit)), found["base"], found["arm"], later))
    m = visit.max()
    blocks = _blocks(found["id"], visit - 1, found["sigma"].reshape(m, m))
    return x, found["y"], found.get("w"), found["beta"], blocks


needs_mmrm = pytest.mark.skipif(not FITS, reason="R mmrm's answers are not beside the repository")


@needs_mmrm
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FITS)
def test_covariance_and_degrees_of_freedom_are_those_of_mmrm(name: str, kind: str) -> None:
    answers, x, y, blocks = _mmrm(name)
    theirs = answers[KINDS[kind]]
    beta = np.array(answers["fit"]["beta"])
    found = sandwich(x, y, None, beta, blocks, kind, np.array(answers["fit"]["beta_vcov"]))
    se = np.array(theirs["coef"]["se"])
    assert np.sqrt(np.diag(found.vcov)) == pytest.approx(se, rel=1e-10)
    assert np.abs((found.vcov - theirs["vcov"]) / np.outer(se, se)).max() < 1e-10
    assert found.df(np.eye(len(beta))) == pytest.approx(theirs["coef"]["df"], rel=1e-9)
    alone = sandwich(x, y, None, beta, blocks, kind)
    assert alone.vcov == pytest.approx(found.vcov, rel=1e-8, abs=1e-10 * float(se.max()) ** 2)
    for test in theirs["wald_f"].values():
        rows = np.array(test["L"], dtype=float)
        _, turn = np.linalg.eigh(rows @ found.vcov @ rows.T)
        joint = combined_df(found.df(turn.T @ rows))
        assert joint == pytest.approx(test["denom_df"], rel=1e-9)


@needs_mmrm
def test_degrees_of_freedom_by_contrast_are_those_of_the_means() -> None:
    answers, x, y, blocks = _mmrm("fev__toeph.json")
    for kind, block in KINDS.items():
        found = sandwich(x, y, None, np.array(answers["fit"]["beta"]), blocks, kind)
        for table in answers[block]["emmeans"].values():
            rows = np.array(table["means_linfct"], dtype=float)
            assert found.df(rows) == pytest.approx(table["means"]["df"], rel=1e-9)
            assert found.df(rows[1]) == pytest.approx(table["means"]["df"][1], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in CLUB for kind in KINDS if f"vcov_{kind}" in CLUB[name]],
)
def test_covariance_and_degrees_of_freedom_are_those_of_clubsandwich(name: str, kind: str) -> None:
    x, y, weights, beta, blocks = _club(name)
    if kind == "CR2" and name != "independent":  # clubSandwich's root of the leverage is another
        vcov, df = _written_out(x, y, weights, beta, blocks, _clubsandwich_cr2, np.eye(len(beta)))
    else:
        found = sandwich(x, y, weights, beta, blocks, kind)
        vcov, df = found.vcov, found.df(np.eye(len(beta)))
    theirs = CLUB[name][f"vcov_{kind}"].reshape(vcov.shape)
    se = np.sqrt(np.diag(theirs))
    assert np.abs((vcov - theirs) / np.outer(se, se)).max() < 1e-9
    assert df == pytest.approx(CLUB[name][f"df_{kind}"], rel=1e-8)


def _power(matrix: Floats, power: float) -> Floats:
    """A symmetric power; a power of zero is zero where it would be infinite."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-10 * values.max()
    values = np.where(kept, np.where(kept, values, 1.0) ** power, 0.0)
    return np.asarray((vectors * values) @ vectors.T)


def _written_out(
    x: Floats,
    y: Floats,
    weights: Floats | None,
    beta: Floats,
    blocks: list[Block],
    adjustment: Callable[[Floats, Floats], Floats],
    directions: Floats,
) -> tuple[Floats, Floats]:
    """Covariance and degrees of freedom from their definition, every matrix in full.

    V: all rows; W = V^-1; H = X (X'WX)^-1 X'W; adjustment(V_i, (I - H)_ii) is A_i.
    """
    n = len(y)
    patients = [(rows, block.sigma) for block in blocks for rows in block.rows]
    v = np.zeros((n, n))
    for rows, sigma in patients:
        spread = np.ones(len(rows)) if weights is None else 1 / np.sqrt(weights[rows])
        v[np.ix_(rows, rows)] = spread[:, None] * sigma * spread
    w = np.linalg.inv(v)
    bread = np.linalg.inv(x.T @ w @ x)
    rest = np.eye(n) - x @ bread @ x.T @ w
    e = y - x @ beta
    meat, g = np.zeros_like(bread), []
    for rows, _ in patients:
        own = np.ix_(rows, rows)
        score = x[rows].T @ w[own] @ adjustment(v[own], rest[own])
        meat += np.outer(score @ e[rows], score @ e[rows])
        g.append(bread @ score @ rest[rows])
    df = []
    for direction in directions:
        each = np.array([direction @ one for one in g])
        omega = each @ v @ each.T
        df.append(np.trace(omega) ** 2 / np.sum(omega**2))
    return bread @ meat @ bread, np.array(df)


def _clubsandwich_cr2(v: Floats, rest: Floats) -> Floats:
    """D' (D (I-H)_i V (I-H)_i' D')^-1/2 D with V_i = D'D (Pustejovsky and Tipton 2018)."""
    d = np.linalg.cholesky(v).T
    return np.asarray(d.T @ _power(d @ rest @ v @ d.T, -0.5) @ d)


ADJUSTMENTS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "CR0": lambda v, rest: np.eye(len(v)),
    "CR2": lambda v, rest: (
        _power(v, 0.5) @ _power(_power(v, -0.5) @ rest @ _power(v, 0.5), -0.5) @ _power(v, -0.5)
    ),
    "CR3": lambda v, rest: np.linalg.inv(rest),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["nine_weighted", "thirty"])
def test_it_is_the_definition_with_every_matrix_written_out(name: str, kind: str) -> None:
    x, y, weights, beta, blocks = _club(name)
    directions = np.random.default_rng(3).standard_normal((4, len(beta)))
    vcov, df = _written_out(x, y, weights, beta, blocks, ADJUSTMENTS[kind], directions)
    found = sandwich(x, y, weights, beta, blocks, kind)
    assert found.vcov == pytest.approx(vcov, rel=1e-8)
    assert found.df(directions) == pytest.approx(df, rel=1e-9)


@pytest.mark.parametrize("kind", ["CR0", "CR2"])
def test_a_patient_alone_at_a_visit_adds_nothing_of_what_he_determines(kind: str) -> None:
    x, y, weights, beta, blocks = _club("lonely")
    directions = np.random.default_rng(5).standard_normal((4, len(beta)))
    vcov, df = _written_out(x, y, weights, beta, blocks, ADJUSTMENTS[kind], directions)
    found = sandwich(x, y, weights, beta, blocks, kind)
    assert found.vcov == pytest.approx(vcov, rel=1e-7)
    assert found.df(directions) == pytest.approx(df, rel=1e-7)


def test_cr2_is_unbiased_where_the_fitted_covariance_is_true() -> None:
    # The expectation over y of a quadratic form, summed over the columns of a root of V.
    x, _, weights, beta, blocks = _club("nine_weighted")
    assert weights is not None
    mean = x @ beta
    expected = np.zeros((len(beta), len(beta)))
    for block in blocks:
        for rows, column in itertools.product(block.rows, range(len(block.visits))):
            y = mean.copy()
            y[rows] += np.linalg.cholesky(block.sigma)[:, column] / np.sqrt(weights[rows])
            expected += sandwich(x, y, weights, _gls(x, y, weights, blocks), blocks, "CR2").vcov
    whitened = np.concatenate([_white(x, weights, block) for block in blocks])
    assert expected == pytest.approx(np.linalg.inv(whitened.T @ whitened), rel=1e-8)


def _white(z: Floats, weights: Floats, block: Block) -> Floats:
    scaled = (np.sqrt(weights)[:, None] * z)[block.rows]
    return np.asarray(np.linalg.inv(np.linalg.cholesky(block.sigma)) @ scaled).reshape(
        -1, z.shape[1]
    )


def _gls(x: Floats, y: Floats, weights: Floats, blocks: list[Block]) -> Floats:
    both = np.concatenate([_white(np.column_stack((x, y)), weights, block) for block in blocks])
    return np.asarray(np.linalg.lstsq(both[:, :-1], both[:, -1])[0])


def test_cr3_is_the_spread_of_the_fits_that_leave_each_patient_out() -> None:
    x, y, weights, beta, blocks = _club("thirty_weighted")
    assert weights is not None
    spread = np.zeros((len(beta), len(beta)))
    for k, block in enumerate(blocks):
        for i in range(len(block.rows)):
            left = [*blocks[:k], *blocks[k + 1 :]]
            others = np.delete(block.rows, i, axis=0)
            if len(others):
                left.append(Block(others, block.visits, block.group, block.sigma))
            shift = _gls(x, y, weights, left) - beta
            spread += np.outer(shift, shift)
    found = sandwich(x, y, weights, beta, blocks, "CR3").vcov
    # gls's coefficients are the least-squares solution to some eight digits of a standard error.
    scale = np.sqrt(np.outer(np.diag(spread), np.diag(spread)))
    assert np.abs((found - spread) / scale).max() < 1e-7


def test_n_patients_with_one_mean_have_the_textbook_answers() -> None:
    y = np.array([3.0, 5.0, 4.0, 8.0, 1.0, 6.0])
    n = len(y)
    block = Block(np.arange(n)[:, None], np.array([0]), 0, np.array([[2.5]]))
    one = np.ones((n, 1))
    square = float(np.sum((y - y.mean()) ** 2))
    for kind, divisor in (("CR0", n), ("CR2", n - 1), ("CR3", (n - 1) ** 2 / n)):
        found = sandwich(one, y, None, np.array([y.mean()]), [block], kind)
        assert found.vcov[0, 0] == pytest.approx(square / divisor / n, rel=1e-14)
        assert float(found.df([1.0])) == pytest.approx(n - 1, rel=1e-13)


def test_patients_in_blocks_of_their_own_give_the_same() -> None:
    x, y, weights, beta, blocks = _club("thirty_weighted")
    found = sandwich(x, y, weights, beta, blocks, "CR2")
    alone = [Block(row[None], b.visits, b.group, b.sigma) for b in blocks for row in b.rows]
    other = sandwich(x, y, weights, beta, alone, "CR2")
    assert other.vcov == pytest.approx(found.vcov, rel=1e-10)
    assert other.df(np.eye(6)) == pytest.approx(found.df(np.eye(6)), rel=1e-10)


def test_the_order_of_patients_and_the_scale_of_covariates_change_nothing() -> None:
    x, y, weights, beta, blocks = _club("thirty_weighted")
    found = sandwich(x, y, weights, beta, blocks, "CR2")
    turned = [Block(b.rows[::-1], b.visits, b.group, b.sigma) for b in reversed(blocks)]
    scale = np.array([1.0, 1e7, 1e-6, 1.0, 1.0, 1.0])
    other = sandwich(x * scale, y, weights, beta / scale, turned, "CR2")
    assert other.vcov * np.outer(scale, scale) == pytest.approx(found.vcov, rel=1e-9)
    assert other.df(np.eye(6)) == pytest.approx(found.df(np.eye(6)), rel=1e-9)


def test_a_contrast_of_zeros_has_no_degrees_of_freedom() -> None:
    x, y, weights, beta, blocks = _club("nine")
    assert np.isnan(sandwich(x, y, weights, beta, blocks, "CR0").df(np.zeros(5)))


def test_cr3_says_which_patient_it_cannot_leave_out() -> None:
    x, y, weights, beta, blocks = _club("lonely")
    row = int(np.flatnonzero(CLUB["lonely"]["id"] == 7)[0])
    with pytest.raises(
        ValueError, match=rf"the patient of row {row} .* alone determines .* use CR2"
    ):
        sandwich(x, y, weights, beta, blocks, "CR3")


def test_an_unknown_kind_and_a_contrast_of_other_length_are_refused() -> None:
    x, y, weights, beta, blocks = _club("nine")
    with pytest.raises(ValueError, match="kind is 'CR1'; expected one of CR0, CR2, CR3"):
        sandwich(x, y, weights, beta, blocks, "CR1")
    found = sandwich(x, y, weights, beta, blocks, "CR0")
    with pytest.raises(
        ValueError, match=r"L has shape \(3,\); expected \(5,\) or \(contrasts, 5\)"
    ):
        found.df(np.ones(3))
    with pytest.raises(ValueError, match=r"L has shape \(\)"):
        found.df(1.0)


def _large(patients: int) -> tuple[Sandwich, int]:
    """The CR2 sandwich of simulated patients with 4 visits, and the most memory it took, in bytes."""
    rng = np.random.default_rng(8)
    rows = np.arange(4 * patients).reshape(patients, 4)
    x = np.column_stack((np.tile(np.eye(4), (patients, 1)), np.repeat(rng.random(patients), 4)))
    y = rng.standard_normal(4 * patients)
    block = Block(rows, np.arange(4), 0, 0.5 * np.eye(4) + 0.5)
    beta = np.linalg.lstsq(x, y)[0]
    tracemalloc.start()
    try:
        found = sandwich(x, y, None, beta, [block], "CR2")
        found.df(np.eye(5))
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_with_the_patients_and_not_with_their_square() -> None:
    (_, small), (found, large) = _large(1000), _large(8000)
    assert large < 10 * small
    assert large < 60e6  # 8,000 x 8,000 numbers would be 512e6 bytes
    # A mean over 8,000 patients has nearly as many degrees of freedom.
    assert float(found.df([1.0, 0, 0, 0, 0.5])) == pytest.approx(8000, rel=0.01)
