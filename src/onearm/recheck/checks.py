"""Runs every check that the printed numbers of a result allow. Nothing here is worded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from zlib import crc32

import numpy as np

from onearm.recheck.reading import TESTS, Report, Result
from onearm.stats.reported import (
    Attainable,
    Constructed,
    Grim,
    ImpliedChange,
    Joint,
    Limit,
    Printed,
    Range,
    Scale,
    Summary,
    attainable_mann_whitney,
    attainable_sign_flip,
    attainable_sign_test,
    attainable_signed_rank,
    construct_pairs,
    grim,
    grim_percent,
    implied_change,
    implied_p,
    joint,
    mean_change,
    spread_limits,
    two_sided_interval,
    unpaired_p,
)
from onearm.stats.reported.attainable import LARGEST as LARGEST_TESTED
from onearm.stats.reported.attainable import MISUSED, SIGNED_RANK
from onearm.stats.reported.small_scale import (
    JUDGED,
    Counts,
    allowed_changes,
    attainable_on_small_scale,
)

#: Numbers of patients for which a mean or percentage is listed as possible or not.
LISTED = 12
#: The list runs on to the largest number tried, up to here.
LONGEST_LIST = 60
#: Above this a joint check of mean and SD is left out: nothing is excluded there.
COUNTED_PATIENTS = 200
#: The sign test is tried up to here.
SIGN_TESTED = 300
#: Most patients for whom pairs are constructed.
CONSTRUCTED_PATIENTS = 30
SEED = 20181230
#: Correlations at which the P of a paired t test is told beside the implied one.
CORRELATIONS = (0.0, 0.2, 0.5)

TEST_NAMES: dict[str, str] = {
    "signed_rank_exact": "signed rank, exact",
    "signed_rank_exact_pratt": "signed rank, exact, Pratt",
    "sign_flip": "sign flips of the mean, exact",
    "sign_test": "sign test, exact",
    "signed_rank_normal": "signed rank, normal",
    "signed_rank_normal_cc": "signed rank, normal, corrected",
    "signed_rank_normal_pratt": "signed rank, normal, Pratt",
    "signed_rank_normal_pratt_cc": "signed rank, normal, Pratt, corrected",
    "paired_t": "paired t",
    "unpaired_t": "unpaired t (misuse)",
    "welch_t": "Welch's t (misuse)",
    "mann_whitney_exact": "Mann-Whitney, exact (misuse)",
    "mann_whitney_normal": "Mann-Whitney, normal (misuse)",
    "mann_whitney_normal_cc": "Mann-Whitney, normal, corrected (misuse)",
}


@dataclass(frozen=True)
class MeanCheck:
    """GRIM of one printed mean or percentage: for the reported n and for others.

    ``place`` is ``"before.mean"``, ``"percent"`` and so on; ``possible_n`` and ``impossible_n``
    divide the numbers of patients listed.
    """

    place: str
    printed: Printed
    at_n: Grim
    possible_n: tuple[int, ...]
    impossible_n: tuple[int, ...]


@dataclass(frozen=True)
class JointCheck:
    """Mean, SD, median, minimum and maximum of one group together, by number of patients."""

    place: str
    by_n: Mapping[int, Joint]


@dataclass(frozen=True)
class LimitCheck:
    """One relation that the printed numbers of a group keep or break."""

    place: str
    limit: Limit


@dataclass(frozen=True)
class TestAt:
    """One test at one number of patients; ``computed`` is its P where means and SDs fix it.

    ``sets`` is how many sets of changes the scale, its range and the printed means allow where every
    one of them was judged; None where the test was looked at by the number of patients alone.
    """

    __test__ = False

    test: str
    n: int
    attainable: Attainable
    implied: ImpliedChange | None = None
    narrowed: ImpliedChange | None = None
    computed: Range | None = None
    sets: int | None = None

    @property
    def verdict(self) -> str:
        """``possible``, ``impossible``, ``not found`` or ``unknown``."""
        return self.attainable.verdict

    @property
    def by_n_alone(self) -> bool:
        """Whether it can give P for so many patients, but no other printed number was used."""
        return (
            self.verdict == "possible" and self.sets is None and self.attainable.proof != "formula"
        )


@dataclass(frozen=True)
class Reading:
    """A way in which the P can have come about, and how much has to be assumed for it.

    ``cost`` adds up by the rules of docs/reported.md; it orders readings and is no probability.
    """

    test: str
    cost: float
    at: TestAt


@dataclass(frozen=True)
class Findings:
    """All that was found about one result.

    ``tests`` holds every test at every n; ``other_sided`` every test at the reported n for the other
    sidedness of P; ``excluded_n`` the numbers of patients that the means, SDs and the rest rule out.
    ``searched`` names the tests for which pairs were looked for.
    ``at_correlations`` gives the paired t test's P for a few correlations.
    """

    result: Result
    means: tuple[MeanCheck, ...]
    joints: tuple[JointCheck, ...]
    limits: tuple[LimitCheck, ...]
    excluded_n: tuple[int, ...]
    tests: tuple[TestAt, ...] = ()
    other_sided: tuple[TestAt, ...] = ()
    readings: tuple[Reading, ...] = ()
    at_correlations: tuple[tuple[float, float], ...] = ()
    p_from_change: Range | None = None
    constructed: tuple[Constructed, ...] = ()
    searched: tuple[str, ...] = ()

    def test_at(self, test: str, n: int) -> TestAt:
        """Return one test at one number of patients."""
        return next(t for t in self.tests if t.test == test and t.n == n)

    def proof(self, at: TestAt) -> str:
        """Say what a verdict rests on; ``by n alone`` is no proof that all numbers go together."""
        if at.n == self.result.n and at.test in {c.test for c in self.constructed}:
            return "constructed"
        if at.sets is not None:
            return "range and means"
        return "by n alone" if at.by_n_alone else at.attainable.proof

    @property
    def unused(self) -> tuple[str, ...]:
        """Name what is printed but not used where tests are looked at by n alone."""
        r = self.result
        groups = (r.before, r.after, r.change, r.once)
        names = [
            ("means", any(s.mean is not None for s in groups)),
            ("SDs", any(s.sd is not None for s in groups)),
            ("medians", any(s.median is not None for s in groups)),
            ("smallest and largest values", any(s.minimum or s.maximum for s in groups)),
            ("range", r.scale.low is not None or r.scale.high is not None),
        ]
        return tuple(name for name, printed in names if printed)

    @property
    def count_agrees(self) -> bool:
        """Whether a printed count is one that is printed as the percentage; true without both."""
        shares = [m.at_n.totals for m in self.means if m.place == "percent"]
        return self.result.count is None or all(self.result.count in totals for totals in shares)

    @property
    def broken(self) -> bool:
        """Whether something printed cannot be with the reported number of patients."""
        return (
            any(not m.at_n.possible for m in self.means)
            or any(not j.by_n[self.result.n].possible for j in self.joints)
            or any(not x.limit.possible for x in self.limits)
            or not self.count_agrees
        )


@dataclass(frozen=True)
class Recheck:
    """A report and what was found about each of its results.

    ``shared`` are the readings that explain every P of the report by one test: test and total
    cost, the least first; empty with fewer than two P values.
    """

    report: Report
    findings: tuple[Findings, ...]
    shared: tuple[tuple[str, float], ...]


def recheck(report: Report, progress: Callable[[str], None] = lambda _: None) -> Recheck:
    """Run every check on every result of a report."""
    found = []
    for result in report.results:
        progress(f"{result.label}: which numbers, which tests")
        findings = check_result(result)
        if findings.readings and result.n <= CONSTRUCTED_PATIENTS:
            progress(f"{result.label}: searching for pairs that reproduce the numbers")
            findings = _with_pairs(findings)
        found.append(findings)
    return Recheck(report, tuple(found), _shared(found))


def check_result(result: Result) -> Findings:
    """Run every check on one result, but construct nothing."""
    ns = sorted({result.n, *result.also})
    means = tuple(_mean_checks(result))
    joints = tuple(_joint_checks(result, ns))
    limits = tuple(
        LimitCheck(place, limit)
        for place, summary, scale in _groups(result)
        for limit in spread_limits(summary, result.n, scale)
    )
    limits += tuple(_change_limits(result))
    excluded = tuple(
        n
        for n in ns
        if any(n in m.impossible_n for m in means) or any(not j.by_n[n].possible for j in joints)
    )
    findings = Findings(result, means, joints, limits, excluded)
    if result.p is None:
        return findings
    two_sided = two_sided_interval(result.p) if result.one_sided else result.p
    other = result.p if result.one_sided else two_sided_interval(result.p)
    tested = [n for n in ns if n >= 2]
    tests = tuple(_test(name, two_sided, n, result) for name in TEST_NAMES for n in tested)
    others: tuple[TestAt, ...] = ()
    if result.n >= 2:
        others = tuple(_test(name, other, result.n, result) for name in TEST_NAMES)
    findings = replace(
        findings,
        tests=tests,
        other_sided=others,
        at_correlations=tuple(_at_correlations(result)),
        p_from_change=_p_from_change(result),
    )
    return replace(findings, readings=_readings(findings))


# -- which numbers can be --------------------------------------------------------------------------


def _groups(result: Result) -> list[tuple[str, Summary, Scale]]:
    """Return the summaries that are printed, with the scale of each."""
    every = (
        ("once", result.once, result.scale),
        ("before", result.before, result.scale),
        ("after", result.after, result.scale),
        ("change", result.change, _change_scale(result.scale)),
    )
    return [(place, summary, scale) for place, summary, scale in every if summary != Summary()]


def _change_scale(scale: Scale) -> Scale:
    if scale.low is None or scale.high is None:
        return Scale(scale.step)
    return Scale(scale.step, scale.low - scale.high, scale.high - scale.low)


def _mean_checks(result: Result) -> list[MeanCheck]:
    most = max(result.n, *result.also, LISTED)
    listed = sorted({*range(1, min(most, LONGEST_LIST) + 1), result.n, *result.also})
    checks = []
    step = result.scale.step
    for place, summary, _ in _groups(result):
        if summary.mean is None or step is None:
            continue
        by_n = {n: grim(summary.mean, n, step=step) for n in listed}
        checks.append(_mean_check(f"{place}.mean", summary.mean, result.n, by_n))
    if result.percent is not None:
        by_n = {n: grim_percent(result.percent, n) for n in listed}
        checks.append(_mean_check("percent", result.percent, result.n, by_n))
    return checks


def _mean_check(place: str, printed: Printed, n: int, by_n: Mapping[int, Grim]) -> MeanCheck:
    return MeanCheck(
        place,
        printed,
        by_n[n],
        tuple(m for m, g in by_n.items() if g.possible),
        tuple(m for m, g in by_n.items() if not g.possible),
    )


def _joint_checks(result: Result, ns: list[int]) -> list[JointCheck]:
    checks = []
    for place, summary, scale in _groups(result):
        needed = [summary.sd, summary.median, summary.minimum, summary.maximum]
        if scale.step is None or not any(needed):
            continue
        by_n = {
            n: joint(summary, n, scale) if n <= COUNTED_PATIENTS else Joint(True, "none", n)
            for n in ns
        }
        checks.append(JointCheck(place, by_n))
    return checks


def _change_limits(result: Result) -> list[LimitCheck]:
    """Compare a printed mean change with the difference of the printed means."""
    change, before, after = result.change.mean, result.before.mean, result.after.mean
    found = []
    if change is not None:
        both = mean_change(before, after)
        if both is not None:
            assert change.lower is not None and change.upper is not None
            possible = both.lower <= float(change.upper) and float(change.lower) <= both.upper
            words = (
                f"the difference of the means lies between {both.lower:g} and {both.upper:g} "
                f"(printed change {change.text})"
            )
            found.append(LimitCheck("change", Limit("change.mean", possible, words)))
            found += _change_sums(result)
    sds = result.before.sd, result.after.sd, result.change.sd
    if sds[0] is not None and sds[1] is not None and sds[2] is not None:
        first, second, third = ((float(x.lower or 0), float(x.upper or 0)) for x in sds if x)
        least = max(0.0, first[0] - second[1], second[0] - first[1])
        most = first[1] + second[1]
        possible = third[1] >= least and third[0] <= most
        words = (
            f"with SDs {sds[0].text} and {sds[1].text} the SD of the change lies between "
            f"{least:.3g} and {most:.3g} (printed {sds[2].text})"
        )
        found.append(LimitCheck("change", Limit("change.sd", possible, words)))
    return found


def _change_sums(result: Result) -> list[LimitCheck]:
    """Compare the sums before, after and of the change where values have steps."""
    printed = (result.before.mean, result.after.mean, result.change.mean)
    step = result.scale.step
    if step is None:
        return []
    sums = [grim(mean, result.n, step=step).totals for mean in printed if mean is not None]
    if any(not totals or len(totals) > LONGEST_LIST for totals in sums):
        return []
    possible = any(b - a in sums[2] for a in sums[0] for b in sums[1])
    words = (
        "the sum of the changes is the difference of the sums after and before "
        f"(means {', '.join(mean.text for mean in printed if mean is not None)} for {result.n} patients)"
    )
    return [LimitCheck("change", Limit("change.sum", possible, words))]


# -- which test can give P -------------------------------------------------------------------------


def _test(test: str, p: Printed, n: int, result: Result) -> TestAt:
    changes = _allowed_changes(result, n) if test in JUDGED else None
    if changes is None:
        return _test_by_n(test, p, n, result)
    before, after = result.before.mean, result.after.mean
    assert before is not None and after is not None
    falling = None if before.value == after.value else after.value < before.value
    found = attainable_on_small_scale(p, n, test, changes, falling=falling)
    if test != "paired_t":
        return TestAt(test, n, found, sets=len(changes))
    by_formula = _paired_t(p, n, result)
    if by_formula.verdict == "impossible":  # by an SD that is printed
        found = replace(found, verdict="impossible", witness=None)
    return replace(by_formula, attainable=found, sets=len(changes))


@lru_cache(maxsize=32)
def _allowed_changes(result: Result, n: int) -> tuple[Counts, ...] | None:
    """List the changes that a scale of few values and the printed means allow; None if too many."""
    before, after = result.before.mean, result.after.mean
    if before is None or after is None:
        return None
    return allowed_changes(before, after, n, result.scale, result.change.mean)


def _test_by_n(test: str, p: Printed, n: int, result: Result) -> TestAt:
    if test in SIGNED_RANK:
        found = attainable_signed_rank(p, n, test, ties_usual=result.whole)
        return TestAt(test, n, found)
    if test == "sign_test":
        tried = n <= SIGN_TESTED
        return TestAt(test, n, attainable_sign_test(p, n) if tried else _unknown(test, n))
    if test == "sign_flip":
        return TestAt(
            test, n, attainable_sign_flip(p, n) if n <= LARGEST_TESTED else _unknown(test, n)
        )
    if test.startswith("mann_whitney"):
        return TestAt(test, n, attainable_mann_whitney(p, n, test))
    if test == "paired_t":
        return _paired_t(p, n, result)
    return _unpaired_t(test, p, n, result)


def _unknown(test: str, n: int) -> Attainable:
    return Attainable(test, n, "unknown", "none")


def _mean_change(result: Result, n: int, *, narrowed: bool = False) -> Range | None:
    before, after = result.before.mean, result.after.mean
    step = result.scale.step
    if not narrowed or step is None or before is None or after is None:
        return mean_change(before, after, result.change.mean)
    sums = (grim(before, n, step=step).totals, grim(after, n, step=step).totals)
    return mean_change(before, after, result.change.mean, sums=sums, n=n, step=step)


def _paired_t(p: Printed, n: int, result: Result) -> TestAt:
    mean = _mean_change(result, n)
    if mean is None:
        return TestAt("paired_t", n, _unknown("paired_t", n))
    implied = implied_change(p, n, mean, result.before.sd, result.after.sd)
    narrowed = None
    if result.whole and implied is not None:
        closer = _mean_change(result, n, narrowed=True)
        if closer is not None and closer != mean:
            narrowed = implied_change(p, n, closer, result.before.sd, result.after.sd)
    possible = implied is not None and implied.possible
    if implied is None and p.admits(Fraction(1)):
        possible = True
    sd = result.change.sd
    if possible and implied is not None and sd is not None:
        assert sd.lower is not None and sd.upper is not None
        possible = implied.sd.lower <= float(sd.upper) and float(sd.lower) <= implied.sd.upper
    verdict = Attainable("paired_t", n, "possible" if possible else "impossible", "formula")
    return TestAt("paired_t", n, verdict, implied, narrowed)


def _unpaired_t(test: str, p: Printed, n: int, result: Result) -> TestAt:
    mean = mean_change(result.before.mean, result.after.mean)
    before, after = result.before.sd, result.after.sd
    if mean is None or before is None or after is None:
        return TestAt(test, n, _unknown(test, n))
    computed = unpaired_p(mean, before, after, n, welch=test == "welch_t")
    if computed is None:
        return TestAt(test, n, _unknown(test, n))
    verdict = "possible" if _meet(computed, p) else "impossible"
    return TestAt(test, n, Attainable(test, n, verdict, "formula"), computed=computed)  # type: ignore[arg-type]


def _meet(computed: Range, p: Printed) -> bool:
    """Tell whether a range of P and the printed one have a value in common."""
    assert p.lower is not None and p.upper is not None
    low, high = float(p.lower), float(p.upper)
    below = computed.upper <= low if p.open_lower and low > 0 else computed.upper < low
    above = computed.lower >= high if p.open_upper else computed.lower > high
    return not (below or above)


def _at_correlations(result: Result) -> list[tuple[float, float]]:
    """Return the P of the paired t test if before and after were correlated so or so."""
    mean = _mean_change(result, result.n)
    sds = result.before.sd, result.after.sd
    if mean is None or mean.nominal is None or sds[0] is None or sds[1] is None or result.n < 2:
        return []
    a, b = float(sds[0].value), float(sds[1].value)
    found = []
    for r in CORRELATIONS:
        sd = (a * a + b * b - 2 * r * a * b) ** 0.5
        p = implied_p(mean, Range(sd, sd, sd), result.n).nominal
        if p is not None and sd > 0:
            found.append((r, p / 2 if result.one_sided else p))
    return found


def _p_from_change(result: Result) -> Range | None:
    """Return the paired t test's two-sided P where mean and SD of the change are printed."""
    mean, sd = _mean_change(result, result.n), result.change.sd
    if mean is None or sd is None or sd.lower is None or sd.upper is None or result.n < 2:
        return None
    spread = Range(float(sd.value), float(sd.lower), float(sd.upper))
    return implied_p(mean, spread, result.n)


# -- readings --------------------------------------------------------------------------------------


def _readings(findings: Findings) -> tuple[Reading, ...]:
    """Order the tests that can give P at the reported n by what each has to assume."""
    result = findings.result
    named = TESTS.get(result.test)
    found = []
    for at in findings.tests:
        if at.n != result.n or at.verdict in ("impossible", "not found"):
            continue
        if at.verdict == "unknown" and at.test != "paired_t":
            continue
        cost = _cost(at, result)
        if named is not None and at.test not in named:
            cost += 10
        found.append(Reading(at.test, cost, at))
    return tuple(sorted(found, key=lambda r: r.cost))


def _cost(at: TestAt, result: Result) -> float:
    """Add up what a reading assumes; the rules stand in docs/reported.md."""
    if at.test == "paired_t":
        if at.implied is None:
            return 2.0  # a test of means where no mean is printed
        r = at.implied.correlation
        if r is None:
            return 0.0
        return 3.0 if r.upper < 0 else 2.0 if r.lower > 0.95 else 0.0
    if at.test in ("unpaired_t", "welch_t"):
        return 4.0
    witness = at.attainable.witness
    assert witness is not None
    tied = sum(t - 1 for t in witness.ties)
    tie = 0.5 if result.whole else 1.0 if result.values == "not stated" else 3.0
    cost = witness.n_zero + tie * tied
    if at.test in MISUSED:
        return cost + 4.0
    if at.test == "sign_flip":
        return cost + 2.0
    if at.test == "sign_test" or at.test.endswith(("_pratt", "_pratt_cc")):
        return cost + 1.0
    if at.test == "signed_rank_normal_cc" and not witness.n_zero and not witness.tied:
        return (
            cost + 1.0
        )  # programs that correct do so only where a zero or a tie bars the exact test
    return cost


def _shared(findings: list[Findings]) -> tuple[tuple[str, float], ...]:
    """Return the tests that can give every P of the report, the least assumed first."""
    with_p = [f for f in findings if f.tests]
    if len(with_p) < 2:
        return ()
    totals = []
    for test in TEST_NAMES:
        costs = [next((r.cost for r in f.readings if r.test == test), None) for f in with_p]
        if all(c is not None for c in costs):
            totals.append((test, sum(c for c in costs if c is not None)))
    return tuple(sorted(totals, key=lambda pair: pair[1]))


# -- constructed pairs -----------------------------------------------------------------------------

#: Readings that assume more than this are not searched for pairs.
MOST_ASSUMED = 8.0
#: What a reading costs more when the search found no pairs for it.
NOT_HIT = 2.0


def _with_pairs(findings: Findings) -> Findings:
    result = findings.result
    tests = [r.test for r in findings.readings if r.cost <= MOST_ASSUMED]
    tests = [
        t for t in tests if t != "mann_whitney_exact"
    ]  # not among the tests that the search knows
    empty = result.before == Summary() or result.after == Summary()
    if not tests or empty or findings.broken or result.p is None or result.n < 2:
        return findings
    p = two_sided_interval(result.p) if result.one_sided else result.p
    found = construct_pairs(
        p,
        result.n,
        result.before,
        result.after,
        tests,
        rng=np.random.default_rng([SEED, crc32(result.id.encode())]),
        scale=_limited(result.scale, result.limits_before.minimum, result.limits_before.maximum),
        scale_after=_limited(
            result.scale, result.limits_after.minimum, result.limits_after.maximum
        ),
        change=result.change if result.change != Summary() else None,
    )
    readings = [
        replace(r, cost=r.cost + NOT_HIT)
        if r.test in tests and r.test not in found and r.at.sets is None
        else r
        for r in findings.readings
    ]
    return replace(
        findings,
        readings=tuple(sorted(readings, key=lambda r: r.cost)),
        constructed=tuple(found[t] for t in tests if t in found),
        searched=tuple(tests),
    )


def _limited(scale: Scale, low: Fraction | None, high: Fraction | None) -> Scale:
    lows = [x for x in (scale.low, low) if x is not None]
    highs = [x for x in (scale.high, high) if x is not None]
    return Scale(scale.step, max(lows, default=None), min(highs, default=None))
