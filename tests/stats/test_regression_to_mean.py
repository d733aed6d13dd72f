"""What untreated patients do: published formulas, pinned cases, simulation, and bad input."""

import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from onearm.stats.regression_to_mean import (
    NaturalHistory,
    cv_from_repeatability,
    density_change,
    fluctuating_fall,
    fluctuating_response,
    log_sd,
    lognormal_history,
    lognormal_selection,
    poisson_binomial,
    run_in,
    selection_fall,
    selection_response,
    unequal_variances_change,
    untreated,
    untreated_change,
    untreated_responders,
    untreated_response,
)

DESIGN = Path(__file__).parents[2].parent / "shared" / "data" / "design"
HISTORY = NaturalHistory(mean=8, sd=5, rho=0.64)
BASELINES = [10, 12, 12, 14, 16, 16, 18, 20, 24]
# How far a simulated number of the pinned cases may lie from ours, in its standard errors.
ERRORS = 4.0
SIMULATED = 3e6


def cases(name, start):
    """Pinned cases of one file whose id begins so; at least one."""
    path = DESIGN / name
    if not path.exists():
        pytest.skip(f"design cases are not beside the repository: shared/data/design/{name}")
    found = [c for c in json.loads(path.read_text())["cases"] if c["id"].startswith(start)]
    assert found
    return found


def near_simulated(ours, theirs, people):
    return abs(ours - theirs) <= ERRORS * math.sqrt(ours * (1 - ours) / people)


# -- selection by a threshold -----------------------------------------------------------------------


def test_fall_after_selection_is_that_of_barnett_2005():
    for case in cases("10_regression_to_mean.json", "barnett"):
        given, expected = case["inputs"], case["expected"]
        rows = expected if case["id"] == "barnett_grid" else {f"{given['rho']},{given['m']}": None}
        for key, fall in rows.items():
            rho, m = key.split(",")
            got = selection_fall(
                mean=given["mu"],
                sd=given["sigma_total"],
                rho=float(rho),
                threshold=given["cut"],
                side="below",
                readings=int(m),
            )
            assert got == pytest.approx(expected.get("RTM", fall), rel=1e-9, abs=1e-12), key


def test_fall_of_the_opening_example_is_its_closed_form():
    # Clinic mean 8, SD 4 and 3, entry at 8: (9/5) phi(0)/(1/2).
    got = selection_fall(mean=8, sd=5, rho=0.64, threshold=8)
    assert got == pytest.approx(9 / 5 * math.sqrt(2 / math.pi), rel=1e-14)


def test_fall_is_the_same_for_mirrored_selection():
    above = selection_fall(mean=8, sd=5, rho=0.64, threshold=11, readings=2)
    below = selection_fall(mean=-8, sd=5, rho=0.64, threshold=-11, side="below", readings=2)
    assert above == below


def test_fall_far_beyond_any_patient_keeps_its_digits():
    # Mills: C(z) = z + 1/z - 2/z^3 + ...
    got = selection_fall(mean=0, sd=1, rho=0.5, threshold=1000)
    assert got == pytest.approx(0.5 * (1000 + 1e-3 - 2e-9), rel=1e-13)
    assert selection_fall(mean=0, sd=1, rho=0.5, threshold=-1000) == 0.0


def test_sledai_cases_agree():
    for case in cases("10_regression_to_mean.json", "sledai"):
        given, expected = case["inputs"], case["expected"]
        history = NaturalHistory.from_components(given["mu"], given["sb"], given["sw"])
        design = {
            "mean": history.mean,
            "sd": history.sd,
            "rho": history.rho,
            "threshold": given["cut"] - 0.5,
            "readings": given["m_baseline"],
        }
        assert selection_fall(**design) == pytest.approx(expected["RTM"], rel=1e-9)
        response = selection_response(**design, change=-4)
        people = SIMULATED * 0.2  # more than a fifth of them are let in by each rule
        assert near_simulated(response, expected["false_response_ge4"], people), case["id"]


def test_proteinuria_cases_agree():
    for case in cases("10_regression_to_mean.json", "proteinuria"):
        given, expected = case["inputs"], case["expected"]
        for share, key in ((0.5, "false_response_ge50pct"), (0.75, "false_response_ge25pct")):
            course = lognormal_selection(
                median=given["median"],
                between_gcv=given["between_gcv"],
                within_cv=given["within_cv"],
                threshold=given["cut"],
                readings=given["m_baseline"],
                share=share,
            )
            assert course.ratio == pytest.approx(expected["GMR"], rel=1e-9)
            assert near_simulated(course.response, expected[key], SIMULATED * course.eligible)


def test_unequal_variances_case_agrees():
    (case,) = cases("10_regression_to_mean.json", "rtm_bvn")
    given, expected = case["inputs"], case["expected"]
    got = unequal_variances_change(
        mean_before=given["mu1"],
        mean_after=given["mu2"],
        sd_before=given["s1"],
        sd_after=given["s2"],
        rho=given["rho"],
        threshold=given["cut"],
    )
    assert got.total == pytest.approx(expected["total"], rel=1e-9)
    assert got.treatment == expected["treat"]
    assert got.regression == pytest.approx(expected["rtm"], rel=1e-9)


def test_equal_variances_are_a_case_of_unequal_ones():
    for side in ("above", "below"):
        split = unequal_variances_change(
            mean_before=8, mean_after=8, sd_before=5, sd_after=5, rho=0.64, threshold=11, side=side
        )
        assert split.regression == pytest.approx(
            selection_fall(mean=8, sd=5, rho=0.64, threshold=11, side=side), rel=1e-14
        )
        assert split.treatment == 0


def test_slow_fluctuation_cases_agree():
    for case in cases("13_rtm_operating_characteristics.json", "ou_"):
        given, expected = case["inputs"], case["expected"]
        course = {
            "mean": given["mu"],
            "sd_between": given["sb"],
            "sd_fluctuation": given["sf"],
            "sd_error": given["se"],
            "time_constant": given["tau_months"],
            "screening": given["t_screen"],
            "baseline": given["t_base"],
            "follow_up": given["t_follow"],
            "threshold": given["cut"],
        }
        got = fluctuating_fall(**course)
        assert got.fall == pytest.approx(expected["RTM"], rel=1e-9), case["id"]
        assert near_simulated(got.eligible, expected["eligible_fraction"], SIMULATED)
        response = fluctuating_response(**course, change=-4)
        assert near_simulated(response, expected["false_response_ge4"], SIMULATED * got.eligible)


def test_without_fluctuation_the_fall_is_gardner_and_headys():
    course = {"mean": 8, "sd_between": 4, "sd_fluctuation": 0, "sd_error": 3, "time_constant": 3}
    got = fluctuating_fall(**course, screening=0, baseline=0, follow_up=6, threshold=9)
    plain = selection_fall(mean=8, sd=5, rho=0.64, threshold=9)
    assert got.fall == pytest.approx(plain, rel=1e-14)
    later = fluctuating_fall(**course, screening=0, baseline=1, follow_up=6, threshold=9)
    assert later.fall == 0


def test_response_after_selection_is_a_bivariate_normal_probability():
    # Self-proof: the same by brute force, 1e6 points of the entry value.
    from scipy.special import ndtr

    z = np.linspace(-0.1, 9, 1_000_001)
    p = np.exp(-z * z / 2)
    share = ndtr((0.36 * 5 * z - 4) / (5 * math.sqrt(1 - 0.64**2)))
    brute = float(np.trapezoid(p * share, z) / np.trapezoid(p, z))
    got = selection_response(mean=8, sd=5, rho=0.64, threshold=7.5, change=-4)
    assert got == pytest.approx(brute, rel=1e-9)


def test_rising_and_falling_responses_mirror_each_other():
    fall = selection_response(mean=8, sd=5, rho=0.64, threshold=10, change=-3)
    rise = selection_response(mean=-8, sd=5, rho=0.64, threshold=-10, change=3, side="below")
    assert fall == pytest.approx(rise, rel=1e-14)


def test_perfectly_alike_readings_never_respond():
    assert selection_response(mean=8, sd=5, rho=1, threshold=10, change=-3) == 0
    assert selection_fall(mean=8, sd=5, rho=1, threshold=10) == 0


def test_density_of_a_mixture_gives_its_own_shrinkage():
    # Levels 4 or 12, each half, error SD 3: E(level | x) is a logistic curve in x.
    def log_density(x):
        return np.logaddexp(-((x - 4) ** 2) / 18, -((x - 12) ** 2) / 18)

    x = np.array([3.0, 8.0, 10.0, 20.0])
    weight = 1 / (1 + np.exp(-(8 * x - 64) / 9))
    expected = 4 + 8 * weight - x
    got = density_change(x, log_density, sd_within=3)
    assert got == pytest.approx(expected, rel=1e-5, abs=1e-5)


# -- the natural history ----------------------------------------------------------------------------


def test_patient_examples_agree():
    for case in cases("14_lupus_examples.json", "sledai16"):
        given, expected = case["inputs"], case["expected"]
        history = NaturalHistory(given["mu"], 5, given["rho"])
        change = untreated_change([given["x"]], history).expected
        assert -change == pytest.approx(expected["fall"], rel=1e-9)
        assert 10 + change == pytest.approx(expected["net_of_observed_10"], rel=1e-9)


def test_proteinuria_examples_agree():
    for case in cases("14_lupus_examples.json", "prot1800"):
        given, expected = case["inputs"], case["expected"]
        history = lognormal_history(given["median"], 1.0, given["cv_within"])
        ratio = math.exp(untreated_change([math.log(given["x"])], history).expected)
        assert history.rho == pytest.approx(expected["rho"], rel=1e-9)
        assert ratio == pytest.approx(expected["ratio"], rel=1e-9)


def test_repeatability_limits_of_naresh_2012_give_their_cv():
    (case,) = cases("14_lupus_examples.json", "naresh")
    for row, key in (("low", "cv_low"), ("high", "cv_high")):
        got = cv_from_repeatability(case["inputs"][row]["limit"])
        assert got == pytest.approx(case["expected"][key], rel=1e-9)


def test_lupus_examples_of_the_design_page_hold():
    # SLEDAI 16 from a clinic of mean 8; 24-h protein 1.8 g where the median is 1.0 g.
    at16 = [untreated([16], NaturalHistory(8, 5, rho)).expected[0] for rho in (0.8, 0.64, 0.5)]
    assert np.round(at16, 1).tolist() == [14.4, 13.1, 12.0]
    logs = [lognormal_history(1.0, 1.0, cv) for cv in (0.3, 0.4, 0.6)]
    ratios = [math.exp(untreated_change([math.log(1.8)], h).expected) for h in logs]
    assert np.round(ratios, 2).tolist() == [0.94, 0.90, 0.83]
    # "So of the observed change 6, 10, 17% of a 43% fall is regression to the mean."
    assert [round(100 * (1 - ratio)) for ratio in ratios] == [6, 10, 17]
    falls = [
        untreated_response([16], NaturalHistory(8, 5, r), change=-4)[0] for r in (0.8, 0.64, 0.5)
    ]
    assert [round(100 * p) for p in falls] == [21, 39, 50]
    assert round(100 * untreated_response([12], HISTORY, change=-4)[0]) == 25
    halved = [untreated_response([math.log(1.8)], h, ratio=0.5)[0] for h in logs]
    assert [round(100 * p) for p in halved] == [6, 13, 24]
    assert round(100 * untreated_response([math.log(1.8)], logs[1], ratio=0.75)[0]) == 36


def test_slope_on_several_readings_is_spearman_and_browns():
    # From the covariance matrix of m + 1 equally correlated readings.
    for m in (1, 2, 5):
        matrix = np.full((m + 1, m + 1), 0.64) + 0.36 * np.eye(m + 1)
        mean = np.full(m, 1 / m)
        variance = mean @ matrix[:m, :m] @ mean
        covariance = mean @ matrix[:m, m]
        assert HISTORY.slope(m) == pytest.approx(covariance / variance, rel=1e-14)
        rest = 25 * (1 - covariance**2 / variance)
        assert HISTORY.residual_sd(m) == pytest.approx(math.sqrt(rest), rel=1e-14)


def test_variance_of_the_expectation_is_that_of_drawn_histories():
    rng = np.random.default_rng(11)
    se, rho_se, covariance = 0.02, 0.004, 3e-5
    history = NaturalHistory(8, 5, 0.64, se, rho_se, covariance)
    drawn = rng.multivariate_normal(
        [8, 0.64], [[se**2, covariance], [covariance, rho_se**2]], size=200_000
    )
    for m in (1, 3):
        slopes = m * drawn[:, 1] / (1 + (m - 1) * drawn[:, 1])
        simulated = np.var(drawn[:, 0] + slopes * (15 - drawn[:, 0]))
        # The variance of 200 000 draws is known to 0.3%; four errors.
        got = history.expected_variance(np.array([15.0]), m)[0]
        assert got == pytest.approx(simulated, rel=0.013)


def test_run_in_keeps_the_variance_of_the_fitted_line():
    rng = np.random.default_rng(3)
    x = rng.normal(14, 4, 10)
    y = 3 + 0.6 * x + rng.normal(0, 3, 10)
    history = run_in(x, y)
    design = np.column_stack([np.ones(10), x])
    fit, rest, *_ = np.linalg.lstsq(design, y)
    square = rest[0] / 8
    at = np.array([9.0, 14.0, 25.0])
    rows = np.column_stack([np.ones(3), at])
    variance = square * np.sum(rows @ np.linalg.inv(design.T @ design) * rows, axis=1)
    assert history.expected(at) == pytest.approx(rows @ fit, rel=1e-12)
    assert history.expected_variance(at) == pytest.approx(variance, rel=1e-10)
    assert history.residual_sd() == pytest.approx(math.sqrt(square), rel=1e-12)
    assert history.df == 8


def test_band_after_a_run_in_is_the_prediction_interval_of_the_regression():
    from scipy.special import stdtrit

    rng = np.random.default_rng(4)
    x = rng.normal(14, 4, 8)
    y = 3 + 0.6 * x + rng.normal(0, 3, 8)
    history = run_in(x, y)
    rest = y - history.expected(x)
    square = rest @ rest / 6
    wide = square * (1 + 1 / 8 + (20 - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
    band = untreated([20.0], history)
    assert band.upper[0] - band.expected[0] == pytest.approx(
        stdtrit(6, 0.975) * math.sqrt(wide), rel=1e-10
    )


def test_run_in_finds_mean_and_rho_whatever_the_truncation():
    (case,) = cases("16_rtm_responders_and_n.json", "runin")
    rng = np.random.default_rng(8)
    first = 8 + 5 * rng.standard_normal(600_000)
    second = 8 + 0.64 * (first - 8) + HISTORY.residual_sd() * rng.standard_normal(first.size)
    let_in = first >= case["inputs"]["cut"]
    history = run_in(first[let_in], second[let_in])
    assert abs(history.rho - case["expected"]["slope"]) < ERRORS * history.rho_se
    assert abs(history.mean - case["expected"]["mu"]) < ERRORS * history.mean_se
    assert history.sd == pytest.approx(5, rel=0.01)


def test_run_in_with_a_falling_line_is_held_at_zero():
    history = run_in([10, 12, 14, 20], [16, 12, 11, 9])
    assert history.rho == 0
    assert history.mean == 12
    assert "below 0" in history.note


def test_run_in_without_regression_is_held_below_one():
    history = run_in([10, 12, 14, 20], [10.5, 12, 14, 22])
    assert history.rho == 0.999
    assert "no regression" in history.note
    at = np.array([14.0])
    assert history.expected(at)[0] == pytest.approx(14.625, rel=1e-9)


def test_run_in_whose_slope_may_be_one_says_so():
    assert "reaches 1" in run_in([10, 12, 16, 20], [10, 13, 13, 18]).note
    clear = run_in(list(range(10, 40)), [8 + 0.5 * i + 2 * (-1) ** i for i in range(30)])
    assert clear.note == ""


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([10, 12], [9, 11], "expected at least 3"),
        ([10, 12, 14], [9, 11], "found 3 and 2 values"),
        ([0.1, 0.1, 0.1], [9, 11, 10], "all 3 readings are 0.1"),
        ([10, 12, 14], [9, 10, 11], "without scatter"),
        (
            [1e-160, 2e-160, 4e-160],
            [2e-160, 1e-160, 4e-160],
            "first: the readings are of the size 4e-160",
        ),
        ([1e-300, 2e-300, 4e-300], [2e-300, 1e-300, 4e-300], "give them in another unit"),
        ([1, 2, 4], [2e200, 1e200, 4e200], "second: the readings are of the size 4e\\+200"),
        ([10, 12, math.nan], [9, 10, 11], r"first\[2\]"),
        ([10, 12, 14], [9, math.inf, 11], r"second\[1\]"),
    ],
)
def test_run_in_refuses_what_it_cannot_use(first, second, words):
    with pytest.raises(ValueError, match=words):
        run_in(first, second)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mean": math.nan}, "mean: found nan"),
        ({"sd": 0}, "sd: found 0"),
        ({"rho": 1}, "rho: found 1"),
        ({"rho": -0.1}, "rho: found -0.1"),
        ({"mean_se": -1}, "mean_se"),
        ({"rho_se": math.inf}, "rho_se"),
        ({"mean_se": 1, "rho_se": 0.1, "covariance": 0.2}, "covariance"),
        ({"df": 0}, "df"),
    ],
)
def test_history_refuses_impossible_numbers(given, words):
    with pytest.raises(ValueError, match=words):
        NaturalHistory(**({"mean": 8, "sd": 5, "rho": 0.64} | given))


def test_known_history_has_no_error():
    change = untreated_change(BASELINES, HISTORY)
    assert HISTORY.is_known
    assert change.error == 0
    assert change.lower == change.upper == change.expected
    # mean(x) = 142/9: -(1 - 0.64)(142/9 - 8).
    assert change.expected == pytest.approx(-0.36 * (142 / 9 - 8), rel=1e-14)


def test_band_holds_its_share_of_untreated_patients():
    rng = np.random.default_rng(2)
    x = 8 + 5 * rng.standard_normal(200_000)
    y = 8 + 0.64 * (x - 8) + HISTORY.residual_sd() * rng.standard_normal(x.size)
    band = untreated(x, HISTORY, level=0.9)
    inside = np.mean((band.lower <= y) & (y <= band.upper))
    assert abs(inside - 0.9) < ERRORS * math.sqrt(0.09 / x.size)


def test_untreated_needs_a_patient():
    with pytest.raises(ValueError, match="found no value"):
        untreated([], HISTORY)
    with pytest.raises(ValueError, match="readings"):
        untreated([10], HISTORY, readings=0)


def test_log_sd_of_no_variation_is_zero():
    assert log_sd(0) == 0
    with pytest.raises(ValueError, match="cv"):
        log_sd(-0.1)


# -- responders -------------------------------------------------------------------------------------


def test_response_probabilities_agree():
    for case in cases("16_rtm_responders_and_n.json", "p0_sledai"):
        given = case["inputs"]
        history = NaturalHistory(given["mu"], given["s"], given["rho"])
        got = untreated_response([given["x"]], history, change=-given["drop"])[0]
        assert got == pytest.approx(case["expected"]["p0"], rel=1e-9)
    for case in cases("16_rtm_responders_and_n.json", "p0_prot"):
        given = case["inputs"]
        history = lognormal_history(given["median"], 1.0, given["cv_within"])
        got = untreated_response([math.log(given["x"])], history, ratio=given["ratio"])[0]
        assert got == pytest.approx(case["expected"]["p0"], rel=1e-9)


def test_poisson_binomial_cases_agree():
    for case in cases("16_rtm_responders_and_n.json", "poisson_binomial"):
        given, expected = case["inputs"], case["expected"]
        history = NaturalHistory(given["mu"], given["s"], given["rho"])
        p = untreated_response(given["baselines"], history, change=-given["drop"])
        assert p == pytest.approx(expected["p0_each"], rel=1e-9)
        for seen, key in ((7, "p_value_if_7"), (9, "p_value_if_9")):
            test = poisson_binomial(seen, p)
            assert test.pvalue == pytest.approx(expected[key], rel=1e-9, abs=0)
            same = untreated_responders(
                given["baselines"], history, responders=seen, change=-given["drop"]
            )
            assert same == test
        assert test.expected == pytest.approx(expected["mean"], rel=1e-9)
        assert test.critical == expected["critical"]
        assert test.attained == pytest.approx(expected["exact_alpha"], rel=1e-9, abs=0)
        assert test.distribution == pytest.approx(case["check"]["value"], rel=1e-9, abs=0)


def test_nine_patients_of_the_design_page_need_seven_five_or_eight_responders():
    for rho, expected, critical in ((0.64, 3.5, 7), (0.8, 1.9, 5), (0.5, 4.4, 8)):
        history = NaturalHistory(8, 5, rho)
        test = untreated_responders(BASELINES, history, responders=0, change=-4)
        assert (round(test.expected, 1), test.critical) == (expected, critical)


def test_poisson_binomial_is_the_sum_over_all_outcomes():
    p = [0.1, 0.35, 0.5, 0.92, 0.0, 1.0]
    shares = np.zeros(7)
    for outcome in product((0, 1), repeat=6):
        shares[sum(outcome)] += math.prod(
            q if o else 1 - q for o, q in zip(outcome, p, strict=True)
        )
    for seen in range(7):
        for alternative, expected in (
            ("greater", shares[seen:].sum()),
            ("less", shares[: seen + 1].sum()),
            ("two-sided", min(1, 2 * min(shares[seen:].sum(), shares[: seen + 1].sum()))),
        ):
            got = poisson_binomial(seen, p, alternative=alternative).pvalue
            assert got == pytest.approx(expected, rel=1e-13, abs=1e-17)


def test_equal_probabilities_are_the_binomial_test():
    from onearm.stats.proportion import binomial_test

    got = poisson_binomial(7, [0.3] * 9)
    assert got.pvalue == pytest.approx(
        binomial_test(7, 9, 0.3, alternative="greater").pvalue, rel=1e-13
    )
    assert got.critical == 6  # "at least 6 of 9 for p0 = 0.30" (alpha 0.025)
    assert round(got.attained, 3) == 0.025


def test_number_that_no_outcome_reaches_has_no_critical_value():
    test = poisson_binomial(2, [0.5, 0.5])
    assert test.critical is None
    assert test.attained == 0
    assert poisson_binomial(0, [0.5, 0.5], alternative="less").critical is None


def test_limits_say_the_same_as_a_change_or_a_ratio():
    x = np.array(BASELINES, dtype=float)
    by_change = untreated_response(x, HISTORY, change=-4)
    assert untreated_response(x, HISTORY, limits=x - 4, side="below").tolist() == by_change.tolist()
    by_rise = untreated_response(x, HISTORY, change=3)
    assert untreated_response(x, HISTORY, limits=x + 3, side="above").tolist() == by_rise.tolist()
    whole = untreated_response(x, HISTORY, change=-4, continuity=0.5)
    assert untreated_response(x, HISTORY, limits=x - 3.5, side="below").tolist() == whole.tolist()
    logs = np.log([1.8, 1.2])
    history = lognormal_history(1.0, 1.0, 0.4)
    got = untreated_response(logs, history, limits=logs + math.log(0.5), side="below")
    assert got == pytest.approx(untreated_response(logs, history, ratio=0.5), rel=1e-14)


def test_limit_at_infinity_is_always_or_never_a_response():
    limits = [-math.inf, math.inf]
    assert untreated_response([12, 12], HISTORY, limits=limits, side="below").tolist() == [0, 1]
    assert untreated_response([12, 12], HISTORY, limits=limits, side="above").tolist() == [1, 0]
    test = untreated_responders([12, 12], HISTORY, limits=limits, side="below", responders=1)
    assert test.distribution == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "exactly one"),
        ({"change": -4, "ratio": 0.5}, "exactly one"),
        ({"change": -4, "limits": [8], "side": "below"}, "exactly one"),
        ({"change": 0}, "change: found 0"),
        ({"change": math.nan}, "change: found nan"),
        ({"ratio": 1}, "share: found 1"),
        ({"ratio": -1}, "share"),
        ({"limits": [8]}, "side: found None"),
        ({"change": -4, "side": "below"}, "side: found 'below'"),
        ({"limits": [8], "side": "under"}, "side: 'under'"),
        ({"limits": [8, 9], "side": "below"}, "found 2 of 1"),
        ({"limits": [math.nan], "side": "below"}, r"limits\[0\]"),
        ({"limits": [8], "side": "below", "continuity": 0.5}, "continuity"),
        ({"change": -4, "continuity": 4}, "continuity"),
        ({"change": -4, "readings": 0}, "readings"),
    ],
)
def test_response_refuses_what_it_cannot_use(given, words):
    with pytest.raises(ValueError, match=words):
        untreated_response([12], HISTORY, **given)


def test_uncertain_history_spreads_the_number_of_responders():
    known = untreated_responders(BASELINES, HISTORY, responders=7, change=-4)
    uncertain = NaturalHistory(8, 5, 0.64, mean_se=1.0, rho_se=0.1)
    spread = untreated_responders(BASELINES, uncertain, responders=7, change=-4)
    assert spread.pvalue > known.pvalue
    assert sum(spread.distribution) == pytest.approx(1, rel=1e-12)
    # Self-proof: the average over drawn histories.
    rng = np.random.default_rng(5)
    means, rhos = 8 + rng.standard_normal(1000), 0.64 + 0.1 * rng.standard_normal(1000)
    tails = [
        untreated_responders(
            BASELINES, NaturalHistory(m, 5, min(max(r, 0), 0.999)), responders=7, change=-4
        ).pvalue
        for m, r in zip(means, rhos, strict=True)
    ]
    assert abs(spread.pvalue - np.mean(tails)) < ERRORS * np.std(tails) / math.sqrt(1000)


@pytest.mark.parametrize(
    ("responders", "probabilities", "words"),
    [
        (1, [], "found none"),
        (3, [0.5, 0.5], "found 3 of 2"),
        (-1, [0.5], "responders"),
        (0.5, [0.5], "responders"),
        (1, [0.5, 1.5], r"probabilities\[1\]"),
        (1, [0.5, math.nan], r"probabilities\[1\]"),
    ],
)
def test_poisson_binomial_refuses_what_is_no_count_or_probability(responders, probabilities, words):
    with pytest.raises(ValueError, match=words):
        poisson_binomial(responders, probabilities)


def test_selection_refuses_impossible_numbers():
    good = {"mean": 8, "sd": 5, "rho": 0.64, "threshold": 8}
    for bad, words in (
        ({"mean": math.inf}, "mean"),
        ({"sd": -1}, "sd"),
        ({"rho": 1.2}, "rho"),
        ({"threshold": math.nan}, "threshold"),
        ({"side": "over"}, "side"),
        ({"readings": 1.5}, "readings"),
    ):
        with pytest.raises(ValueError, match=words):
            selection_fall(**(good | bad))
    with pytest.raises(ValueError, match="nobody"):
        selection_response(**(good | {"threshold": 500}), change=-4)
    course = {"sd_between": 4, "sd_fluctuation": 2, "sd_error": 1, "time_constant": 3, "mean": 8}
    with pytest.raises(ValueError, match="in this order"):
        fluctuating_fall(**course, screening=0, baseline=7, follow_up=6, threshold=8)
    with pytest.raises(ValueError, match="density"), np.errstate(all="ignore"):
        density_change([1.0], lambda x: np.full(x.shape, -math.inf), sd_within=1)
