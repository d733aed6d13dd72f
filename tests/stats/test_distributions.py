"""Beta and t distributions in plain Python: 40-digit arithmetic, scipy, closed forms."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from onearm.stats.distributions import beta_quantile, incomplete_beta, t_quantile, t_two_tails

# mpmath 1.4.1, 40 digits: betainc(a, b, 0, x, regularized=True) of the doubles a, b, x.
REFERENCE = [
    (0.5, 0.5, 0.25, 0.33333333333333333333),
    (1.5, 20, 0.01, 0.061203714783459010359),
    (3, 7, 0.05, 0.0083610395468750012854),
    (9.5, 2, 0.9, 0.71670172711188255619),
    (20, 1.5, 0.875, 0.14433342208195760495),
    (50.5, 0.5, 0.95, 0.023177540301626061524),
    (5, 5, 1e-06, 1.2599958000053997118e-28),
    (60, 60, 0.5, 0.5),
    (60, 20, 0.25, 3.1343851019365545798e-21),
    (99, 99, 0.21875, 2.1996040376632512486e-18),
    (150.5, 300, 0.25, 0.000034883821931154579235),
    (300, 300, 0.34375, 2.098840186710841639e-15),
    (300, 1, 0.999, 0.74070703215609926726),
    (2000, 0.5, 0.999, 0.045459758437854704394),
    (1000, 1000, 0.4375, 1.0029433695007261765e-8),
    (5000, 5000, 0.4921875, 0.059078494947130421289),
]
# mpmath 1.4.1, 40 digits: the t with betainc(df/2, 1/2, 0, df/(df + t**2)) = 2 * tail.
QUANTILES = [
    (1, 0.025, 12.706204736174703938),
    (2, 0.4, 0.28867513459481281549),
    (5, 0.005, 4.0321429835552280573),
    (8, 0.025, 2.3060041352041666477),
    (8, 0.05, 1.8595480375308983539),
    (19, 0.0001, 4.5898645967550331758),
    (40, 0.025, 2.0210753903062733956),
    (199, 0.25, 0.67572459561064572378),
    (1000, 0.025, 1.9623390808264084612),
    (9, 0.49, 0.025774047507690514148),
]


@pytest.mark.parametrize(("a", "b", "x", "expected"), REFERENCE)
def test_the_incomplete_beta_function_is_that_of_forty_digits(a, b, x, expected):
    near = 1e-14 if max(a, b) <= 60 else 1e-13 if max(a, b) <= 300 else 1e-12
    assert incomplete_beta(x, a, b) == pytest.approx(expected, rel=near, abs=0)


@pytest.mark.parametrize(("df", "tail", "expected"), QUANTILES)
def test_quantiles_of_t_are_those_of_forty_digits(df, tail, expected):
    assert t_quantile(tail, df) == pytest.approx(expected, rel=5e-14, abs=0)


def binomial_tail(n, x, p):
    share = Fraction(p)
    weights = (math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(x, n + 1))
    return float(sum(weights))


@given(st.integers(1, 60), st.data(), st.floats(0.001, 0.999))
@settings(max_examples=100, deadline=None)
def test_with_whole_parameters_it_is_a_binomial_tail(n, data, p):
    x = data.draw(st.integers(1, n))
    expected = binomial_tail(n, x, p)
    assert incomplete_beta(p, x, n - x + 1) == pytest.approx(expected, rel=2e-14, abs=1e-300)


@pytest.mark.parametrize("a", [0.5, 1, 1.5, 3, 9.5, 20, 60, 150.5, 300, 2000])
def test_it_agrees_with_scipy_over_a_wide_grid(a):
    for b, share in itertools.product(
        [0.5, 1, 1.5, 3, 9.5, 20, 60, 150.5, 300, 2000],
        [1e-12, 1e-4, 0.025, 0.1, 0.5, 0.9, 0.975, 0.9999],
    ):
        x = float(special.betaincinv(a, b, share))
        if 1e-250 < x < 1:
            expected = float(special.betainc(a, b, x))
            assert incomplete_beta(x, a, b) == pytest.approx(expected, rel=1e-12, abs=0)
            assert beta_quantile(share, a, b) == pytest.approx(x, rel=1e-12, abs=0)


@pytest.mark.parametrize("df", [1, 2, 3, 8, 19, 99, 1000])
def test_tails_of_t_agree_with_scipy_and_turn_back_into_t(df):
    for t in (0.01, 0.5, 1.0, 2.5, 7.0, 40.0, 1e4):
        expected = 2 * float(special.stdtr(df, -t))
        if expected > 1e-290:
            assert t_two_tails(t, df) == pytest.approx(expected, rel=1e-11, abs=0)
        if 1e-290 < expected < 0.9:
            assert t_quantile(t_two_tails(t, df) / 2, df) == pytest.approx(t, rel=1e-12, abs=0)


def test_one_and_two_degrees_of_freedom_have_closed_forms():
    for t in (0.001, 0.3, 1.0, 12.0, 1e6):
        cauchy = 2 / math.pi * math.atan2(1, t)
        assert t_two_tails(t, 1) == pytest.approx(cauchy, rel=1e-14, abs=0)
        root = math.sqrt(2 + t * t)  # 1 - t/root, without cancellation
        assert t_two_tails(t, 2) == pytest.approx(2 / (root * (root + t)), rel=1e-14, abs=0)


def test_ends_are_ends():
    assert (incomplete_beta(0.0, 2, 3), incomplete_beta(1.0, 2, 3)) == (0.0, 1.0)
    assert (t_two_tails(0.0, 9), t_quantile(0.5, 9)) == (1.0, 0.0)
