"""The words of states, roles and meanings in the language of the page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Literal

from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_lazy as _

from onearm.errors import OnearmError, words_of
from onearm.instruments import Bounds
from onearm.sentences import Sentence, has_words
from onearm.web.calendars import ISOLATE, POP, show_date

STATES = {
    "empty": _("empty"),
    "saved": _("saved"),
    "complete": _("complete"),
    "verified": _("verified"),
    "signed": _("signed"),
    "locked": _("locked"),
    "struck out": _("struck out"),
    "struck": _("struck out"),
    "screening": _("screening"),
    "eligible": _("eligible"),
    "enrolled": _("enrolled"),
    "treated": _("treated"),
    "completed": _("completed"),
    "screen failure": _("screen failure"),
    "withdrew": _("withdrew"),
    "withdrew before infusion": _("withdrew before infusion"),
    "lost to follow-up": _("lost to follow-up"),
    "died": _("died"),
    "done": _("done"),
    "partial": _("begun"),
    "due": _("due"),
    "overdue": _("overdue"),
    "planned": _("planned"),
    "unscheduled": _("no date yet"),
    "ended": _("left before it"),
    "missed": _("missed"),
    "out of window": _("out of window"),
    "met": _("met"),
    "not met": _("not met"),
    "unknown": _("unknown"),
    "excepted": _("excepted"),
    "open": _("open"),
    "answered": _("answered"),
    "closed": _("closed"),
    "not eligible": _("not eligible"),
    "undetermined": _("undetermined"),
    "continue": _("continue"),
    "near": _("near its limit"),
    "stop": _("stop"),
    "void": _("void"),
    "valid": _("valid"),
    "value": _("value"),
    "change": _("change"),
    "mark": _("mark"),
    "signature": _("signature"),
    "query": _("query"),
    "access": _("access"),
    "after completion": _("values after completion"),
    "after signature": _("values after signature"),
    "added": _("added"),
    "removed": _("removed"),
    "changed": _("changed"),
}

EVENTS = {
    "signed in": _("signed in"),
    "signed out": _("signed out"),
    "timed out": _("timed out"),
    "refused": _("refused"),
    "locked out": _("locked out"),
    "second factor set": _("second factor set"),
    "second factor removed": _("second factor removed"),
    "second factor reset": _("second factor reset"),
    "recovery codes set": _("recovery codes set"),
    "recovery codes removed": _("recovery codes removed"),
    "account activated": _("account activated"),
    "account deactivated": _("account deactivated"),
    "lock-out ended": _("lock-out ended"),
    "invited": _("invited"),
    "account made": _("account made"),
    "password changed": _("password changed"),
    "new password allowed": _("new password allowed"),
    "read identifying": _("read identifying"),
    "export": _("export"),
}
"""What happened to an account, as the ledger names it; what a package names is shown as it stands."""

ROLES = {
    "coordinator": _("coordinator"),
    "investigator": _("investigator"),
    "data manager": _("data manager"),
    "monitor": _("monitor"),
    "statistician": _("statistician"),
    "manufacturing": _("manufacturing"),
    "administrator": _("administrator"),
    "inspector": _("inspector"),
    "account": _("account"),
}

MEANINGS = {
    "author": _("Author: I entered or checked these values"),
    "review": _("Review: I have reviewed these values"),
    "approval": _("Approval: I approve them"),
    "responsibility": _("Responsibility: I answer for them as investigator"),
}

TERMS = (
    _("subject"),
    _("donor"),
    _("lot"),
    _("study"),
    _("not done"),
    _("not applicable"),
    _("not asked"),
    _("not recorded"),
    _("not known"),
    _("(not described)"),
    _("redacted"),
    _("nobody"),
    _("author"),
    _("review"),
    _("approval"),
    _("responsibility"),
    _("patient did not come"),
    _("patient was ill"),
    _("site was closed"),
    _("visit was forgotten"),
    _("other reason"),
    _("released"),
    _("conditionally released"),
    _("not released"),
    _("lot not recorded"),
    _("day"),
    _("days"),
    _("week"),
    _("weeks"),
    _("month"),
    _("months"),
    _("year"),
    _("years"),
    _("see forms and states"),
    _("see the audit trail and screening failures"),
    _("see items that identify a person"),
    _("enter values"),
    _("change saved values, with a reason"),
    _("mark a form complete"),
    _("mark a form as compared with its source"),
    _("sign forms"),
    _("lock forms"),
    _("unlock forms"),
    _("open a query"),
    _("answer a query"),
    _("close a query"),
    _("decide on enrolment, and sign it"),
    _("enter and sign product records"),
    _("strike out a repeating row"),
    _("export data"),
    _("make a data cut"),
    _("make accounts, grant and end rights"),
    _("put an amended study file in force"),
)
"""Words of the closed lists below the pages, which their sentences are made of."""

CHANGE_REASONS = {
    "typing error": _("Typing error"),
    "source document corrected": _("Source document corrected"),
    "result came later": _("Result came later"),
    "wrong unit": _("Wrong unit"),
    "wrong visit or subject": _("Wrong visit or subject"),
    "query": _("Query"),
    "other reason": _("Other reason"),
}

MISSING = {
    "not done": _("Not done"),
    "not applicable": _("Not applicable"),
    "unknown": _("Unknown"),
    "not asked": _("Not asked"),
}

MISSED = {
    "patient did not come": _("The patient did not come"),
    "patient was ill": _("The patient was ill"),
    "site was closed": _("The site was closed"),
    "visit was forgotten": _("The visit was forgotten"),
    "other reason": _("Other reason"),
}

TOUCHED = {
    "form removed": _("Forms that the amended file no longer has"),
    "form left its visit": _("Forms that are no longer collected at their visit"),
    "item removed": _("Values of an item that the amended file no longer has"),
    "item redefined": _("Values of an item that is defined otherwise"),
    "value refused": _("Values that could not be entered any more"),
    "visit judged anew": _("Visits whose state changes"),
    "score changed": _("Scores that change"),
    "eligibility changed": _("Subjects whose eligibility changes"),
    "signature void": _("Forms whose signature becomes void"),
}


def word(state: str) -> str:
    """A state in the language of the page; what is not known stands as it is."""
    return str(STATES.get(state, state))


def in_language(said: str) -> str:
    """A sentence from below the pages in the language of the page; a plain text stands as it is.

    Ids and values that people typed keep their own direction inside it.
    """
    if not isinstance(said, Sentence) or (get_language() or "en").startswith("en"):
        return str(said)
    template = gettext(said.template) if has_words(said.template) else said.template
    return template.format(**{name: _part(part) for name, part in said.parts.items()})


def _part(part: Any) -> Any:
    if isinstance(part, tuple):
        return gettext(", ").join(_part(p) for p in part)
    if isinstance(part, Sentence):
        return in_language(part)
    if isinstance(part, date):
        return day_words(part)
    return f"{ISOLATE}{part}{POP}" if isinstance(part, str) and part else part


def listed(parts: Iterable[str], between: Literal["; ", ", "] = ", ") -> str:
    """Parts in one line, with the comma or semicolon of the language."""
    return (gettext("; ") if between == "; " else gettext(", ")).join(parts)


def late_words(days: int) -> str:
    """How far a visit lies outside its window; negative: before it."""
    told = (
        ngettext("%(n)d day late", "%(n)d days late", days)
        if days > 0
        else ngettext("%(n)d day early", "%(n)d days early", -days)
    )
    return listed([word("out of window"), told % {"n": abs(days)}])


def bounds_words(bounds: Bounds) -> str:
    """A score, or the least and the greatest that it can be."""
    if bounds.known:
        return str(bounds)
    return gettext("%(lower)s to %(upper)s") % {
        "lower": f"{bounds.lower:g}",
        "upper": f"{bounds.upper:g}",
    }


def lines_of(error: OnearmError) -> list[str]:
    """What an error says, a line each, in the language of the page."""
    return [in_language(line) for line in getattr(error, "messages", [words_of(error)])]


def role_word(role: str) -> str:
    """A role in the language of the page."""
    return str(ROLES.get(role, role))


def day_words(day: date | str | None) -> str:
    """A date in the calendars of the language; ``""`` for none."""
    if day is None or day == "":
        return ""
    return show_date(str(day), get_language() or "en")


def zoned_words(at: str) -> str:
    """A time of the clock on the wall with its zone, as a signature holds it: ``2026-11-22 13:00:05 UTC+03:30``."""
    return f"{at[:10]} {at[11:19]} UTC{at[19:]}".removesuffix("+00:00") if at else ""


def moment_words(at: str) -> str:
    """A time of the ledger, UTC, with its zone: ``2026-11-22 09:30 UTC``."""
    return f"{at[:10]} {at[11:16]} UTC"
