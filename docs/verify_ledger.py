"""Check an onearm ledger without onearm: python3 verify_ledger.py ledger.db [SEQ:HASH of a printed head]."""
import json, sqlite3, sys
from hashlib import sha256

COVERED = ('seq kind about visit form item "repeat" value_digest unit missing "by" role site at reason study_hash '
           "software redacts prev_hash").split()

def digest(cells):  # RFC 8785 JSON: for texts, whole numbers and nulls this is it
    return sha256(json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()

def check(path, anchor=""):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    redacted = {seq for (seq,) in db.execute("SELECT redacts FROM ledger WHERE redacts IS NOT NULL")}
    seq, head = 0, "0" * 64
    for row in db.execute(f"SELECT hash, value, salt, {', '.join(COVERED)} FROM ledger ORDER BY seq"):
        stored, value, salt, *covered = row
        seq += 1
        if covered[0] != seq: return f"entry {seq}: missing, {covered[0]} follows"
        if covered[-1] != head: return f"entry {seq}: does not continue entry {seq - 1}"
        head = digest(["onearm-ledger-1", *covered])
        if head != stored: return f"entry {seq}: its content does not give its hash"
        if anchor.startswith(f"{seq}:") and anchor != f"{seq}:{head}": return f"entry {seq}: not the anchor's hash"
        blank = value is None and salt is None and (covered[7] == "" or seq in redacted)
        if not blank and digest(["onearm-value-1", salt, value]) != covered[7]: return f"entry {seq}: value changed"
    witness = db.execute("SELECT seq, hash FROM ledger_head").fetchall()
    if witness != [(seq, head)]: return f"entry {seq + 1}: the witness names another end, {witness}"
    return f"entry {seq + 1}: missing before the anchor" if int(anchor.split(":")[0] or 0) > seq else f"whole: {seq}:{head}"

result = check(*sys.argv[1:])
sys.exit(print(result) or not result.startswith("whole"))
