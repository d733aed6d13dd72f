"""What was found, in words a clinician can read: numbers, tests, readings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from onearm.recheck.checks import (
    TEST_NAMES,
    Findings,
    JointCheck,
    MeanCheck,
    Reading,
    Recheck,
    TestAt,
)
from onearm.recheck.reading import TESTS, Result
from onearm.stats.reported import ImpliedChange, Printed, Range, Summary, Witness
from onearm.stats.reported.attainable import EXHAUSTIVE, MISUSED
from onearm.stats.reported.attainable import LARGEST as LARGEST_TESTED

MINUS = "\u2212"

PLACES = {"once": "", "before": " before", "after": " after", "change": " of the change"}
PARTS = {"mean": "mean", "sd": "SD", "median": "median", "minimum": "minimum", "maximum": "maximum"}
#: The tests in full, for sentences.
FULL_NAMES = {
    "signed_rank_exact": "the exact signed-rank test (Wilcoxon), unchanged patients dropped",
    "signed_rank_exact_pratt": "the exact signed-rank test by Pratt's rule",
    "sign_flip": "the exact sign-flip test of the mean",
    "sign_test": "the sign test",
    "signed_rank_normal": "the signed-rank test (Wilcoxon) by normal approximation without correction (SPSS)",
    "signed_rank_normal_cc": "the signed-rank test (Wilcoxon) by normal approximation with continuity correction "
    "(R where a zero or a tie bars its exact test)",
    "signed_rank_normal_pratt": "the signed-rank test by normal approximation, Pratt's rule",
    "signed_rank_normal_pratt_cc": "the signed-rank test by normal approximation, Pratt's rule, with "
    "continuity correction",
    "paired_t": "the paired t test",
    "unpaired_t": "the unpaired t test, a misuse",
    "welch_t": "Welch's t test, a misuse",
    "mann_whitney_exact": "the exact Mann-Whitney test, a misuse",
    "mann_whitney_normal": "the Mann-Whitney test by normal approximation, a misuse",
    "mann_whitney_normal_cc": "the Mann-Whitney test by normal approximation with correction, a misuse",
}
COUNTED = ("signed_rank_exact", "signed_rank_exact_pratt", "sign_flip")
APPROXIMATE = (
    "signed_rank_normal",
    "signed_rank_normal_cc",
    "signed_rank_normal_pratt",
    "signed_rank_normal_pratt_cc",
)


# -- numbers ---------------------------------------------------------------------------------------


def number(value: float, digits: int = 3) -> str:
    """Write a number with so many digits that count, a true minus sign and no exponent."""
    if math.isinf(value):
        return "no limit"
    if abs(value) < 1e-12:  # a difference of equal numbers
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = rounded(value, places)
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", MINUS)


def rounded(value: float, places: int) -> str:
    """Write a number with so many decimals, rounded half up as people do."""
    return f"{Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"


def p_text(p: float) -> str:
    """Write a P value with four decimals; smaller ones with two digits that count."""
    if p == 0:
        return "0"
    return rounded(p, 4) if p >= 0.001 else number(p, 2) if p >= 1e-9 else f"{p:.1e}"


def runs(numbers: Sequence[int]) -> str:
    """Write whole numbers in runs: ``5 and 7 to 12``."""
    parts: list[list[int]] = []
    for n in numbers:
        if parts and n == parts[-1][-1] + 1:
            parts[-1].append(n)
        else:
            parts.append([n])
    words = []
    for part in parts:
        words += [str(x) for x in part] if len(part) < 3 else [f"{part[0]} to {part[-1]}"]
    return listed(words)


def listed(words: Sequence[str]) -> str:
    """Write ``a``, ``a and b``, ``a, b and c``."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def patients(n: int) -> str:
    """Write ``1 patient`` or ``9 patients``."""
    return f"{n} patient{'' if n == 1 else 's'}"


def p_clause(p: Printed) -> str:
    """Write ``P = 0.014`` or ``P < 0.001``."""
    return f"P {p.text}" if p.relation != "=" else f"P = {p.text.lstrip('= ')}"


def between(r: Range, digits: int = 3) -> str:
    """Write a range ``1.38 to 1.93``."""
    if math.isinf(r.upper):
        return f"{number(r.lower, digits)} or more"
    return f"{number(r.lower, digits)} to {number(r.upper, digits)}"


def correlations(r: Range) -> str:
    """Write a range of correlations; what lies outside -1 to 1 is left out where some does not."""
    low, high = r.lower, r.upper
    if low <= 1 and high >= -1:
        low, high = max(low, -1.0), min(high, 1.0)
    return f"{_r(low)} to {_r(high)}"


def _r(value: float) -> str:
    if math.isinf(value):
        return "no limit"
    text = rounded(value, 2)
    return ("0.00" if float(text) == 0 else text).replace("-", MINUS)


# -- which numbers can be --------------------------------------------------------------------------


def sentences(f: Findings) -> list[str]:
    """Say what was found about one result, one sentence or two to a line."""
    return [*numbers_in_words(f), *p_in_words(f)]


def numbers_in_words(f: Findings) -> list[str]:
    """Say which of the printed numbers can be."""
    lines = [_mean_words(check, f.result) for check in f.means]
    lines += [_joint_words(check, f.result) for check in f.joints]
    lines += [
        f"Impossible: {_limit_words(x.place, x.limit.words)}."
        for x in f.limits
        if not x.limit.possible
    ]
    kept = sum(x.limit.possible for x in f.limits)
    if kept and kept == len(f.limits):
        lines.append(
            f"Order and spread agree: {kept} relation{'' if kept == 1 else 's'} between the printed "
            f"numbers checked."
        )
    if f.result.count is not None and f.result.percent is not None:
        lines.append(_count_words(f))
    if not f.result.whole and any(
        s.mean is not None for s in (f.result.once, f.result.before, f.result.after)
    ):
        why = "is continuous" if f.result.values == "continuous" else "is not stated"
        lines.append(
            f"The scale {why}: every mean and SD is possible, so GRIM excludes nothing here."
        )
    return lines


def _limit_words(place: str, words: str) -> str:
    where = PLACES[place].strip()
    return f"{where}: {words}" if where else words


def _mean_words(check: MeanCheck, result: Result) -> str:
    n, totals = result.n, check.at_n.totals
    looked = runs(sorted((*check.possible_n, *check.impossible_n)))
    elsewhere = "possible with no n"
    if check.possible_n:
        elsewhere = f"possible with n = {runs(check.possible_n)}"
    if check.impossible_n:
        elsewhere += f", impossible with n = {runs(check.impossible_n)}"
    elsewhere += f" (n = {looked} looked at)"
    if check.place == "percent":
        what = f"GRIM: {check.printed.text} %"
        if not totals:
            return f"{what} is impossible for {patients(n)}: no count gives it; {elsewhere}."
        counts = listed([f"{k} of {n}" for k in totals])
        only = ", and nothing else" if len(totals) == 1 else ""
        return f"{what} is {counts}{only}; {elsewhere}."
    what = f"GRIM: the mean{PLACES[check.place.split('.')[0]]}, {check.printed.text},"
    if not check.at_n.possible:
        return f"{what} is impossible for {patients(n)}: no sum gives it; {elsewhere}."
    if not totals or len(totals) > 5:
        return f"{what} is possible for {patients(n)}; {elsewhere}."
    step = result.scale.step
    assert step is not None
    sums = listed([f"{number_of(t * step)} (mean {float(t * step / n):.3f})" for t in totals])
    plural = "the sum is" if len(totals) == 1 else "the sums are"
    return f"{what} is possible for {patients(n)}: {plural} {sums}; {elsewhere}."


def number_of(value: object) -> str:
    """Write a fraction of the scale as a decimal."""
    return f"{float(value):.10g}".replace("-", MINUS)  # type: ignore[arg-type]


def _joint_words(check: JointCheck, result: Result) -> str:
    summary: Summary = getattr(result, check.place)
    parts = [
        f"{PARTS[key]} {getattr(summary, key).text}"
        for key in PARTS
        if getattr(summary, key) is not None
    ]
    what = f"{listed(parts)}{PLACES[check.place]}"
    together = " together" if len(parts) > 1 else ""
    at = check.by_n[result.n]
    kind = (
        "whole numbers"
        if result.scale.step == 1
        else f"values in steps of {number_of(result.scale.step)}"
    )
    if result.values == "binary":
        kind = "values 0 and 1"
    if at.proof == "none":
        return f"{what}: not counted for {patients(result.n)}; at this size nothing is excluded."
    if at.possible:
        how = (
            f"{'GRIMMER: ' if summary.sd is not None else ''}every set of {result.n} {kind} was counted"
            if at.proof == "exhaustive"
            else "only necessary conditions were tested, the sets are too many to count"
        )
        line = f"{what}: possible{together} ({how})"
    else:
        line = f"{what}: impossible{together}, no {result.n} {kind} have {'them' if together else 'it'}"
    no = [n for n, j in check.by_n.items() if not j.possible and n != result.n]
    yes = [n for n, j in check.by_n.items() if j.possible and n != result.n]
    if no:
        line += f"; impossible with n = {runs(no)}"
    if yes and not at.possible:
        line += f"; possible with n = {runs(yes)}"
    return line[0].upper() + line[1:] + "."


def _count_words(f: Findings) -> str:
    result = f.result
    assert result.percent is not None
    exact = 100 * (result.count or 0) / result.n
    verb = "agrees" if f.count_agrees else "does not agree"
    return f"The count {result.count} of {result.n} {verb} with {result.percent.text} % (it is {number(exact)} %)."


# -- which test can give P -------------------------------------------------------------------------


def p_in_words(f: Findings) -> list[str]:
    """Say which tests can give the printed P, what each would imply, and the most economical reading."""
    result = f.result
    if result.p is None:
        return []
    if result.n < 2:
        return [f"{p_clause(result.p)}: no test can be made of one patient."]
    sets = f.test_at("paired_t", result.n).sets
    if sets is None:
        lines = [*_counted_words(f), _sign_words(f), *_approximate_words(f)]
    else:
        lines = [_small_scale_words(sets, f)]
        lines += [
            _possible_words(f.test_at(t, result.n), f)
            for t in (*COUNTED, "sign_test", *APPROXIMATE)
        ]
    lines += basis_words(f)
    lower, upper = result.p.lower, result.p.upper
    if lower == 0 and upper is not None and upper >= Fraction(1, 2):
        lines.insert(
            0,
            f"{p_clause(result.p)} stands for any P up to {float(upper):g}: it tells no tests apart.",
        )
    lines += [*paired_t_words(f), *_misuse_words(f), *_other_n_words(f)]
    other = _other_side_words(f)
    return [*lines, *([other] if other else []), *_named_words(f), economical(f)]


def _small_scale_words(sets: int, f: Findings) -> str:
    ways = "way" if sets == 1 else "ways"
    rest = [x for x in f.unused if x not in ("means", "range")]
    line = (
        f"The range of the scale and the printed means leave {sets or 'no'} {ways} in which so many "
        "patients can change by so much. Each test of paired values is judged on "
        f"{'it' if sets == 1 else 'these'} alone"
    )
    return f"{line}{f' ({listed(rest)} not used)' if rest else ''}."


def basis_words(f: Findings, *, grid: bool = False) -> list[str]:
    """Say which verdicts rest on n alone, and which of those constructed pairs bear out."""
    at_n = [t for t in f.tests if t.n == f.result.n and t.by_n_alone]
    if not at_n or not f.unused:
        return []
    unused = f"the printed {listed(f.unused)} are not used"
    if f.unused == ("range",):
        unused = "the range is not used"
    if grid:
        some = "" if all(t.sets is None for t in f.tests) else "Mann-Whitney: "
        return [
            f"{some}rank and sign tests by n alone; {unused}".replace(": rank and sign tests", ":")
        ]
    built = {c.test for c in f.constructed}
    shown = [TEST_NAMES[t.test] for t in at_n if t.test in built]
    names = "Rank and sign tests are" if f.test_at("paired_t", f.result.n).sets is None else ""
    line = f"{names or 'The Mann-Whitney test is'} judged by n alone: {unused}"
    if shown:
        line += (
            f". The constructed pairs show these to be possible together with the printed numbers: "
            f"{'; '.join(shown)}"
        )
    return [line + "."]


def _counted_words(f: Findings) -> list[str]:
    """Say what tests that count sign patterns can give."""
    result = f.result
    p, n = p_clause(result.p), result.n  # type: ignore[arg-type]
    tests = [f.test_at(t, n) for t in COUNTED]
    if all(t.verdict == "impossible" for t in tests):
        a = tests[0].attainable
        unit = f"1/{2 ** (n - 1)}" if not result.one_sided else f"1/{2**n}"
        line = (
            f"No exact test that counts signs gives {p} with {patients(n)} (Wilcoxon's signed rank with zeros "
            f"dropped or by Pratt, sign flips of the mean), whatever the ties and zeros: P is a multiple "
            f"of {unit}, and {_nearest(a.below, a.above, result)}"
        )
        if (a.untied_below, a.untied_above) != (a.below, a.above):
            nearest = _nearest(a.untied_below, a.untied_above, result, "without ties and zeros")
            line += f"; {nearest} for the signed rank"
        return [line + "."]
    return [_possible_words(t, f) for t in tests]


def _nearest(below: float | None, above: float | None, result: Result, where: str = "") -> str:
    half = 2 if result.one_sided else 1
    ends = [p_text(x / half) for x in (below, above) if x is not None]
    if not ends:
        return "there is no other"
    lead = f"{where} the nearest are" if where else "the nearest are"
    if len(ends) == 1:
        lead = f"{where} the nearest is" if where else "the nearest is"
        return f"{lead} {ends[0]}{', none lies below' if below is None else ', none lies above'}"
    return f"{lead} {listed(ends)}"


def _sign_words(f: Findings) -> str:
    at = f.test_at("sign_test", f.result.n)
    if at.verdict != "impossible":
        return _possible_words(at, f)
    a = at.attainable
    line = f"The sign test cannot: {_nearest(a.untied_below, a.untied_above, f.result, 'if all change')}"
    if (a.below, a.above) != (a.untied_below, a.untied_above):
        line += f"; with unchanged patients {_nearest(a.below, a.above, f.result)}"
    return line + "."


def _approximate_words(f: Findings) -> list[str]:
    tests = [f.test_at(t, f.result.n) for t in APPROXIMATE]
    if all(t.verdict in ("impossible", "unknown") for t in tests):
        if tests[0].verdict == "unknown":
            return [f"Signed-rank patterns are not tried above {LARGEST_TESTED} patients."]
        ends = _nearest(tests[0].attainable.below, tests[0].attainable.above, f.result)
        return [
            f"No normal approximation of the signed-rank test gives it, whatever the ties and zeros "
            f"(without correction {ends})."
        ]
    lines = [_possible_words(t, f) for t in tests]
    needed = [w for t in tests if (w := t.attainable.witness) is not None]
    if f.result.values == "continuous" and all(w.tied or w.n_zero for w in needed) and needed:
        lines.append(
            "Of a continuous measure equal changes, or none, are not to be expected: these patterns "
            "are implausible."
        )
    return lines


def _possible_words(at: TestAt, f: Findings) -> str:
    """Say of one test whether it can, with the pattern that assumes least."""
    name = FULL_NAMES[at.test]
    name = name[0].upper() + name[1:]
    a = at.attainable
    if at.verdict == "unknown":
        return f"{name}: not tried for {patients(at.n)}."
    if a.witness is None:
        if at.verdict == "not found":
            why = f"above {EXHAUSTIVE} patients they are too many to try all"
            return f"{name}: not found among the patterns tried; {why}, so this is no proof."
        return f"{name}: impossible; {_nearest(a.below, a.above, f.result)}."
    half = 2 if f.result.one_sided else 1
    value = p_text(a.witness.pvalue / half)
    if at.test == "sign_flip" and at.sets is None:
        return f"{name}: possible; {value} is among its values, by changes of suitable sizes."
    return f"{name}: possible; {value} when {witness_words(a.witness, at, f.result)}."


def witness_words(w: Witness, at: TestAt, result: Result) -> str:
    """Say a data pattern: who falls, who rises, who stays, which changes are equal."""
    if at.test in MISUSED:
        ties = _tie_words(w.ties, "values")
        return f"U = {number_of(w.statistic)}" + (
            f" and {ties}" if ties else ", no two values equal"
        )
    down, up = _direction(result)
    changed = sum(w.ties)
    against = w.against or 0
    parts = [f"{'all ' if against == 0 and not w.n_zero else ''}{changed - against} {down}"]
    if against:
        parts.append(f"{against} {up if against > 1 else _one(up)}")
    if w.n_zero:
        parts.append(f"{w.n_zero} {'is' if w.n_zero == 1 else 'are'} unchanged")
    line = listed(parts)
    if w.statistic and not at.test.startswith("sign_test"):
        line += f" (rank sum W = {number_of(w.statistic)})"
    if at.test == "sign_test" and at.sets is not None:
        return line
    ties = _tie_words(w.ties, "changes")
    return f"{line}, {ties}" if ties else f"{line}, without ties"


def _direction(result: Result) -> tuple[str, str]:
    """Return the words for a change in the reported direction and against it."""
    for key in ("mean", "median"):
        change = getattr(result.change, key)
        before, after = getattr(result.before, key), getattr(result.after, key)
        if before is not None and after is not None and before.value != after.value:
            return ("fall", "rise") if after.value < before.value else ("rise", "fall")
        if change is not None and change.value:
            return ("fall", "rise") if change.value < 0 else ("rise", "fall")
    return "change one way", "change the other way"


def _one(verb: str) -> str:
    return verb.replace("change", "changes") if " " in verb else f"{verb}s"


def _tie_words(ties: Sequence[int], what: str) -> str:
    groups = sorted(t for t in ties if t > 1)
    if not groups:
        return ""
    if len(groups) == 1:
        return f"{groups[0]} of the {what} equally large"
    return f"groups of {listed([str(g) for g in groups])} {what} equally large"


def paired_t_words(f: Findings) -> list[str]:
    """Say what the paired t test implies: SD of the change, interval, correlation."""
    at = f.test_at("paired_t", f.result.n)
    if at.verdict == "unknown":
        return ["The paired t test cannot be excluded: no means are printed."]
    if at.implied is None:
        return [
            "The paired t test cannot give it: without a mean change t is 0 and P is 1."
            if at.verdict == "impossible"
            else "The paired t test: a P of 1 says nothing of the spread."
        ]
    if at.sets is not None and at.verdict == "impossible":
        return [
            "The paired t test cannot give it: it would need an SD of the change of "
            f"{between(at.implied.sd)}, which none of those ways of changing has."
        ]
    lines = [_spread_words(at.implied, f.result), *_interval_words(at.implied, f.result)]
    if at.attainable.witness is not None:
        lines[0] = f"{lines[0][:-1]}, as when {witness_words(at.attainable.witness, at, f.result)}."
    if at.implied.correlation is not None:
        lines += _correlation_words(at, f)
    if f.p_from_change is not None:
        half = 2 if f.result.one_sided else 1
        ends = f"{p_text(f.p_from_change.lower / half)} to {p_text(f.p_from_change.upper / half)}"
        agree = "agrees" if at.verdict == "possible" else "does not agree"
        lines.append(
            f"The printed SD of the change gives the paired t test P = {ends}: that {agree}."
        )
    return lines


def _spread_words(i: ImpliedChange, result: Result) -> str:
    unit = f" {result.unit}" if result.unit else ""
    rounding = f"({between(i.sd)} over the rounding of what is printed)"
    value = f"{between(i.sd)}{unit}"
    if i.sd.nominal is not None:
        value = f"{number(i.sd.nominal)}{unit} {rounding}"
    lead = "The paired t test gives it if" if i.possible else "The paired t test would give it if"
    return f"{lead} the SD of the change is {value}."


def _interval_words(i: ImpliedChange, result: Result) -> list[str]:
    if i.lower is None or i.upper is None or i.lower.nominal is None or i.upper.nominal is None:
        return []
    unit = f" {result.unit}" if result.unit else ""
    assert i.mean.nominal is not None
    return [
        f"The interval that was not printed, by that test: mean change {number(i.mean.nominal)}{unit}, "
        f"{100 * i.conf_level:g} % from {number(i.lower.nominal)} to {number(i.upper.nominal)} (lower "
        f"limit {between(i.lower)}, upper limit {between(i.upper)} over the rounding)."
    ]


def _correlation_words(at: TestAt, f: Findings) -> list[str]:
    i = at.implied
    assert i is not None and i.correlation is not None
    r = i.correlation
    value = "r = " if r.nominal is None else f"r = {_r(r.nominal)} ("
    line = f"Before and after are then correlated with {value}{correlations(r)} over the rounding"
    n = at.narrowed
    if n is not None and n.correlation is not None and n.correlation != r:
        line += f"; {correlations(n.correlation)} with the sums that whole numbers allow"
    lines = [f"{line}{'' if r.nominal is None else ')'}.{_plausible(i, r)}"]
    if f.at_correlations:
        each = [f"{_r(rho)}: {p_text(p)}" for rho, p in f.at_correlations]
        lines.append(
            f"For comparison, the paired t test's P at a correlation of {'; '.join(each)}."
        )
    return lines


def _plausible(i: ImpliedChange, r: Range) -> str:
    if not i.possible:
        return " No correlation lies outside -1 to 1: the paired t test is impossible.".replace(
            "-1", f"{MINUS}1"
        )
    if r.upper < 0:
        chance = ""
        if i.reversal is not None:
            chance = (
                f" (with no correlation at all, {number(100 * i.reversal, 2)} % of samples of {i.n} "
                "have one so low)"
            )
        return (
            " A negative correlation means that those highest before end lowest: more than complete "
            f"regression to the mean, which is r = 0{chance}. Unusual, not impossible."
        )
    if r.lower > 0.95:
        return " Nearly the same change in everybody: unusual for a clinical measure."
    return ""


def _misuse_words(f: Findings) -> list[str]:
    lines = []
    half = 2 if f.result.one_sided else 1
    for test in ("unpaired_t", "welch_t"):
        at = f.test_at(test, f.result.n)
        if at.computed is None:
            continue
        nominal = at.computed.nominal
        value = "" if nominal is None else f"{p_text(nominal / half)} "
        ends = f"({p_text(at.computed.lower / half)} to {p_text(at.computed.upper / half)} over the rounding)"
        verdict = "possible" if at.verdict == "possible" else "not the printed one"
        name = "An unpaired t test" if test == "unpaired_t" else "Welch's t test"
        lines.append(f"{name}, a misuse, gives P = {value}{ends}, whatever the pairing: {verdict}.")
    forms = {
        "mann_whitney_exact": "exact",
        "mann_whitney_normal": "normal approximation",
        "mann_whitney_normal_cc": "with correction",
    }
    each = [f"{word}, {_short(f.test_at(test, f.result.n), f)}" for test, word in forms.items()]
    return [*lines, f"The Mann-Whitney test, a misuse: {'; '.join(each)}."]


def _short(at: TestAt, f: Findings) -> str:
    """Say of a Mann-Whitney test whether it can, in a few words."""
    a = at.attainable
    if at.verdict == "unknown":
        return "not tried"
    if a.witness is None:
        no = "not found" if at.verdict == "not found" else "no"
        where = "without ties"
        return f"{no} ({_nearest(a.untied_below, a.untied_above, f.result, where)})"
    half = 2 if f.result.one_sided else 1
    return f"{p_text(a.witness.pvalue / half)} when {witness_words(a.witness, at, f.result)}"


def _other_n_words(f: Findings) -> list[str]:
    lines = []
    out = [n for n in f.excluded_n if n != f.result.n]
    if out:
        lines.append(
            f"With {listed([str(n) for n in out])} patients: the printed numbers cannot be."
        )
    for n in sorted({t.n for t in f.tests} - {f.result.n}):
        if n in f.excluded_n:
            continue
        able = [t for t in f.tests if t.n == n and t.verdict == "possible"]
        words = [f"{TEST_NAMES[t.test]}{_only(t)}" for t in able if t.test not in MISUSED]
        misused = [f"{TEST_NAMES[t.test]}{_only(t)}" for t in able if t.test in MISUSED]
        given = "; ".join([*(words or ["no test of paired values"]), *misused])
        lines.append(f"With {n} patients: {given}.")
    return lines


def _only(at: TestAt) -> str:
    """Say in brackets what a test needs: ties, unchanged patients, a correlation."""
    w = at.attainable.witness
    if w is None or at.test == "paired_t":
        return "" if cell(at) == "yes" else f" ({cell(at)})"
    parts = ["ties"] if w.tied else []
    parts += [f"{w.n_zero} unchanged"] if w.n_zero else []
    return f" ({', '.join(parts)})" if parts else ""


def _other_side_words(f: Findings) -> str:
    side = "two-sided" if f.result.one_sided else "one-sided"
    half = 1 if f.result.one_sided else 2
    patterns: dict[str, list[str]] = {}
    for t in f.other_sided:
        w = t.attainable.witness
        if w is None or w.tied or w.n_zero > 1 or t.test in MISUSED or t.test == "sign_flip":
            continue
        pattern = f"{p_text(w.pvalue / half)} when {witness_words(w, t, f.result)}"
        patterns.setdefault(pattern, []).append(TEST_NAMES[t.test])
    if not patterns:
        return (
            f"Were P {side}, no rank or sign test would give it without ties and with at most one "
            "patient unchanged."
        )
    words = [f"{' and '.join(tests)} ({pattern})" for pattern, tests in patterns.items()]
    return f"Were P {side}, it could be: {'; '.join(words)}."


def _named_words(f: Findings) -> list[str]:
    named = TESTS.get(f.result.test)
    if named is None:
        return []
    able = [r for r in f.readings if r.test in named]
    if not able:
        unsure = [t for t in named if f.test_at(t, f.result.n).verdict in ("unknown", "not found")]
        verdict = "could not be shown to give" if unsure else "cannot give"
        return [f"The report names the test: {f.result.test}. It {verdict} {p_clause(f.result.p)}."]  # type: ignore[arg-type]
    how = listed([FULL_NAMES[r.test] for r in able])
    return [f"The report names the test: {f.result.test}. It can give the P, as {how}."]


def economical(f: Findings) -> str:
    """Say the reading that assumes least, and the next one."""
    result = f.result
    assert result.p is not None
    readings = kept_readings(f)
    aside = f"the printed numbers cannot all be true of {patients(result.n)}; setting that aside, "
    lead = aside if f.broken else ""
    if not readings:
        line = f"no test of paired values looked at gives {p_clause(result.p)} with {patients(result.n)}"
        if f.readings:
            line += f"; {FULL_NAMES[f.readings[0].test]}, does"
        return f"Most economical reading: {lead}{line}."
    best = [r for r in readings if r.cost == readings[0].cost]
    line = f"Most economical reading: {lead}{'; or '.join(_reading_words(r, result) for r in best)}"
    rest = [
        r for r in readings if r.cost > best[0].cost and _kind(r) not in {_kind(b) for b in best}
    ]
    if rest:
        line += f". Next: {_reading_words(rest[0], result)}"
    weak = [r for r in best if f.proof(r.at) == "by n alone"]
    if weak and f.unused:
        line += (
            ". By n alone: pairs with the other printed numbers were not found or not looked for"
        )
    return line + "."


def kept_readings(f: Findings) -> list[Reading]:
    """Return the readings without misused tests, save those that the report names."""
    named = TESTS.get(f.result.test, ())
    return [r for r in f.readings if r.test not in MISUSED or r.test in named]


def _kind(reading: Reading) -> str:
    if reading.test in MISUSED:
        return "groups"
    return "t" if reading.test == "paired_t" else "rank"


def _reading_words(r: Reading, result: Result) -> str:
    if r.test == "paired_t":
        i = r.at.implied
        if i is None:
            return "the paired t test, for which no means are printed"
        if i.correlation is None:
            sd = between(i.sd) if i.sd.nominal is None else number(i.sd.nominal)
            unit = f" {result.unit}" if result.unit else ""
            return f"the paired t test, with an SD of the change of {sd}{unit}"
        value = (
            correlations(i.correlation)
            if i.correlation.nominal is None
            else _r(i.correlation.nominal)
        )
        return f"the paired t test, with a correlation of {value} between before and after"
    if r.test in ("unpaired_t", "welch_t"):
        return FULL_NAMES[r.test]
    w = r.at.attainable.witness
    assert w is not None
    if r.test == "sign_flip" and r.at.sets is None:
        return FULL_NAMES[r.test]
    return f"{FULL_NAMES[r.test]}, when {witness_words(w, r.at, result)}"


def cell(at: TestAt) -> str:
    """Write a verdict into a cell of the grid."""
    if at.verdict == "unknown":
        return "–"
    if at.verdict != "possible":
        return {"impossible": "no", "not found": "?"}[at.verdict]
    if at.test == "paired_t" and at.implied is not None and at.implied.correlation is not None:
        r = at.implied.correlation
        return f"r {_r(r.nominal)}" if r.nominal is not None else "yes"
    w = at.attainable.witness
    if w is None or at.test == "paired_t":
        return "yes"
    parts = ["ties"] if w.tied else []
    parts += [f"{w.n_zero}u"] if w.n_zero else []
    return ", ".join(parts) or "yes"


def shared_words(recheck: Recheck) -> str:
    """Say whether one test explains every P of the report; empty with fewer than two of them."""
    with_p = [f for f in recheck.findings if f.tests]
    if len(with_p) < 2:
        return ""
    each = [next(iter(kept_readings(f)), None) for f in with_p]
    if not all(each):
        lost = [f.result.label for f, r in zip(with_p, each, strict=True) if r is None]
        return f"No paired test looked at gives the P of {listed(lost)}."
    apart = sum(r.cost for r in each if r is not None)
    kept = [{r.test for r in kept_readings(f)} for f in with_p]
    shared = [pair for pair in recheck.shared if all(pair[0] in tests for tests in kept)]
    if shared and shared[0][1] <= apart:
        patterns = [
            f"{f.result.label}: {_pattern(next(r for r in f.readings if r.test == shared[0][0]), f.result)}"
            for f in with_p
        ]
        return f"One test explains every P at the least cost: {FULL_NAMES[shared[0][0]]} ({'; '.join(patterns)})."
    parts = [
        f"{FULL_NAMES[r.test]} for {f.result.label}"
        for f, r in zip(with_p, each, strict=True)
        if r is not None
    ]
    line = f"The P values are read most simply by different tests: {listed(parts)}"
    if shared:
        line += f". One test for all would be {FULL_NAMES[shared[0][0]]}, which assumes more"
    return line + "."


def _pattern(r: Reading, result: Result) -> str:
    w = r.at.attainable.witness
    return witness_words(w, r.at, result) if w is not None else _reading_words(r, result)
