"""Values before and after, some of the latter missing; and the words for who is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import FloatArray, as_numbers, to_floats


@dataclass(frozen=True)
class Pairs:
    """All values before; the changes of the observed; which are missing."""

    before: FloatArray
    change: FloatArray
    is_missing: npt.NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Number of patients."""
        return int(self.before.size)

    @property
    def n_missing(self) -> int:
        """Number of patients without follow-up."""
        return int(self.is_missing.sum())


def read_pairs(before: npt.ArrayLike, after: npt.ArrayLike, *, least: int) -> Pairs:
    """Read values before and after; ValueError unless ``least`` patients have both."""
    first, second = as_numbers(before, "before"), to_floats(after, "after")
    if first.size != second.size:
        raise ValueError(
            f"before, after: found {first.size} and {second.size} values; expected one of each "
            "per patient, in the same order, None where the follow-up is missing"
        )
    if np.any(np.isinf(second)):
        at = int(np.flatnonzero(np.isinf(second))[0])
        raise ValueError(f"after[{at}]: {second[at]} is not a finite number; expected one, or None")
    is_missing = np.isnan(second)
    pairs = Pairs(first, (second - first)[~is_missing], is_missing)
    if pairs.change.size < least:
        raise ValueError(
            f"after: found {pairs.change.size} of {pairs.n} patients with a follow-up value; "
            f"expected at least {least}; fewer say nothing about a change"
        )
    return pairs


def one_number(value: float, name: str) -> float:
    """Return one finite number, or say under its name why it is none."""
    return float(as_numbers([value], name)[0])


def patients(pairs: Pairs) -> str:
    """Write how many patients have no follow-up."""
    return f"{pairs.n_missing} patient{'s' * (pairs.n_missing != 1)}"


def nobody_missing(pairs: Pairs) -> str:
    """Write that nobody is missing; an empty text where somebody is."""
    return "" if pairs.n_missing else "Nobody is missing, so nothing is assumed."
