"""Who may do what: every role and action, by site, until a date, ended, denied by default."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conduct.conftest import (
    ADMINISTRATOR,
    COORDINATOR,
    INVESTIGATOR,
    MANUFACTURING,
    NOBODY,
    TODAY,
    Desk,
)

from onearm.conduct import (
    ACTIONS,
    ROLE_ACTIONS,
    ROLES,
    Person,
    Right,
    draft_end,
    draft_grant,
    rights_of,
)
from onearm.errors import ConductError
from onearm.ledger import Draft, Key

#: Written out apart from the program: a right that is given or taken by mistake shows here.
MATRIX = {
    "coordinator": "see, see audit, see identifying, enter, change, complete, answer, strike",
    "investigator": "see, see audit, see identifying, enter, change, complete, answer, strike, sign, "
    "enrol, query, export, amend",
    "data manager": "see, see audit, query, close query, lock, cut, export",
    "monitor": "see, see audit, see identifying, verify, query, close query",
    "statistician": "see, see audit, cut, export",
    "manufacturing": "see, enter, change, complete, answer, sign, release",
    "administrator": "see, see audit, manage people, unlock",
    "inspector": "see, see audit, see identifying",
}
#: What manufacturing may do on forms about lots and donors only.
PRODUCT_ONLY = {"enter", "change", "complete", "answer", "sign"}


def may(role: str, action: str, kind: str = "subject") -> bool:
    return Person("p", "p", (Right(role, "A"),)).may(action, "A", TODAY, kind)


# -- the matrix -----------------------------------------------------------------------------------


def test_the_roles_are_those_of_the_protocol() -> None:
    assert set(ROLES) == set(ROLE_ACTIONS) == set(MATRIX)
    assert len(ROLES) == 8


def test_every_action_has_a_name_in_words_and_somebody_who_may_do_it() -> None:
    assert all(words for words in ACTIONS.values())
    assert frozenset[str]().union(*ROLE_ACTIONS.values()) == set(ACTIONS)


@pytest.mark.parametrize("kind", ["subject", "donor", "lot"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_its_row_says_and_nothing_else(
    role: str, action: str, kind: str
) -> None:
    wanted = action in MATRIX[role].split(", ")
    if role == "manufacturing" and action in PRODUCT_ONLY:
        wanted = kind in ("lot", "donor")
    assert may(role, action, kind) is wanted


def test_nobody_locks_and_unlocks() -> None:
    assert not any({"lock", "unlock"} <= actions for actions in ROLE_ACTIONS.values())


@pytest.mark.parametrize("role", ["monitor", "inspector", "statistician", "administrator"])
def test_who_only_reads_enters_changes_and_signs_nothing(role: str) -> None:
    assert not ROLE_ACTIONS[role] & {"enter", "change", "complete", "sign", "enrol", "strike"}


@pytest.mark.parametrize("role", ["monitor", "inspector"])
def test_monitor_and_inspector_see_the_audit_trail(role: str) -> None:
    assert may(role, "see audit")


def test_who_manages_people_enters_nothing_and_sees_nobody_identified() -> None:
    assert not ROLE_ACTIONS["administrator"] & {"see identifying", "enter", "change"}


@pytest.mark.parametrize("action", ["sign", "enrol"])
def test_only_investigators_sign_for_subjects(action: str) -> None:
    assert [role for role in ROLES if may(role, action)] == ["investigator"]


def test_an_investigator_reads_and_exports_at_all_times() -> None:
    assert may("investigator", "see")
    assert may("investigator", "export")


@pytest.mark.parametrize("action", [*ACTIONS, "delete", "", "SEE"])
def test_without_a_right_nothing_is_allowed(action: str) -> None:
    for kind in ("subject", "donor", "lot", "study"):
        for site in ("A", "B", ""):
            assert not NOBODY.may(action, site, TODAY, kind)
            assert NOBODY.role_for(action, site, TODAY, kind) is None


@pytest.mark.parametrize("role", ROLES)
def test_an_action_that_is_not_known_is_denied_to_all(role: str) -> None:
    for action in ("delete", "", "SEE", "manage"):
        assert not may(role, action)


# -- sites and dates ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_a_right_holds_at_its_site_only(role: str) -> None:
    someone = Person("p", "p", (Right(role, "A"),))
    for action in ROLE_ACTIONS[role]:
        kind = "lot" if role == "manufacturing" else "subject"
        assert someone.may(action, "A", TODAY, kind)
        for other in ("B", "", "a", "A ", "AA"):
            assert not someone.may(action, other, TODAY, kind)


@pytest.mark.parametrize("site", ["A", "B", ""])
def test_a_right_without_a_site_holds_at_every_site(site: str) -> None:
    assert Person("p", "p", (Right("monitor", ""),)).may("verify", site, TODAY)


def test_a_right_until_a_date_holds_on_that_date_and_not_the_day_after() -> None:
    someone = Person("p", "p", (Right("monitor", "A", TODAY),))
    day = timedelta(days=1)
    assert someone.may("see", "A", TODAY - day)
    assert someone.may("see", "A", TODAY)
    assert not someone.may("see", "A", TODAY + day)
    assert someone.sees("A", TODAY)
    assert not someone.sees("A", TODAY + day)
    assert someone.anywhere("see", TODAY)
    assert not someone.anywhere("see", TODAY + day)


def test_the_role_in_which_somebody_acts_is_one_that_allows_it() -> None:
    both = Person("p", "p", (Right("monitor", "A"), Right("coordinator", "B")))
    assert both.role_for("see", "A", TODAY) == "monitor"
    assert both.role_for("see", "B", TODAY) == "coordinator"
    assert both.role_for("enter", "B", TODAY) == "coordinator"
    assert both.role_for("enter", "A", TODAY) is None
    expired = Person("p", "p", (Right("monitor", "A", date(2018, 1, 1)), Right("inspector", "A")))
    assert expired.role_for("see", "A", TODAY) == "inspector"


def test_a_right_somewhere_is_not_a_right_anywhere_else() -> None:
    someone = Person("p", "p", (Right("monitor", "A"),))
    assert someone.anywhere("verify", TODAY)
    assert not someone.anywhere("lock", TODAY)
    assert not NOBODY.anywhere("see", TODAY)


@given(
    st.lists(
        st.builds(
            Right,
            st.sampled_from(ROLES),
            st.sampled_from(["", "A", "B"]),
            st.none() | st.dates(date(2018, 12, 25), date(2019, 1, 5)),
        ),
        max_size=4,
    ),
    st.sampled_from(sorted(ACTIONS)),
    st.sampled_from(["", "A", "B"]),
    st.sampled_from(["subject", "lot", "donor", "study"]),
)
def test_rights_add_up_and_none_takes_another_away(
    rights: list[Right], action: str, site: str, kind: str
) -> None:
    alone = [Person("p", "p", (right,)).may(action, site, TODAY, kind) for right in rights]
    assert Person("p", "p", tuple(rights)).may(action, site, TODAY, kind) is any(alone)


# -- the ledger is the register -------------------------------------------------------------------


def granted(desk: Desk, *rights: Right, user: str = "monitor-2") -> tuple[Right, ...]:
    desk.enter(*[draft_grant(user, right) for right in rights], by="administrator")
    return rights_of(desk.ledger.snapshot(), user)


def test_rights_granted_are_read_back_from_the_ledger(desk: Desk) -> None:
    rights = (Right("monitor", "A"), Right("monitor", ""), Right("inspector", "B", TODAY))
    assert granted(desk, *rights) == rights
    assert rights_of(desk.ledger.snapshot(), "monitor") == ()
    assert rights_of(desk.ledger.snapshot(), "") == ()


@pytest.mark.parametrize("site", ["A", "Mashhad 2", "A@B", "مشهد", "@"])
def test_a_site_may_have_any_name(desk: Desk, site: str) -> None:
    assert granted(desk, Right("monitor", site)) == (Right("monitor", site),)


def test_a_right_ended_is_gone_and_its_history_stays(desk: Desk) -> None:
    granted(desk, Right("monitor", "A"))
    desk.enter(draft_end("monitor-2", "monitor", "A", "left the company"), by="administrator")
    snapshot = desk.ledger.snapshot()
    assert rights_of(snapshot, "monitor-2") == ()
    history = desk.ledger.history(Key("study", "monitor-2", "RIGHTS", "monitor@A"))
    assert [(e.value, e.by) for e in history] == [
        ("granted", "administrator"),
        ("ended", "administrator"),
    ]
    assert history[-1].reason == "left the company"


def test_a_right_is_not_ended_without_a_reason(desk: Desk) -> None:
    granted(desk, Right("monitor", "A"))
    with pytest.raises(Exception, match="without a reason"):
        desk.enter(draft_end("monitor-2", "monitor", "A", " "))


def test_a_right_ended_may_be_granted_again_and_limited(desk: Desk) -> None:
    granted(desk, Right("monitor", "A"))
    desk.enter(draft_end("monitor-2", "monitor", "A", "on leave"))
    assert granted(desk, Right("monitor", "A", TODAY)) == (Right("monitor", "A", TODAY),)
    assert granted(desk, Right("monitor", "A")) == (Right("monitor", "A"),)


def test_the_register_tells_who_had_which_right_at_an_earlier_entry(desk: Desk) -> None:
    granted(desk, Right("monitor", "A"))
    desk.enter(draft_end("monitor-2", "monitor", "A", "left"))
    assert rights_of(desk.ledger.snapshot(1), "monitor-2") == (Right("monitor", "A"),)
    assert rights_of(desk.ledger.snapshot(2), "monitor-2") == ()


def test_a_role_that_is_not_known_is_not_granted() -> None:
    with pytest.raises(ConductError, match="role 'owner' is unknown; the roles are coordinator, "):
        draft_grant("monitor-2", Right("owner", ""))


@pytest.mark.parametrize("user", ["", " "])
def test_a_right_is_not_granted_to_nobody(user: str) -> None:
    with pytest.raises(ConductError, match="user"):
        draft_grant(user, Right("monitor", "A"))


@pytest.mark.parametrize(
    "value",
    ["yes", "granted until", "granted until soon", "Granted", "granted until 2018-13-01", "ended"],
)
def test_words_that_grant_nothing_are_no_right_and_break_nothing(desk: Desk, value: str) -> None:
    desk.enter(Draft(Key("study", "monitor-2", "RIGHTS", "monitor@A"), value))
    assert rights_of(desk.ledger.snapshot(), "monitor-2") == ()


def test_entries_of_another_form_or_role_are_no_rights(desk: Desk) -> None:
    for form, item in (("ACCESS", "monitor@A"), ("RIGHTS", "owner@A"), ("RIGHTS", "monitor")):
        desk.enter(Draft(Key("study", "monitor-2", form, item), "granted"))
    assert rights_of(desk.ledger.snapshot(), "monitor-2") == ()


def test_only_who_manages_people_grants_rights(desk: Desk) -> None:
    draft = draft_grant("monitor-2", Right("monitor", "A"))
    for who in (COORDINATOR, INVESTIGATOR, MANUFACTURING, NOBODY):
        with pytest.raises(ConductError, match="has no right to make accounts"):
            desk.do(who, "manage people", draft, kind="study")
    desk.do(ADMINISTRATOR, "manage people", draft, site="", kind="study")
    assert rights_of(desk.ledger.snapshot(), "monitor-2") == (Right("monitor", "A"),)
