"""Writes the CONSTRUCTED records of nine subjects that reproduce the 2018 abstract. Not patient data.

Run: python studies/lupus-msc/records/construct.py

No per-patient data of the trial are public. The SLEDAI totals below are one of the sets of whole numbers that
have the published means and SDs (15.4 +- 5.8 and 6.0 +- 4.8) and the published P (0.014) by the test that gives
it, the signed-rank test's normal approximation with continuity correction when one of nine is unchanged. The
protein values have the published means (2.1 and 1.5 g) and P (0.308) by the paired t test. Everything else
(dates, weights, lots, vital signs, which descriptors make up a total, the values at the infusion visit) is made
up so that it agrees with them.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).parent
VISITS = ("M-3", "D0", "M3")
CLINICAL = (
    "SEIZURE PSYCHOS ORGBRAIN VISUAL CRANIAL HEADACHE CVA VASCUL ARTHRIT MYOSIT RASH ALOPEC MUCOSAL PLEURISY PERICARD"
).split()
# subject: sex, age, class, weight kg, day of infusion, day of M-3, day of M3 (study days)
SUBJECTS = {
    "001": ("F", 24, "IV", 58.0, "2017-01-09", -92, 90),
    "002": ("F", 19, "III", 49.5, "2017-01-30", -90, 93),
    "003": ("F", 27, "III", 63.0, "2017-03-06", -95, 88),
    "004": ("F", 33, "IV", 71.5, "2017-04-17", -88, 91),
    "005": ("F", 29, "IV", 54.0, "2017-05-22", -91, 95),
    "006": ("F", 31, "III+V", 60.5, "2017-07-03", -93, 92),
    "007": ("M", 37, "IV", 78.0, "2017-09-11", -84, 114),
    "008": ("F", 26, "IV", 52.5, "2017-10-23", -91, 91),
    "009": ("F", 35, "IV+V", 66.0, "2017-12-04", -89, 89),
}
# 24-hour urine protein in g at M-3, D0, M3
PROTEIN = {
    "001": (2.9, 2.4, 0.3),
    "002": (3.1, 2.6, 0.4),
    "003": (1.2, 1.1, 0.9),
    "004": (0.9, 1.2, 2.2),
    "005": (0.9, 0.8, 0.6),
    "006": (1.8, 1.7, 0.5),
    "007": (1.6, 1.9, 0.8),
    "008": (0.7, 0.8, 0.6),
    "009": (5.6, 6.1, 7.4),
}
# Descriptors present besides proteinuria; totals at M-3, D0, M3 stand beside them and are checked by a test.
FINDINGS = {
    "001": ("haem leuk", "haem", ""),  # 9 8 0
    "002": ("pyuria leuk", "pyuria leuk", "leuk"),  # 9 9 1
    "003": ("ARTHRIT compl fever", "ARTHRIT compl", "ARTHRIT"),  # 11 10 8
    "004": ("haem casts pyuria", "haem casts dna", "haem casts pyuria"),  # 16 14 16
    "005": ("haem ARTHRIT compl dna", "haem ARTHRIT compl dna", "compl dna"),  # 16 16 8
    "006": ("haem ARTHRIT RASH dna", "haem RASH dna", "dna"),  # 16 12 2
    "007": ("casts haem compl MUCOSAL", "casts haem compl MUCOSAL", "compl thrombo"),  # 16 16 7
    "008": ("haem casts ARTHRIT dna", "haem casts ALOPEC dna", "dna"),  # 18 16 6
    "009": ("VASCUL haem casts ARTHRIT compl dna", "VASCUL haem casts compl dna", "compl"),  # 28 24 6
}
CREATININE = {
    "001": (0.8, 0.8, 0.7),
    "002": (0.7, 0.7, 0.7),
    "003": (0.9, 1.0, 0.9),
    "004": (1.3, 1.4, 1.5),
    "005": (1.0, 1.0, 0.9),
    "006": (0.8, 0.9, 0.8),
    "007": (1.2, 1.1, 1.1),
    "008": (0.9, 0.9, 0.8),
    "009": (1.1, 1.2, 1.3),
}
# viability %, share of the planned viable cells given, duration in minutes, endotoxin EU/mL, donor's age
PRODUCT = {
    "001": (93, 1.01, 25, 0.12, 31),
    "002": (91, 0.98, 22, 0.10, 24),
    "003": (95, 1.00, 26, 0.21, 35),
    "004": (89, 0.96, 30, 0.15, 28),
    "005": (92, 1.02, 24, 0.11, 33),
    "006": (94, 1.00, 25, 0.18, 26),
    "007": (90, 0.95, 32, 0.25, 40),
    "008": (88, 0.99, 24, 0.14, 22),
    "009": (93, 1.03, 28, 0.16, 38),
}


class Rows(list[dict[str, str]]):
    """Entries in the columns that `onearm import` reads."""

    def put(
        self, kind: str, about: str, visit: str, form: str, item: str, value: object, unit: str = "", repeat: int = 1
    ) -> None:
        """Add one entry."""
        self.append(
            {
                "kind": kind,
                "about": about,
                "visit": visit,
                "form": form,
                "item": item,
                "repeat": str(repeat),
                "value": str(value),
                "unit": unit,
                "missing": "",
                "reason": "",
            }
        )


def day(infusion: date, study_day: int) -> str:
    """The calendar date of a study day (there is no day 0)."""
    return (infusion + timedelta(days=study_day - 1 if study_day > 0 else study_day)).isoformat()


def subject_rows(rows: Rows, s: str) -> None:
    """All entries of one subject in the order in which they would be made."""
    sex, age, ln_class, weight, infused, before, after = SUBJECTS[s]
    infusion = date.fromisoformat(infused)
    put = rows.put
    put("subject", s, "M-3", "DEMOG", "CONSENTDT", day(infusion, before - 3))
    put("subject", s, "M-3", "DEMOG", "AGE", age, "a")
    put("subject", s, "M-3", "DEMOG", "SEX", sex)
    put("subject", s, "M-3", "ELIG", "ELIGDT", day(infusion, before))
    put("subject", s, "M-3", "ELIG", "LNCLASS", ln_class)
    put("subject", s, "M-3", "ELIG", "REFRACTORY", "yes")
    put("subject", s, "M-3", "ELIG", "ENROLDT", day(infusion, before + 7))
    for index, (visit, when) in enumerate(zip(VISITS, (before, 1, after), strict=True)):
        assessment_rows(rows, s, visit, day(infusion, when), index)
        if visit == "D0":
            product_rows(rows, s, weight, infusion)


def assessment_rows(rows: Rows, s: str, visit: str, when: str, index: int) -> None:
    """SLEDAI, urine and blood of one visit, with findings and values that agree."""
    found = FINDINGS[s][index].split()
    protein = PROTEIN[s][index]
    step = 7 * int(s) + 3 * index
    values = {
        "URBC": 14 + step % 17 if "haem" in found else step % 5,
        "UWBC": 12 + step % 9 if "pyuria" in found else step % 4,
        "PLT": 84 if "thrombo" in found else 170 + 9 * (step % 13),
        "WBC": 2.6 if "leuk" in found else round(4.1 + 0.3 * (step % 9), 1),
        "TEMP": 38.4 if "fever" in found else round(36.4 + 0.1 * (step % 6), 1),
    }
    flags = {"CELLCAST": "casts" in found, "C3LOW": "compl" in found, "DNAHIGH": "dna" in found}
    put = rows.put
    put("subject", s, visit, "URINE", "URDT", when)
    put("subject", s, visit, "URINE", "UPROT24H", f"{protein:g}", "g/(24.h)")
    put("subject", s, visit, "URINE", "URBC", values["URBC"], "/[HPF]")
    put("subject", s, visit, "URINE", "UWBC", values["UWBC"], "/[HPF]")
    put("subject", s, visit, "URINE", "CELLCAST", _yes(flags["CELLCAST"]))
    put("subject", s, visit, "LABS", "LBDT", when)
    put("subject", s, visit, "LABS", "CREAT", f"{CREATININE[s][index]:.1f}", "mg/dL")
    put("subject", s, visit, "LABS", "C3LOW", _yes(flags["C3LOW"]))
    put("subject", s, visit, "LABS", "DNAHIGH", _yes(flags["DNAHIGH"]))
    put("subject", s, visit, "LABS", "PLT", values["PLT"], "10*9/L")
    put("subject", s, visit, "LABS", "WBC", values["WBC"], "10*9/L")
    put("subject", s, visit, "LABS", "TEMP", values["TEMP"], "Cel")
    put("subject", s, visit, "SLEDAI", "SLEDT", when)
    for item in CLINICAL:
        put("subject", s, visit, "SLEDAI", item, _yes(item in found))
    attributed = {
        "PROTEIN": protein > 0.5,
        "HAEMAT": "haem" in found,
        "PYURIA": "pyuria" in found,
        "CASTS": "casts" in found,
        "COMPLEM": "compl" in found,
        "DNA": "dna" in found,
        "FEVER": "fever" in found,
        "THROMBO": "thrombo" in found,
        "LEUKOP": "leuk" in found,
    }
    for item, present in attributed.items():
        if present:  # the form asks "due to lupus?" only where the value crosses its threshold
            put("subject", s, visit, "SLEDAI", item, "yes")


def product_rows(rows: Rows, s: str, weight: float, infusion: date) -> None:
    """Donor, lot, weight, infusion and vital signs of one subject."""
    viability, share, minutes, endotoxin, donor_age = PRODUCT[s]
    donor, lot = f"D{s}", f"L{s}"
    put = rows.put
    put("donor", donor, "", "DONOR", "DNSUBJ", s)
    put("donor", donor, "", "DONOR", "DNREL", "sibling")
    put("donor", donor, "", "DONOR", "DNAGE", donor_age, "a")
    put("donor", donor, "", "DONOR", "DNRECDT", (infusion - timedelta(days=35)).isoformat())
    put("lot", lot, "", "COA", "LTDONOR", donor)
    put("lot", lot, "", "COA", "LTTISSUE", "adipose")
    put("lot", lot, "", "COA", "VIABILITY", viability, "%")
    put("lot", lot, "", "COA", "CONC", "2e6", "1/mL")
    put("lot", lot, "", "COA", "STERILITY", "no growth")
    put("lot", lot, "", "COA", "MYCOPLASMA", "negative")
    put("lot", lot, "", "COA", "ENDOTOXIN", f"{endotoxin:.2f}", "[EU]/mL")
    given = round(weight * 1e6 * share / 1e5) * 100_000
    volume = round(given / (viability / 100) / 2e6)
    put("subject", s, "D0", "WEIGHT", "WEIGHT", f"{weight:.1f}", "kg")
    put("subject", s, "D0", "INFUSION", "INFDT", infusion.isoformat())
    put("subject", s, "D0", "INFUSION", "LOT", lot)
    put("subject", s, "D0", "INFUSION", "VCELLS", given, "1")
    put("subject", s, "D0", "INFUSION", "INFVOL", volume, "mL")
    put("subject", s, "D0", "INFUSION", "INFMIN", minutes, "min")
    hypertensive = s == "005"  # the one transient hypertension of the abstract
    for repeat, at in enumerate((-15, 30, 120), start=1):
        systolic, diastolic = 112 + 2 * int(s) + repeat, 70 + int(s)
        if hypertensive and at == 30:
            systolic, diastolic = 156, 96
        put("subject", s, "D0", "VITALS", "VSTIM", at, "min", repeat)
        put("subject", s, "D0", "VITALS", "SYSBP", systolic, "mm[Hg]", repeat)
        put("subject", s, "D0", "VITALS", "DIABP", diastolic, "mm[Hg]", repeat)
    if hypertensive:
        for item, value in {
            "AETERM": "Hypertension",
            "AESTDT": infusion.isoformat(),
            "AEENDT": infusion.isoformat(),
            "AEGRADE": "2",
            "AESER": "no",
            "AEREL": "yes",
            "AEOUT": "recovered",
        }.items():
            put("subject", s, "", "AE", item, value)


def _yes(present: bool) -> str:
    return "yes" if present else "no"


def main() -> None:
    """Write entries.csv, then corrections.csv: one value first typed without its decimal point."""
    rows = Rows()
    rows.put("study", "LN-MSC-2018", "", "DATA", "NATURE", "constructed")
    for subject in SUBJECTS:
        subject_rows(rows, subject)
        rows.put("subject", subject, "", "DISPOSITION", "DSDECOD", "completed")
        *_, infused, _, after = SUBJECTS[subject]
        rows.put("subject", subject, "", "DISPOSITION", "DSDT", day(date.fromisoformat(infused), after))
    wrong = next(
        r for r in rows if (r["about"], r["visit"], r["item"]) == ("006", "M-3", "UPROT24H")
    )
    right = {**wrong, "reason": "decimal point left out; read again from the laboratory's sheet"}
    wrong["value"] = wrong["value"].replace(".", "")
    write(HERE / "entries.csv", rows)
    write(HERE / "corrections.csv", [right])


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """One row an entry, columns as `onearm import` reads them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
