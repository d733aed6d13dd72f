"""What the longitudinal model says of data and arguments that it cannot or can only just use."""

import csv
import math
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onearm.stats.repeated_measures import MMRM, FitError, MMRMWarning, mmrm_fit

TIMING = Path(__file__).parents[2].parent / "shared" / "data" / "timing"
FALLBACKS = ("us", "toeph", "ar1h", "csh", "cs")
Data = dict[str, Any]


def _trial(n: int = 12, m: int = 4, seed: int = 1) -> Data:
    """Complete data of n patients: a mean of each visit, baseline, correlated noise."""
    rng = np.random.default_rng(seed)
    subject, visit = np.divmod(np.arange(n * m), m)
    base = rng.normal(10, 2, n)[subject]
    y = base / 2 - visit + rng.normal(0, 1.5, n)[subject] + rng.normal(0, 1, n * m)
    columns = [np.ones(n * m), base, *(visit == np.arange(1, m)[:, None]).astype(float)]
    return {"y": y, "X": np.column_stack(columns), "subject": subject, "visit": visit}


def _only(data: Data, kept: np.ndarray) -> Data:
    return {key: value[kept] for key, value in data.items()}


def _fit(data: Data, **options: Any) -> MMRM:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MMRMWarning)
        return mmrm_fit(data["y"], data["X"], data["subject"], data["visit"], **options)


def _twelve_by_eight() -> Data:
    """12 patients x 8 visits, CHG ~ BASE + AVISIT: unstructured covariance has 36 parameters."""
    path = TIMING / "t_n12_v8.csv"
    if not path.exists():
        pytest.skip("timing data are not beside the repository: shared/data/timing/t_n12_v8.csv")
    with path.open() as lines:
        rows = list(csv.DictReader(lines))
    visit = np.array([row["AVISIT"] for row in rows])
    levels = np.unique(visit)
    base = np.array([float(row["BASE"]) for row in rows])
    y = np.array([float(row["CHG"] or "nan") for row in rows])
    columns = [np.ones(len(y)), base, *(visit == levels[1:, None]).astype(float)]
    subject = np.array([row["USUBJID"] for row in rows])
    return {"y": y, "X": np.column_stack(columns), "subject": subject, "visit": visit}


# --- Fits that cannot be had -------------------------------------------------------------------


def test_twelve_patients_at_eight_visits_are_too_few_for_an_unstructured_covariance() -> None:
    with pytest.raises(FitError, match="us") as refused:
        _fit(_twelve_by_eight())
    # What was found, and what to use instead.
    assert re.search(r"singular|boundary|did not converge|positive definite", str(refused.value))
    assert re.search(r"ar1h|csh|toeph|adh|cs\b", str(refused.value))


def test_the_first_structure_of_the_list_that_can_be_fitted_is_used_and_the_others_reported() -> (
    None
):
    data = _twelve_by_eight()
    fit = _fit(data, covariance=FALLBACKS)
    tried = [attempt.covariance for attempt in fit.attempts]
    assert tried == list(FALLBACKS[: len(tried)])
    assert [attempt.converged for attempt in fit.attempts] == [False] * (len(tried) - 1) + [True]
    assert all(attempt.reason for attempt in fit.attempts[:-1])
    assert fit.covariance == tried[-1] != "us"
    alone = _fit(data, covariance=fit.covariance)
    assert fit.loglik == pytest.approx(alone.loglik, abs=1e-10)


def test_a_list_of_which_nothing_can_be_fitted_names_each_attempt() -> None:
    data = _trial(3)
    data["X"] = data["X"][:, [0, 2, 3, 4]]
    with pytest.raises(FitError) as refused:
        _fit(data, covariance=("us", "us"))
    assert str(refused.value).count("us: ") == 2


def test_two_patients_at_four_visits_are_too_few_for_an_unstructured_covariance() -> None:
    data = _trial(2)
    data["X"] = data["X"][:, [0, 2, 3, 4]]
    with pytest.raises(FitError):
        _fit(data)


def test_visits_never_seen_together_have_no_covariance() -> None:
    data = _trial(16)
    odd = data["subject"] % 2 == 1
    # Odd patients miss visit 2, even patients visit 3: no patient tells how the two go together.
    kept = np.where(odd, data["visit"] != 2, data["visit"] != 3)
    with pytest.raises(FitError, match=r"visits 2 and 3 are never seen in the same patient.*csh"):
        _fit(_only(data, kept))


@pytest.mark.parametrize("covariance", ["cs", "csh", "ar1", "ar1h"])
def test_structures_of_few_correlations_do_not_need_every_pair_of_visits(covariance: str) -> None:
    data = _trial(16)
    odd = data["subject"] % 2 == 1
    kept = np.where(odd, data["visit"] != 2, data["visit"] != 3)
    assert np.all(np.isfinite(_fit(_only(data, kept), covariance=covariance).se))


def test_a_visit_with_one_patient_has_no_variance_under_an_unstructured_covariance() -> None:
    data = _trial()
    kept = (data["visit"] != 3) | (data["subject"] == 0)
    with pytest.raises(FitError):
        _fit(_only(data, kept))


@pytest.mark.parametrize("covariance", ["cs", "ar1"])
def test_a_visit_with_one_patient_borrows_the_variance_of_the_others(covariance: str) -> None:
    data = _trial()
    kept = (data["visit"] != 3) | (data["subject"] == 0)
    fit = _fit(_only(data, kept), covariance=covariance)
    assert np.all(np.isfinite(fit.se))
    # The mean of that visit is estimated from one measurement, and says so.
    assert fit.se[4] > 1.5 * fit.se[3]


def test_a_response_that_is_constant_has_no_variance() -> None:
    data = _trial()
    data["y"] = np.full(len(data["y"]), 3.0)
    with pytest.raises((FitError, ValueError), match=r"constant|does not vary|variance|exactly"):
        _fit(data, covariance="cs")


def test_a_response_that_the_design_explains_wholly_has_no_variance() -> None:
    data = _trial()
    data["y"] = data["X"] @ np.array([1.0, 0.5, -1.0, -2.0, -3.0])
    with pytest.raises((FitError, ValueError)):
        _fit(data, covariance="cs")


def test_one_patient_tells_nothing_of_an_unstructured_covariance() -> None:
    data = _only(_trial(), np.arange(4))
    data["X"] = np.ones((4, 1))
    with pytest.raises((FitError, ValueError)):
        _fit(data)


# --- Rows that cannot be used ------------------------------------------------------------------


def test_a_missing_response_or_covariate_drops_the_row_and_is_counted() -> None:
    data = _trial()
    with_gaps = {key: value.copy() for key, value in data.items()}
    with_gaps["y"][3] = math.nan
    with_gaps["X"][6, 1] = math.nan
    kept = np.delete(np.arange(len(data["y"])), [3, 6])
    fit, other = _fit(with_gaps), _fit(_only(data, kept))
    assert fit.n_dropped == 2
    assert fit.n_obs == len(data["y"]) - 2
    assert fit.loglik == pytest.approx(other.loglik, abs=1e-12)
    assert fit.coef == pytest.approx(other.coef, rel=1e-12)


def test_a_response_that_is_missing_everywhere_is_refused() -> None:
    data = _trial()
    data["y"] = np.full(len(data["y"]), math.nan)
    with pytest.raises(ValueError, match=r"missing|no rows|no row"):
        _fit(data)


@pytest.mark.parametrize("place", ["y", "X"])
def test_infinite_values_are_refused(place: str) -> None:
    data = _trial()
    data[place].flat[7] = math.inf
    with pytest.raises(ValueError, match=r"inf|finite"):
        _fit(data)


def test_two_rows_of_one_patient_at_one_visit_are_refused_by_name() -> None:
    data = _trial()
    rows = np.append(np.arange(len(data["y"])), 9)
    with pytest.raises(ValueError, match=r"2.*visit|visit.*2") as refused:
        _fit(_only(data, rows))
    assert not isinstance(refused.value, FitError)


def test_two_rows_at_one_time_of_a_spatial_structure_are_refused() -> None:
    data = _trial()
    rows = np.append(np.arange(len(data["y"])), 9)
    with pytest.raises(ValueError, match=r"2.*visit|visit.*2|time"):
        _fit(_only(data, rows), covariance="sp_exp")


def test_a_column_that_others_determine_is_left_out_and_named() -> None:
    data = _trial()
    plain = _fit(data)
    data["X"] = np.column_stack([data["X"], data["X"][:, 0] - data["X"][:, 2]])
    terms = ["(Intercept)", "BASE", "V2", "V3", "V4", "ALIAS"]
    with pytest.warns(MMRMWarning, match="ALIAS"):
        fit = mmrm_fit(*(data[key] for key in ("y", "X", "subject", "visit")), terms=terms)
    assert fit.coef[:5] == pytest.approx(plain.coef, rel=1e-10)
    assert fit.se[:5] == pytest.approx(plain.se, rel=1e-10)
    assert fit.df[:5] == pytest.approx(plain.df, rel=1e-8)
    assert fit.loglik == pytest.approx(plain.loglik, abs=1e-10)
    assert np.isnan([fit.coef[5], fit.se[5], fit.df[5], *fit.vcov[5]]).all()
    with pytest.raises(ValueError, match="ALIAS"):
        fit.contrast(np.eye(6)[5])
    # What the data do determine is had: ALIAS is intercept minus V2, so both together are as before.
    both = fit.contrast([1, 0, 0, 0, 0, 1])
    assert both.estimate == pytest.approx(plain.coef[0], rel=1e-9)
    assert both.se == pytest.approx(plain.se[0], rel=1e-9)


def test_more_columns_than_rows_are_refused() -> None:
    data = _only(_trial(), np.arange(4))
    with pytest.raises(ValueError, match=r"5 col|4 rows|columns.*rows|rows.*columns"):
        _fit(data, covariance="cs")


# --- Arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"covariance": "unstructured"}, ["unstructured", "us", "toeph"]),
        ({"covariance": ()}, ["covariance"]),
        ({"covariance": ("us", "nothing")}, ["nothing", "toeph"]),
        ({"df": "kenward"}, ["kenward", "kenward-roger", "satterthwaite"]),
        ({"vcov": "HC3"}, ["HC3", "CR2", "model"]),
        ({"information": "fisher"}, ["fisher", "observed", "expected"]),
        ({"df": "kenward-roger", "vcov": "CR2"}, ["Kenward-Roger", "CR2", "satterthwaite"]),
    ],
)
def test_unknown_names_are_answered_with_those_that_exist(
    options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the words are tested below
        _fit(_trial(), **options)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize("key", ["subject", "visit", "X"])
def test_unequal_lengths_are_refused(key: str) -> None:
    data = _trial()
    data[key] = data[key][:-1]
    with pytest.raises(ValueError, match=r"48|47"):
        _fit(data)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.inf])
def test_weights_are_positive_and_finite(bad: float) -> None:
    data = _trial()
    weights = np.ones(len(data["y"]))
    weights[5] = bad
    with pytest.raises(ValueError, match="weight"):
        _fit(data, weights=weights)


def test_a_patient_belongs_to_one_group() -> None:
    data = _trial()
    group = np.where(np.arange(len(data["y"])) < 22, "A", "B")  # the sixth patient is in both
    with pytest.raises(ValueError, match="group"):
        _fit(data, covariance="cs", group=group)


@pytest.mark.parametrize("covariance", ["cs", "sp_exp"])
def test_each_group_has_a_covariance_of_its_own_under_its_label(covariance: str) -> None:
    data = _trial()
    group = np.where(data["subject"] < 6, "A", "B")
    fit = _fit(data, covariance=covariance, group=group)
    assert isinstance(fit.covariance_matrix, dict)
    assert sorted(fit.covariance_matrix) == ["A", "B"]
    first, second = fit.covariance_matrix["A"], fit.covariance_matrix["B"]
    assert first.shape == second.shape == (4, 4)
    assert not np.allclose(first, second)


def test_spatial_structures_need_times_that_are_numbers() -> None:
    data = _trial()
    data["visit"] = np.array([f"W{v}" for v in data["visit"]])
    with pytest.raises((ValueError, TypeError), match=r"number|time"):
        _fit(data, covariance="sp_exp")


def test_spatial_structures_need_a_patient_with_two_visits() -> None:
    data = _trial()
    first = _only(data, data["visit"] == 0)
    first["X"] = first["X"][:, :2]
    with pytest.raises(FitError, match="no patient has two visits"):
        _fit(first, covariance="sp_exp")


def test_a_list_that_mixes_spatial_and_ordered_structures_can_be_tried_on_numbers() -> None:
    fit = _fit(_trial(), covariance=("sp_exp", "cs"))
    assert fit.covariance == "sp_exp"


def test_kenward_roger_under_maximum_likelihood_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reml|maximum likelihood"):
        _fit(_trial(), reml=False, df="kenward-roger")


def test_a_contrast_has_one_number_for_each_coefficient() -> None:
    fit = _fit(_trial(), covariance="cs")
    with pytest.raises(ValueError, match="5"):
        fit.contrast([1.0, 0.0])
    with pytest.raises(ValueError, match="no number"):
        fit.contrast([math.nan, 0.0, 0.0, 0.0, 0.0])


# --- What is said of fits that are had ---------------------------------------------------------


def _six_of_nine(seed: int) -> tuple[Any, ...]:
    """Three of nine patients miss the last visit; an unstructured covariance has ten parameters."""
    data = _trial(9, seed=seed)
    kept = (data["visit"] != 3) | (data["subject"] < 6)
    return tuple(_only(data, kept)[key] for key in ("y", "X", "subject", "visit"))


def test_fewer_than_two_degrees_of_freedom_are_warned_of_by_name() -> None:
    terms = ["(Intercept)", "BASE", "V2", "V3", "V4"]
    with pytest.warns(MMRMWarning) as issued:
        fit = mmrm_fit(*_six_of_nine(6), terms=terms)
    assert fit.df_observed[1] < 2 < min(fit.df_observed[[0, 2, 3, 4]])
    few = [note for note in fit.notes if "fewer than 2 degrees of freedom" in note]
    assert len(few) == 1 and "freedom for BASE;" in few[0]
    assert tuple(str(warning.message) for warning in issued) == fit.notes


def test_informations_that_differ_by_more_than_a_third_are_warned_of_by_name() -> None:
    terms = ["(Intercept)", "BASE", "V2", "V3", "V4"]
    with pytest.warns(MMRMWarning, match="more than a third for V4"):
        fit = mmrm_fit(*_six_of_nine(5), terms=terms)
    apart = np.abs(fit.df_observed - fit.df_expected) / np.maximum(fit.df_observed, fit.df_expected)
    assert np.flatnonzero(apart > 1 / 3).tolist() == [4]


def test_informations_that_agree_are_passed_over_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mmrm_fit(*_six_of_nine(4)).notes == ()


def test_complete_data_are_fitted_without_a_word() -> None:
    data = _trial(30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = mmrm_fit(data["y"], data["X"], data["subject"], data["visit"])
    assert fit.notes == ()


def test_a_time_that_is_infinite_is_refused() -> None:
    data = _trial()
    data["visit"] = data["visit"].astype(float)
    data["visit"][0] = math.inf
    with pytest.raises(ValueError, match=r"inf|finite") as refused:
        _fit(data, covariance="sp_exp")
    assert not isinstance(refused.value, FitError)


def test_visit_levels_name_each_visit_once() -> None:
    with pytest.raises(ValueError, match="visit_levels"):
        _fit(_trial(), visit_levels=[0, 1, 2, 3, 3])


def test_a_contrast_of_zeros_is_refused() -> None:
    fit = _fit(_trial(), covariance="cs")
    with pytest.raises(ValueError, match="zero"):
        fit.contrast(np.zeros(5))
    with pytest.raises(ValueError, match="zero"):
        fit.contrast(np.zeros((2, 5)))


def test_a_covariance_that_is_no_name_is_refused_in_words() -> None:
    with pytest.raises((TypeError, ValueError), match="covariance"):
        _fit(_trial(), covariance=3)


def test_a_response_that_is_text_is_refused_in_words() -> None:
    data = _trial()
    data["y"] = np.array(["a"] * 48)
    with pytest.raises((TypeError, ValueError), match=r"\by\b.*number"):
        _fit(data, covariance="cs")


SEVEN = [  # constructed: 7 patients, 4 visits, two early dropouts, and a covariate
    [0.56, 1.04, -0.08, 0.49], [-0.91, 1.6, -0.35, math.nan], [-1.11, 1.26, -0.46, 1.42],
    [-0.54, math.nan, math.nan, math.nan], [-1.83, 1.77, -0.72, -0.15], [-0.85, 0.8, -2.14, -1.24],
    [-1.65, math.nan, math.nan, math.nan],
]  # fmt: skip


def test_the_higher_of_two_maxima_is_found() -> None:
    # nlme::gls of R finds both from a grid of starts: log-likelihoods -20.488 and -17.392.
    subject, visit = np.indices((7, 4)).reshape(2, -1)
    covariate = np.array([0.8, 0.98, 2.08, 1.22, 0.12, -1.02, 0.55])[subject]
    design = np.column_stack([*(visit == np.arange(4)[:, None]).astype(float), covariate])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MMRMWarning)
        fit = mmrm_fit(np.ravel(SEVEN), design, subject, visit, covariance="csh")
    assert fit.loglik == pytest.approx(-17.3922054, abs=1e-6)
    assert fit.coef[-1] == pytest.approx(0.916938, abs=1e-5)


@pytest.mark.parametrize("covariance", ["sp_exp", "sp_gau"])
@pytest.mark.parametrize("unit", [52.18, 1.0, 1 / 7, 1 / 604800])
def test_the_unit_of_time_changes_nothing(covariance: str, unit: float) -> None:
    data = _trial(n=20)
    weeks = np.array([0.0, 1.0, 2.0, 4.0])[data["visit"]]
    reference = _fit(data | {"visit": weeks}, covariance=covariance)
    fit = _fit(data | {"visit": weeks / unit}, covariance=covariance)
    assert fit.loglik == pytest.approx(reference.loglik, abs=1e-9)
    assert fit.se == pytest.approx(reference.se, rel=1e-8)
    assert fit.df == pytest.approx(reference.df, rel=1e-6)
    new = fit.predict(fit.X[:1], fit.rows.subjects[:1], weeks[[2]] / unit).mean
    assert new == pytest.approx(fit.y[2:3] - fit.fitted()[2:3] + fit.fitted()[:1], rel=1e-6)


def test_an_f_test_without_a_solution_is_said_to_have_none() -> None:
    y = [0.311, -0.4372, -1.2224, 0.0778, -0.5692, -0.394, -2.5998, 1.327, 0.1396, -1.1331, -2.8542,
         -1.863, 0.7581, -1.224, -1.3328, 0.3756, 0.4423, 0.8048, -0.6842]  # fmt: skip
    subject = [0, 0, 0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5]
    visit = np.array([0, 1, 2, 3, 0, 1, 2, 0, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2])
    design = np.column_stack([np.ones(19), *(visit == np.arange(1, 4)[:, None]).astype(float)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MMRMWarning)
        fit = mmrm_fit(y, design, subject, visit, covariance="toeph")
    with pytest.warns(MMRMWarning, match="no solution"):
        test = fit.contrast(np.eye(4)[1:])
    assert math.isnan(test.p)


def test_new_rows_of_another_length_or_kind_are_refused() -> None:
    fit = _fit(_trial(), covariance="cs")
    with pytest.raises(ValueError, match="one for each row"):
        fit.predict(fit.X[:2], [0], [1])
    with pytest.raises(ValueError, match="write them alike"):
        fit.predict(fit.X[:2], ["0", "1"], [0, 1])


def test_patients_with_one_visit_each_tell_nothing_of_the_covariance_between_visits() -> None:
    data = _only(_trial(), np.arange(48) % 4 == np.arange(48) // 4 % 4)
    with pytest.raises(FitError, match="no patient has two visits"):
        _fit(data, covariance="cs")
