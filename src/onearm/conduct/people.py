"""Who may do what: roles by site, read from the ledger, which is thereby the register of rights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from onearm.errors import ConductError
from onearm.ledger import Draft, Key, Snapshot
from onearm.ledger.entries import name_fault
from onearm.sentences import term

ROLES = (
    "coordinator",
    "investigator",
    "data manager",
    "monitor",
    "statistician",
    "manufacturing",
    "administrator",
    "inspector",
)

ACTIONS: Mapping[str, str] = {
    "see": "see forms and states",
    "see audit": "see the audit trail and screening failures",
    "see identifying": "see items that identify a person",
    "enter": "enter values",
    "change": "change saved values, with a reason",
    "complete": "mark a form complete",
    "verify": "mark a form as compared with its source",
    "sign": "sign forms",
    "lock": "lock forms",
    "unlock": "unlock forms",
    "query": "open a query",
    "answer": "answer a query",
    "close query": "close a query",
    "enrol": "decide on enrolment, and sign it",
    "release": "enter and sign product records",
    "strike": "strike out a repeating row",
    "export": "export data",
    "cut": "make a data cut",
    "manage people": "make accounts, grant and end rights",
    "amend": "put an amended study file in force",
}
"""Everything a right can be about, in words."""

_READ = frozenset({"see", "see audit"})
ROLE_ACTIONS: Mapping[str, frozenset[str]] = {
    "coordinator": frozenset(
        {"see", "see audit", "see identifying", "enter", "change", "complete", "answer", "strike"}
    ),
    "investigator": _READ
    | {"see identifying", "enter", "change", "complete", "answer", "strike"}
    | {"sign", "enrol", "query", "export", "amend"},
    "data manager": _READ | {"query", "close query", "lock", "cut", "export"},
    "monitor": _READ | {"see identifying", "verify", "query", "close query"},
    "statistician": _READ | {"cut", "export"},
    "manufacturing": frozenset({"see", "enter", "change", "complete", "answer", "sign", "release"}),
    "administrator": _READ | {"manage people", "unlock"},
    "inspector": _READ | {"see identifying"},
}
"""What each role may do; whatever is not here is denied. Locking and unlocking are different rights."""

ENTERS: Mapping[str, tuple[str, ...]] = {"manufacturing": ("lot", "donor")}
"""Roles that enter forms about these only; the others enter everything."""

_UNTIL = re.compile(r"granted until (\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class Right:
    """A role at a site (``""``: every site), for ever or up to and including a date."""

    role: str
    site: str
    until: date | None = None

    def holds(self, site: str, today: date) -> bool:
        """Whether it is in force today for a site."""
        return self.site in ("", site) and (self.until is None or today <= self.until)


@dataclass(frozen=True)
class Person:
    """Somebody with an account: user name, name in full, rights."""

    user: str
    name: str
    rights: tuple[Right, ...] = ()

    def role_for(self, action: str, site: str, today: date, kind: str = "subject") -> str | None:
        """The role in which this action at this site is allowed today; None when none allows it.

        ``kind`` is what the form is about; some roles enter forms about lots and donors only.
        """
        for right in self.rights:
            if action not in ROLE_ACTIONS[right.role] or not right.holds(site, today):
                continue
            own = action in ("enter", "change", "complete", "answer", "sign")
            if own and kind not in ENTERS.get(right.role, (kind,)):
                continue
            return right.role
        return None

    def may(self, action: str, site: str, today: date, kind: str = "subject") -> bool:
        """Whether this action at this site is allowed today."""
        return self.role_for(action, site, today, kind) is not None

    def sees(self, site: str, today: date) -> bool:
        """Whether anything of this site may be shown."""
        return self.may("see", site, today)

    def anywhere(self, action: str, today: date) -> bool:
        """Whether this action is allowed at some site."""
        return any(
            action in ROLE_ACTIONS[r.role] and (r.until is None or today <= r.until)
            for r in self.rights
        )


def right_key(user: str, role: str, site: str) -> Key:
    """Where the right is recorded."""
    return Key("study", user, form="RIGHTS", item=f"{role}@{site}")


def draft_grant(user: str, right: Right) -> Draft:
    """A right to be granted.

    Raises
    ------
    ConductError
        The role is unknown.
    """
    if right.role not in ROLES:
        raise ConductError(
            "role '{role}' is unknown; the roles are {roles}; choose one",
            role=right.role,
            roles=tuple(map(term, ROLES)),
        )
    if name_fault(user):
        raise ConductError(
            "user '{user}' {fault}; a right is given to an account; name one",
            user=user,
            fault=name_fault(user),
        )
    words = "granted" if right.until is None else f"granted until {right.until.isoformat()}"
    return Draft(right_key(user, right.role, right.site), words, reason="right granted")


def draft_end(user: str, role: str, site: str, reason: str) -> Draft:
    """A right to be ended, with the reason."""
    return Draft(right_key(user, role, site), "ended", reason=reason)


def rights_of(snapshot: Snapshot, user: str) -> tuple[Right, ...]:
    """The rights of an account as the ledger has them; those past their date included."""
    found = []
    for entry in snapshot.about("study", user):
        role, at, site = entry.key.item.partition("@")
        if entry.key.form != "RIGHTS" or not at or role not in ROLES or entry.value is None:
            continue
        if entry.value == "granted":
            found.append(Right(role, site))
        elif (until := _until(entry.value)) is not None:
            found.append(Right(role, site, until))
    return tuple(found)


def _until(words: str) -> date | None:
    """The last day of a right; None where the words grant none."""
    match = _UNTIL.fullmatch(words)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None
