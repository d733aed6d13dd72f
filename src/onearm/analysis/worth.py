"""What a change is worth: observed, less regression to the mean, less background, what is left for the cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import exp, inf, log, log1p, sqrt
from statistics import NormalDist
from typing import Literal, TypeVar

from onearm.analysis.comparison import differences
from onearm.analysis.course import Course, common_readings, course_from
from onearm.datasets import Datasets, Pair
from onearm.stats import paired_t
from onearm.stats.bayes import Belief, NormalMixture, StudentT, difference, robust
from onearm.stats.differences import Alternative
from onearm.stats.regression_to_mean import (
    MeanScan,
    MeeChua,
    OffsetTest,
    TippingPoint,
    mee_chua,
    offset_test,
    run_in_offset_test,
    scan_mean,
    tipping_rho,
)
from onearm.study import Analysis, BaselineRule, Comparator
from onearm.study.values import NEEDS_UNTREATED

T = TypeVar("T")
Sides = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Line:
    """A change with its interval; the limits are None where there is none."""

    estimate: float
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Worth:
    """The observed change taken apart, under one baseline rule.

    Changes are in the measure's unit; for a measure on a log scale in percent of the geometric mean before.

    Attributes
    ----------
    percent
        Whether the lines are percentages.
    course, missing_course
        How the measure runs untreated, or in words why that is not known.
    observed
        Mean change (t interval).
    regression, after_regression
        The change to expect from regression to the mean alone, and what remains without it; None where
        ``course`` is.
    offset, exact, mee_chua
        t test and exact signed-rank test of what remains, and Mee and Chua's test, on the scale that is analysed.
    tipping, means
        The rho below which nothing would remain, and the means of the screened patients for which an effect stands.
    comparator, background
        The external arm taken off, and its change less its own regression to the mean (``own_regression``, None
        where that arm's value before is not stated).
    left
        What is left; None where neither part could be taken off, and under a baseline that is not the primary.
    better
        Probability that what is left is an improvement; None too where the study file does not say what is better.
    own
        Estimate and interval of the analysis's own test, where that is one which takes regression to the mean off.
    n
        Patients in these lines; fewer than the complete pairs where run-in readings are missing.
    at_rho
        rho, change after regression and what is left, at the ends of the range that the study file shows.
    notes
        What a reader must know, in words.
    """

    percent: bool
    course: Course | None
    missing_course: str
    observed: Line
    regression: Line | None
    after_regression: Line | None
    offset: OffsetTest | None
    exact: OffsetTest | None
    mee_chua: MeeChua | None
    tipping: TippingPoint | None
    means: MeanScan | None
    comparator: Comparator | None
    background: Line | None
    own_regression: float | None
    left: Line | None
    better: float | None
    own: Line | None
    n: int
    at_rho: tuple[tuple[float, Line, Line | None], ...]
    notes: tuple[str, ...]

    def test(self, method: str) -> OffsetTest | MeeChua | None:
        """One of the tests that take regression to the mean off, by the study file's name of it."""
        return _by_method(self.offset, self.exact, self.mee_chua)[method]

    def pvalue(self, method: str) -> float | None:
        """P of one of these tests; None where it could not be made."""
        test = self.test(method)
        return test.pvalue if test else None

    @property
    def taken_off(self) -> tuple[str, ...]:
        """What was taken off, in words; what is left for the cells needs both."""
        parts = (("regression to the mean", self.regression), ("background", self.background))
        return tuple(name for name, line in parts if line is not None)

    @property
    def for_the_cells(self) -> bool:
        """Whether both parts could be taken off."""
        return self.left is not None and len(self.taken_off) == 2


def worth(
    data: Datasets, analysis: Analysis, rule: BaselineRule, pairs: Sequence[Pair]
) -> Worth | None:
    """Take the change of the complete pairs apart; None below two pairs.

    The primary baseline is taken for the reading on which entry was decided. Under another rule there is no
    background; regression is taken off only the mean of all readings before, which holds that reading too.
    """
    assert analysis.measure is not None
    measure = data.study.measure(analysis.measure)
    course, why = course_from(data, measure.id, rule)
    notes: list[str] = []
    known = _usable(pairs, course, notes)
    before = [p.before for p in known if p.before is not None]
    after = [p.after for p in known if p.after is not None]
    logs = measure.scale == "log" and bool(known) and min(*before, *after) > 0
    if measure.scale == "log" and not logs:
        course, why = None, "a value of 0 or below has no logarithm"
    scale = _Scale(logs, analysis.conf_level)
    x, y = scale.of(before), scale.of(after)
    observed = _mean_change(differences(x, y), analysis.conf_level)
    if observed is None:
        return None
    tests = _tests(analysis, course, known, (x, y), logs, notes)
    whole = rule == data.study.baseline.primary
    comparator = _comparator(data, analysis) if whole else None
    arm = _arm(comparator, course, logs, notes) if comparator else None
    after_regression = _believed(tests.offset, course)
    left = _left(observed, after_regression, arm) if whole else None
    if tests.offset is None and course is not None:
        course, why = None, notes[0] if notes else "the test could not be computed"
    return Worth(
        percent=logs,
        course=course,
        missing_course=why,
        observed=observed.line(scale),
        regression=_regression(scale, tests.offset),
        after_regression=scale.belief(after_regression),
        offset=tests.offset,
        exact=tests.exact,
        mee_chua=tests.mee_chua,
        tipping=tests.tipping,
        means=tests.means,
        comparator=comparator,
        background=scale.belief(arm.belief) if arm else None,
        own_regression=scale.shown(arm.own) if arm and arm.own is not None else None,
        left=scale.belief(left),
        better=_better(left, measure.better),
        own=_own(scale, analysis, tests),
        n=len(known),
        at_rho=_at_rho(scale, course, comparator, analysis, known, (x, y)) if whole else (),
        notes=tuple(notes),
    )


def _usable(pairs: Sequence[Pair], course: Course | None, notes: list[str]) -> list[Pair]:
    """The complete pairs; of them, those with both run-in readings where the course rests on these."""
    known = [p for p in pairs if p.before is not None and p.after is not None]
    if course is None or not course.readings:
        return known
    used = [p for p in known if p.subject in course.readings]
    if len(used) < len(known):
        first, second = course.stated.run_in
        notes.append(
            f"{len(known) - len(used)} of {len(known)} complete pairs lack a reading at {first} or {second} and are in "
            "none of these lines."
        )
    return used


@dataclass(frozen=True)
class _Mean:
    """The mean change, with what is believed of it and its t interval where changes vary."""

    estimate: float
    belief: StudentT | None
    limits: tuple[float, float] | None

    def line(self, scale: _Scale) -> Line:
        if self.limits is None:
            return Line(scale.shown(self.estimate))
        return scale.line(self.estimate, *self.limits)


def _mean_change(change: Sequence[float], conf_level: float) -> _Mean | None:
    """The mean of two or more changes; None of fewer."""
    if len(change) < 2:
        return None
    try:
        t = paired_t(change, conf_level=conf_level)
    except ValueError:  # all the same: a mean without a spread
        return _Mean(change[0], None, None)
    return _Mean(t.estimate, StudentT(t.df, t.estimate, t.sd / sqrt(t.n)), (t.lower, t.upper))


def _left(observed: _Mean, after_regression: Belief | None, arm: _Arm | None) -> Belief | None:
    """The change less what could be taken off; None where nothing could."""
    base = after_regression or observed.belief
    if arm is None or base is None:
        return after_regression
    return difference(base, arm.belief)


def _by_method(
    offset: OffsetTest | None, exact: OffsetTest | None, mee_chua: MeeChua | None
) -> dict[str, OffsetTest | MeeChua | None]:
    return {"offset_t": offset, "offset_signed_rank": exact, "mee_chua": mee_chua}


def _own(scale: _Scale, analysis: Analysis, tests: _Tests) -> Line | None:
    """Estimate and interval of the analysis's own test."""
    found = _by_method(tests.offset, tests.exact, tests.mee_chua).get(analysis.method)
    return scale.line(found.estimate, found.lower, found.upper) if found else None


@dataclass(frozen=True)
class _Scale:
    """From the scale that is analysed to the one that is shown: percent of the mean before for logarithms."""

    logs: bool
    level: float

    def of(self, values: Sequence[float]) -> list[float]:
        return [log(v) for v in values] if self.logs else list(values)

    def shown(self, change: float) -> float:
        if not self.logs or change == inf:
            return change
        return 100 * (exp(min(change, 700.0)) - 1)

    def line(self, estimate: float, lower: float, upper: float) -> Line:
        return Line(self.shown(estimate), self.shown(lower), self.shown(upper))

    def belief(self, belief: Belief | None) -> Line | None:
        if belief is None:
            return None
        return self.line(belief.quantile(0.5), *belief.interval(self.level))


@dataclass(frozen=True)
class _Tests:
    offset: OffsetTest | None = None
    exact: OffsetTest | None = None
    mee_chua: MeeChua | None = None
    tipping: TippingPoint | None = None
    means: MeanScan | None = None


def _tests(
    analysis: Analysis,
    course: Course | None,
    pairs: Sequence[Pair],
    sides: Sides,
    logs: bool,
    notes: list[str],
) -> _Tests:
    """Every test that takes regression to the mean off; what cannot be computed is noted."""
    x, y = sides
    own = analysis.method in NEEDS_UNTREATED
    side = analysis.alternative if own else "two-sided"

    def tried(what: str, compute: Callable[[], T]) -> T | None:
        try:
            return compute()
        except ValueError as error:
            notes.append(f"{what}: {error}")
            return None

    def scan(rho: float | None) -> MeanScan | None:
        return tried(
            "scan of the mean",
            lambda: scan_mean(x, y, rho=rho, conf_level=analysis.conf_level, logs=logs),
        )

    if course is None:
        return _Tests(means=scan(None))
    mean, offset = course.history.mean, partial(_offset, analysis, course, pairs, sides, side)
    return _Tests(
        tried("change less regression to the mean", lambda: offset("t")),
        tried("signed rank of the change less regression", lambda: offset("signed_rank")),
        tried(
            "Mee and Chua's test",
            lambda: mee_chua(x, y, mean=mean, alternative=side, conf_level=analysis.conf_level),
        ),
        tried("tipping point", lambda: tipping_rho(x, y, mean=mean, logs=logs)),
        scan(course.history.rho),
    )


def _offset(
    analysis: Analysis,
    course: Course,
    pairs: Sequence[Pair],
    sides: Sides,
    alternative: Alternative,
    method: Literal["t", "signed_rank"],
) -> OffsetTest:
    """The test of the change less regression to the mean, from stated numbers or the patients' own run-in.

    The value before may be the mean of several readings, as many for every patient; else of one is assumed.
    """
    x, y = sides
    if not course.readings:
        return offset_test(
            x,
            y,
            course.history,
            method=method,
            zeros=analysis.zeros,
            conf_level=analysis.conf_level,
            alternative=alternative,
            readings=common_readings(pairs),
        )
    both = [(course.readings[p.subject], after) for p, after in zip(pairs, y, strict=True)]
    return run_in_offset_test(
        [first for (first, _), _ in both],
        [second for (_, second), _ in both],
        [after for _, after in both],
        method=method,
        zeros=analysis.zeros,
        conf_level=analysis.conf_level,
        alternative=alternative,
    )


def _comparator(data: Datasets, analysis: Analysis) -> Comparator | None:
    """The external arm the analysis names, or the first of its measure."""
    of_measure = [c for c in data.study.comparators if c.measure == analysis.measure]
    named = [c for c in of_measure if c.id == analysis.background]
    return next(iter(named or of_measure), None)


@dataclass(frozen=True)
class _Arm:
    """What is believed of the background change, on the scale that is analysed, and the arm's own regression."""

    belief: NormalMixture
    own: float | None


def _arm(c: Comparator, course: Course | None, logs: bool, notes: list[str]) -> _Arm | None:
    """The background change: the arm's, less its own regression, robust against its not speaking for these patients.

    With the weight of the comparator the arm's mean is believed (Student's t, its SD being estimated from as many
    patients as it has); with the rest, no more than one patient of it (the SD of a single change).
    """
    change, sd = c.change, c.sd
    if logs:
        if c.before is None or c.before <= 0 or c.before + c.change <= 0:
            notes.append(
                f"Background {c.id}: a ratio needs the arm's mean before; it is not taken off"
            )
            return None
        # The ratio of the arm's means; its spread by the delta method.
        change, sd = log1p(c.change / c.before), c.sd / (c.before + c.change)
    own = None
    if course is not None and c.before is not None:
        start = course.scaled(c.before)
        own = (1 - course.history.rho) * (course.history.mean - start)
        change -= own
    elif course is not None:
        notes.append(
            f"Background {c.id}: that arm's mean before is not stated, so its own regression to the mean stands in "
            "its change and is taken off twice; what is left may be more."
        )
    if c.n is None or c.n < 2:
        return _Arm(NormalMixture([1.0], [change], [sd]), own)
    believed = StudentT(c.n - 1, change, sd / sqrt(c.n)).as_normals()
    both = robust(believed, 1 - c.weight, (change, sd))
    assert isinstance(both, NormalMixture)
    return _Arm(both, own)


def _better(left: Belief | None, better: str | None) -> float | None:
    if left is None or better is None:
        return None
    return float(left.cdf(0.0) if better == "lower" else left.sf(0.0))


def _believed(offset: OffsetTest | None, course: Course | None) -> StudentT | NormalMixture | None:
    """The change less regression: Student's t of the offsets, and the error of a stated mean and rho (Behrens-Fisher).

    A run-in of the same patients has no such error beside it: its test is that of their change from the second reading.
    """
    if offset is None or course is None or offset.se is None:
        return None
    apart = 0.0 if course.readings else offset.expected_se
    own = StudentT(offset.n - 1, offset.estimate, sqrt(max(0.0, offset.se**2 - apart**2)))
    return difference(own, NormalMixture([1.0], [0.0], [apart])) if apart else own


def _regression(scale: _Scale, offset: OffsetTest | None) -> Line | None:
    """The change to expect from regression alone, with limits where mean and rho are uncertain."""
    if offset is None:
        return None
    if not offset.expected_se:
        return Line(scale.shown(offset.expected))
    reach = -NormalDist().inv_cdf((1 - scale.level) / 2) * offset.expected_se
    return scale.line(offset.expected, offset.expected - reach, offset.expected + reach)


def _at_rho(
    scale: _Scale,
    course: Course | None,
    comparator: Comparator | None,
    analysis: Analysis,
    pairs: Sequence[Pair],
    sides: Sides,
) -> tuple[tuple[float, Line, Line | None], ...]:
    """What remains and what is left at either end of the range of rho that the study file shows."""
    if course is None or course.stated.rho_range is None or course.readings:
        return ()
    rows = []
    for rho in course.stated.rho_range:
        other = course.with_rho(rho)
        try:
            belief = _believed(_offset(analysis, other, pairs, sides, "two-sided", "t"), other)
        except ValueError:
            return ()
        arm = _arm(comparator, other, scale.logs, []) if comparator else None
        line = scale.belief(belief)
        if belief is None or line is None:
            return ()
        rows.append((rho, line, scale.belief(difference(belief, arm.belief)) if arm else None))
    return tuple(rows)
