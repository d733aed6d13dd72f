"""What was found as plain values for a program: the structure that docs/reported.md describes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from onearm.recheck.checks import TEST_NAMES, Findings, Recheck, TestAt
from onearm.recheck.words import economical, numbers_in_words, p_in_words, shared_words
from onearm.stats.reported import ImpliedChange, Printed, Range, Summary
from onearm.stats.reported.construction import LABEL


def facts(recheck: Recheck) -> dict[str, Any]:
    """Return everything that was found; fractions as numbers, open ends and unknowns as None."""
    report = recheck.report
    return {
        "report": {
            "id": report.id,
            "title": report.title,
            "citation": report.citation,
            "url": report.url,
        },
        "notice": f"Pairs under 'constructed' are {LABEL}.",
        "results": [_result(f) for f in recheck.findings],
        "together": {
            "words": shared_words(recheck),
            "tests": [{"test": test, "cost": cost} for test, cost in recheck.shared],
        },
    }


def _result(f: Findings) -> dict[str, Any]:
    r = f.result
    bare = replace(f, constructed=())  # pairs are for the sidedness that the report means
    return {
        "id": r.id,
        "label": r.label,
        "unit": r.unit,
        "n": r.n,
        "also": list(r.also),
        "scale": {
            "values": r.values,
            "step": _plain(r.scale.step),
            "low": _plain(r.scale.low),
            "high": _plain(r.scale.high),
        },
        "printed": {
            **{g: _summary(getattr(r, g)) for g in ("once", "before", "after", "change")},
            "percent": _printed(r.percent),
            "count": r.count,
            "p": _printed(r.p),
            "test": r.test,
            "one_sided": r.one_sided,
        },
        "consistent": not f.broken,
        "excluded_n": list(f.excluded_n),
        "grim": [
            {
                "place": m.place,
                "printed": m.printed.text,
                "possible": m.at_n.possible,
                "totals": list(m.at_n.totals),
                "possible_n": list(m.possible_n),
                "impossible_n": list(m.impossible_n),
            }
            for m in f.means
        ],
        "grimmer": [
            {
                "place": j.place,
                "by_n": [
                    {
                        "n": n,
                        "possible": at.possible,
                        "proof": at.proof,
                        "sds": [sd * float(r.scale.step or 1) for sd in at.sds()] if n > 1 else [],
                    }
                    for n, at in j.by_n.items()
                ],
            }
            for j in f.joints
        ],
        "relations": [
            {
                "place": x.place,
                "id": x.limit.id,
                "possible": x.limit.possible,
                "words": x.limit.words,
            }
            for x in f.limits
        ],
        "tests": [_test(t, f) for t in f.tests],
        "other_sided": [_test(t, bare) for t in f.other_sided],
        "not_used": list(f.unused),
        "p_at_correlation": [{"r": rho, "p": p} for rho, p in f.at_correlations],
        "p_from_change": _range(f.p_from_change),
        "readings": [{"test": r.test, "cost": r.cost} for r in f.readings],
        "searched": list(f.searched),
        "constructed": [
            {
                "label": c.label,
                "test": c.test,
                "p_two_sided": c.pvalue,
                "before": list(c.before),
                "after": list(c.after),
                "correlation": c.correlation,
                "hits": c.hits,
                "tried": c.tried,
            }
            for c in f.constructed
        ],
        "words": [*numbers_in_words(f), *p_in_words(f)],
        "reading": economical(f) if f.tests and r.n > 1 else "",
    }


def _test(t: TestAt, f: Findings) -> dict[str, Any]:
    a = t.attainable
    return {
        "test": t.test,
        "name": TEST_NAMES[t.test],
        "n": t.n,
        "verdict": a.verdict,
        "proof": f.proof(t),
        "sets_of_changes": t.sets,
        "patterns": a.patterns,
        "p_below": a.below,
        "p_above": a.above,
        "untied_p_below": a.untied_below,
        "untied_p_above": a.untied_above,
        "witness": None
        if a.witness is None
        else {
            "p_two_sided": a.witness.pvalue,
            "statistic": a.witness.statistic,
            "unchanged": a.witness.n_zero,
            "ties": list(a.witness.ties),
            "against": a.witness.against,
        },
        "p": _range(t.computed),
        "implied": _implied(t.implied),
        "implied_by_whole_numbers": _implied(t.narrowed),
    }


def _implied(i: ImpliedChange | None) -> dict[str, Any] | None:
    if i is None:
        return None
    return {
        "mean_change": _range(i.mean),
        "t": _range(i.statistic),
        "sd_of_change": _range(i.sd),
        "correlation": _range(i.correlation),
        "conf_level": i.conf_level,
        "lower": _range(i.lower),
        "upper": _range(i.upper),
        "chance_of_so_low_a_correlation_when_there_is_none": i.reversal,
    }


def _range(r: Range | None) -> dict[str, float | None] | None:
    if r is None:
        return None
    return {key: _plain(getattr(r, key)) for key in ("nominal", "lower", "upper")}


def _printed(p: Printed | None) -> dict[str, Any] | None:
    if p is None:
        return None
    return {"text": p.text, "lower": _plain(p.lower), "upper": _plain(p.upper)}


def _summary(s: Summary) -> dict[str, str] | None:
    texts = {key: printed.text for key, printed in vars(s).items() if printed is not None}
    return texts or None


def _plain(value: Any) -> float | None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return float(value)
