"""Write docs/validation/peers.md: onearm beside coin, exactRankTests and R base, case by case.

Run from the root of the repository:  python tests/reference/peers_page.py

Reads the pinned cases and R's answers in ../shared/data and asks onearm for its own. A disagreement is
given a reason only where that reason was proved: the peer's number is recomputed here from the
definition of what it does (its ranks, its scores, its approximation), in whole-number or rational
arithmetic where it is exact, without onearm. One that nothing explains stops the script.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache, partial
from itertools import accumulate
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

from onearm.stats import (
    HodgesLehmann,
    SignedRank,
    blaker,
    clopper_pearson,
    hodges_lehmann,
    jeffreys,
    mcnemar,
    mid_p,
    paired_t,
    sign_flip,
    sign_test,
    signed_rank,
    wilson,
)
from onearm.stats.proportion import binomial_test

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "validation" / "peers.md"
ALTERNATIVES = {"two.sided": "two-sided", "less": "less", "greater": "greater"}
#: Relative agreement asked of two programs that compute the same thing; R's doubles carry 16 digits.
SAME = 1e-10
#: uniroot's tolerance in wilcox.test (tol.root), with a little room for where its last step stands.
ROOT_TOLERANCE = 2.5e-4

#: Each reason: what the peer does, and how that was proved.
REASONS = {
    "ties": (
        "ranks the binary differences, where rounding error splits a decimal tie",
        "the exact (or normal) result of the binary ranks is the peer's; on differences rounded to 9 "
        "decimals the peer gives ours",
    ),
    "zero": (
        "stops, or gives NA, when all differences are zero; onearm: P = 1, change 0 with limits 0 and 0 "
        "where n allows the level",
        "all differences are zero and the peer gave no number",
    ),
    "blocks": (
        'coin: "cannot compute exact p-values with blocks" unless the data are integers',
        "its error message",
    ),
    "ranks": (
        'perm.test puts signed order numbers in place of differences that are not whole ("scores mapped '
        'into 1:m"): its P is that of other data',
        "the P of those order numbers is the peer's",
    ),
    "normal": (
        "wilcox.test(exact = TRUE) has no exact P with ties or zeros and gives the normal approximation with "
        'continuity correction (onearm: `method="normal", correction=True`), on binary ranks',
        "that approximation, recomputed, is the peer's",
    ),
    "uniroot": (
        "wilcox.test has no exact estimate or interval with ties or zeros: it inverts the normal "
        "approximation without the zeros, solved by uniroot to 1e-4",
        "the standardised statistic passes the normal quantile within 2.5e-4 of the peer's number",
    ),
    "lowered": (
        "wilcox.test prints limits of a lower level where 95% cannot be had (with a warning, or without one "
        'at n = 5, where its "95%" is 93.75%); onearm\'s are infinite and say so, or are the exact ones',
        "without ties: the limits are the range and 2/2ⁿ > 5%; with: R's warning, and the statistic passes "
        "the quantile of the lowered level",
    ),
    "none": (
        "wilcox.test prints the median of the non-zero differences as limits of level 0",
        "its attained level is 0 and the median is the peer's number",
    ),
    "flat": (
        "wilcox.test gives no interval where all non-zero differences are equal",
        "they are equal and the peer gave no number",
    ),
    "frozen": (
        "wilcox.exact drops zeros and takes the distribution of the statistic at shift 0 for every shift, "
        "though ties change with the shift: its interval is not the inversion of its own test",
        "limits recomputed in that way are the peer's",
    ),
    "range": (
        "wilcox.exact prints the smallest or largest average where the level cannot be attained, as if it could; "
        "onearm's limit is infinite and says so",
        "the peer's number is that average",
    ),
    "middle": (
        "wilcox.exact's estimate is the middle of two averages of the non-zero differences about which the "
        "tied statistic passes its rounded expectation (-∞ where none lies above); not the median of all "
        "averages",
        "recomputed in that way it is the peer's",
    ),
    "whole": (
        "coin's two-sided mid-P leaves out the whole probability of the observed statistic, not half, when that is at "
        "the very middle of the distribution",
        "1 minus that probability is the peer's",
    ),
    "loose": (
        "exactci solves its limits to about 1e-5",
        "the mid-P tail, or the acceptability, in rational arithmetic from its definition passes the level within "
        "1e-12 of ours",
    ),
}

#: The function of onearm beside each column.
OURS = {
    "coin pratt": 'signed_rank(zeros="pratt")',
    "coin pratt mid-P": "its midp",
    "coin wilcoxon": 'signed_rank(zeros="wilcoxon")',
    "coin wilcoxon mid-P": "its midp",
    "wilcox.exact": "signed_rank",
    "wilcox.test": "signed_rank",
    "coin asymptotic": 'signed_rank(method="normal")',
    "wilcox.test normal": 'signed_rank(method="normal")',
    "coin permutation": "sign_flip",
    "perm.test": "sign_flip",
    "wilcox.exact estimate": "hodges_lehmann",
    "wilcox.exact interval": "hodges_lehmann",
    "wilcox.test estimate": "hodges_lehmann, estimate_nonzero",
    "wilcox.test interval": "hodges_lehmann",
    "wilcox.test normal estimate": "hodges_lehmann, estimate_nonzero",
    "wilcox.test normal interval": "hodges_lehmann",
    "t.test": "paired_t",
    "binom.test": "sign_test, clopper_pearson",
    "median(outer)": "hodges_lehmann, estimates",
    "binom.test 90%": "clopper_pearson",
    "binom.test p = 0.2": "binomial_test",
    "prop.test": "wilson",
    "qbeta": "jeffreys",
    "exactci midp": "mid_p",
    "exactci blaker": "blaker",
    "mcnemar.exact": "mcnemar",
    "pinned": "all four intervals",
    "Newcombe 1998": "clopper_pearson, mid_p, wilson, to its 4 decimals",
    "BlakerCI": "blaker, to its 7 decimals",
    "coin, exactRankTests": "signed_rank",
}


@dataclass(frozen=True)
class Answer:
    """One number of ours beside a peer's, and why they differ ("" where they agree)."""

    case: str
    column: str
    asked: str
    ours: float
    theirs: float | None
    reason: str = ""


def read(path: str) -> Any:
    """Read a file of ../shared/data."""
    return json.loads((SHARED / path).read_text(encoding="utf-8"))


def number(value: object) -> float | None:
    """Return R's number: "Inf" stands as text, NA and NaN as null."""
    return None if value is None else float(str(value).replace("Inf", "inf"))


def same(ours: float, theirs: float | None, tolerance: float = SAME) -> bool:
    """Tell whether two programs agree; infinities must be the same one."""
    if theirs is None or math.isinf(ours) or math.isinf(theirs):
        return ours == theirs
    return math.isclose(ours, theirs, rel_tol=tolerance, abs_tol=1e-13)


# --- what a peer does, from its definition -------------------------------------------------------


def doubled_midranks(sizes: Sequence[float]) -> list[int]:
    """Return twice the mid-ranks of the numbers as they are, binary noise and all."""
    order = sorted(sizes)
    return [bisect_left(order, size) + bisect_right(order, size) + 1 for size in sizes]


def ranked(diff: Sequence[float], zeros: str) -> tuple[list[int], list[bool]]:
    """Return the doubled ranks of the non-zero differences, and which are positive."""
    kept = [d for d in diff if d != 0 or zeros == "pratt"]
    ranks = doubled_midranks([abs(d) for d in kept])
    both = [(r, d > 0) for r, d in zip(ranks, kept, strict=True) if d != 0]
    return [r for r, _ in both], [up for _, up in both]


def counts_of_sums(weights: Sequence[int]) -> list[int]:
    """Count the sign patterns of whole numbers by the sum of the positive ones."""
    counts = [1]
    for weight in weights:
        padding = [0] * weight
        counts = [a + b for a, b in zip(padding + counts, counts + padding, strict=True)]
    return counts


def exact_p(weights: Sequence[int], up: Sequence[bool], alternative: str) -> tuple[float, float]:
    """Return the sign-flip P of whole numbers by counting, and the probability of what was seen."""
    counts = counts_of_sums(weights)
    seen = sum(w for w, positive in zip(weights, up, strict=True) if positive)
    low, high, all_of_them = sum(counts[: seen + 1]), sum(counts[seen:]), sum(counts)
    tail = {"less": low, "greater": high, "two.sided": min(2 * min(low, high), all_of_them)}
    return tail[alternative] / all_of_them, counts[seen] / all_of_them


def rank_p(diff: Sequence[float], zeros: str, alternative: str) -> float:
    """Return the exact signed-rank P of the numbers as they are."""
    return exact_p(*ranked(diff, zeros), alternative)[0]


def rank_midp(diff: Sequence[float], zeros: str, alternative: str) -> float:
    """Return its mid-P; at the very middle as coin does, the whole probability left out."""
    p, at = exact_p(*ranked(diff, zeros), alternative)
    return p - at * (1 if alternative == "two.sided" else 0.5)


def standardised(diff: Sequence[float], zeros: str, alternative: str, correction: float) -> float:
    """Return z of the normal approximation of the numbers as they are, as R writes it."""
    ranks, up = ranked(diff, zeros)
    distance = (2 * sum(r for r, u in zip(ranks, up, strict=True) if u) - sum(ranks)) / 4
    sign = {"two.sided": (distance > 0) - (distance < 0), "greater": 1, "less": -1}[alternative]
    return (distance - correction * sign) / math.sqrt(sum(r * r for r in ranks) / 16)


def normal_p(diff: Sequence[float], zeros: str, alternative: str, correction: float) -> float:
    """Return the P of the normal approximation."""
    z = standardised(diff, zeros, alternative, correction)
    below, above = 0.5 * math.erfc(-z / math.sqrt(2)), 0.5 * math.erfc(z / math.sqrt(2))
    return {"less": below, "greater": above, "two.sided": 2 * min(below, above)}[alternative]


def mapped_scores(diff: Sequence[float]) -> list[int]:
    """Return what perm.test puts in place of non-integer differences (exactRankTests 0.8-35)."""
    down = sum(d <= 0 for d in diff)
    scores = [0] * len(diff)
    for place, at in enumerate(sorted(range(len(diff)), key=lambda i: diff[i])):
        scores[at] = place - down
    return scores


def walsh(diff: Sequence[float]) -> list[float]:
    """Return the averages of all pairs, in order."""
    return sorted((a + b) / 2 for i, a in enumerate(diff) for b in diff[: i + 1])


@lru_cache(maxsize=4)
def frozen_statistics(kept: tuple[float, ...]) -> tuple[list[int], list[float], list[int]]:
    """Return doubled ranks, averages, and the doubled statistic at each as wilcox.exact has it."""
    ranks, averages = doubled_midranks([abs(d) for d in kept]), walsh(kept)
    if len(set(ranks)) == len(ranks):
        return ranks, averages, list(range(sum(ranks), 0, -2))
    at = []
    for shift in averages:
        moved = [d - shift for d in kept]
        of_moved = doubled_midranks([abs(m) for m in moved])
        at.append(sum(r for r, m in zip(of_moved, moved, strict=True) if m > 0))
    return ranks, averages, at


def frozen_interval(diff: Sequence[float], alternative: str, level: float) -> dict[str, float]:
    """Return estimate and limits as wilcox.exact makes them (exactRankTests 0.8-35)."""
    ranks, averages, at = frozen_statistics(tuple(d for d in diff if d != 0))
    counts = counts_of_sums(ranks)

    def quantile(p: float) -> int:
        reached, place = counts[0], 0
        while reached / sum(counts) < p:
            place += 1
            reached += counts[place]
        return place

    def least(most: float) -> float:
        return min((v for v, w in zip(averages, at, strict=True) if w <= most), default=math.inf)

    def greatest(above: float) -> float:
        return max((v for v, w in zip(averages, at, strict=True) if w > above), default=-math.inf)

    tail = (1 - level) / (2 if alternative == "two.sided" else 1)
    low, high, middle = quantile(1 - tail), quantile(tail), sum(ranks) / 2
    return {
        "hl": (least(2 * math.ceil(middle / 2)) + greatest(middle)) / 2,
        "lower": averages[0] if low >= max(at) else greatest(low),
        "upper": averages[-1] if high <= min(at) else least(high),
    }


def crosses(
    diff: Sequence[float], at: float, z: float, alternative: str, correction: float
) -> bool:
    """Tell whether R's standardised statistic passes ``z`` within uniroot's reach of a number."""
    places = [at - ROOT_TOLERANCE, at, at + ROOT_TOLERANCE]
    places += [w for w in walsh(diff) if places[0] < w < places[2]]
    moved = [[d - place for d in diff] for place in places]
    values = [standardised(m, "wilcoxon", alternative, correction) - z for m in moved]
    return min(values) <= 0 <= max(values)


# --- paired data sets ----------------------------------------------------------------------------


class Case:
    """One paired data set: differences, R's answers to them and to them rounded."""

    def __init__(self, inputs: dict[str, Any], reference: dict[str, Any]) -> None:
        self.id = inputs["id"]
        self.diff = [a - b for a, b in zip(inputs["after"], inputs["before"], strict=True)]
        self.raw = reference["raw"]
        self.rounded = reference.get("rounded", self.raw)
        self.is_zero = not any(reference["diff_rounded9"])

    def answer(
        self, column: str, asked: str, ours: float, at: tuple[str, str], explain: Callable[[], str]
    ) -> Answer:
        """Compare one number; where it differs, name the reason that was proved."""
        key, field = at
        theirs = number(self.raw[key].get(field))
        if same(ours, theirs):
            return Answer(self.id, column, asked, ours, theirs)
        if self.is_zero and theirs is None:
            return Answer(self.id, column, asked, ours, theirs, "zero")
        return Answer(self.id, column, asked, ours, theirs, proved(explain(), self.id, key, field))

    def split_tie(self, key: str, field: str, ours: float, of_raw: float) -> str:
        """Prove a binary tie: rounded, the peer gives ours; on binary ranks its number is its own."""
        theirs = number(self.raw[key].get(field))
        rounded = same(ours, number(self.rounded[key].get(field)))
        return "ties" if rounded and same(of_raw, theirs) else ""


def proved(reason: str, *where: str) -> str:
    """Return the reason, or stop: a disagreement that nothing explains must be looked at."""
    if reason not in REASONS:
        raise AssertionError(
            f"{' '.join(where)}: onearm and the peer differ and no reason is proved"
        )
    return reason


def paired_answers() -> Iterator[Answer]:
    """Compare every paired data set with every peer."""
    references = {row["id"]: row for row in read("exact/paired_reference.json")["sets"]}
    for inputs in read("exact/paired_inputs.json"):
        case = Case(inputs, references[inputs["id"]])
        for part in (
            signed_ranks,
            asymptotics,
            flips,
            exact_rank_intervals,
            base_intervals,
            others,
        ):
            yield from part(case)


def signed_ranks(case: Case) -> Iterator[Answer]:
    """Exact signed-rank P: coin (both zero rules, mid-P too), exactRankTests, wilcox.test."""
    for r_word, word in ALTERNATIVES.items():
        for zeros in ("pratt", "wilcoxon"):
            key, column = f"coin_wilcoxsign_{zeros}_{r_word}", f"coin {zeros}"
            test = signed_rank(case.diff, zeros=zeros, alternative=word)
            asked = (case, key, zeros, r_word)
            yield case.answer(
                column,
                f"P {word}",
                test.pvalue,
                (key, "p"),
                partial(why_rank_p, *asked, test.pvalue),
            )
            yield case.answer(
                f"{column} mid-P",
                f"mid-P {word}",
                test.midp,
                (key, "midp"),
                partial(why_midp, *asked, test),
            )
        p = signed_rank(case.diff, zeros="wilcoxon", alternative=word).pvalue
        key = f"exactRankTests_wilcox_exact_{r_word}"
        why = partial(why_rank_p, case, key, "wilcoxon", r_word, p)
        yield case.answer("wilcox.exact", f"P {word}", p, (key, "p"), why)
        key = f"stats_wilcox_exactrequested_{r_word}"
        yield case.answer(
            "wilcox.test", f"P {word}", p, (key, "p"), partial(why_base_p, case, key, r_word)
        )


def why_rank_p(case: Case, key: str, zeros: str, r_word: str, ours: float) -> str:
    """Explain an exact signed-rank P that differs."""
    return case.split_tie(key, "p", ours, rank_p(case.diff, zeros, r_word))


def why_midp(case: Case, key: str, zeros: str, r_word: str, ours: SignedRank) -> str:
    """Explain a mid-P of coin's that differs."""
    theirs, rounded = (number(answers[key]["midp"]) for answers in (case.raw, case.rounded))
    if ours.pvalue == 1 and same(2 * ours.midp - 1, rounded):
        return "whole"
    return (
        case.split_tie(key, "midp", ours.midp, rank_midp(case.diff, zeros, r_word))
        if theirs
        else ""
    )


def why_base_p(case: Case, key: str, r_word: str) -> str:
    """Explain a P of wilcox.test(exact = TRUE) that differs."""
    theirs = number(case.raw[key]["p"])
    if case.is_zero:
        return ""
    return "normal" if same(normal_p(case.diff, "wilcoxon", r_word, 0.5), theirs) else ""


def asymptotics(case: Case) -> Iterator[Answer]:
    """Normal approximations by name: coin's under both zero rules, wilcox.test without correction."""
    for zeros, key, column in (
        ("pratt", "coin_asymp_pratt", "coin asymptotic"),
        ("wilcoxon", "coin_asymp_wilcoxon", "coin asymptotic"),
        ("wilcoxon", "stats_wilcox_normal_nocc", "wilcox.test normal"),
    ):
        p = signed_rank(case.diff, zeros=zeros, method="normal").pvalue

        def why(key: str = key, zeros: str = zeros, p: float = p) -> str:
            return case.split_tie(key, "p", p, normal_p(case.diff, zeros, "two.sided", 0.0))

        yield case.answer(column, f"P two-sided, zeros {zeros}", p, (key, "p"), why)


@cache  # fifty continuous changes take seconds, and are asked for twice
def flip_p(diff: tuple[float, ...], alternative: str) -> float:
    """Return onearm's exact sign-flip P."""
    test = sign_flip(diff, alternative=alternative)
    assert test.method == "exact"
    return test.pvalue


def flips(case: Case) -> Iterator[Answer]:
    """Sign-flip test of the mean: coin's paired permutation test and perm.test."""
    for r_word, word in ALTERNATIVES.items():
        p = flip_p(tuple(case.diff), word)
        key = f"coin_paired_permutation_{r_word}"
        said = case.raw[key].get("error", "")
        yield case.answer(
            "coin permutation",
            f"P {word}",
            p,
            (key, "p"),
            lambda said=said: "blocks" if "with blocks" in said else "",
        )
        key = f"exactRankTests_perm_test_{r_word}"
        yield case.answer(
            "perm.test", f"P {word}", p, (key, "p"), partial(why_perm, case, key, r_word)
        )


def why_perm(case: Case, key: str, r_word: str) -> str:
    """Explain a P of perm.test that differs."""
    scores = mapped_scores(case.diff)
    p = exact_p([abs(s) for s in scores], [s > 0 for s in scores], r_word)[0]
    told = "scores mapped" in case.raw[key]["method"]
    return "ranks" if told and same(p, number(case.raw[key]["p"])) else ""


def exact_rank_intervals(case: Case) -> Iterator[Answer]:
    """Hodges-Lehmann estimate and intervals of exactRankTests."""
    key = "exactRankTests_wilcox_exact"
    asked = [(f"{key}_{a}", a, 0.95) for a in ALTERNATIVES]
    asked += [(f"{key}_ci{level}", "two.sided", level / 100) for level in (90, 80)]
    for at, r_word, level in asked:
        hl = hodges_lehmann(case.diff, conf_level=level, alternative=ALTERNATIVES[r_word])
        why = partial(why_frozen, case, at, r_word, level)
        if at == f"{key}_two.sided":
            yield case.answer(
                "wilcox.exact estimate",
                "estimate",
                hl.estimate,
                (at, "hl"),
                partial(why, "hl", hl.estimate),
            )
        for field, limit in limits(hl):
            words = f"{field} {100 * level:.0f}% {ALTERNATIVES[r_word]}"
            yield case.answer(
                "wilcox.exact interval", words, limit, (at, field), partial(why, field, limit)
            )


def why_frozen(case: Case, key: str, r_word: str, level: float, field: str, ours: float) -> str:
    """Explain an estimate or limit of wilcox.exact that differs."""
    theirs = number(case.raw[key][field])
    if not same(frozen_interval(case.diff, r_word, level)[field], theirs):
        return ""
    kept = [d for d in case.diff if d != 0]
    if field == "hl":
        return "middle"
    if math.isinf(ours) and theirs in (walsh(kept)[0], walsh(kept)[-1]):
        return "range"
    changed = len(kept) < len(case.diff) or len({abs(d) for d in kept}) < len(kept)
    return "frozen" if changed else ""


def limits(hl: HodgesLehmann) -> list[tuple[str, float]]:
    """Return the limits that were asked for."""
    both = {"lower": hl.lower, "upper": hl.upper}
    unasked = {"less": "lower", "greater": "upper"}.get(hl.alternative)
    return [(name, limit) for name, limit in both.items() if name != unasked]


def base_intervals(case: Case) -> Iterator[Answer]:
    """Hodges-Lehmann estimate and intervals of wilcox.test, exact asked for and not."""
    asked = [(f"stats_wilcox_exactrequested_{a}", a, 0.5, "wilcox.test") for a in ALTERNATIVES]
    asked.append(("stats_wilcox_normal_nocc", "two.sided", 0.0, "wilcox.test normal"))
    for key, r_word, correction, column in asked:
        hl = hodges_lehmann(case.diff, alternative=ALTERNATIVES[r_word])
        if r_word == "two.sided":
            why = partial(why_base, case, key, r_word, correction, "hl")
            yield case.answer(
                f"{column} estimate", "without zeros", hl.estimate_nonzero, (key, "hl"), why
            )
        for field, limit in limits(hl):
            words = f"{field} 95% {ALTERNATIVES[r_word]}"
            why = partial(why_base, case, key, r_word, correction, field)
            yield case.answer(f"{column} interval", words, limit, (key, field), why)


def why_base(case: Case, key: str, r_word: str, correction: float, field: str) -> str:
    """Explain an estimate or limit of wilcox.test that differs."""
    said, kept = case.raw[key], [d for d in case.diff if d != 0]
    theirs = number(said[field])
    level = said.get("achieved", 0.95)
    if "exact" in said["method"]:
        # Without ties its smallest P is 2/2**n; above 5% the whole range of averages is printed.
        at_the_end = theirs in (min(walsh(kept)), max(walsh(kept)))
        return "lowered" if at_the_end and 2 / 2 ** len(kept) > 0.05 else ""
    if theirs is None:
        return "flat" if len(set(kept)) == 1 else ""
    if level == 0:
        return "none" if same(median(kept), theirs) else ""
    tail = (1 - level) / (2 if r_word == "two.sided" else 1)
    told = "not achievable" in said.get("warnings", "")
    # Without a level in the answer, as under exact = FALSE, R doubles the tail until it can be had.
    tails = [tail, 2 * tail, 4 * tail, 8 * tail] if told and "achieved" not in said else [tail]
    for attempt in tails:
        z = NormalDist().inv_cdf(attempt)
        z = {"hl": 0.0, "lower": -z, "upper": z}[field]
        if crosses(kept, theirs or 0.0, z, r_word, 0.0 if field == "hl" else correction):
            return "lowered" if field != "hl" and (told or attempt != tail) else "uniroot"
    return ""


def others(case: Case) -> Iterator[Answer]:
    """The t test, the sign test and the medians of averages."""
    if "error" in case.raw["t_test"] or case.is_zero:
        try:
            paired_t(case.diff)
        except ValueError:
            yield Answer(case.id, "t.test", "refused by both: no variation", math.nan, None)
    else:
        t = paired_t(case.diff)
        ours = {"t": t.statistic, "df": t.df, "p": t.pvalue, "mean": t.estimate}
        ours |= {"lower": t.lower, "upper": t.upper}
        for field, value in ours.items():
            yield case.answer("t.test", field, value, ("t_test", field), str)
    if "sign_test" in case.raw:
        p = sign_test(case.diff).pvalue
        yield case.answer("binom.test", "P two-sided", p, ("sign_test", "p"), str)
    hl = hodges_lehmann(case.diff)
    for word, value in (("all", hl.estimate), ("nonzero", hl.estimate_nonzero)):
        if (key := f"hl_median_of_walsh_{word}") in case.raw:
            theirs = number(case.raw[key])
            reason = "" if same(value, theirs, 1e-9) else proved("", case.id, key)
            yield Answer(case.id, "median(outer)", word, value, theirs, reason)


# --- proportions ---------------------------------------------------------------------------------


def tails(x: int, n: int, p: float) -> tuple[list[Fraction], Fraction, Fraction]:
    """Return the binomial probabilities of all counts, P(X >= x) and P(X <= x), as fractions."""
    share = Fraction(p)
    each = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    return each, sum(each[x:], Fraction(0)), sum(each[: x + 1], Fraction(0))


def midp_of(x: int, n: int, p: float) -> float:
    """Return the smaller mid-P tail of x at a share, from the definition."""
    each, above, below = tails(x, n, p)
    return float(min(above, below) - each[x] / 2)


def acceptability(x: int, n: int, p: float) -> float:
    """Return Blaker's acceptability of a share, from its definition."""
    each = tails(x, n, p)[0]
    below = list(accumulate(each))
    smaller = [min(b, 1 - b + e) for b, e in zip(below, each, strict=True)]
    return float(sum(e for e, s in zip(each, smaller, strict=True) if s <= smaller[x]))


def crosses_at(
    function: Callable[[int, int, float], float], x: int, n: int, limit: float, level: float
) -> bool:
    """Tell whether a limit is where the function of the share passes the level."""
    step = 1e-12 if limit < x / n else -1e-12  # towards x/n
    return function(x, n, limit - step) <= level < function(x, n, limit + step)


BINOMIAL = (
    ("binom.test", "cp", 0.95, clopper_pearson, None),
    ("binom.test 90%", "cp90", 0.90, clopper_pearson, None),
    ("prop.test", "wilson", 0.95, wilson, None),
    ("qbeta", "jeffreys", 0.95, jeffreys, None),
    ("exactci midp", "midp", 0.95, mid_p, (midp_of, 0.025)),
    ("exactci blaker", "blaker", 0.95, blaker, (acceptability, 0.05)),
)


def binomial_answers() -> Iterator[Answer]:
    """Compare the intervals of every pair of counts."""
    answers = read("exact/binom_reference.json")["binom"]
    for place, (x, n) in enumerate(zip(answers["x"], answers["n"], strict=True)):
        for column, key, level, method, check in BINOMIAL:
            got = method(x, n, conf_level=level)
            for side, ours in (("lo", got.lower), ("hi", got.upper)):
                theirs = number(answers[f"{key}_{side}"][place])
                reason = ""
                if not same(ours, theirs, 1e-9):
                    right = check is not None and crosses_at(check[0], x, n, ours, check[1])
                    near = theirs is not None and abs(ours - theirs) < 1e-4
                    reason = proved("loose" if right and near else "", f"{x}/{n}", key, side)
                yield Answer(
                    f"{x}/{n}", column, {"lo": "lower", "hi": "upper"}[side], ours, theirs, reason
                )


def rate_answers() -> Iterator[Answer]:
    """Compare the exact test against a rate of 20%, one-sided and two-sided as binom.test has it."""
    answers = read("exact/binom_reference.json")["binom"]
    for place, (x, n) in enumerate(zip(answers["x"], answers["n"], strict=True)):
        for word, key in (("greater", "p_greater_0.2"), ("two-sided", "p_two_0.2")):
            ours = binomial_test(x, n, 0.2, alternative=word).pvalue
            theirs = number(answers[key][place])
            reason = "" if same(ours, theirs, 1e-9) else proved("", f"{x}/{n}", key)
            yield Answer(f"{x}/{n}", "binom.test p = 0.2", f"P {word}", ours, theirs, reason)


def mcnemar_answers() -> Iterator[Answer]:
    """Compare McNemar's exact test; exact2x2's table was matrix(c(5, b, c, 6), 2), its ratio c/b."""
    answers = read("exact/binom_reference.json")["mcnemar"]
    for place, (b, c) in enumerate(zip(answers["b"], answers["c"], strict=True)):
        got = mcnemar(gained=c, lost=b)
        ours = {"p": got.pvalue, "or": got.odds_ratio, "lo": got.lower, "hi": got.upper}
        for field, value in ours.items():
            theirs = number(answers[field][place])
            assert value is not None
            reason = "" if same(value, theirs, 1e-9) else proved("", f"b={b} c={c}", field)
            yield Answer(f"b={b} c={c}", "mcnemar.exact", field, value, theirs, reason)


# --- design/08 and design/15 ---------------------------------------------------------------------


def design_answers() -> Iterator[Answer]:
    """Compare the cases of 08_binomial_ci.json and 15_wilcoxon_ties.json."""
    for case in read("design/08_binomial_ci.json")["cases"]:
        x, n, expected = case["inputs"]["x"], case["inputs"]["n"], case["expected"]
        if "one_sided" in expected:
            one = clopper_pearson(x, n, alternative="upper").upper
            yield compared(case["id"], "pinned", "one-sided upper", one, expected["one_sided"])
            two = clopper_pearson(x, n).upper
            yield compared(case["id"], "pinned", "two-sided upper", two, expected["two_sided"])
            continue
        for name, method in (
            ("CP", clopper_pearson),
            ("Wilson", wilson),
            ("midP", mid_p),
            ("Blaker", blaker),
        ):
            got = method(x, n)
            printed = (case["check"]["newcombe"] or {}).get(name)
            for at, (side, ours) in enumerate((("lower", got.lower), ("upper", got.upper))):
                asked = f"{name} {side}"
                yield compared(case["id"], "pinned", asked, ours, expected[name][at])
                if printed:
                    yield compared(case["id"], "Newcombe 1998", asked, ours, printed[at], 5.1e-5)
                if name == "midP":
                    of_r = case["check"]["R_midp"][at]
                    yield compared(case["id"], "exactci midp", asked, ours, of_r, 3e-5, "loose")
                if name == "Blaker" and case["check"]["R_blaker"]:
                    of_r = case["check"]["R_blaker"][at]
                    yield compared(case["id"], "BlakerCI", asked, ours, of_r, 5.1e-8)
    for case in read("design/15_wilcoxon_ties.json")["cases"]:
        zeros = {"wilcox": "wilcoxon", "pratt": "pratt"}[case["inputs"]["zero"]]
        two = signed_rank(case["inputs"]["d"], zeros=zeros)
        less = signed_rank(case["inputs"]["d"], zeros=zeros, alternative="less")
        ours = {"W_plus": two.statistic, "p_less": less.pvalue, "p_two_sided": two.pvalue}
        for field, value in ours.items():
            yield compared(
                case["id"], "coin, exactRankTests", field, value, case["expected"][field]
            )


def compared(
    case: str,
    column: str,
    asked: str,
    ours: float,
    theirs: float,
    within: float = 0.0,
    reason: str = "",
) -> Answer:
    """Compare with a pinned number, to the digits it has; a reason explains what they cannot."""
    near = abs(ours - theirs) <= within
    if same(ours, theirs) or (near and not reason):
        return Answer(case, column, asked, ours, theirs)
    return Answer(case, column, asked, ours, theirs, proved(reason if near else "", case, asked))


# --- the page ------------------------------------------------------------------------------------


def exactness() -> list[str]:
    """Say how far onearm is from the exact fractions and the 40-digit limits."""
    inputs = {row["id"]: row for row in read("exact/paired_inputs.json")}
    counted, beyond = 0, []
    for row in read("exact/paired_gold.json"):
        pair = inputs[row["id"]]
        diff = [a - b for a, b in zip(pair["after"], pair["before"], strict=True)]
        for word in ("two_sided", "less", "greater"):
            alternative = word.replace("_", "-")
            pratt, dropped = (
                signed_rank(diff, zeros=zeros, alternative=alternative).pvalue
                for zeros in ("pratt", "wilcoxon")
            )
            flip = flip_p(tuple(diff), alternative)
            for name, ours in (("pratt", pratt), ("wilcox", dropped), ("perm_mean", flip)):
                counted += 1
                off = abs(ours / float(Fraction(row[name][word]["frac"])) - 1)
                if off > 1e-12:
                    beyond.append(f"{row['id']} {name} {word} ({off:.0e})")
    shares = 0
    for row in read("exact/binom_gold.json")["rows"]:
        for key, method in (("cp", clopper_pearson), ("midp", mid_p), ("blaker", blaker)):
            if key in row:
                got = method(row["x"], row["n"])
                for ours, gold in zip((got.lower, got.upper), row[key], strict=True):
                    shares += 1
                    assert abs(ours - float(gold)) < 1e-12
    said = "within one part in 10¹² of them"
    if beyond:
        said += f", but for {', '.join(beyond)}: that fraction counts sums within 1e-10 as equal"
    return [
        f"{counted} P values of `paired_gold.json` against their fractions: {said}. {shares} limits of "
        "`binom_gold.json` against 40 digits: all within 1e-12."
    ]


def shown(value: float | None) -> str:
    """Print a number with seven digits; what R did not give is a dash."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.7g}".replace("inf", "∞")


def summary(answers: Sequence[Answer]) -> list[str]:
    """Return one line per peer: how many numbers, how many agree, the others by reason."""
    lines = ["| peer | onearm | numbers | agree | differ, by reason |", "|---|---|---:|---:|---|"]
    for column in dict.fromkeys(a.column for a in answers):
        of_column = [a for a in answers if a.column == column]
        reasons = Counter(a.reason for a in of_column if a.reason)
        said = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        agree = len(of_column) - sum(reasons.values())
        lines.append(
            f"| {column} | {OURS[column]} | {len(of_column)} | {agree} | {said or 'none'} |"
        )
    return lines


def every_case(answers: Sequence[Answer]) -> list[str]:
    """Return one line per case: for each peer "=" or the reasons."""
    columns = list(dict.fromkeys(a.column for a in answers))
    found: dict[str, dict[str, dict[str, None]]] = {}
    for a in answers:
        found.setdefault(a.case, {}).setdefault(a.column, {})[a.reason] = None
    lines = ["| case | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for case, by_column in found.items():
        cells = []
        for column in columns:
            reasons = by_column.get(column)
            cells.append("" if reasons is None else ", ".join(r for r in reasons if r) or "=")
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    return lines


def differences(answers: Sequence[Answer]) -> list[str]:
    """Return one line per case, peer and reason with all numbers that differ, ours first."""
    groups: dict[tuple[str, str, str], list[Answer]] = {}
    for a in answers:
        if a.reason:
            groups.setdefault((a.case, a.column, a.reason), []).append(a)
    lines = ["| case | peer | what: onearm / peer | reason |", "|---|---|---|---|"]
    for (case, column, reason), found in groups.items():
        said = "; ".join(f"{a.asked}: {shown(a.ours)} / {shown(a.theirs)}" for a in found)
        lines.append(f"| {case} | {column} | {said} | {reason} |")
    return lines


def page() -> str:
    """Return the whole page."""
    meta = read("exact/paired_reference.json")["meta"]
    binom_meta = read("exact/binom_reference.json")["meta"]
    paired, binomial = list(paired_answers()), [*binomial_answers(), *rate_answers()]
    tables, design = list(mcnemar_answers()), list(design_answers())
    everything = [*paired, *binomial, *tables, *design]
    differ = [a for a in everything if a.reason]
    used = {a.reason for a in differ}
    return "\n".join(
        [
            "# Beside coin, exactRankTests and R base, case by case",
            "",
            "Made by `python tests/reference/peers_page.py`; do not edit. A test makes it again and compares.",
            "",
            f"Peers: {meta['R']}, coin {meta['coin']}, exactRankTests {meta['exactRankTests']}, exactci "
            f"{binom_meta['exactci']}, exact2x2 {binom_meta['exact2x2']}. Their answers to the paired data were "
            "run a second time with the same result (`tests/reference/stats_peers.R`, `stats_peers.csv`); "
            "exactci, exact2x2 and BlakerCI were not: their figures are those pinned beside the repository.",
            "",
            "Differences are after minus before as binary numbers, as a user's program has them. Two numbers agree "
            "when they differ by less than one part in 10¹⁰ (limits of shares: 10⁹); where both programs say "
            '"not defined" they agree too. Limits that a one-sided interval does not have are not counted. A '
            "disagreement has a reason only where it was proved: the script recomputes the peer's number from "
            "what the peer does, without onearm, and stops where it cannot.",
            "",
            f"**{len(everything)} numbers, {len(everything) - len(differ)} agree, {len(differ)} differ for the "
            "reasons below, none without a reason.**",
            "",
            *exactness(),
            "",
            "## Summary",
            "",
            *summary([*paired, *binomial, *tables]),
            "",
            "From the pinned design tables (`08_binomial_ci.json`, `15_wilcoxon_ties.json`):",
            "",
            *summary(design),
            "",
            'exactci\'s `tsmethod = "minlike"` has no counterpart in onearm.',
            "",
            "## Reasons",
            "",
            "| word | what the peer does | how it was proved |",
            "|---|---|---|",
            *(
                f"| {word} | {what} | {how} |"
                for word, (what, how) in REASONS.items()
                if word in used
            ),
            "",
            "## Paired data, every case",
            "",
            '"=" all numbers agree; a word: some differ, for this reason; empty: not asked.',
            "",
            *every_case(paired),
            "",
            "## Paired data, every difference",
            "",
            *differences(paired),
            "",
            "## Shares, every case",
            "",
            *every_case(binomial),
            "",
            "## Shares, every difference",
            "",
            *differences(binomial),
            "",
            "## McNemar, every case",
            "",
            "P, odds ratio and both limits (b and c the two kinds of change; exact2x2's ratio is c/b).",
            "",
            *every_case(tables),
            "",
            "## Pinned design tables, every case",
            "",
            *every_case(design),
            "",
            "## Pinned design tables, every difference",
            "",
            *differences(design),
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
