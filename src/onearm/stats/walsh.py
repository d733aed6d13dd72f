"""The n(n+1)/2 pairwise sums of n values, counted and selected without being listed.

Half of such a sum is a Walsh average. Sorted values make a matrix of sums that ascends along rows
and columns; counting those up to a bound takes n binary searches, and an order statistic is found
by narrowing bounds until few sums are left between them (the idea of Johnson DB, Mizoguchi T (1978)
SIAM J Comput 7:147-153 and Monahan JF (1984) ACM Trans Math Softw 10:265-270). Time grows as
n log n times the number of narrowings, memory as n.
"""

from __future__ import annotations

import numpy as np

from onearm.stats.differences import IntArray

#: So many sums between two bounds are listed and sorted, rather than narrowed further.
FEW_SUMS = 5000


class WalshSums:
    """The sums of all pairs of whole numbers, each with itself too, as if in ascending order.

    Parameters
    ----------
    values
        At least one whole number, each below 2**61 in size, in any order.
    """

    def __init__(self, values: IntArray) -> None:
        self.values = np.sort(values)
        self.size = values.size * (values.size + 1) // 2
        self.smallest, self.largest = 2 * int(self.values[0]), 2 * int(self.values[-1])
        # Sums above one bound and up to another, listed when one of them was last asked for.
        self._listed = np.empty(0, dtype=np.int64)
        self._from = 0

    def up_to(self, bound: int) -> int:
        """Return how many sums are at most ``bound``."""
        if self._listed.size and self._listed[0] <= bound < self._listed[-1]:
            return self._from + int(self._listed.searchsorted(bound, "right"))
        if bound < self.smallest:
            return 0
        if bound >= self.largest:
            return self.size
        pairs = int(self.values.searchsorted(bound - self.values, "right").sum())
        of_themselves = int(self.values.searchsorted(bound // 2, "right"))
        return (pairs + of_themselves) // 2

    def __getitem__(self, place: int) -> int:
        """Return the sum with ``place`` sums before it in ascending order."""
        if not self._from <= place < self._from + self._listed.size:
            low, high = self.smallest - 1, self.largest
            before, up_to = 0, self.size
            while up_to - before > max(FEW_SUMS, 4 * self.values.size):
                if high - low == 1:
                    return high
                middle = (low + high) // 2
                count = self.up_to(middle)
                if count > place:
                    high, up_to = middle, count
                else:
                    low, before = middle, count
            self._listed, self._from = self._between(low, high), before
        return int(self._listed[place - self._from])

    def _between(self, low: int, high: int) -> IntArray:
        """List the sums above ``low`` and up to ``high`` in ascending order."""
        first = self.values.searchsorted(low - self.values, "right")
        first = np.maximum(first, np.arange(self.values.size))
        number = np.maximum(self.values.searchsorted(high - self.values, "right") - first, 0)
        # Row i takes the columns first[i], first[i] + 1, ...: number[i] of them.
        columns = np.arange(int(number.sum())) + np.repeat(
            first - np.cumsum(number) + number, number
        )
        sums: IntArray = np.repeat(self.values, number) + self.values[columns]
        sums.sort()
        return sums
