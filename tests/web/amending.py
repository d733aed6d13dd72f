"""Amends the study file of a folder through the pages, and prints what it saw: ``python amending.py FOLDER``."""

from __future__ import annotations

import html
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def main(folder: Path) -> None:
    """Enter, sign, amend; the last line printed is what was seen, as JSON."""
    from tests.web.conftest import PASSWORD, STUDY, browser_of, code, make_person, signed_study

    from onearm.conduct import Right, form_state
    from onearm.records import FormKey
    from onearm.web.serve import prepare

    text = signed_study(STUDY.read_text(encoding="utf-8"))
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    prepare(folder, hosts="testserver")
    from django.core.files.uploadedfile import SimpleUploadedFile

    from onearm.web.place import place

    def words(answer: Any) -> str:
        return html.unescape(answer.content.decode())

    def hidden(page: str, name: str) -> str:
        return page.split(f'name="{name}" value="')[1].split('"')[0]

    def load(name: str, raw: bytes) -> Any:
        return investigator.post("/amendment/", {"study": SimpleUploadedFile(name, raw)})

    def identity() -> dict[str, str]:
        return {"password": PASSWORD, "code": code(), "meaning": "approval"}

    coordinator = browser_of(make_person("coordinator", Right("coordinator", "A")))
    investigator = browser_of(make_person("investigator", Right("investigator", "A")))
    url = "/form/subject/S1/M-3/URINE/1/"
    boxes = {"URDT": "2018-06-01", "UPROT24H": "1.8", "URBC": "12", "UWBC": "2", "CELLCAST": "no"}
    posted = {f"v-{k}": v for k, v in boxes.items()}
    coordinator.post(url, posted | {"do": "complete"})
    seen = hidden(words(investigator.get(url)), "hash")
    signature = {"password": PASSWORD, "code": code(), "meaning": "responsibility", "hash": seen}
    investigator.post(f"{url}sign/", signature)
    opened = words(coordinator.get(url))
    told: dict[str, Any] = {"old": place().study.hash}

    bad = [
        investigator.post("/amendment/", {}),
        load("broken.yaml", b"study: ["),
        load("same.yaml", text.encode()),
    ]
    told["bad files"] = [(a.status_code, words(a)) for a in bad]
    shown = load("amended.yaml", text.replace("range: [0, 30]", "range: [0, 25]").encode())[
        "Location"
    ]
    page = words(investigator.get(shown))
    told |= {"page": page, "before approval": place().study.hash}
    approval = {"hash": hidden(page, "hash"), "reason": "narrower range"}
    wrong = investigator.post(shown, approval | identity() | {"password": "wrong"})
    silent = investigator.post(shown, approval | identity() | {"reason": " "})
    told |= {
        "refused": [wrong.status_code, silent.status_code],
        "after refusals": place().study.hash,
    }
    answer = investigator.post(shown, approval | identity())
    assert answer.status_code == 302, words(answer)
    told["new"] = place().study.hash
    key = FormKey("subject", "S1", "URINE", "M-3", 1)
    told["void"] = not form_state(place().records(), key).signed

    late = posted | {"v-URBC": "13", "c-URBC": "typing error", "study": hidden(opened, "study")}
    late["seen-URBC"] = hidden(opened, "seen-URBC")
    stale = coordinator.post(url, late)
    told["stale save"] = (stale.status_code, words(stale))
    again = hidden(words(coordinator.get(url)), "study")
    saved = coordinator.post(url, late | {"study": again})
    assert saved.status_code == 302, words(saved)
    told["cuts"] = words(investigator.get("/cuts/"))
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
