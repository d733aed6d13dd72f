"""MAP priors by quadrature: CPU time of one call.

Run: python benchmarks/map_prior.py

The eight placebo arms of ankylosing spondylitis (Baeten 2013), the example of RBesT, whose sampler
took 10 CPU seconds for them (RBesT 1.6-6, R 4.2.2; not run here).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from onearm.stats.bayes import effective_sample_size, map_prior_binomial, map_prior_normal

EVENTS, SIZES = [23, 12, 19, 9, 39, 6, 9, 10], [107, 44, 51, 39, 139, 20, 78, 35]


def milliseconds(call: Callable[[], object], times: int = 10) -> float:
    """Return the smallest CPU time of one call."""
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return 1000 * best


def main() -> None:
    """Print one line per prior."""
    share = map_prior_binomial(EVENTS, SIZES)
    print(f"{share.mixture.words()}: distance {share.distance:.4f}")
    for name, call in (
        ("share, 8 arms, mixture chosen", lambda: map_prior_binomial(EVENTS, SIZES)),
        ("share, 8 arms, one component", lambda: map_prior_binomial(EVENTS, SIZES, components=1)),
        ("mean change, 2 arms", lambda: map_prior_normal([-5, -4.8], [3.27, 0.2], tau_scale=1)),
        ("effective sample size (elir)", lambda: effective_sample_size(share.mixture)),
    ):
        print(f"{name:<32} {milliseconds(call):8.1f} ms")


if __name__ == "__main__":
    main()
