"""Selection by several criteria joined by OR: what untreated patients' markers do, by simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import FloatArray, check_choice
from onearm.stats.regression_to_mean.history import (
    NaturalHistory,
    check_count,
    check_finite,
    check_positive,
)
from onearm.stats.regression_to_mean.responders import ResponseSide
from onearm.stats.regression_to_mean.selection import SIDES, Side, check_change, check_share

Kind = Literal["normal", "lognormal", "integer"]
KINDS = ("normal", "lognormal", "integer")
#: People of the population drawn at a time.
PIECE = 200_000


@dataclass(frozen=True)
class Marker:
    """A measure of the patients screened, and its part in the decision on entry, if any.

    Attributes
    ----------
    name
        What it is called in the result; each name once.
    history
        Its untreated population, mean and rho taken as true: of the natural logarithms for
        ``"lognormal"``, of the underlying continuous measure for ``"integer"``.
    kind
        ``"normal"``; ``"lognormal"`` (the reading is the exponential); ``"integer"`` (the reading
        is rounded to a whole number of at least ``lowest``: a score such as SLEDAI).
    threshold, side
        A patient is let in if the reading is at least (``"above"``) or at most (``"below"``) this,
        in the unit of the reading. None: the marker has no part in the decision.
    change, ratio
        A response of this marker, to be counted: a change of the reading of at most ``change``
        (at least, where it is positive), or a follow-up of at most ``ratio`` times the reading
        before (at least, above 1). At most one of them.
    lowest
        Lowest value of an integer score.
    """

    name: str
    history: NaturalHistory
    kind: Kind = "normal"
    threshold: float | None = None
    side: Side = "above"
    change: float | None = None
    ratio: float | None = None
    lowest: float = 0.0

    def __post_init__(self) -> None:
        check_choice(f"kind of {self.name}", self.kind, KINDS)
        check_choice(f"side of {self.name}", self.side, SIDES)
        if self.threshold is not None:
            check_finite(f"threshold of {self.name}", self.threshold)
            if self.kind == "lognormal":
                check_positive(f"threshold of {self.name}", self.threshold)
        if self.change is not None and self.ratio is not None:
            raise ValueError(
                f"change, ratio of {self.name}: expected at most one of them; a response is either "
                "a change by so much or a share of the reading before"
            )
        if self.change is not None:
            check_change(self.change)
        if self.ratio is not None:
            check_share(self.ratio)

    def reading(self, value: FloatArray) -> FloatArray:
        """Return the reading of underlying values: exponentiated, rounded, or as they are."""
        if self.kind == "lognormal":
            return np.exp(value)
        return np.maximum(np.rint(value), self.lowest) if self.kind == "integer" else value

    def lets_in(self, reading: FloatArray) -> npt.NDArray[np.bool_]:
        """Tell which readings fulfil the criterion."""
        if self.threshold is None:
            return np.zeros(reading.size, dtype=bool)
        beyond = reading >= self.threshold if self.side == "above" else reading <= self.threshold
        return np.asarray(beyond)

    def responds(self, before: FloatArray, after: FloatArray) -> npt.NDArray[np.bool_] | None:
        """Tell who responds; None where no response was asked for."""
        if self.change is not None:
            moved, limit = after - before, self.change
            side: ResponseSide = "below" if self.change < 0 else "above"
        elif self.ratio is not None:
            moved, limit = after - self.ratio * before, 0.0
            side = "below" if self.ratio < 1 else "above"
        else:
            return None
        return np.asarray(moved <= limit if side == "below" else moved >= limit)


@dataclass(frozen=True)
class SelectedMarker:
    """The untreated course of one marker in those let in; each with its Monte Carlo error.

    ``before`` is the mean reading at entry and ``change`` the mean of after - before; of natural
    logarithms for a log-normal marker, whose ``ratio`` is then the ratio of geometric means
    after/before (else None). ``fulfil`` is the share of those let in who fulfil this marker's own
    criterion, ``response`` the share who respond untreated; None where none was given.
    """

    name: str
    before: float
    change: float
    change_error: float
    ratio: float | None
    fulfil: float | None
    response: float | None
    response_error: float | None


@dataclass(frozen=True)
class Selection:
    """The untreated course of patients let in by any of several criteria.

    ``eligible`` of the population is let in, with Monte Carlo error ``eligible_error``;
    ``patients`` is their number among those simulated.
    """

    markers: tuple[SelectedMarker, ...]
    eligible: float
    eligible_error: float
    patients: int

    def of(self, name: str) -> SelectedMarker:
        """Return the course of one marker."""
        for marker in self.markers:
            if marker.name == name:
                return marker
        raise ValueError(f"name: {name!r} is not among the markers simulated")


def simulate_selection(
    markers: Sequence[Marker],
    *,
    rng: np.random.Generator,
    between: npt.ArrayLike | None = None,
    within: npt.ArrayLike | None = None,
    people: int = 400_000,
) -> Selection:
    """Simulate the untreated change of patients let in when any one of several criteria is met.

    Parameters
    ----------
    markers
        The measures, at least one of them with a threshold.
    rng
        Generator of the random numbers.
    between
        Correlation matrix of the patients' levels (of logarithms for log-normal markers), in the
        order of ``markers``; independent if not given.
    within
        Correlation matrix of the errors of one visit; independent if not given. A flare raises all
        markers at once: give it here.
    people
        Number of the population simulated, at least 2. Those let in give the result; Monte Carlo
        errors shrink with the square root of their number.

    Returns
    -------
    Selection

    Raises
    ------
    ValueError
        If no marker has a threshold, a name occurs twice, a matrix is not a correlation matrix, or
        fewer than two of the people are let in.

    Notes
    -----
    Each reading is the patient's level plus the error of the visit; both are normal (log-normal) and
    the follow-up has a fresh error. With several criteria joined by OR, some patients are let in for
    a marker's error and others without it, so each marker falls by less than by its own threshold
    alone; a marker without threshold falls as far as it goes with the others.

    Examples
    --------
    >>> sledai = Marker("SLEDAI", NaturalHistory.from_components(8, 4, 3), "integer", 8, change=-4)
    >>> found = simulate_selection([sledai], rng=np.random.default_rng(1), people=200_000)
    >>> round(found.eligible, 2), round(found.of("SLEDAI").change, 1)
    (0.54, -1.3)
    """
    check_count("people", people, least=2)
    names = [marker.name for marker in markers]
    if not any(marker.threshold is not None for marker in markers):
        raise ValueError("markers: found none with a threshold; expected at least one that lets in")
    if len(set(names)) < len(names):
        raise ValueError(f"markers: found {names}; expected each name once")
    roots = _root(between, len(markers), "between"), _root(within, len(markers), "within")
    pieces = [
        _let_in(markers, roots, rng, min(PIECE, people - done)) for done in range(0, people, PIECE)
    ]
    before = np.concatenate([each[0] for each in pieces], axis=1)
    after = np.concatenate([each[1] for each in pieces], axis=1)
    patients = before.shape[1]
    if patients < 2:
        raise ValueError(
            f"markers: {patients} of {people} people simulated are let in; expected at least 2; "
            "look at the thresholds, or simulate more people"
        )
    share = patients / people
    return Selection(
        markers=tuple(
            _course(marker, x, y) for marker, x, y in zip(markers, before, after, strict=True)
        ),
        eligible=share,
        eligible_error=math.sqrt(share * (1 - share) / people),
        patients=patients,
    )


def _let_in(
    markers: Sequence[Marker],
    roots: tuple[FloatArray, FloatArray],
    rng: np.random.Generator,
    n: int,
) -> tuple[FloatArray, FloatArray]:
    """Return readings before and after of those let in among ``n`` people, one row per marker."""
    shape = (len(markers), n)
    between, within = roots
    level, first, second = (root @ rng.standard_normal(shape) for root in (between, within, within))
    before, after = np.empty(shape), np.empty(shape)
    is_in = np.zeros(n, dtype=bool)
    for row, marker in enumerate(markers):
        history = marker.history
        mid = history.mean + history.sd * math.sqrt(history.rho) * level[row]
        error = history.sd * math.sqrt(1 - history.rho)
        before[row] = marker.reading(mid + error * first[row])
        after[row] = marker.reading(mid + error * second[row])
        is_in |= marker.lets_in(before[row])
    return before[:, is_in], after[:, is_in]


def _course(marker: Marker, before: FloatArray, after: FloatArray) -> SelectedMarker:
    logs = marker.kind == "lognormal"
    responds = marker.responds(before, after)
    share = None if responds is None else float(np.mean(responds))
    own = None if marker.threshold is None else float(np.mean(marker.lets_in(before)))
    if logs:
        before, after = np.log(before), np.log(after)
    change, n = after - before, before.size
    mean = float(np.mean(change))
    return SelectedMarker(
        name=marker.name,
        before=float(np.mean(before)),
        change=mean,
        change_error=float(np.std(change, ddof=1)) / math.sqrt(n),
        ratio=math.exp(mean) if logs else None,
        fulfil=own,
        response=share,
        response_error=None if share is None else math.sqrt(share * (1 - share) / n),
    )


def _root(matrix: npt.ArrayLike | None, size: int, name: str) -> FloatArray:
    """Return a square root of a correlation matrix (singular ones too), or say what is wrong."""
    given = np.eye(size) if matrix is None else np.asarray(matrix, dtype=np.float64)
    expected = f"{name}: expected a correlation matrix of {size} by {size} markers"
    if given.shape != (size, size) or not np.isfinite(given).all():
        raise ValueError(f"{expected}; found shape {given.shape} or a number that is not finite")
    if not (np.allclose(given, given.T) and np.allclose(np.diag(given), 1)):
        raise ValueError(f"{expected}, symmetric with 1 on the diagonal; found {given.tolist()}")
    values, vectors = np.linalg.eigh(given)
    if values[0] < -1e-10:
        raise ValueError(
            f"{expected}; found one that no markers can have (its smallest eigenvalue is "
            f"{values[0]:.3g}); are the correlations between -1 and 1 and compatible?"
        )
    root: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0))
    return root
