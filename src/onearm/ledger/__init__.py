"""Who recorded what, when and why: one append-only table that is data and audit trail.

A correction is a new entry with a reason; the database itself refuses to change or remove one. The
current value is a query, a data cut is ``snapshot(as_of=...)``, and ``verify()`` recomputes the
whole chain from what is stored. Importing this package loads no database library; opening a ledger
does.
"""

from onearm.ledger.entries import Damage, Draft, Entry, Head, Key, StaleError
from onearm.ledger.snapshot import Snapshot
from onearm.ledger.store import Ledger

__all__ = ["Damage", "Draft", "Entry", "Head", "Key", "Ledger", "Snapshot", "StaleError"]
