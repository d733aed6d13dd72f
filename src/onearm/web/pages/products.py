"""Donors and lots."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from onearm.conduct import (
    form_state,
    site_of,
)
from onearm.records import FormKey
from onearm.web.access import needs, person_of
from onearm.web.pages.overview import (
    form_url,
    number_wanted,
)
from onearm.web.place import place
from onearm.web.reading import is_number, latin_digits
from onearm.web.words import (
    word,
)


@needs("see")
def products(request: HttpRequest) -> HttpResponse:
    """Donors and lots with their forms; a new one is begun here."""
    here, person = place(), person_of(request)
    records, day = here.records(), here.today()
    forms = [f for f in here.study.forms if f.about != "subject"]
    if request.method == "POST":
        about, form = (
            latin_digits(request.POST.get("about", "")).strip(),
            request.POST.get("form", ""),
        )
        known = next((f for f in forms if f.id == form), None)
        begun = known is not None and records.snapshot.about(known.about, about)
        if known is None or not (begun or is_number(about)):
            messages.error(request, number_wanted())
            return HttpResponseRedirect(reverse("products"))
        return HttpResponseRedirect(form_url(FormKey(known.about, about, known.id, "", 1)))
    lines = [
        (form, [(k, form_state(records, k)) for k in records.instances(form.id)
                if person.sees(site_of(records, k.kind, k.about), day)])
        for form in forms
    ]  # fmt: skip
    return render(
        request,
        "onearm/products.html",
        {
            "forms": [
                {
                    "id": form.id,
                    "label": form.label,
                    "rows": [
                        {"id": k.about, "url": form_url(k), "state": s.word, "word": word(s.word)}
                        for k, s in keys
                    ],
                    "may": any(person.may("enter", r.site, day, form.about) for r in person.rights),
                }
                for form, keys in lines
            ]
        },
    )
