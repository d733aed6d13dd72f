"""Exact signed-rank test: time beside scipy's, and how it grows with the number of patients.

Run: python benchmarks/signed_rank.py

CPU time of one call, smallest of several, both programs in one process, so that the load of the
machine does not decide the ratio. Without ties and zeros both are exact and agree. With them
scipy's ``method="exact"`` (seen in 1.17) answers for data without ties: it does less, and its P is
another one, as the last columns show.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy
from scipy.stats import wilcoxon

from onearm.stats import hodges_lehmann, signed_rank

SIZES = (9, 20, 50, 200, 1000, 2000)
LARGEST_INTERVAL = 1000


def fastest(call: Callable[[], object], seconds: float = 0.3) -> float:
    """Return the smallest CPU time of one call in milliseconds; at least one call is made."""
    best, spent = math.inf, 0.0
    while spent < seconds:
        start = time.process_time()
        call()
        took = time.process_time() - start
        best, spent = min(best, took), spent + max(took, 1e-6)
    return 1000 * best


def compare(diff: npt.NDArray[np.float64], zeros: Literal["wilcoxon", "pratt"]) -> float:
    """Print one line: both times, their ratio, our interval's time, both P values."""
    method = {"wilcoxon": "wilcox", "pratt": "pratt"}[zeros]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = fastest(lambda: wilcoxon(diff, zero_method=method, method="exact"))
        their_p = wilcoxon(diff, zero_method=method, method="exact").pvalue
    ours = fastest(lambda: signed_rank(diff, zeros=zeros))
    our_p = signed_rank(diff, zeros=zeros).pvalue
    interval = "-"
    if diff.size <= LARGEST_INTERVAL:
        interval = f"{fastest(lambda: hodges_lehmann(diff, zeros=zeros)):.2f}"
    print(
        f"{diff.size:>5} {ours:>10.3f} {theirs:>10.3f} {theirs / ours:>8.2f} {interval:>10}"
        f"   {our_p:<12.6g} {their_p:<12.6g}"
    )
    return ours


def table(title: str, decimals: int, zeros: Literal["wilcoxon", "pratt"]) -> None:
    """Print the lines of all sizes, and the power of n that the last two suggest."""
    rng = np.random.default_rng(20181230)
    print(f"\n{title}")
    print("    n     onearm      scipy    ratio   interval   P onearm     P scipy")
    times = [compare(np.round(rng.normal(0.15, 1, n), decimals), zeros) for n in SIZES]
    power = math.log(times[-1] / times[-2]) / math.log(SIZES[-1] / SIZES[-2])
    print(f"from n = {SIZES[-2]} to {SIZES[-1]} the time grows as n to the {power:.1f}")


def main() -> None:
    """Print both tables."""
    print(f"numpy {np.__version__}, scipy {scipy.__version__}; CPU milliseconds a call")
    print("ratio: scipy's time over ours; interval: hodges_lehmann on the same data")
    table("Continuous changes, no ties, no zeros: both exact", 15, "wilcoxon")
    table("Changes to one decimal, Pratt's zeros: scipy's P is not that of the data", 1, "pratt")


if __name__ == "__main__":
    main()
