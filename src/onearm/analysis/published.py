"""Published numbers beside what the records give: a path names a result, the result is compared as printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onearm.analysis.longitudinal import Longitudinal
from onearm.analysis.outcomes import Outcome
from onearm.safety import AdverseEvent, count_events
from onearm.stats import describe

if TYPE_CHECKING:
    from onearm.analysis.results import Results


@dataclass(frozen=True)
class PublishedCheck:
    """A published number beside what the records give.

    ``agrees``: the value rounded half up to the published decimals is the published one; None when the
    study file names no way to it or the records do not hold it.
    """

    text: str
    value: str
    computed: float | None
    agrees: bool | None
    shown: str
    href: str


def published_checks(results: Results) -> tuple[PublishedCheck, ...]:
    """Every number of the study file's ``published`` list against these records."""
    return tuple(
        _published_check(results, n.text, n.value, n.from_) for n in results.study.published.numbers
    )


def _published_check(results: Results, text: str, value: str, path: str | None) -> PublishedCheck:
    computed, href = resolve(results, path) if path else (None, "")
    if computed is None:
        return PublishedCheck(text, value, None, None, "–", "")
    decimals = len(value.partition(".")[2])
    agrees = round_half_up(computed, decimals) == value
    shown = round_half_up(computed, decimals + (0 if float(computed).is_integer() else 2))
    return PublishedCheck(text, value, computed, agrees, shown, href)


def round_half_up(value: float, decimals: int) -> str:
    """Decimal rounding as people and papers do it: 2.25 to 2.3."""
    from decimal import ROUND_HALF_UP, Context, Decimal

    quantum, long = Decimal(1).scaleb(-decimals), Context(prec=400)
    return str(Decimal(repr(float(value))).quantize(quantum, ROUND_HALF_UP, long))


def resolve(results: Results, path: str) -> tuple[float | None, str]:
    """The number a path names (``primary.sledai.before.mean``) and the report's anchor for it.

    Paths: ``subjects.treated``; ``subjects.ITEM.median|mean|sd|minimum|maximum``;
    ``subjects.ITEM.CHOICE.percent|count``; ``ANALYSIS.before|after|change.STATISTIC``; ``ANALYSIS.p`` and
    ``ANALYSIS.published.p``; ``ANALYSIS.VISIT.change|lower|upper|p|mean|n`` of a longitudinal model;
    ``ANALYSIS.responders.count|percent``; ``safety.TERM.subjects|percent`` with
    ``any``, ``serious`` and ``other`` (not among the expected terms) in place of a term.
    """
    head, _, rest = path.partition(".")
    if head == "subjects":
        return _resolve_subjects(results, rest.split("."))
    if head == "safety":
        return _resolve_safety(results, rest.split("."))
    found = [a for a in results.study.analyses if path.startswith(a.id + ".")]
    if not found:
        return None, ""
    analysis = max(found, key=lambda a: len(a.id))
    outcome = results.main(analysis.id)
    return _resolve_outcome(outcome, path[len(analysis.id) + 1 :].split(".")), f"#from-{outcome.id}"


def _resolve_subjects(results: Results, parts: list[str]) -> tuple[float | None, str]:
    records = results.data.records
    if parts == ["treated"]:
        return float(len(records.treated)), "#from-flow"
    data = [records.latest(s, parts[0]) for s in records.treated]
    known = [d.value for d in data if d is not None and d.value is not None]
    href = f"#from-char-{parts[0]}"
    if len(parts) == 2:
        description = describe([float(v) for v in known if isinstance(v, float)])
        return getattr(description, parts[1], None), href
    if len(parts) == 3 and known:
        wanted = {"yes": True, "no": False}.get(parts[1], parts[1])
        count = sum(v == wanted or v == parts[1] for v in known)
        return (100 * count / len(known) if parts[2] == "percent" else float(count)), href
    return None, ""


def _resolve_safety(results: Results, parts: list[str]) -> tuple[float | None, str]:
    if len(parts) != 2:
        return None, ""
    treated = results.data.records.treated
    if not treated:
        return None, ""  # nobody could have an event: 0 of 0 reproduces nothing
    expected = {e.term.casefold() for e in results.study.safety.expected}
    tests: dict[str, Callable[[AdverseEvent], bool]] = {
        "any": lambda e: True,
        "serious": lambda e: e.serious is not False,
        "other": lambda e: e.term.casefold() not in expected,
    }

    def of_term(event: AdverseEvent) -> bool:
        return event.term.casefold() == parts[0].casefold()

    test = tests.get(parts[0], of_term)
    events = [e for e in results.events if e.emergent is not False and test(e)]
    row = count_events(parts[0], events, treated)
    if parts[1] == "percent":
        return 100 * row.subjects / row.of, "#from-safety"
    return (float(row.subjects) if parts[1] == "subjects" else None), "#from-safety"


def _resolve_outcome(outcome: Outcome, parts: list[str]) -> float | None:
    if parts == ["p"]:
        return outcome.pvalue
    if parts == ["published", "p"]:
        return outcome.published
    if len(parts) == 2 and outcome.comparison and parts[0] in ("before", "after", "change"):
        value = getattr(getattr(outcome.comparison, parts[0]), parts[1], None)
        return None if value is None else float(value)
    if len(parts) == 2 and outcome.longitudinal:
        return _resolve_visit(outcome.longitudinal, *parts)
    if len(parts) == 2 and outcome.responders and parts[0] == "responders":
        count = len(outcome.responders.responders)
        known = outcome.responders.known
        return float(count) if parts[1] == "count" else (100 * count / known if known else None)
    return None


def _resolve_visit(model: Longitudinal, visit: str, statistic: str) -> float | None:
    """A number of one visit of a longitudinal model; None where there is none by this name."""
    at = model.at(visit)
    if at is None:
        return None
    found: dict[str, float | None] = {"n": float(at.n)}
    if at.mean:
        found["mean"] = at.mean.estimate
    if at.change:
        line = at.change.line
        found |= {"change": line.estimate, "lower": line.lower, "upper": line.upper}
        found["p"] = at.change.pvalue
    return found.get(statistic)
