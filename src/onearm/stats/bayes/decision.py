"""Go, consider or no-go: the dual criterion, how often it says which, and assurance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from onearm.stats.bayes.mixtures import BetaMixture, NormalMixture
from onearm.stats.bayes.posterior import Belief, as_beta, logit_nodes, update_beta
from onearm.stats.differences import FloatArray, check_choice
from onearm.stats.proportion import whole_number

Better = Literal["higher", "lower"]
Call = Literal["go", "consider", "no-go"]

#: A posterior probability exceeds its threshold only by more than this: a median that equals the
#: decision value (symmetric posteriors) is no evidence, whatever its last binary digit.
EQUAL = 1e-12


@dataclass(frozen=True)
class Decision:
    """The dual criterion applied to one posterior.

    ``beyond_null`` and ``beyond_decision`` are the posterior probabilities that the truth is better
    than the null value and than the decision value. Both criteria met is ``"go"``, neither
    ``"no-go"``, one of the two ``"consider"``.
    """

    call: Call
    beyond_null: float
    beyond_decision: float


@dataclass(frozen=True)
class Chances:
    """The probabilities of the three decisions; they sum to 1."""

    go: float
    consider: float
    no_go: float


@dataclass(frozen=True)
class DualCriterion:
    """A dual-criterion rule for ``n`` patients, worked out for every possible count.

    ``decisions[x]`` is the decision at x responders. ``go_at`` is the count that is just enough for a
    go (the fewest when higher is better, the most when lower is), None when no count is.
    """

    n: int
    null_value: float
    decision_value: float
    null_probability: float
    decision_probability: float
    better: Better
    prior: str
    decisions: tuple[Decision, ...]
    go_at: int | None

    def operating_characteristics(self, p: float) -> Chances:
        """Return how often each decision falls when the true share is ``p``, exactly."""
        from scipy.special import gammaln, xlog1py, xlogy

        if not 0 <= p <= 1:
            raise ValueError(f"p: found {p}; expected a share from 0 to 1")
        x = np.arange(self.n + 1)
        ways = gammaln(self.n + 1) - gammaln(x + 1) - gammaln(self.n - x + 1)
        return self._chances(np.exp(ways + xlogy(x, p) + xlog1py(self.n - x, -p)))

    def predictive(self, prior: tuple[float, float] | BetaMixture) -> Chances:
        """Return how often each decision falls when the true share is drawn from ``prior``."""
        from scipy.special import betaln, gammaln

        x = np.arange(self.n + 1)
        ways = gammaln(self.n + 1) - gammaln(x + 1) - gammaln(self.n - x + 1)
        chance = np.zeros(self.n + 1)
        for weight, a, b in as_beta(prior, "prior").components():
            chance += weight * np.exp(ways + betaln(a + x, b + self.n - x) - betaln(a, b))
        return self._chances(chance)

    def _chances(self, chance: FloatArray) -> Chances:
        def share(call: Call) -> float:
            here = [c for c, d in zip(chance, self.decisions, strict=True) if d.call == call]
            return min(1.0, math.fsum(here))

        return Chances(share("go"), share("consider"), share("no-go"))


def decide(
    belief: Belief,
    *,
    null_value: float,
    decision_value: float,
    better: Better,
    null_probability: float = 0.95,
    decision_probability: float = 0.5,
) -> Decision:
    """Apply the dual criterion to a posterior of a share or of a mean change.

    Parameters
    ----------
    belief
        The posterior's ``distribution``.
    null_value
        What is no better than nothing: the background share or change.
    decision_value
        What would be worth going on for; further in the better direction than ``null_value``, or
        the same.
    better
        ``"higher"`` or ``"lower"`` values are better. There is no default.
    null_probability
        First criterion: the posterior probability of being better than ``null_value`` exceeds this
        (statistical significance, one-sided).
    decision_probability
        Second criterion: the same for ``decision_value`` (relevance; 0.5 asks that the posterior
        median reaches it).

    Returns
    -------
    Decision

    References
    ----------
    Fisch R et al. (2015) Ther Innov Regul Sci 49:155-162. Roychoudhury S, Scheuer N,
    Neuenschwander B (2018) Clin Trials 15:452-461. Lalonde RL et al. (2007) Clin Pharmacol Ther
    82:21-32.

    Examples
    --------
    >>> from onearm.stats.bayes import normal_posterior
    >>> change = [-8, -6, -4, -4, -2, -2, 0, -4, -2]
    >>> flat = normal_posterior(change).distribution
    >>> decide(flat, null_value=0, decision_value=-4, better="lower").call
    'consider'
    """
    _check_rule(null_value, decision_value, better, null_probability, decision_probability)
    beyond = belief.sf if better == "higher" else belief.cdf
    first, second = float(beyond(null_value)), float(beyond(decision_value))
    met = (first > null_probability + EQUAL) + (second > decision_probability + EQUAL)
    calls: tuple[Call, ...] = ("no-go", "consider", "go")
    return Decision(calls[met], first, second)


def dual_criterion(
    n: int,
    *,
    null_value: float,
    decision_value: float,
    prior: tuple[float, float] | BetaMixture = (1.0, 1.0),
    better: Better = "higher",
    null_probability: float = 0.95,
    decision_probability: float = 0.5,
) -> DualCriterion:
    """Work out the dual-criterion rule of a share for every count among ``n`` patients.

    Parameters
    ----------
    n
        Patients, at least one.
    null_value, decision_value, better, null_probability, decision_probability
        As in :func:`decide`; the values are shares from 0 to 1, ``better`` is ``"higher"`` for
        responders and ``"lower"`` for events that harm.
    prior
        ``(a, b)`` of a beta, or a :class:`BetaMixture`: the prior of the analysis.

    Returns
    -------
    DualCriterion
        Its operating characteristics and predictive probabilities are sums over all counts, exact
        but for rounding.

    References
    ----------
    Those of :func:`decide`.

    Examples
    --------
    >>> rule = dual_criterion(9, null_value=0.2, decision_value=0.4, prior=(0.2, 0.8))
    >>> rule.go_at, round(rule.operating_characteristics(0.2).go, 4)
    (5, 0.0196)
    >>> rule.decisions[4].call
    'consider'
    """
    patients = whole_number(n, "n", least=1)
    for name, value in (("null_value", null_value), ("decision_value", decision_value)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name}: found {value}; expected a share from 0 to 1")
    mixture = as_beta(prior, "prior")
    decisions = tuple(
        decide(
            update_beta(mixture, x, patients),
            null_value=null_value,
            decision_value=decision_value,
            better=better,
            null_probability=null_probability,
            decision_probability=decision_probability,
        )
        for x in range(patients + 1)
    )
    go = [x for x, decision in enumerate(decisions) if decision.call == "go"]
    enough = (min(go) if better == "higher" else max(go)) if go else None
    return DualCriterion(
        n=patients,
        null_value=null_value,
        decision_value=decision_value,
        null_probability=null_probability,
        decision_probability=decision_probability,
        better=better,
        prior=mixture.words(),
        decisions=decisions,
        go_at=enough,
    )


def _check_rule(
    null_value: float, decision_value: float, better: str, *probabilities: float
) -> None:
    check_choice("better", better, ("higher", "lower"))
    for name, p in zip(("null_probability", "decision_probability"), probabilities, strict=True):
        if not 0 < p < 1:
            raise ValueError(f"{name}: found {p}; expected a probability between 0 and 1")
    if not (math.isfinite(null_value) and math.isfinite(decision_value)):
        raise ValueError(
            f"null_value, decision_value: found {null_value} and {decision_value}; expected finite "
            "numbers"
        )
    wrong = decision_value < null_value if better == "higher" else decision_value > null_value
    if wrong:
        raise ValueError(
            f"decision_value: found {decision_value} with null_value {null_value} and better = "
            f"{better!r}; expected it to be at least as good as the null value"
        )


def assurance(
    success: DualCriterion | Callable[[FloatArray], FloatArray],
    prior: tuple[float, float] | BetaMixture | NormalMixture,
) -> float:
    """Give the probability of success before the trial, over what is believed of the truth.

    Parameters
    ----------
    success
        A :class:`DualCriterion`, whose go is the success; or a function that takes an array of
        true values (shares, or mean changes) and returns the probability of success at each: a
        power curve.
    prior
        What is believed of the true value: the design prior. It need not be the prior of the
        analysis, and usually should not be.

    Returns
    -------
    float
        For a rule an exact sum over counts. For a power curve an integral by trapezoid sum: fifty
        points per standard deviation of each component, which suits any smooth curve.

    References
    ----------
    O'Hagan A, Stevens JW, Campbell MJ (2005) Pharm Stat 4:187-201.

    Examples
    --------
    >>> rule = dual_criterion(20, null_value=0.2, decision_value=0.4, prior=(0.2, 0.8))
    >>> round(assurance(rule, (4, 6)), 4)
    0.4316
    """
    if isinstance(success, DualCriterion):
        if isinstance(prior, NormalMixture):
            raise ValueError(
                "prior: found a NormalMixture; expected (a, b) or a BetaMixture, since the rule is "
                "about a share"
            )
        return success.predictive(prior).go
    values, weights = _nodes(prior)
    chances = np.asarray(success(values), dtype=np.float64)
    bad = chances.shape != values.shape or not np.all((chances >= -EQUAL) & (chances <= 1 + EQUAL))
    if bad:
        raise ValueError(
            "success: found values that are no probabilities, or not one for each true value; "
            "expected a function from an array of true values to probabilities"
        )
    return min(1.0, math.fsum(weights * chances))


def _nodes(
    prior: tuple[float, float] | BetaMixture | NormalMixture,
) -> tuple[FloatArray, FloatArray]:
    """Return points and weights that integrate over a prior."""
    if isinstance(prior, NormalMixture):
        z = np.arange(-450, 451) / 50
        density = np.exp(-0.5 * z * z) / 50 / math.sqrt(2 * math.pi)
        places = [mean + sd * z for _, mean, sd in prior.components()]
        masses = [weight * density for weight, _, _ in prior.components()]
        return np.concatenate(places), np.concatenate(masses)
    from scipy.special import betaln, expit, log_expit

    mixture = as_beta(prior, "prior")
    places, masses = [], []
    for weight, a, b in mixture.components():
        u, step = logit_nodes(a, b, 1 / 25)
        places.append(expit(u))
        masses.append(weight * step * np.exp(a * log_expit(u) + b * log_expit(-u) - betaln(a, b)))
    return np.concatenate(places), np.concatenate(masses)
