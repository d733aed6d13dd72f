"""Differences read as the decimal numbers they stand for, so that binary noise decides no rank.

``53.5 - 46.4`` is 7.100000000000001 in binary floating point and does not equal ``7.1``; a rank
test that compares the raw values splits a tie that the laboratory sheet shows plainly, and its P
value moves. Every test in this package therefore reads its differences through
:func:`decimal_multiples`, by one rule:

1. Whole numbers are compared as they are.
2. Where every difference is a multiple of one power of ten (with at most 13 significant digits,
   to within one part in 10**9 of itself and a thousandth of that power), the differences *are*
   those decimals.
3. Where they are not (logarithms, means of three readings), absolute differences that agree to one
   part in 10**11 are equal.

Under 2 and 3 a difference smaller than 10**-11 of the largest one is zero. The rule is relative:
it gives the same ties in g, mg or ng, in units of 1e-12 or of 1e12.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

Alternative = Literal["two-sided", "less", "greater"]
Zeros = Literal["wilcoxon", "pratt"]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Sized = TypeVar("Sized", float, FloatArray)

#: Two absolute differences are equal when they agree to this part of themselves (rule 3).
NOISE = 1e-11
#: A difference is a decimal when it lies this close, relatively, to a multiple of a power of ten...
DECIMAL = 1e-9
#: ... and this close in units of that power of ten (rule 2).
DECIMAL_UNITS = 1e-3
#: Decades below the largest difference searched for its last decimal (rule 2).
DECADES = 12
#: Decades kept where the differences are not decimals: all that fits in 64 bits four times over.
FINEST = 17
#: Decades below the largest difference in which noise cannot hide a last decimal, ...
PLAIN_DECADES = 4
#: ... for up to so many differences, ...
PLAIN_SIZE = 20_000
#: ... and where they do not end in that decade, one lies at least this far from a multiple of it.
PLAIN_DISTANCE = 0.05
#: Numbers above this are refused: their sums and spreads would overflow.
LARGEST = 1e305
#: Whole numbers up to here are exact in binary floating point.
EXACT_WHOLE = 2.0**53


@dataclass(frozen=True)
class DecimalMultiples:
    """Differences as whole multiples of a power of ten.

    ``multiples`` are 64-bit integers, one per difference and in the same order; the difference is
    ``multiples * 10**exponent``. Ties, zeros and sums of differences are exact in them.
    """

    multiples: IntArray
    exponent: int

    def value(self, multiple: int, divisor: int = 1) -> float:
        """Return ``multiple * 10**exponent / divisor`` as the nearest floating-point number."""
        if self.exponent >= 0:
            return float(multiple * 10**self.exponent / divisor)
        return float(multiple / (divisor * 10**-self.exponent))


def as_numbers(values: npt.ArrayLike, name: str) -> FloatArray:
    """Return finite numbers as a one-dimensional array, or say which value is not one.

    Parameters
    ----------
    values
        A list or array of numbers, one per patient. Booleans and texts are refused.
    name
        What the caller's user called the argument; it begins every message.

    Raises
    ------
    ValueError
        If the values are not a single row of finite numbers. Missing values (NaN, None) are
        refused: which patients count is a decision of the analysis, not of a test.
    """
    numbers = to_floats(values, name)
    if not np.isfinite(numbers).all():
        at = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise ValueError(
            f"{name}[{at}]: {numbers[at]} is not a finite number; expected one number per patient; "
            "leave out patients whose value is missing, and report how many they are"
        )
    return numbers


def to_floats(values: npt.ArrayLike, name: str) -> FloatArray:
    """Return values as a one-dimensional float array; None and masked values become NaN.

    Texts are refused.
    """
    if np.ma.isMaskedArray(
        values
    ):  # asarray would drop the mask, and take what it hides as measured
        values = np.where(np.ma.getmaskarray(values), np.nan, np.ma.getdata(values))
    raw = np.asarray(values)
    if raw.ndim != 1:
        raise ValueError(
            f"{name}: found an array of {raw.ndim} dimensions; expected one row of numbers, "
            "one per patient"
        )
    if raw.dtype.kind not in "iufO" and raw.size:
        raise ValueError(f"{name}: found {raw.dtype} values; expected numbers, one per patient")
    try:
        numbers: FloatArray = raw.astype(np.float64) + 0.0  # which turns -0.0 into 0.0
    except (TypeError, ValueError, OverflowError) as fault:
        raise ValueError(f"{name}: {fault}; expected numbers, one per patient") from None
    size = np.abs(numbers)
    if not (size <= LARGEST).all():
        too_large = np.isfinite(numbers) & (size > LARGEST)
        if np.any(too_large):
            raise ValueError(
                f"{name}: found {numbers[too_large][0]:g}; expected numbers up to {LARGEST:g}, "
                "beyond which sums overflow; choose a larger unit"
            )
    return numbers


def as_differences(diff: npt.ArrayLike, *, least: int = 1) -> FloatArray:
    """Return differences (after minus before) as an array of at least ``least`` finite numbers.

    Single precision is refused: its seven digits cannot tell a tie from a near miss.
    """
    kind = getattr(diff, "dtype", np.dtype(np.float64))
    if isinstance(kind, np.dtype) and kind.kind == "f" and kind.itemsize < 8:
        raise ValueError(
            f"diff: found {kind} values; expected double precision (float64), in which ties can be "
            "told; convert before and after to float64 before subtracting them"
        )
    numbers = as_numbers(diff, "diff")
    if numbers.size < least:
        raise ValueError(
            f"diff: found {numbers.size} differences; expected at least {least}, one per patient"
        )
    return numbers


def mean_and_sd(values: FloatArray) -> tuple[float, float]:
    """Return mean and standard deviation (n - 1) of two or more values.

    The sums are rounded once, so the order of the patients cannot show in the last digit; the
    values are scaled by a power of two, which is exact, so that squares of very large or very small
    ones neither overflow nor vanish.
    """
    power = -math.frexp(float(np.max(np.abs(values))))[1]
    scaled = np.ldexp(values, power)
    mean = math.fsum(scaled) / values.size
    sd = math.sqrt(math.fsum((scaled - mean) ** 2) / (values.size - 1))
    return math.ldexp(mean, -power), math.ldexp(sd, -power)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name}: {value!r} is not known; expected one of {', '.join(choices)}")


def check_level(conf_level: float) -> None:
    """Raise ValueError unless ``conf_level`` lies strictly between 0 and 1."""
    if not 0 < conf_level < 1:
        raise ValueError(f"conf_level: found {conf_level}; expected a number between 0 and 1")


def decimal_multiples(diff: FloatArray) -> DecimalMultiples:
    """Read differences as whole multiples of one power of ten, by the rule of this module.

    Parameters
    ----------
    diff
        Finite differences, shape (n,), any unit and any scale.

    Returns
    -------
    DecimalMultiples
        Equal differences have equal multiples, opposite differences opposite ones, and a
        difference that is zero under the rule has the multiple 0.
    """
    size = np.abs(diff)
    largest = float(size.max(initial=0.0))
    if largest == 0.0:
        return DecimalMultiples(np.zeros(diff.size, np.int64), 0)
    if largest < EXACT_WHOLE and (diff == np.rint(diff)).all():
        return DecimalMultiples(diff.astype(np.int64), 0)
    decade = math.floor(math.log10(largest))
    size[size <= NOISE * largest] = 0.0
    if (plain := _plain_decimals(size, decade)) is not None:
        nearest, decimals = plain
        return DecimalMultiples(_signed(nearest, diff), decade - decimals)
    size = _without_noise(size)
    largest = float(size.max())
    for decimals in range(DECADES + 1):
        unit = _times_power_of_ten(largest, decimals - decade)
        if abs(unit - round(unit)) > DECIMAL_UNITS:
            continue
        # Brought to the size of one before anything else, so that 1e-300 and 1e300 behave alike.
        units = _times_power_of_ten(size, decimals - decade)
        nearest = np.rint(units)
        allowed = np.minimum(DECIMAL_UNITS, DECIMAL * units)
        if np.all(np.abs(units - nearest) <= allowed):
            return DecimalMultiples(_signed(nearest, diff), decade - decimals)
    finest = np.rint(_times_power_of_ten(size, FINEST - decade))
    return DecimalMultiples(_signed(finest, diff), decade - FINEST)


def _signed(multiples: FloatArray, diff: FloatArray) -> IntArray:
    """Give whole multiples the signs of the differences."""
    return np.copysign(multiples, diff).astype(np.int64)


def _plain_decimals(size: FloatArray, decade: int) -> tuple[FloatArray, int] | None:
    """Return the multiples and their decimals where a few decimals fit beyond doubt, or None.

    It is the rule's answer without the search for noise, which costs more than the test of twenty
    patients. With so few decimals noise moves a difference by less than ``PLAIN_DISTANCE``, and
    two differences near one multiple stay near it; where that leaves a doubt, None is the answer.
    """
    if size.size > PLAIN_SIZE:
        return None
    largest = float(size.max())
    for decimals in range(PLAIN_DECADES + 1):
        # One number alone rules out most decades, without the overhead of arrays.
        unit = _times_power_of_ten(largest, decimals - decade)
        if abs(unit - round(unit)) > PLAIN_DISTANCE:
            continue
        units = _times_power_of_ten(size, decimals - decade)
        nearest = np.rint(units)
        off = np.abs(units - nearest)
        farthest = off.max()
        if farthest <= DECIMAL_UNITS and (off <= DECIMAL * units).all():
            return nearest, decimals
        if farthest <= PLAIN_DISTANCE:
            return None
    return None


def _without_noise(size: FloatArray) -> FloatArray:
    """Give absolute differences that agree to within the noise one common value."""
    order = np.argsort(size, kind="stable")
    ordered = size[order]
    is_new = np.ones(size.size, dtype=bool)
    is_new[1:] = np.diff(ordered) > NOISE * ordered[1:]
    common = np.empty_like(size)
    common[order] = ordered[is_new][np.cumsum(is_new) - 1]
    return common


def _times_power_of_ten(values: Sized, power: int) -> Sized:
    """Multiply by ``10**power`` with one rounding where the power is exact, and no overflow."""
    if power < -22:  # 10**22 is the largest power of ten that is exact in binary
        return _times_power_of_ten(values / 1e22, power + 22)
    if power > 22:
        return _times_power_of_ten(values * 1e22, power - 22)
    return values / 10.0**-power if power < 0 else values * 10.0**power
