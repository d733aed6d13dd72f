"""Exact signed-rank test with ties: time beside scipy's, coin's and exactRankTests', and its growth with n.

Run: python benchmarks/signed_rank.py

CPU milliseconds of one call, the smallest of several, all programs in this one run (R's are timed inside
R by peers.R), so that the load of the machine does not decide the ratio. scipy's ``method="exact"`` (seen
in 1.17) answers for data without ties: it does less, and with ties its P is another one.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy
from scipy.stats import wilcoxon

from onearm.stats import signed_rank

Array = npt.NDArray[np.float64]
SIZES = (20, 50, 200, 1000)
LARGEST = 2000  # timed for the growth alone


@dataclass(frozen=True)
class FromR:
    """What R answered to one data set: least CPU milliseconds, P, and an interval where asked."""

    ms: float
    numbers: tuple[float, ...]


def fastest(call: Callable[[], object], seconds: float = 0.3) -> float:
    """Return the smallest CPU time of one call in milliseconds; at least one call is made."""
    best, spent = math.inf, 0.0
    while spent < seconds:
        start = time.process_time()
        call()
        took = time.process_time() - start
        best, spent = min(best, took), spent + max(took, 1e-6)
    return 1000 * best


def ask_r(questions: Sequence[tuple[str, Array]]) -> tuple[str, dict[tuple[str, int], FromR]]:
    """Return what R is, and what its peers answered: keyed by peer and number of differences.

    A peer that is not installed, or refuses, has no answer.
    """
    if shutil.which("Rscript") is None:
        return "R is absent: its columns stay empty", {}
    lines = [
        " ".join([peer, str(diff.size), *(repr(d) for d in diff.tolist())])
        for peer, diff in questions
    ]
    done = subprocess.run(
        ["Rscript", "--vanilla", str(Path(__file__).with_name("peers.R"))],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    answers = {}
    version, *rest = done.stdout.splitlines()
    for line in rest:
        peer, size, *numbers = line.split()
        if numbers[0] not in ("absent", "refused"):
            ms, *found = map(float, numbers)
            answers[peer, int(size)] = FromR(ms, tuple(found))
    return version.removeprefix("# ").strip(), answers


def shown(ms: float | None) -> str:
    """Return milliseconds in nine places, a dash where there are none."""
    return f"{'-':>9}" if ms is None else f"{ms:>9.3g}"


def bar(name: str, least: float, theirs: float | None, ours: float) -> None:
    """Print a bar and what was measured."""
    if theirs is None:
        print(f"  {name}: at least {least:,.0f} times; not measured here")
        return
    ratio = theirs / ours
    word = "reached" if ratio >= least else "NOT reached"
    print(f"  {name}: at least {least:,.0f} times; measured {ratio:,.1f}: {word}")


def growth(sizes: Sequence[int], times: Sequence[float]) -> str:
    """Say as which power of n the time grows between the last two sizes."""
    power = math.log(times[-1] / times[-2]) / math.log(sizes[-1] / sizes[-2])
    return f"from n = {sizes[-2]} to {sizes[-1]} the time grows as n to the {power:.1f}"


def of_scipy(diff: Array, zeros: str) -> tuple[float, float]:
    """Return scipy's time and P."""
    method = {"wilcoxon": "wilcox", "pratt": "pratt"}[zeros]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = float(wilcoxon(diff, zero_method=method, method="exact").pvalue)
        return fastest(partial(wilcoxon, diff, zero_method=method, method="exact")), p


def agreement(ours: float, theirs: float) -> str:
    """Say whether two P values are the same, or print the other."""
    return "same P" if math.isclose(ours, theirs, rel_tol=1e-9) else f"P {theirs:.5g}"


def tied(zeros: Literal["wilcoxon", "pratt"]) -> None:
    """Print the table of whole-number changes, with the bars."""
    rng = np.random.default_rng(20181230)
    data = [np.round(rng.normal(0.6, 4, n)) for n in (*SIZES, LARGEST)]
    peers = [f"coin_{zeros}"] + (["exactRankTests"] if zeros == "wilcoxon" else [])
    version, r = ask_r([(peer, diff) for diff in data[:-1] for peer in peers])
    print(f"\nWhole-number changes with ties and zeros, zeros={zeros!r}; {version}")
    print(f"{'n':>6}{'onearm':>9}{'scipy':>9}{'coin':>9}{'exactRT':>9}   P")
    ours, from_scipy = [], {}
    for diff in data:
        p = signed_rank(diff, zeros=zeros).pvalue
        ours.append(fastest(lambda d=diff: signed_rank(d, zeros=zeros)))  # type: ignore[misc]
        if diff.size == LARGEST:
            print(f"{diff.size:>6}{shown(ours[-1])}")
            continue
        from_scipy[diff.size], scipy_p = of_scipy(diff, zeros)
        said = [f"onearm {p:.6g}", f"scipy {agreement(p, scipy_p)}"]
        answers = {peer: r.get((peer, diff.size)) for peer in peers}
        said += [f"{peer} {agreement(p, a.numbers[0])}" for peer, a in answers.items() if a]
        times = [from_scipy[diff.size], *(a.ms if a else None for a in answers.values())]
        print(f"{diff.size:>6}{shown(ours[-1])}" + "".join(map(shown, times)), end="")
        print(" " * 9 * (3 - len(times)) + "   " + "; ".join(said))
    print("  " + growth((*SIZES, LARGEST), ours))
    coin = {n: r.get((f"coin_{zeros}", n)) for n in SIZES}
    bar("n = 20, scipy exact (another P)", 10, from_scipy[20], ours[0])
    bar("n = 20, coin exact", 100, coin[20].ms if coin[20] else None, ours[0])
    bar("n = 1000, coin exact", 10, coin[1000].ms if coin[1000] else None, ours[SIZES.index(1000)])
    if zeros == "wilcoxon":
        exact = r.get(("exactRankTests", 1000))
        bar("n = 1000, exactRankTests", 10, exact.ms if exact else None, ours[SIZES.index(1000)])


def continuous() -> None:
    """Print the table of continuous changes, where scipy is exact too."""
    rng = np.random.default_rng(20181230)
    print("\nContinuous changes, no ties, no zeros: scipy is exact too")
    print(f"{'n':>6}{'onearm':>9}{'scipy':>9}    ratio   P")
    for n in (9, *SIZES):
        diff = rng.normal(0.15, 1, n)
        p, ours = signed_rank(diff).pvalue, fastest(partial(signed_rank, diff))
        theirs, scipy_p = of_scipy(diff, "wilcoxon")
        print(f"{n:>6}{shown(ours)}{shown(theirs)}{theirs / ours:>9.1f}   {agreement(p, scipy_p)}")


def main() -> None:
    """Print the tables."""
    print(f"CPU milliseconds a call; numpy {np.__version__}, scipy {scipy.__version__}")
    tied("pratt")
    tied("wilcoxon")
    continuous()


if __name__ == "__main__":
    main()
