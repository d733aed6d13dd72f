"""Numbers as they are printed: a text, and every true value that could have been printed so."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal

Relation = Literal["=", "<", ">", "<=", ">="]

_PRINTED = re.compile(r"(<=|>=|[<>=≤≥])?\s*([-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)")
_RELATIONS: dict[str, Relation] = {
    "": "=", "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "≤": "<=", "≥": ">=",
}  # fmt: skip
#: A computed value this close to a limit, relatively, lies on it: binary noise decides nothing.
NOISE = Fraction(1, 10**12)
#: Digits a printed number may have; more is no printed number but a mistake.
LONGEST = 30
#: Numbers from here on, and decimals beyond these, are refused: they would overflow later.
LARGEST, FINEST = Decimal("1e15"), 100


@dataclass(frozen=True)
class Printed:
    """A number as printed and the interval of true values that could stand behind it.

    Attributes
    ----------
    text
        As printed: ``"6.0"`` is not ``"6"``.
    value
        The number itself, exactly.
    decimals
        Printed decimals; below zero for a number such as ``"1e3"``.
    relation
        ``"="`` for a rounded number, otherwise the sign printed before it.
    lower, upper
        Limits of the true value; None where there is none. A rounded number reaches half a unit of
        its last decimal to both sides, both ends included: rounding half up and half to even are
        admitted alike, and programs that round the binary value (0.15 to 0.1).
    open_lower, open_upper
        Whether the limit itself is left out, as in ``"< 0.001"``.
    """

    text: str
    value: Fraction
    decimals: int
    relation: Relation
    lower: Fraction | None
    upper: Fraction | None
    open_lower: bool = False
    open_upper: bool = False

    def admits(self, value: Fraction | float) -> bool:
        """Tell whether a true value could have been printed so.

        Fractions are compared exactly; floating-point values with one part in 10**12 to spare.
        """
        spare = Fraction(0)
        if not isinstance(value, Fraction):
            if not math.isfinite(value):
                return False
            value = Fraction(value)
            spare = NOISE * max(abs(value), NOISE)
        low = self.lower is None or (
            value > self.lower if self.open_lower else value >= self.lower - spare
        )
        high = self.upper is None or (
            value < self.upper if self.open_upper else value <= self.upper + spare
        )
        return low and high

    def scaled(self, factor: Fraction | int) -> Printed:
        """Return the same statement about the true value times a positive factor."""
        factor = Fraction(factor)
        return Printed(
            self.text,
            self.value * factor,
            self.decimals,
            self.relation,
            None if self.lower is None else self.lower * factor,
            None if self.upper is None else self.upper * factor,
            self.open_lower,
            self.open_upper,
        )


def read_printed(text: str, name: str = "number") -> Printed:
    """Read a number as printed, with every true value that rounds to it.

    Parameters
    ----------
    text
        Such as ``"15.4"``, ``"-0.60"``, ``"< 0.001"``, ``"1.2e-4"``. The decimals printed count.
    name
        What the number is, for the message.

    Raises
    ------
    ValueError
        If the text is no such number, or writes decimals or thousands with a comma.

    References
    ----------
    Brown NJL, Heathers JAJ (2017) Soc Psychol Personal Sci 8:363-369, on rounding in reports.

    Examples
    --------
    >>> mean = read_printed("6.0")
    >>> float(mean.lower), float(mean.upper)
    (5.95, 6.05)
    >>> read_printed("< 0.001").admits(0.001)
    False
    """
    clean = text.strip()
    match = _PRINTED.fullmatch(clean)
    if match is None or len(clean) > LONGEST:
        todo = "write the number alone, such as '15.4' or '< 0.001'"
        if "," in clean:
            todo = "write a decimal point, and thousands without a separator"
        start = text if len(text) <= 2 * LONGEST else f"{text[:LONGEST]}..."
        raise ValueError(
            f"{name}: {start!r} is not a number as printed; one number expected; {todo}"
        )
    relation = _RELATIONS[match[1] or ""]
    number = Decimal(match[2].replace("−", "-"))
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    if abs(number) >= LARGEST or exponent < -FINEST:
        raise ValueError(
            f"{name}: {text!r} is beyond what a report prints; a number below 1e15 with at most "
            f"{FINEST} decimals is expected; correct it, or choose another unit"
        )
    value = Fraction(number)
    half = Fraction(10) ** exponent / 2
    lower: Fraction | None = value - half if relation == "=" else None
    upper: Fraction | None = value + half if relation == "=" else None
    if relation in ("<", "<="):
        upper = value
    elif relation in (">", ">="):
        lower = value
    return Printed(
        clean, value, -exponent, relation, lower, upper, relation == ">", relation == "<"
    )


def read_p(text: str, name: str = "p") -> Printed:
    """Read a P value as printed; ``"0.000"`` means at most 0.0005, and P lies between 0 and 1.

    Raises
    ------
    ValueError
        If it is no number as printed, or lies outside 0 to 1.

    Examples
    --------
    >>> p = read_p("0.014")
    >>> p.admits(0.0135), p.admits(0.0145), p.admits(0.0146)
    (True, True, False)
    """
    p = read_printed(text, name)
    if not 0 <= p.value <= 1 or (p.value == 0 and p.relation == "<"):
        raise ValueError(
            f"{name}: {text!r} is not a P value; P lies between 0 and 1; correct it, or leave it out"
        )
    if p.value == 1 and p.relation == ">":
        raise ValueError(f"{name}: {text!r} is not a P value; P is at most 1; correct it")
    lower = Fraction(0) if p.lower is None or p.lower < 0 else p.lower
    upper = Fraction(1) if p.upper is None or p.upper > 1 else p.upper
    # No test of a finite sample gives P = 0 exactly, so 0 itself is never admitted.
    return Printed(
        p.text,
        p.value,
        p.decimals,
        p.relation,
        lower,
        upper,
        p.open_lower or lower == 0,
        p.open_upper,
    )


def prints_as(value: float | Fraction, printed: Printed) -> bool:
    """Tell whether a true value is printed with this text, rounding half up or half to even.

    Examples
    --------
    >>> prints_as(139 / 9, read_printed("15.4"))
    True
    """
    if printed.relation != "=":
        return printed.admits(value)
    exact = (
        Decimal(value.numerator) / Decimal(value.denominator)
        if isinstance(value, Fraction)
        else Decimal(repr(float(value)))
    )
    quantum = Decimal(1).scaleb(-printed.decimals)
    shown = {exact.quantize(quantum, rounding=how) for how in (ROUND_HALF_UP, ROUND_HALF_EVEN)}
    return any(Fraction(s) == printed.value for s in shown)
