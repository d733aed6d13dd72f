"""Rules over recorded values in three-valued logic: missing makes a rule unknown, never false.

The language is a small part of Python's grammar, read by Python's own parser and translated here;
nothing is ever run as Python. ``docs/rules.md`` is its reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from onearm.study.rules.reading import RESERVED, Fault, RuleError, read_sentence
from onearm.study.rules.sentence import Joined, Phrase, Truth
from onearm.study.rules.telling import tell
from onearm.study.rules.truth import Explanation, explain, truth_of

__all__ = ["RESERVED", "Explanation", "Fault", "Rule", "RuleError", "Truth", "parse_rule"]


@dataclass(frozen=True)
class Rule:
    """A condition over recorded values, read and checked.

    Attributes
    ----------
    text
        The rule as written.
    names
        Every name it uses, each once, in the order of first use.
    """

    text: str
    names: tuple[str, ...]
    _root: Phrase

    def evaluate(self, values: Mapping[str, object | None]) -> Truth:
        """Truth of the rule over these values: True, False, or None for unknown.

        Parameters
        ----------
        values
            Value of each name. None, NaN or no entry at all means missing. Numbers may be numbers
            or their text; yes or no may be a bool or the text ``yes`` / ``no``; dates may be a
            ``datetime.date`` or ISO 8601 text (a partial date is missing). A score known only by
            its bounds (anything with ``lower`` and ``upper``) counts as every number between them,
            so a rule is true or false when all of them agree and unknown otherwise.

        Raises
        ------
        TypeError
            A value is of another type than the study file declares for its name.
        """
        return truth_of(self._root, values)

    def explain(self, values: Mapping[str, object | None]) -> Explanation:
        """Truth of the rule and of each of its parts; values as in :meth:`evaluate`."""
        return explain(self._root, values)

    def words(
        self, labels: Mapping[str, str] | None = None, units: Mapping[str, str] | None = None
    ) -> str:
        """Write the rule in words, AND and OR in capitals.

        Parameters
        ----------
        labels
            Name to label; a name without one stands as it is.
        units
            Name to unit in words (``g/24 h``), written after the numbers compared with it.
        """
        return tell(self._root, labels or {}, units or {}, 0)

    def clauses(
        self, labels: Mapping[str, str] | None = None, units: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """Write the rule in words, one line for each part of its outermost AND or OR.

        Every line but the first begins with ``AND`` or ``OR``; see :meth:`words`.
        """
        root = self._root
        if not isinstance(root, Joined):
            return (self.words(labels, units),)
        parts = [tell(part, labels or {}, units or {}, 1) for part in root.parts]
        return (parts[0], *(f"{root.operator} {part}" for part in parts[1:]))


def parse_rule(text: str, types: Mapping[str, str | Sequence[str]]) -> Rule:
    """Read a rule and check it against the types of the names it may use.

    Parameters
    ----------
    text
        The rule, for example ``UPROT24H > 1.0 or URBC > 10 or CELLCAST``.
    types
        What each permitted name is: ``"number"`` (also ``"quantity"``, ``"integer"``), ``"text"``,
        ``"choice"``, ``"yesno"``, ``"date"``, or a list of the values a choice may take.

    Raises
    ------
    RuleError
        With every fault found: unknown names (with the nearest one), types that do not agree,
        values that a choice cannot take, and anything outside the language.
    """
    # A list may come in as such; the cache below needs something that cannot change.
    fixed = tuple((n, t if isinstance(t, str) else tuple(t)) for n, t in types.items())
    return _read(text, fixed)


@lru_cache(maxsize=1024)
def _read(text: str, types: tuple[tuple[str, str | tuple[str, ...]], ...]) -> Rule:
    root, names = read_sentence(text, dict(types))
    return Rule(text, names, root)
