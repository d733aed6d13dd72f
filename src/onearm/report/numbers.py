"""How numbers are printed: rounding half up in decimal, a true minus sign, P values, intervals."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

from onearm.units import unit_words

_LONG = Context(prec=400)  # a number of any size keeps all its digits
MINUS, DASH, THIN = "\u2212", "\u2013", "\u202f"


def rounded(value: float, decimals: int) -> str:
    """A number with fixed decimals, rounded half up as people do, with an ASCII minus.

    >>> rounded(2.25, 1)
    '2.3'
    """
    quantum = Decimal(1).scaleb(-decimals)
    text = str(Decimal(repr(float(value))).quantize(quantum, ROUND_HALF_UP, _LONG))
    return text.removeprefix("-") if float(text) == 0 else text


def number(value: float | None, decimals: int = 1) -> str:
    """A number for people; a dash when it is not known."""
    return DASH if value is None else rounded(value, decimals).replace("-", MINUS)


def mean_sd(mean: float | None, sd: float | None, decimals: int = 1) -> str:
    """``15.4 ± 5.8``; the mean alone when there is no SD, a dash when there is no mean."""
    if mean is None or sd is None:
        return number(mean, decimals)
    return f"{number(mean, decimals)} ± {number(sd, decimals)}"


def p_value(p: float | None) -> str:
    """A P value: four decimals below 0.1, three above; more where it would be rounded onto 0.05."""
    if p is None:
        return DASH
    if p < 0.0001:
        return "< 0.0001"
    decimals = 4 if p < 0.1 else 3
    while p != 0.05 and float(rounded(p, decimals)) == 0.05 and decimals < 9:
        decimals += 1
    return rounded(p, decimals)


def p_clause(p: float | None) -> str:
    """``P = 0.014`` or ``P < 0.0001``."""
    text = p_value(p)
    return f"P {text}" if text.startswith("<") else f"P = {text}"


def interval(lower: float | None, upper: float | None, decimals: int = 1) -> str:
    """An interval in words; an infinite end is said."""
    if lower is None or upper is None:
        return DASH
    low = "no lower limit" if lower == float("-inf") else number(lower, decimals)
    high = "no upper limit" if upper == float("inf") else number(upper, decimals)
    return f"{low} to {high}"


def percent(share: float | None, decimals: int = 1) -> str:
    """A share as a percentage."""
    return DASH if share is None else f"{number(100 * share, decimals)}{THIN}%"


def count_percent(count: int, of: int) -> str:
    """``8 (88.9 %)``."""
    return f"{count} ({percent(count / of)})" if of else f"{count}"


def cells(value: float | None) -> str:
    """A number of cells in millions: ``58.6 × 10⁶``."""
    return DASH if value is None else f"{number(value / 1e6, 1)}{THIN}×{THIN}10⁶"


def ranges(seqs: tuple[int, ...]) -> list[tuple[int, int]]:
    """Runs of consecutive sequence numbers: (3, 4, 5, 9) is [(3, 5), (9, 9)]."""
    runs: list[tuple[int, int]] = []
    for seq in seqs:
        if runs and seq == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    return runs


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return (
        words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
    )


def unit_text(unit: str | None) -> str:
    """A unit for people; ``points`` is the unit of a score and no UCUM unit."""
    return "points" if unit == "points" else unit_words(unit or "")
