"""What every page shows round its content: study, navigation, person, head of the ledger."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as noop

from onearm import __version__
from onearm.web.access import person_of
from onearm.web.place import place
from onearm.web.words import listed, moment_words, role_word

PAGES = (
    ("today", noop("Today"), "see"),
    ("subjects", noop("Subjects"), "see"),
    ("products", noop("Donors and lots"), "see"),
    ("events", noop("Events"), "see"),
    ("deviations", noop("Deviations"), "see"),
    ("audit", noop("Audit"), "see audit"),
    ("cuts", noop("Data cuts"), "see"),
    ("people", noop("People"), "manage people"),
)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context of the frame; next to nothing before somebody has signed in."""
    here = place()
    told: dict[str, Any] = {
        "study_id": here.study.id,
        "software": f"onearm {__version__}",
        "nav": [],
        "person": None,
        "idle_seconds": 0,
    }
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return told
    records, person, day = here.records(), person_of(request), here.today()
    roles = list(dict.fromkeys(role_word(r.role) for r in person.rights))
    head = records.snapshot.head
    return {
        **told,
        "nature": records.snapshot.nature,
        "nav": [
            (reverse(name), _(label), request.path == reverse(name))
            for name, label, action in PAGES
            if person.anywhere(action, day)
        ],
        "person": {"name": person.name, "role": listed(roles) or _("no right yet")},
        "account_links": [
            (reverse("account_change_password"), _("Change password")),
            (reverse("mfa_index"), _("Second factor")),
        ],
        "ledger": {
            "seq": head.seq,
            "head": head.hash[:16],
            "at": moment_words(records.snapshot.as_of),
        }
        if head.seq
        else None,
        "idle_seconds": settings.SESSION_COOKIE_AGE,
        "ping_url": reverse("ping"),
    }
