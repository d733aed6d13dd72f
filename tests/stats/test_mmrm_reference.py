"""The longitudinal model against R's nlme, lme4, pbkrtest and lmerTest on drawn data sets.

Numbers and data: tests/reference/stats_mmrm.csv, made by stats_mmrm.R beside it, which says which
model of R is which covariance structure. R's packages stop when a step changes little; what that
leaves is stated at each tolerance.
"""

import csv
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onearm.stats.repeated_measures import MMRM, MMRMWarning, mmrm_fit

REFERENCE = Path(__file__).parents[1] / "reference" / "stats_mmrm.csv"


def _read() -> dict[str, dict[str, list[str]]]:
    answers: dict[str, dict[str, list[str]]] = {}
    with REFERENCE.open() as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            answers.setdefault(row["set"], {})[row["quantity"]] = row["value"].split()
    return answers


ANSWERS = _read()
GLS = [
    name
    for name in ANSWERS
    if name.count(":") == 3
    and name.split(":")[2] in ("reml", "ml")
    and name.split(":")[0] in ANSWERS
]
LMER = [name.split(":")[0] for name in ANSWERS if ":lmer:" in name]
GROUPED = sorted({name.split(":")[1] for name in ANSWERS if name.startswith("forty_A:")})


def _answer(name: str, quantity: str) -> np.ndarray:
    return np.array(ANSWERS[name][quantity], dtype=float)


@cache
def _data(name: str) -> dict[str, np.ndarray]:
    numbers = {q: _answer(name, q) for q in ("y", "visit", "time", "w")}
    design = _answer(name, "X").reshape(len(numbers["y"]), -1)
    labels = {q: np.array(ANSWERS[name][q]) for q in ("id", "group")}
    return {**numbers, **labels, "X": design}


def _fit(name: str, covariance: str, *, weighted: bool = False, **options: Any) -> MMRM:
    data = _data(name)
    visit = data["time" if covariance.startswith("sp_") else "visit"]
    weights = data["w"] if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MMRMWarning)
        return mmrm_fit(
            data["y"],
            options.pop("X", data["X"]),
            data["id"],
            visit,
            covariance=covariance,
            weights=weights,
            **options,
        )


@pytest.mark.parametrize("name", GLS)
def test_a_fit_of_gls_is_reached_and_never_missed_from_below(name: str) -> None:
    data, covariance, likelihood, weighting = name.split(":")
    fit = _fit(
        data,
        covariance,
        weighted=weighting == "weighted",
        reml=likelihood == "reml",
        df="residual",
    )
    loglik = _answer(name, "loglik")[0]
    assert fit.loglik >= loglik - 1e-9
    assert fit.loglik == pytest.approx(loglik, abs=1e-7, rel=0)
    # A log-likelihood 1e-7 short leaves coefficients and errors some root of that away.
    assert fit.coef == pytest.approx(_answer(name, "coef"), abs=2e-4 * fit.se.max(), rel=0)
    assert fit.se == pytest.approx(_answer(name, "se"), rel=5e-4)


@pytest.mark.parametrize("name", LMER)
def test_kenward_roger_of_compound_symmetry_is_that_of_pbkrtest(name: str) -> None:
    theirs = f"{name}:cs:lmer:plain"
    fit = _fit(name, "cs", df="kenward-roger", information="expected")
    assert fit.loglik == pytest.approx(_answer(theirs, "loglik")[0], abs=1e-7, rel=0)
    assert fit.loglik >= _answer(theirs, "loglik")[0] - 1e-9
    assert fit.se == pytest.approx(_answer(theirs, "se_kr"), rel=1e-6)
    assert fit.df == pytest.approx(_answer(theirs, "df_kr"), rel=1e-5)
    rows = np.eye(len(fit.coef))[_answer(theirs, "visits").astype(int)]
    test = fit.contrast(rows)
    ours = [test.num_df, test.den_df, test.statistic, test.p]
    assert ours == pytest.approx(list(_answer(theirs, "f_kr")), rel=1e-5, abs=0)


@pytest.mark.parametrize("name", LMER)
def test_satterthwaite_of_compound_symmetry_is_that_of_lmertest(name: str) -> None:
    theirs = f"{name}:cs:lmer:plain"
    fit = _fit(name, "cs", df="satterthwaite")
    assert fit.se == pytest.approx(_answer(theirs, "se"), rel=1e-6)
    # lmerTest differentiates the deviance numerically.
    assert fit.df == pytest.approx(_answer(theirs, "df_satterthwaite"), rel=1e-5)
    rows = np.eye(len(fit.coef))[_answer(theirs, "visits").astype(int)]
    test = fit.contrast(rows)
    ours = [test.num_df, test.den_df, test.statistic, test.p]
    assert ours == pytest.approx(list(_answer(theirs, "f_satterthwaite")), rel=1e-5, abs=0)


@pytest.mark.parametrize("covariance", GROUPED)
def test_a_covariance_of_each_group_is_two_fits_where_no_coefficient_is_shared(
    covariance: str,
) -> None:
    data = _data("forty")
    in_b = (data["group"] == "B").astype(float)[:, None]
    columns = np.delete(data["X"], 2, axis=1)  # intercept, baseline, visits; without the group
    design = np.hstack([columns * (1 - in_b), columns * in_b])
    fit = _fit("forty", covariance, X=design, group=data["group"], df="residual")
    names = [f"forty_{group}:{covariance}:reml:plain" for group in "AB"]
    loglik = sum(_answer(name, "loglik")[0] for name in names)
    assert fit.loglik >= loglik - 1e-9
    assert fit.loglik == pytest.approx(loglik, abs=2e-7, rel=0)
    coef = np.concatenate([_answer(name, "coef") for name in names])
    se = np.concatenate([_answer(name, "se") for name in names])
    assert fit.coef == pytest.approx(coef, abs=2e-4 * se.max(), rel=0)
    assert fit.se == pytest.approx(se, rel=5e-4)
