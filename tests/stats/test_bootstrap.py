"""BCa intervals: scipy's own answer, and what has none."""

import math

import numpy as np
import pytest
from scipy import stats

from onearm.stats.bootstrap import bootstrap_bca

CHANGE = [-8, -6, -4, -4, -2, -2, 0, -4, -2]


def test_the_interval_is_scipys():
    ours = bootstrap_bca(CHANGE, rng=np.random.default_rng(5), resamples=999, conf_level=0.9)
    theirs = stats.bootstrap(
        (np.array(CHANGE, dtype=float),),
        np.mean,
        n_resamples=999,
        confidence_level=0.9,
        method="BCa",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert [ours.lower, ours.upper] == pytest.approx([theirs.low, theirs.high], rel=1e-12)
    assert (ours.n, ours.conf_level, ours.method) == (9, 0.9, "BCa bootstrap, 999 samples")
    assert ours.estimate == pytest.approx(-32 / 9, rel=1e-15)


def test_a_statistic_of_one_row_gives_what_a_statistic_of_many_gives():
    options = {"resamples": 199}
    many = bootstrap_bca(CHANGE, statistic=np.median, rng=np.random.default_rng(5), **options)
    single = bootstrap_bca(
        CHANGE, statistic=lambda row: np.median(row), rng=np.random.default_rng(5), **options
    )
    assert many == single


def test_a_statistic_that_never_moves_has_no_interval_in_words():
    got = bootstrap_bca(CHANGE, statistic=lambda row: 1.0, rng=np.random.default_rng(5))
    assert (got.estimate, got.lower, got.upper) == (1.0, None, None)
    assert got.method.startswith("no interval: the statistic is the same, or on one side")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rng": 5}, "rng: found 5; expected a generator"),
        ({"rng": None}, "rng: found None; expected a generator"),
        ({"resamples": 0}, "resamples: found 0; expected a whole number"),
        ({"conf_level": 95}, "conf_level: found 95"),
        ({"statistic": "mean"}, "statistic: found 'mean'; expected a function"),
        ({"statistic": lambda row: math.nan}, "statistic: it has no finite value"),
    ],
)
def test_options_that_are_none_are_refused_in_words(options, words):
    with pytest.raises(ValueError, match=words):
        bootstrap_bca(CHANGE, **{"rng": np.random.default_rng(5), **options})
