"""A form: its answers, drafts, marks, signatures, queries and the history of each item."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from onearm.checks import applies, asked, check_drafts, date_order
from onearm.conduct import (
    FormState,
    Person,
    Query,
    act,
    closed_because,
    draft_mark,
    draft_query,
    draft_reply,
    draft_signature,
    form_state,
    item_key,
    preview,
    queries,
    shown_hash,
    unsigned,
    visit_rows,
)
from onearm.errors import ConductError, OnearmError, Problem, StudyError
from onearm.instruments import INSTRUMENTS
from onearm.ledger import Draft, Entry, Key, StaleError
from onearm.ledger.entries import number_seen
from onearm.records import CONDUCT, FormKey, Records
from onearm.sentences import sentence, term
from onearm.study import Form, Item
from onearm.web.access import needs, person_now, person_of, posted_from, site_shown
from onearm.web.accounts import confirm_identity, has_second_factor
from onearm.web.forms import Page, read_page
from onearm.web.identifying import CONCEALED, concealed, enter_look, words_for
from onearm.web.models import PageDraft
from onearm.web.pages.overview import (
    entry_sites,
    form_url,
    unplanned,
    unplanned_label,
    window_words,
)
from onearm.web.place import place
from onearm.web.reading import is_number
from onearm.web.words import (
    CHANGE_REASONS,
    MEANINGS,
    MISSING,
    bounds_words,
    day_words,
    in_language,
    lines_of,
    listed,
    moment_words,
    role_word,
    word,
    zoned_words,
)

STEPS = ("saved", "complete", "verified", "signed", "locked")
PARTS = ("kind", "about", "visit", "form", "repeat")  # of a form's address
VERSIONS = 5  # shown on the form itself; the page of the history has all


def key_of(kind: str, about: str, visit: str, form: str, repeat: int) -> FormKey:
    """The form of an address; 404 where the study file has no such place."""
    study, visit = place().study, "" if visit == "-" else visit
    try:
        definition = study.form(form)
        at = [v.id for v in study.schedule.visits if form in v.forms]
    except StudyError:
        raise Http404 from None
    belongs = visit in at if visit else (definition.unscheduled or not at)
    if definition.about != kind or not belongs or repeat < 1:
        raise Http404
    if repeat != 1 and not definition.repeating and not (at and not visit):
        raise Http404  # without a visit, a visit's form is numbered by the unscheduled visit
    return FormKey(kind, about, form, visit, repeat)


def site_for(request: HttpRequest, records: Records, key: FormKey) -> str:
    """The site of what a form is about; for something new, the site chosen when it was begun."""
    if records.snapshot.about(key.kind, key.about):
        return site_shown(request, records, key.kind, key.about)
    if not is_number(key.about):
        raise Http404
    sites = entry_sites(person_of(request), place().today())
    chosen = request.session.get("new_site")
    if not sites:
        raise Http404
    return str(chosen) if chosen in sites else sites[0]


@needs("see")
def form(
    request: HttpRequest, kind: str, about: str, visit: str, form: str, repeat: int
) -> HttpResponse:
    """Show a form, or record what was posted on it."""
    key = key_of(kind, about, visit, form, repeat)
    records = place().records_about(about)
    site = site_for(request, records, key)
    if request.method != "POST":
        kept = PageDraft.of(request.user, key)
        boxes = json.loads(kept.boxes) if kept else None
        if boxes is not None and not _differs(records, key, boxes):
            kept = boxes = None
        return _page(request, records, key, site, boxes=boxes, kept=kept)
    return _save(request, records, key, site, complete=request.POST.get("do") == "complete")


def _save(
    request: HttpRequest, records: Records, key: FormKey, site: str, *, complete: bool
) -> HttpResponse:
    here, boxes = place(), request.POST.dict()
    if boxes.get("study", here.study.hash) != here.study.hash:
        return _page(request, records, key, site, boxes=boxes, status=422, refused=[_amended()])
    page = read_page(records, key, boxes, here.today())
    if page.refused:
        return _page(request, records, key, site, boxes=boxes, page=page, status=422)
    changes = any(records.snapshot.get(d.key) is not None for d in page.drafts)
    try:
        with here.write_lock:
            if records.study is not here.study:
                raise ConductError(_amended())
            if _begun_meanwhile(records, here.records(), key):
                raise ConductError(
                    "{kind} {about}: was begun by somebody else meanwhile; nothing was recorded; look "
                    "at it, and save again",
                    kind=term(key.kind),
                    about=key.about,
                )
            made = act(
                records, here.ledger, person_now(request), site, [*page.drafts, *page.confirmations],
                action="change" if changes else "enter", today=here.today(), kind=key.kind,
                seen=page.seen,
            )  # fmt: skip
    except StaleError:
        return _merge(request, here.records_about(key.about), key, page, boxes)
    except OnearmError as error:
        return _page(
            request, records, key, site, boxes=boxes, page=page, status=422, refused=lines_of(error)
        )
    PageDraft.drop(request.user, key)
    if made:
        messages.success(request, _recorded(len(made)))
    elif not complete:
        messages.info(request, _("Nothing differs from the record; nothing was recorded."))
    if complete:
        return _done(
            request,
            key,
            site,
            "complete",
            lambda r: draft_mark(r, key, "complete", True),
            _("Complete."),
        )
    return HttpResponseRedirect(form_url(key))


def _recorded(n: int) -> str:
    return ngettext("%(n)d entry recorded.", "%(n)d entries recorded.", n) % {"n": n}


def _begun_meanwhile(seen: Records, now: Records, key: FormKey) -> bool:
    """Whether something that was new when its page was read is there by now, perhaps at another site."""
    pair = (key.kind, key.about)
    return not seen.snapshot.about(*pair) and bool(now.snapshot.about(*pair))


def _amended() -> str:
    return _(
        "The study file was amended since this page was opened; look at the form as it is now, and save again."
    )


def _done(
    request: HttpRequest,
    key: FormKey,
    site: str,
    action: str,
    make: Callable[[Records], Draft],
    words: str,
) -> HttpResponse:
    """Record one act on a form and go back to it; what is refused is told there."""
    here = place()
    with here.write_lock:
        records = here.records_about(key.about)
        try:
            act(
                records, here.ledger, person_now(request), site, [make(records)], action=action,
                today=here.today(), kind=key.kind,
            )  # fmt: skip
        except OnearmError as error:
            for line in lines_of(error):
                messages.error(request, line)
        else:
            messages.success(request, words)
    return HttpResponseRedirect(form_url(key))


# -- two people on one form -----------------------------------------------------------------------


def _merge(
    request: HttpRequest, records: Records, key: FormKey, page: Page, boxes: Mapping[str, str]
) -> HttpResponse:
    """What stood, what stands now and what was typed, side by side; nothing was recorded."""
    items: list[dict[str, Any]] = []
    stale: set[str] = set()
    enter_look(request, records, [records.snapshot.get(d.key) for d in page.drafts])
    for draft in page.drafts:
        now, seen = records.snapshot.get(draft.key), page.seen.get(draft.key, 0)
        if number_seen(now) == seen or now is None:
            continue
        stale.add(draft.key.item)
        item = records.study.item(key.form, draft.key.item)
        began = next((e for e in place().ledger.history(draft.key) if e.seq == seen), None)
        items.append(
            {
                "id": item.id,
                "label": item.label,
                "unit": item.unit,
                "began": words_for(records, person_of(request), began) if began else "",
                "now": words_for(records, person_of(request), now),
                "by": now.by,
                "role": role_word(now.role),
                "at": moment_words(now.at),
                "yours": draft.value or str(MISSING.get(draft.missing, draft.missing)),
                "value": boxes.get(f"v-{item.id}", ""),
                "missing": boxes.get(f"m-{item.id}", ""),
                "seen": number_seen(now),
                "choose": "",
                "error": "",
                "reason": boxes.get(f"c-{item.id}", ""),
                "words": boxes.get(f"t-{item.id}", ""),
            }
        )
    carry = [
        (name, value)
        for name, value in boxes.items()
        if name.partition("-")[2] not in stale and name not in ("csrfmiddlewaretoken", "do")
    ]
    return render(
        request,
        "onearm/merge.html",
        {
            **_where(records, key),
            "items": items,
            "same": len(page.drafts) - len(items),
            "carry": carry,
            "reasons": list(CHANGE_REASONS.items()),
            "errors": [],
        },
        status=409,
    )


def _where(records: Records, key: FormKey) -> dict[str, Any]:
    """Whose form this is, at which visit: for the line above the heading."""
    study = records.study
    return {
        "about": {"id": key.about, "url": about_url(key)},
        "form": {"label": study.form(key.form).label, "url": form_url(key)},
        "visit": study.visit(key.visit).label if key.visit else "",
    }


def about_url(key: FormKey) -> str:
    """The page of what a form is about."""
    return reverse("subject", args=[key.about]) if key.kind == "subject" else reverse("products")


# -- the page -------------------------------------------------------------------------------------


def _page(
    request: HttpRequest,
    records: Records,
    key: FormKey,
    site: str,
    *,
    boxes: Mapping[str, str] | None = None,
    page: Page | None = None,
    kept: PageDraft | None = None,
    refused: Sequence[str] = (),
    status: int = 200,
) -> HttpResponse:
    here, person = place(), person_of(request)
    enter_look(request, records, list(records.answers(key).values()))
    definition, state, day = records.study.form(key.form), form_state(records, key), here.today()
    closed = in_language(closed_because(records, key))

    def may(action: str) -> bool:
        return person.may(action, site, day, key.kind)

    shut = state.has("locked") or state.has("struck") or bool(closed)
    editable = not shut and may("change" if state.entered else "enter")
    asked_here = queries(records, key)
    items = {
        item.id: _item(records, key, item, boxes, page, asked_here, may, person)
        for item in definition.all_items
    }
    context = {
        "about": {
            "kind": key.kind,
            "word": {"subject": _("Subject"), "donor": _("Donor"), "lot": _("Lot")}[key.kind],
            "id": key.about,
            "url": about_url(key),
        },
        "study": here.study.hash,
        "form": {"id": key.form, "label": definition.label, "repeat": key.repeat if definition.repeating else 0},
        "visit": _visit(records, key, day),
        "steps": _steps(state),
        "struck": _struck(state),
        "closed": closed,
        "actions": _actions(state, may) if state.entered else [],
        "hash": shown_hash(records, key),
        "reasons": list(CHANGE_REASONS.items()),
        "missing_reasons": list(MISSING.items()),
        "signatures": [
            {
                "words": MEANINGS[s.meaning],
                "name": s.name,
                "role": role_word(s.role),
                "at": zoned_words(s.at),
                "valid": s.valid,
                "why_void": in_language(s.why_void),
            }
            for s in state.signatures
        ],
        "sign": signing(request, person, site, key.kind, shown_hash(records, key), definition.sign)
        if may("sign") and state.has("complete") and not shut
        else None,
        "sign_note": _sign_note(records, state) if may("sign") and state.entered else "",
        "draft": {"time": timezone.localtime(kept.at).strftime("%H:%M")}
        if kept and editable
        else None,
        "urls": {
            **{name: _url(name, key) for name in ("draft", "score", "mark", "sign", "query")},
            "date": reverse("date_shown"),
        },
        "scores": scores(records if page is None else preview(records, page.drafts), key),
        "errors": _errors(items, refused),
        "editable": editable,
        "calendar": _("Jalali"),
        "query_may": may("query") and state.entered > 0,
        "groups": _groups(definition, items),
    }  # fmt: skip
    return render(request, "onearm/form.html", context, status=status)


def _url(name: str, key: FormKey) -> str:
    return reverse(name, args=[key.kind, key.about, key.visit or "-", key.form, key.repeat])


def _visit(records: Records, key: FormKey, day: date) -> dict[str, Any] | None:
    if key.kind != "subject":
        return None
    if not key.visit:
        told = {"target": "", "window": (), "state": "unplanned", "word": ""}
        return (
            {"label": unplanned_label(key.repeat), **told} if unplanned(records, key.form) else None
        )
    visit = records.study.visit(key.visit)
    row = next(
        (
            r
            for r in visit_rows(records, day, [key.about])
            if (r.state.subject, r.state.visit.id) == (key.about, key.visit)
        ),
        None,
    )
    if row is None:
        return {"label": visit.label, "target": "", "window": (), "state": "planned", "word": ""}
    state = row.state
    return {
        "label": visit.label,
        "target": day_words(state.target),
        "window": window_words(row),
        "state": row.word,
        "word": word(row.word),
    }


def _steps(state: FormState) -> list[dict[str, Any]]:
    """The way of a form from saved to locked, with who went it when."""
    steps = []
    for name in STEPS:
        detail, reached, void = "", state.has(name), False
        mark = state.marks.get(name)
        if name == "saved":
            reached = state.entered > 0
        elif name == "signed":
            reached, void = state.signed, bool(state.void) and not state.signed
            last = max(state.signatures, key=lambda s: s.seq, default=None)
            detail = listed([last.user, moment_words(last.recorded)]) if last else ""
        elif mark is not None and reached:
            detail = listed([mark.by, moment_words(mark.at)])
        label = word("void") if void else word(name)
        steps.append(
            {"state": name, "word": label, "reached": reached, "void": void, "detail": detail}
        )
    return steps


def _sign_note(records: Records, state: FormState) -> str:
    """Why a form cannot be signed now, in words."""
    if state.has("locked") and unsigned(records, state.key):
        return _(
            "The form is locked, so it cannot be signed; whoever may unlock it says why first."
        )
    return "" if state.has("complete") else _("Only a complete form is signed.")


def _struck(state: FormState) -> str:
    mark = state.marks.get("struck")
    if mark is None or mark.value != "yes":
        return ""
    return f"{mark.reason} ({listed([mark.by, moment_words(mark.at)])})"


def _actions(state: FormState, may: Callable[[str], bool]) -> list[dict[str, Any]]:
    """What may be marked or taken back now by who looks at it."""
    shut = state.has("locked") or state.has("struck")
    outside = not state.key.visit
    rules = (
        ("complete", True, "complete", not shut, _("Mark as complete"), ""),
        ("complete", False, "complete", not shut, _("Not complete after all"), ""),
        ("verified", True, "verify", not shut and state.has("complete"), _("Compared with the source"), ""),
        ("verified", False, "verify", not shut, _("Take the comparison back"), ""),
        ("locked", True, "lock", not shut, _("Lock"), _("Nothing can be entered on a locked form.")),
        ("locked", False, "unlock", True, _("Unlock"), ""),
        ("struck", True, "strike", not shut and outside, _("Strike this row out"),
         _("The row stays to be seen and leaves every analysis.")),
        ("struck", False, "strike", True, _("Take the striking back"), ""),
    )  # fmt: skip
    return [
        {
            "mark": mark,
            "on": on,
            "label": label,
            "needs_reason": not on or mark == "struck",
            "danger": mark == "struck" and on,
            "help": told,
        }
        for mark, on, action, possible, label, told in rules
        if possible and state.has(mark) != on and may(action)
    ]


def signing(
    request: HttpRequest,
    person: Person,
    site: str,
    kind: str,
    hash: str,
    wanted: Sequence[str] = (),
) -> dict[str, Any]:
    """The fields of a signature."""
    role = person.role_for("sign", site, place().today(), kind) or ""
    return {
        "meanings": [(m, MEANINGS[m]) for m in (wanted or MEANINGS)],
        "meaning": "",
        "needs_code": has_second_factor(request.user),
        "name": person.name,
        "role": role_word(role),
        "hash": hash,
        "error": "",
    }


def scores(records: Records, key: FormKey) -> list[tuple[str, str]]:
    """The scores of an instrument form with their bounds."""
    form = records.study.form(key.form)
    if form.instrument is None:
        return []
    found = (
        [(name, bounds_words(bounds)) for name, bounds in records.score(key).bounds.items()]
        if records.answers(key)
        else []
    )
    return found or [(name.partition(".")[2], "–") for name in form.scores]


def _errors(items: Mapping[str, Mapping[str, Any]], refused: Sequence[str]) -> list[dict[str, str]]:
    found = [
        {"field": item["label"], "href": f"#i-{name}", "text": text}
        for name, item in items.items()
        for text in item["errors"]
    ]
    return found or [{"field": _("This form"), "href": "#entry", "text": text} for text in refused]


def _groups(definition: Form, items: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Items together; an instrument's questions under their organ system, compact."""
    systems = {}
    if definition.instrument is not None:
        systems = {q.id: q.system for q in INSTRUMENTS[definition.instrument.name].questions}
    groups: dict[str, list[Any]] = {}
    for name, item in items.items():
        groups.setdefault(systems.get(name, ""), []).append(item)
    return [
        {
            "title": title if title.isupper() else title.capitalize(),
            "id": f"g{n}",
            "compact": bool(title),
            "note": "",
            "items": found,
        }
        for n, (title, found) in enumerate(groups.items())
    ]


def _item(
    records: Records,
    key: FormKey,
    item: Item,
    boxes: Mapping[str, str] | None,
    page: Page | None,
    asked_here: Sequence[Query],
    may: Callable[[str], bool],
    person: Person,
) -> dict[str, Any]:
    """One item as the page shows it."""
    at = item_key(key, item.id)
    saved = records.snapshot.get(at)
    secret = saved is not None and concealed(records, person, at)
    value: str = (saved.value or "") if saved else ""
    missing: str = saved.missing if saved else ""
    typed = boxes is not None and (f"v-{item.id}" in boxes or f"m-{item.id}" in boxes)
    if typed and boxes is not None:
        value, missing = boxes.get(f"v-{item.id}", ""), boxes.get(f"m-{item.id}", "")
    if secret:
        value, missing, saved, boxes, page = "", "", None, None, None
    problems = (page.problems if page else {}).get(item.id, ())
    warnings = [in_language(p.message) for p in problems if p.severity == "warning"]
    if page is None and saved is not None and saved.value is not None:
        draft = Draft(at, saved.value, saved.unit)
        found = check_drafts(records.study, [draft], records.snapshot)
        warnings = [in_language(p.message) for p in found if p.id == "value.range"]
    if page is None and item.role == "end date" and (order := date_order(records, key)):
        warnings.append(in_language(order.message))
    choices = _choices(item)
    versions = place().ledger.history(at) if saved else []
    hidden = ""
    if applies(records, key, item) is False and not typed:
        hidden = _("not asked: another answer excludes it")
    if secret:
        hidden = _("recorded; it identifies a person, and you have no right to see it")
    return {
        "id": item.id,
        "label": item.label,
        "type": item.type,
        "value": value,
        "shown": _shown(item, saved),
        "saved": saved.value or "" if saved else "",
        "saved_shown": _shown(item, saved),
        "missing": missing,
        "saved_missing": saved.missing if saved else "",
        "seen": number_seen(saved),
        "unit": item.unit,
        "points": _points(records.study.form(key.form), item),
        "derived": "",
        "choices": choices,
        "radio": item.type == "choice" and len(choices) <= 5,
        "required": item.id in {i.id for i in asked(records, key)},
        "help": f"{item.range[0]:g} – {item.range[1]:g}" if item.range else "",
        "other_date": _other_date(item, value),
        "hidden": hidden,
        "identifying": item.identifying,
        "errors": [_at_field(p, saved) for p in problems if p.severity == "error"],
        "warnings": [
            {"text": text, "confirmed": _confirmed(records, at, saved), "words": ""}
            for text in warnings
        ],
        "reason": (boxes or {}).get(f"c-{item.id}", ""),
        "words": (boxes or {}).get(f"t-{item.id}", ""),
        "history": len(versions) if len(versions) > 1 else 0,
        "history_url": reverse(
            "history", args=[key.kind, key.about, key.visit or "-", key.form, key.repeat, item.id]
        ),
        "versions": [_version(item, v) for v in reversed(versions[-VERSIONS:])],
        "queries": [_thread(q, may) for q in asked_here if q.item == item.id],
    }


def _at_field(problem: Problem, saved: Entry | None) -> str:
    """What is wrong, in words for a field: the place need not be said there."""
    if problem.id == "reason.missing" and saved is not None:
        told = sentence("'{words}' is recorded; a change needs a reason", words=saved.words)
        return in_language(told)
    return in_language(problem.message)


def _other_date(item: Item, value: str) -> str:
    """A typed date in the calendars of the language, where that says more than the box."""
    told = day_words(value) if item.type == "date" and len(value) == 10 else ""
    return "" if told == value else told


def _choices(item: Item) -> list[tuple[str, str]]:
    if item.type == "yesno":
        return [("yes", _("Yes")), ("no", _("No"))]
    return [(code, label) for code, label in (item.choices or {}).items()]


def _shown(item: Item, entry: Entry | None) -> str:
    """A recorded value for reading: a choice by its label, a date in the calendars of the language."""
    if entry is None:
        return ""
    if entry.value is None:
        return _("redacted") if entry.redacted else str(MISSING.get(entry.missing, entry.missing))
    if item.type == "date":
        return day_words(entry.value)
    return dict(_choices(item)).get(entry.value, entry.value)


def _points(form: Form, item: Item) -> str:
    if form.instrument is None:
        return ""
    found = [q.weight for q in INSTRUMENTS[form.instrument.name].questions if q.id == item.id]
    return str(found[0]) if found else ""


def _confirmed(records: Records, at: Key, saved: Entry | None) -> str:
    """Who said that an implausible value is right; ``""`` while nobody did, or of another value."""
    key = Key(at.kind, at.about, at.form, f"{at.item}{CONDUCT}confirmed", at.visit, at.repeat)
    entry = records.snapshot.get(key)
    if entry is None or saved is None or entry.value != saved.value:
        return ""
    return f"{entry.reason} ({listed([entry.by, moment_words(entry.at)])})"


def _version(item: Item, entry: Entry) -> dict[str, str]:
    return {
        "value": _shown(item, entry) if item.type == "date" else in_language(entry.words),
        "by": entry.by,
        "role": role_word(entry.role),
        "at": moment_words(entry.at),
        "reason": entry.reason,
    }


def _thread(query: Query, may: Callable[[str], bool]) -> dict[str, Any]:
    return {
        "number": query.number,
        "state": query.state,
        "word": word(query.state),
        "thread": [_said(e) for e in place().ledger.history(query.key)],
        "may_answer": may("answer") and query.state == "open",
        "may_close": may("close query") and query.state != "closed",
    }


def _said(entry: Entry) -> dict[str, Any]:
    return {
        "words": entry.reason,
        "state": entry.value or "",
        "word": word(entry.value or ""),
        "by": entry.by,
        "role": role_word(entry.role),
        "at": moment_words(entry.at),
        "seq": entry.seq,
    }


# -- drafts, scores, acts -------------------------------------------------------------------------


def _differs(records: Records, key: FormKey, boxes: Mapping[str, str]) -> bool:
    """Whether what is typed says anything else than the record."""
    page = read_page(records, key, boxes, place().today())
    return bool(page.drafts or page.problems or page.confirmations)


def _keep(request: HttpRequest, key: FormKey, boxes: Mapping[str, str]) -> PageDraft:
    kept = {k: v for k, v in boxes.items() if k not in ("csrfmiddlewaretoken", "do")}
    return PageDraft.keep(request.user, key, json.dumps(kept))


@posted_from("form", *PARTS)
@needs("enter")
def draft(
    request: HttpRequest, kind: str, about: str, visit: str, form: str, repeat: int
) -> HttpResponse:
    """Keep or discard a draft: outside the record, for this person only."""
    key = key_of(kind, about, visit, form, repeat)
    records = place().records_about(about)
    site_for(request, records, key)
    if "discard" in request.POST:
        PageDraft.drop(request.user, key)
        return HttpResponseRedirect(form_url(key))
    if not _differs(records, key, request.POST.dict()):
        PageDraft.drop(request.user, key)
        return JsonResponse({"kept": ""})
    kept = _keep(request, key, request.POST.dict())
    return JsonResponse({"kept": timezone.localtime(kept.at).strftime("%H:%M")})


@posted_from("form", *PARTS)
@needs("see")
def score(
    request: HttpRequest, kind: str, about: str, visit: str, form: str, repeat: int
) -> HttpResponse:
    """The scores that would follow from what stands in the boxes; nothing is recorded."""
    key = key_of(kind, about, visit, form, repeat)
    records = place().records_about(about)
    site_for(request, records, key)
    page = read_page(records, key, request.POST.dict(), place().today())
    return JsonResponse({"scores": scores(preview(records, page.drafts), key)})


@needs("see")
def date_shown(request: HttpRequest) -> HttpResponse:
    """A typed date as the ledger would keep it, in both calendars."""
    from onearm.web.calendars import read_date

    text = request.GET.get("text", "").strip()
    try:
        iso = read_date(text)
        return JsonResponse({"text": day_words(iso) if len(iso) == 10 else iso})
    except OnearmError as error:
        # while a date is being typed it is none yet, which is no fault
        return JsonResponse({"text": " ".join(lines_of(error)) if len(text) >= 10 else ""})


@posted_from("form", *PARTS)
@needs("see")
def mark(
    request: HttpRequest, kind: str, about: str, visit: str, form: str, repeat: int
) -> HttpResponse:
    """Set a mark or take it back."""
    key = key_of(kind, about, visit, form, repeat)
    site = site_for(request, place().records_about(about), key)
    name, on = request.POST.get("mark", ""), request.POST.get("on") == "yes"
    actions = {"complete": "complete", "verified": "verify", "locked": "lock", "struck": "strike"}
    if name not in actions:
        raise Http404
    action = "unlock" if name == "locked" and not on else actions[name]
    reason, seen = request.POST.get("reason", ""), request.POST.get("hash", "")
    return _done(
        request,
        key,
        site,
        action,
        lambda r: draft_mark(r, key, name, on, reason, seen),
        _("Recorded."),
    )


@posted_from("form", *PARTS)
@needs("sign")
def sign(
    request: HttpRequest, kind: str, about: str, visit: str, form: str, repeat: int
) -> HttpResponse:
    """Sign exactly what was shown, with password and second factor asked again."""
    key = key_of(kind, about, visit, form, repeat)
    site = site_for(request, place().records_about(about), key)
    post = request.POST
    if not confirm_identity(request, post.get("password", ""), post.get("code", "")):
        messages.error(
            request,
            _(
                "Not signed: the password or the code is wrong. Nothing was recorded; enter both again."
            ),
        )
        return HttpResponseRedirect(f"{form_url(key)}#sign")
    at = timezone.localtime().isoformat(timespec="seconds")
    person = person_of(request)
    return _done(
        request, key, site, "sign",
        lambda r: draft_signature(r, key, post.get("meaning", ""), person, at, post.get("hash", "")),
        _("Signed."),
    )  # fmt: skip


@posted_from("form", *PARTS)
@needs("see")
def query(
    request: HttpRequest, kind: str, about: str, visit: str, form: str, repeat: int
) -> HttpResponse:
    """Open a query at an item, answer it, or close it."""
    key = key_of(kind, about, visit, form, repeat)
    records, post = place().records(), request.POST
    site = site_for(request, records, key)
    item, number, words = post.get("item", ""), post.get("number", ""), post.get("words", "")
    if item not in {i.id for i in records.study.form(key.form).all_items}:
        raise Http404
    if not number:
        return _done(
            request,
            key,
            site,
            "query",
            lambda r: draft_query(r, item_key(key, item), words),
            _("Query opened."),
        )
    target = item_key(key, f"{item}{CONDUCT}query{number}")
    if post.get("state") == "answered":
        return _done(
            request,
            key,
            site,
            "answer",
            lambda r: draft_reply(r, target, "answered", words),
            _("Answered."),
        )
    return _done(
        request,
        key,
        site,
        "close query",
        lambda r: draft_reply(r, target, "closed", words),
        _("Closed."),
    )


@needs("see")
def history(
    request: HttpRequest, kind: str, about: str, visit: str, form: str, repeat: int, item: str
) -> HttpResponse:
    """Every version of one item, and what was asked about it."""
    key = key_of(kind, about, visit, form, repeat)
    here = place()
    records = here.records_about(about)
    site_for(request, records, key)
    if item not in {i.id for i in records.study.form(key.form).all_items}:
        raise Http404
    definition, person = records.study.item(key.form, item), person_of(request)
    made = here.ledger.history(item_key(key, item))
    enter_look(request, records, made)
    secret, dated = concealed(records, person, item_key(key, item)), definition.type == "date"
    signed = form_state(records, key).signatures
    versions = [
        {
            "seq": e.seq,
            "value": CONCEALED if secret else day_words(e.value) if dated else e.value or "",
            "unit": e.unit,
            "missing": "" if e.value is not None else _shown(definition, e),
            "by": e.by,
            "role": role_word(e.role),
            "site": e.site,
            "at": moment_words(e.at),
            "reason": e.reason,
            "study": e.study_hash[:12],
            "study_url": "",
            "software": e.software,
            "current": False,
            "after": listed(
                (
                    _("after the signature of %(name)s") % {"name": s.name}
                    for s in signed
                    if e.seq > s.seq
                ),
                "; ",
            ),
        }
        for e in reversed(made)
    ]
    if versions:
        versions[0]["current"] = True
    return render(
        request,
        "onearm/history.html",
        {
            **_where(records, key),
            "item": {"id": item, "label": definition.label, "unit": definition.unit},
            "versions": versions,
            "queries": [
                _thread(q, lambda action: False) for q in queries(records, key) if q.item == item
            ],
        },
    )
