"""Check an onearm ledger without onearm: python3 verify_ledger.py ledger.db [SEQ:HASH, a head]."""

import json
import sqlite3
import sys
from hashlib import sha256

ROWS = """SELECT hash, value, salt, seq, kind, about, visit, form, item, "repeat", value_digest, unit,
missing, "by", role, site, at, reason, study_hash, software, redacts, prev_hash FROM ledger ORDER BY seq"""


def digest(*cells):
    """SHA-256 over RFC 8785 JSON, which for texts, whole numbers and nulls is plain JSON."""
    return sha256(json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
redacted = {seq for (seq,) in db.execute("SELECT redacts FROM ledger")}
head, heads = "0" * 64, ["0:" + "0" * 64]
for stored, value, salt, *row in db.execute(ROWS):
    if (row[0], row[-1]) != (len(heads), head):
        sys.exit(f"entry {len(heads)}: removed, or row {row[0]} stands there and does not belong")
    head, blank = digest("onearm-ledger-1", *row), row[7] if row[0] in redacted else ""
    commitment = digest("onearm-value-1", salt, value) if value or salt else blank
    if (stored, row[7]) != (head, commitment):
        sys.exit(f"entry {row[0]}: changed")
    heads.append(f"{row[0]}:{head}")
if db.execute("SELECT seq || ':' || hash FROM ledger_head").fetchall() != [(heads[-1],)]:
    sys.exit(f"entry {len(heads)}: removed, or the witness was changed")
sys.exit("not in the chain" if {*sys.argv[2:]} - {*heads} else print("whole:", heads[-1]))  # noqa: T201
