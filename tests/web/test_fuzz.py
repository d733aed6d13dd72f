"""Thousands of mutated posts: never a fault of the server, nothing recorded by half."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from tests.web.conftest import browser_of, make_person
from tests.web.serving import course

from onearm.conduct import Right, item_key
from onearm.errors import OnearmError
from onearm.ledger import Draft, Entry, Key
from onearm.records import FormKey, is_conduct

pytestmark = pytest.mark.slow

PARTS, POSTS = 10, 700  # 7,000 posts; 3,000 imports are in tests/exchange
SLOWEST = 5.0  # seconds

ABOUT = "FZ1"
FORMS: dict[str, dict[str, str]] = {
    path: boxes for path, boxes in course(ABOUT, "FZ-L", "FZ-D").items() if "/D0/" not in path
} | {
    f"subject/{ABOUT}/-/AE": {"AETERM": "Headache", "AESTDT": "2026-06-01", "AEGRADE": "2", "AESER": "no",
                              "AEREL": "no", "AEOUT": "recovered"},
    f"subject/{ABOUT}/-/DEVIATION": {"DVTERM": "Late sample", "DVDT": "2026-06-01", "DVIMP": "no"},
    f"subject/{ABOUT}/-/DISPOSITION": {"DSDECOD": "completed", "DSDT": "2026-06-01"},
    f"subject/{ABOUT}/-/VITALS": {"VSTIM": "5", "SYSBP": "120", "DIABP": "80"},
}  # fmt: skip

TEXTS = (
    "", " ", "\t", "\x00", "a\x00b", "\x1b[31m", "\r\n", "\u200f\u202e1.8", "\ud800", "é" * 3, "x" * 70_000,
    "'; DROP TABLE ledger; --", "<script>alert(1)</script>", "{{ 7*7 }}", "%(n)s", "{0}", "../../etc/passwd", "=1+1",
    "null", "None", "undefined", "•••",
)  # fmt: skip
NUMBERS = (
    "-1", "0", "-0", "00", "1e400", "-1e400", "nan", "inf", "1,5", "1.5.2", "1 000", "0x10", "1e-400", "9" * 400,
    "۱٫۸", "١٢", "½", "²", "1_000", "+1", ".5", "5.", "1.8 g", "--1", "1e", "٫", "1e5", "3.000000000000000000001",
)  # fmt: skip
DATES = (
    "0000-00-00", "31.02.2026", "2026-02-30", "2026-13-01", "9999-99-99", "1404-12-30", "1399-12-30", "۱۴۰۴/۱۳/۰۱",
    "2026", "2026-06", "1404-06", "01/02/03", "-2026-01-01", "99999-01-01", "2026-06-31", "today", "2026-6-1",
    "2026-06-01T00:00", "۲۰۲۶-۰۶-۰۱", "1200-01-01", "1599-12-29", "2300-01-01",
)  # fmt: skip
CODES = ("yes", "no", "IV", "F", "9", "YES", "true", "1", "recovered", "sibling", "completed")
WORDS = TEXTS + NUMBERS + DATES
NASTY = WORDS + CODES
PLACES = ("M-3", "M3", "D0", "-", "M9", "m3", "%00", "..", "é", "x" * 500)
ABOUTS = (
    ABOUT,
    ABOUT,
    ABOUT,
    "FZ2",
    "nobody",
    "..",
    "a b",
    "'",
    '"',
    "é",
    "\u202e",
    "x" * 300,
    "%2e%2e",
    "-",
)
REPEATS = ("1", "1", "1", "0", "2", "-1", "10" * 15, "1.5", "x")


class Told:
    """What the server said of its own faults."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def hear(self, sender: Any, request: Any, **_named: Any) -> None:
        import traceback

        self.faults.append(f"{request.method} {request.path}\n{traceback.format_exc(limit=-4)}")


@pytest.fixture
def told() -> Iterator[Told]:
    """Faults, as Django signals them."""
    from django.core.signals import got_request_exception

    found = Told()
    got_request_exception.connect(found.hear)
    yield found
    got_request_exception.disconnect(found.hear)


@pytest.fixture(scope="module")
def fuzzers(people: dict[str, Any]) -> dict[str, Any]:
    """People of their own for these tests, since they end rights and lock accounts."""
    roles = ("coordinator", "investigator", "data manager", "manufacturing")
    found = {
        role: make_person(f"fuzz-{role.replace(' ', '-')}", Right(role, "A")) for role in roles
    }
    found["administrator"] = make_person("fuzz-administrator", Right("administrator", ""))
    make_person("fuzz-target", Right("coordinator", "A"))
    return found


# -- what is posted -------------------------------------------------------------------------------


def boxes_of(chance: Random, path: str) -> dict[str, Any]:
    """The boxes of a form, some of them mutated."""
    posted: dict[str, Any] = {f"v-{item}": value for item, value in FORMS[path].items()}
    items = list(FORMS[path])
    for _ in range(chance.choice((1, 1, 2, 3))):
        item = chance.choice(items)
        change = chance.randrange(12)
        if change < 5:
            posted[f"v-{item}"] = chance.choice(NASTY)
        elif change == 5:
            posted.pop(f"v-{item}", None)
        elif change == 6:
            posted[f"m-{item}"] = chance.choice(("not done", "unknown", "lost", *TEXTS))
        elif change == 7:
            posted[f"seen-{item}"] = chance.choice(NUMBERS)
        elif change == 8:
            posted |= {f"c-{item}": chance.choice(TEXTS), f"t-{item}": chance.choice(TEXTS)}
        elif change == 9:
            posted |= {f"ok-{item}": "yes", f"w-{item}": chance.choice(TEXTS)}
        elif change == 10:
            posted |= {
                f"choose-{item}": chance.choice(("now", "yours", "x")),
                "c-all": "typing error",
            }
        else:
            posted[f"v-{item}"] = [chance.choice(NASTY), chance.choice(NASTY)]  # the box twice
    posted["do"] = chance.choice(("save", "save", "complete", "", chance.choice(TEXTS)))
    return posted | ({"t-all": "fuzzed"} if chance.random() < 0.7 else {})


def raw(chance: Random, posted: dict[str, Any]) -> tuple[bytes, str]:
    """The body and type of a post, sometimes not what they say."""
    pairs = [
        (k, v)
        for k, value in posted.items()
        for v in (value if isinstance(value, list) else [value])
    ]
    body = urlencode([(k.encode("utf-8", "surrogatepass"), str(v).encode("utf-8", "surrogatepass"))
                      for k, v in pairs]).encode()  # fmt: skip
    form = "application/x-www-form-urlencoded"
    match chance.randrange(60):
        case 0:
            return body + b"&v-X=%ff%fe&%=%", form
        case 1:
            return (
                body,
                f"{form}; charset={chance.choice(('utf-16', 'latin-1', 'nonsense', 'utf-7'))}",
            )
        case 2:
            return b'{"v-URBC": 1}', "application/json"
        case 3:
            return (
                b"--b\r\nContent-Disposition: form-data; name=",
                "multipart/form-data; boundary=b",
            )
        case 4:
            return body, "multipart/form-data"
        case 5:
            return b"&".join(b"x%d=1" % n for n in range(2_000)), form
        case 6:
            return b"v-X=" + b"y" * 3_000_000, form
    return body, form


def form_path(chance: Random) -> tuple[str, str]:
    """A form of the list, and its address, which may be mutated."""
    path = chance.choice(list(FORMS))
    kind, about, visit, form = path.split("/")
    repeat = "1"
    if chance.random() < 0.15:
        match chance.randrange(4):
            case 0:
                about = chance.choice(ABOUTS)
            case 1:
                visit = chance.choice(PLACES)
            case 2:
                repeat = chance.choice(REPEATS)
            case _:
                kind = chance.choice(("subject", "donor", "lot", "study", "x"))
    parts = [
        quote(p.encode("utf-8", "surrogatepass"), safe="%")
        for p in (kind, about, visit, form, repeat)
    ]
    return path, "/form/" + "/".join(parts) + "/"


def other_post(chance: Random) -> tuple[str, str, dict[str, Any]]:
    """Who posts where what, beside the saving of a form."""
    _path, page = form_path(chance)
    text = lambda: chance.choice(WORDS)  # noqa: E731
    number = lambda: chance.choice(NUMBERS)  # noqa: E731
    about = quote(chance.choice(ABOUTS), safe="%")
    choices = (
        ("coordinator", f"{page}draft/", {"v-X": text(), **({"discard": "yes"} if chance.random() < 0.3 else {})}),
        ("coordinator", f"{page}score/", {f"v-{text()[:20]}": text()}),
        ("coordinator", f"{page}mark/", {"mark": chance.choice(("complete", "struck", "locked", text())),
                                         "on": chance.choice(("yes", "no", text())), "reason": text()}),
        ("data manager", f"{page}mark/", {"mark": "locked", "on": chance.choice(("yes", "no")), "reason": text()}),
        ("administrator", f"{page}mark/", {"mark": "locked", "on": "no", "reason": text()}),
        ("investigator", f"{page}query/", {"item": chance.choice(("URBC", "UPROT24H", text())), "words": text(),
                                           "number": chance.choice(("", "1", number())),
                                           "state": chance.choice(("open", "answered", "closed", text()))}),
        ("coordinator", "/subjects/", {"about": chance.choice((text(), chance.choice(ABOUTS))), "site": text()}),
        ("coordinator", f"/subject/{about}/missed/{quote(chance.choice(PLACES), safe='%')}/",
         {"code": chance.choice(("patient was ill", text())), "words": text()}),
        ("investigator", f"/subject/{about}/enrol/", {"decision": text(), "criterion": text(), "reason": text(),
                                                      "hash": text()}),
        ("data manager", "/cuts/", {"words": text()}),
        ("manufacturing", "/products/", {"about": text(), "form": chance.choice(("COA", "DONOR", text()))}),
        ("administrator", "/people/", {"user": text(), "name": text()}),
        ("administrator", "/people/fuzz-target/", {"do": chance.choice(("grant", "end", "unlock", text())),
                                                   "role": chance.choice(("monitor", text())), "site": text(),
                                                   "until": chance.choice((text(), "")), "reason": text()}),
        ("investigator", "/amendment/", {"study": text()}),
        ("coordinator", "/language/setlang/", {"language": chance.choice(("en", text())), "next": text()}),
    )  # fmt: skip
    return chance.choice(choices)


# -- what must hold -------------------------------------------------------------------------------


def whole(path: str, posted: dict[str, Any], made: list[Entry]) -> list[str]:
    """What was recorded of a form and had not been posted so."""
    from onearm.web.forms import read_answer
    from onearm.web.place import place

    kind, about, visit, form = path.split("/")
    key = FormKey(kind, about, form, "" if visit == "-" else visit, 1)
    faults = []
    for entry in made:
        if is_conduct(entry.key):
            continue
        item = place().study.item(form, entry.key.item)
        if entry.key != item_key(key, item.id):
            faults.append(f"{entry.key} was not posted")
            continue
        typed = posted.get(f"v-{item.id}", "")
        last = typed[-1] if isinstance(typed, list) else typed
        try:
            expected = read_answer(item, last) or None
        except OnearmError:
            expected = "refused"
        if entry.value is not None and entry.value != expected:
            faults.append(f"{entry.key}: {entry.value!r} recorded, {last!r} posted")
    return faults


def data_of(entries: list[Entry]) -> list[Entry]:
    return [e for e in entries if e.key.kind != "study"]


@pytest.mark.parametrize("part", range(PARTS))
def test_no_mutated_post_breaks_the_server_or_is_recorded_by_half(
    part: int, fuzzers: dict[str, Any], told: Told
) -> None:
    from onearm.web.place import place

    here, chance = place(), Random(20181230 + part)
    by = {r: browser_of(a, raise_request_exception=False) for r, a in fuzzers.items()}
    faults: list[str] = []
    answered: dict[int, int] = {}
    for number in range(POSTS):
        saves = chance.random() < 0.8
        if saves:
            path, url = form_path(chance)
            role, posted = "coordinator", boxes_of(chance, path)
        else:
            role, url, posted = other_post(chance)
        body, kind = raw(chance, posted)
        head, began = here.ledger.head(), time.perf_counter()
        answer = by[role].generic("POST", url, body, content_type=kind)
        took = time.perf_counter() - began
        made = data_of(list(here.ledger.entries(after=head.seq)))
        where = (
            f"post {number} of part {part}: {role} {url[:200]} {body[:300]!r}: {answer.status_code}"
        )
        answered[answer.status_code] = answered.get(answer.status_code, 0) + 1
        if answer.status_code >= 500 or took > SLOWEST:
            faults.append(f"{where}, {took:.1f} s")
        if made and answer.status_code not in (200, 302):
            faults.append(f"{where}: refused, and {len(made)} entries recorded")
        if saves and made and url == f"/form/{path}/1/" and "charset" not in kind:
            faults += [f"{where}: {fault}" for fault in whole(path, posted, made)]
    assert (told.faults, faults) == ([], [])
    assert answered.get(302, 0) > 20 and answered.get(422, 0) > 20, answered  # both ways were gone
    assert here.ledger.verify() == []
    stands = {e.key: e for e in here.ledger.snapshot().entries}
    assert {e.key: e for e in here.records().snapshot.entries} == stands


@pytest.mark.parametrize("text", NASTY[:90])
def test_no_query_of_a_page_breaks_the_server(
    text: str, client_of: Callable[[str], Any], told: Told
) -> None:
    client = client_of("monitor-a")
    client.raise_request_exception = False
    asked = quote(text[:2000].encode("utf-8", "surrogatepass"))
    for page in (
        f"/date/?text={asked}",
        f"/audit/?subject={asked}&from={asked}&page={asked}",
        f"/subjects/?state={asked}",
        f"/subject/{asked}/",
        f"/versions/{asked}/",
    ):
        assert client.get(page).status_code < 500, page
    assert told.faults == []


def test_the_check_of_what_was_recorded_tells_a_value_that_was_not_posted(folder: Any) -> None:
    path = f"subject/{ABOUT}/M3/URINE"
    key = Key("subject", ABOUT, "URINE", "URBC", "M3")
    entry = Entry(1, key, "12", "/[HPF]", "", "", "", "", "", "", "", "", None, "", "", "")
    assert whole(path, {"v-URBC": "12"}, [entry]) == []
    assert whole(path, {"v-URBC": "۱۲"}, [entry]) == []
    assert len(whole(path, {"v-URBC": "13"}, [entry])) == 1
    other = Draft(Key("subject", "S2", "URINE", "URBC", "M3"), "12")
    strange = Entry(1, other.key, "12", "", "", "", "", "", "", "", "", "", None, "", "", "")
    assert len(whole(path, {"v-URBC": "12"}, [strange])) == 1
