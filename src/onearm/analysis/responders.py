"""Responders by a rule of the study file, with exact bounds for those who are not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onearm.datasets import Pair
from onearm.stats import Interval, clopper_pearson
from onearm.study.rules import parse_rule


@dataclass(frozen=True)
class Responders:
    """Responders among the treated.

    ``known`` of the treated could be judged; ``interval`` is the exact interval among them. ``unknown``
    subjects are named, and ``worst`` and ``best`` count them as failures and as responders.
    """

    responders: tuple[str, ...]
    known: int
    unknown: tuple[str, ...]
    interval: Interval | None
    worst: Interval | None
    best: Interval | None


def find_responders(rule: str, pairs: Sequence[Pair], conf_level: float) -> Responders:
    """Count who responds by a rule over AVAL, BASE, CHG and PCHG."""
    parsed = parse_rule(rule, dict.fromkeys(("AVAL", "BASE", "CHG", "PCHG"), "number"))
    truths = {
        p.subject: parsed.evaluate(
            {
                "AVAL": p.after,
                "BASE": p.before,
                "CHG": p.change,
                "PCHG": 100 * p.change / p.before if p.change is not None and p.before else None,
            }
        )
        for p in pairs
    }
    yes = tuple(s for s, t in truths.items() if t is True)
    unknown = tuple(s for s, t in truths.items() if t is None)
    known, of = len(truths) - len(unknown), len(truths)

    def exact(x: int, n: int) -> Interval | None:
        return clopper_pearson(x, n, conf_level=conf_level) if n else None

    return Responders(
        yes,
        known,
        unknown,
        exact(len(yes), known),
        exact(len(yes), of),
        exact(len(yes) + len(unknown), of),
    )
