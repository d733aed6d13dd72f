"""Exact sign-flip test of the mean: time beside scipy's and coin's, and its growth with n.

Run: python benchmarks/sign_flip.py

CPU milliseconds of one call, the smallest of several, in one run. scipy's ``permutation_test`` lists all 2**20
patterns at n = 20 (seconds: called once) and cannot beyond; coin counts whole numbers only. Continuous
changes at n = 50 have no exact peer.
"""

from __future__ import annotations

import math
import time
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy
from scipy.stats import permutation_test

from onearm.stats import sign_flip
from signed_rank import agreement, ask_r, bar, fastest, growth, shown

WHOLE = (20, 30, 40, 200, 1000)
CONTINUOUS = (20, 30, 40, 50)


def of_scipy(diff: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return scipy's time of one call and its P; all patterns, the mean vectorised."""
    start = time.process_time()
    test = permutation_test(
        (diff,), np.mean, permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    return 1000 * (time.process_time() - start), float(test.pvalue)


def whole() -> None:
    """Print the table of whole-number changes."""
    rng = np.random.default_rng(20181230)
    data = [np.round(rng.normal(0.6, 4, n)) for n in WHOLE]
    version, r = ask_r([("coin_flip", diff) for diff in data])
    print(f"\nWhole-number changes with ties and zeros; {version}")
    print(f"{'n':>6}{'onearm':>9}{'coin':>9}{'ratio':>9}   P")
    times = []
    for diff in data:
        p = sign_flip(diff).pvalue
        times.append(fastest(lambda d=diff: sign_flip(d)))  # type: ignore[misc]
        coin = r.get(("coin_flip", diff.size))
        ratio = f"{coin.ms / times[-1]:>9.0f}" if coin else f"{'-':>9}"
        said = f"onearm {p:.6g}" + (f"; coin {agreement(p, coin.numbers[0])}" if coin else "")
        print(f"{diff.size:>6}{shown(times[-1])}{shown(coin and coin.ms)}{ratio}   {said}")
    print("  " + growth(WHOLE, times))


def continuous() -> None:
    """Print the table of continuous changes, with the bars."""
    rng = np.random.default_rng(20181230)
    print("\nContinuous changes: no two sums alike")
    print(f"{'n':>6}{'onearm':>9}{'scipy':>10}{'ratio':>10}   P")
    times = {}  # of exact tests
    for n in CONTINUOUS:
        diff = rng.normal(0.3, 1, n)
        test = sign_flip(diff, rng=rng)
        took = fastest(partial(sign_flip, diff, rng=rng))
        if test.method == "exact":
            times[n] = took
        said = f"onearm {test.pvalue:.6g}, {test.method}"
        if n > 20:
            print(f"{n:>6}{shown(took)}{'-':>10}{'-':>10}   {said}")
            continue
        theirs, p = of_scipy(diff)
        ratio = f"{theirs / took:>10,.0f}"
        print(
            f"{n:>6}{shown(took)} {shown(theirs)}{ratio}   {said}; scipy {agreement(test.pvalue, p)}"
        )
        bar("n = 20, scipy's exact permutation", 10_000, theirs, took)
    for few, many in pairwise(n for n in times if n >= 30):
        doubling = (many - few) * math.log(2) / math.log(times[many] / times[few])
        print(f"  from n = {few} to {many} the time doubles every {doubling:.1f} patients")
    word = "reached" if test.method == "exact" and took < 10_000 else "NOT reached"
    print(f"  n = 50: exact in seconds; measured {took / 1000:.2f} s, {test.method}: {word}")


def main() -> None:
    """Print both tables."""
    print(f"CPU milliseconds a call; numpy {np.__version__}, scipy {scipy.__version__}")
    whole()
    continuous()


if __name__ == "__main__":
    main()
