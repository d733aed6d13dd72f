"""Serves a folder made for the browser's tests: ``python serving.py FOLDER``; prints its address.

People by role at site A, and one subject, P01, with something on every page: values, a change, a query, a voided and a
valid signature, enrolment, an infusion, an adverse event, a deviation, a donor, a lot and a data cut.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
INFUSED = date.today() - timedelta(days=91)
SCREENED = INFUSED - timedelta(days=91)

Boxes = dict[str, dict[str, str]]


def course(about: str, lot: str, donor: str) -> Boxes:
    """Every page of a subject whom the protocol fits, by address of the form."""

    def urine(day: date, protein: str) -> dict[str, str]:
        told = {"URDT": str(day), "UPROT24H": protein, "URBC": "12", "UWBC": "2"}
        return told | {"CELLCAST": "no"}

    def labs(day: date) -> dict[str, str]:
        told = {"LBDT": str(day), "CREAT": "0.9", "C3LOW": "yes", "DNAHIGH": "no"}
        return told | {"PLT": "250", "WBC": "6.0", "TEMP": "36.6"}

    day3 = INFUSED + timedelta(days=89)
    return {
        f"subject/{about}/M-3/DEMOG": {"CONSENTDT": str(SCREENED), "AGE": "29", "SEX": "F"},
        f"subject/{about}/M-3/ELIG": {
            "ELIGDT": str(SCREENED),
            "LNCLASS": "IV",
            "REFRACTORY": "yes",
            "ENROLDT": str(SCREENED + timedelta(days=10)),
        },
        f"subject/{about}/M-3/SLEDAI": {"SLEDT": str(SCREENED)},
        f"subject/{about}/M-3/URINE": urine(SCREENED, "2.1"),
        f"subject/{about}/M-3/LABS": labs(SCREENED),
        f"donor/{donor}/-/DONOR": {
            "DNSUBJ": about,
            "DNREL": "sibling",
            "DNAGE": "31",
            "DNRECDT": str(SCREENED + timedelta(days=20)),
        },
        f"lot/{lot}/-/COA": {
            "LTDONOR": donor,
            "LTTISSUE": "adipose",
            "VIABILITY": "92",
            "CONC": "2000000",
            "STERILITY": "no growth",
            "MYCOPLASMA": "negative",
            "ENDOTOXIN": "0.5",
        },
        f"subject/{about}/D0/WEIGHT": {"WEIGHT": "60"},
        f"subject/{about}/D0/INFUSION": {
            "INFDT": str(INFUSED),
            "LOT": lot,
            "VCELLS": "60000000",
            "INFVOL": "30",
            "INFMIN": "30",
        },
        f"subject/{about}/M3/SLEDAI": {"SLEDT": str(day3)},
        f"subject/{about}/M3/URINE": urine(day3, "1.5"),
        f"subject/{about}/M3/LABS": labs(day3),
    }


def seed(client_of: Any) -> None:
    """Subject P01, entered through the pages."""
    from tests.web.conftest import PASSWORD, code

    from onearm.conduct import shown_hash
    from onearm.records import FormKey
    from onearm.web.place import place

    coordinator, investigator = client_of("coordinator"), client_of("investigator")
    monitor = client_of("monitor")

    def post(client: Any, url: str, **boxes: str) -> None:
        answer = client.post(url, boxes)
        assert answer.status_code == 302, (url, answer.content.decode())

    def identity() -> dict[str, str]:
        return {"password": PASSWORD, "code": code()}

    def enter(address: str, values: dict[str, str]) -> None:
        boxes = {f"v-{item}": value for item, value in values.items()}
        post(coordinator, f"/form/{address}/1/", do="save", **boxes)

    urine = "/form/subject/P01/M-3/URINE/1/"
    for address, values in course("P01", "L-P01", "DN-P01").items():
        if "/WEIGHT" in address:
            page = investigator.get("/subject/P01/screening/").content.decode()
            shown = page.split('name="hash" value="')[1].split('"')[0]
            post(investigator, "/subject/P01/enrol/", hash=shown, **identity())
        enter(address, values)
    place_of = FormKey("subject", "P01", "URINE", "M-3", 1)
    post(coordinator, f"{urine}mark/", mark="complete", on="yes")
    for change in ("13", ""):  # one signature that the change voids, one that holds
        head = shown_hash(place().records(), place_of)
        post(investigator, f"{urine}sign/", meaning="responsibility", hash=head, **identity())
        if change:
            found = place().records().snapshot.about("subject", "P01")
            seq = next(e.seq for e in found if (e.key.item, e.key.visit) == ("URBC", "M-3"))
            boxes = {"v-URBC": change, "seen-URBC": str(seq), "c-URBC": "typing error"}
            post(coordinator, urine, do="save", **boxes)
    post(monitor, f"{urine}query/", item="UPROT24H", words="Source says 2.0?")
    day = str(INFUSED + timedelta(days=1))
    event = {"AETERM": "Hypertension", "AESTDT": day, "AEGRADE": "2", "AESER": "no"}
    enter("subject/P01/-/AE", event | {"AEREL": "yes", "AEOUT": "recovered"})
    enter("subject/P01/-/DEVIATION", {"DVTERM": "Late sample", "DVDT": day, "DVIMP": "no"})
    post(client_of("data-manager"), "/cuts/", words="Interim look")


def main(folder: Path) -> None:
    """Prepare, seed and serve until the process is ended."""
    from tests.web.conftest import STUDY, browser_of, make_person, signed_study

    from onearm.conduct import Right
    from onearm.web.serve import prepare

    text = signed_study(STUDY.read_text(encoding="utf-8"))
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    prepare(folder)
    from django.core.cache import cache
    from waitress import create_server

    from onearm.web.wsgi import application

    roles = ("coordinator", "investigator", "monitor", "data manager")
    people = {r.replace(" ", "-"): make_person(r.replace(" ", "-"), Right(r, "A")) for r in roles}
    make_person("administrator", Right("administrator", ""))

    seed(lambda user: browser_of(people[user], SERVER_NAME="127.0.0.1"))

    def fresh(environ: Any, start: Any) -> Any:
        cache.clear()  # a code may be used again: these tests do not wait half a minute for the next
        return application(environ, start)

    server = create_server(fresh, host="127.0.0.1", port=0, threads=8)
    print(f"http://127.0.0.1:{server.effective_port}", flush=True)  # noqa: T201
    server.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
