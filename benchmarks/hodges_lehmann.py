"""Hodges-Lehmann estimate with its exact interval: time beside exactRankTests' and R's, and its growth with n.

Run: python benchmarks/hodges_lehmann.py

CPU milliseconds of one call, the smallest of several, in one run. Neither peer does the same: exactRankTests
does not invert its own test with ties, and R's wilcox.test inverts the normal approximation to 1e-4
(docs/validation/peers.md); scipy has no such interval. exactRankTests is asked up to n = 200: beyond, its
time is minutes.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from onearm.stats import hodges_lehmann
from signed_rank import ask_r, fastest, growth, shown

SIZES = (20, 50, 200, 1000)
LARGEST = 2000
LARGEST_OF_PEER = 200


def main() -> None:
    """Print the table for both zero rules."""
    rng = np.random.default_rng(20181230)
    data = [np.round(rng.normal(0.6, 4, n)) for n in (*SIZES, LARGEST)]
    asked = [("exactRankTests_interval", d) for d in data if d.size <= LARGEST_OF_PEER]
    version, r = ask_r([*asked, *(("stats_interval", d) for d in data[:-1])])
    print(f"Whole-number changes with ties and zeros, CPU milliseconds; {version}")
    print(f"{'n':>6}{'pratt':>9}{'wilcoxon':>9}{'exactRT':>9}{'wilc.test':>10}   95% intervals")
    ours = []
    for diff in data:
        pratt, dropped = (hodges_lehmann(diff, zeros=z) for z in ("pratt", "wilcoxon"))
        ours.append(fastest(lambda d=diff: hodges_lehmann(d, zeros="pratt")))  # type: ignore[misc]
        second = fastest(partial(hodges_lehmann, diff, zeros="wilcoxon"))
        exact, base = (r.get((p, diff.size)) for p in ("exactRankTests_interval", "stats_interval"))
        said = [
            f"onearm [{pratt.lower:g}, {pratt.upper:g}], [{dropped.lower:g}, {dropped.upper:g}]"
        ]
        said += [
            f"{name} [{a.numbers[1]:.4g}, {a.numbers[2]:.4g}]"
            for name, a in (("exactRankTests", exact), ("wilcox.test", base))
            if a
        ]
        times = (
            f"{shown(ours[-1])}{shown(second)}{shown(exact and exact.ms)} {shown(base and base.ms)}"
        )
        print(f"{diff.size:>6}{times}   " + "; ".join(said))
        if exact:
            print(f"{'':>6}exactRankTests takes {exact.ms / second:,.0f} times as long")
    print("  zeros='pratt': " + growth((*SIZES, LARGEST), ours))


if __name__ == "__main__":
    main()
