"""The data at one moment: the current entry of every key, as a frozen value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from onearm.ledger.entries import EMPTY, Entry, Head, Key


@dataclass(frozen=True)
class Snapshot:
    """What the ledger said after a given entry: a data cut.

    Attributes
    ----------
    entries
        The current entry of each key, by number. A current value that was redacted is here with
        ``value`` None and ``redacted`` true, whenever the cut was taken: the value is gone.
    head
        Number and hash of the last entry included; it names the cut.
    as_of
        Time of the last entry included, ISO 8601 UTC; ``""`` when the cut is empty.
    order
        (kind, about) pairs in order of their first entry; taken from ``entries`` when left out.
    """

    entries: tuple[Entry, ...]
    head: Head = EMPTY
    as_of: str = ""
    order: tuple[tuple[str, str], ...] = ()

    def advanced(self, entries: Sequence[Entry], head: Head, as_of: str) -> Snapshot:
        """The data after these entries too, which follow the head; none of them a redaction.

        As :meth:`onearm.ledger.Ledger.snapshot` would give it, without reading what stood before.
        """
        by_key, by_about, order = self._by_key.copy(), self._by_about.copy(), list(self.order)
        for entry in entries:
            pair = (entry.key.kind, entry.key.about)
            by_key.pop(entry.key, None)
            by_key[entry.key] = entry
            if pair not in by_about:
                order.append(pair)
            others = tuple(e for e in by_about.get(pair, ()) if e.key != entry.key)
            by_about[pair] = (*others, entry)
        found = Snapshot(tuple(by_key.values()), head, as_of, tuple(order))
        found.__dict__.update(_by_key=by_key, _by_about=by_about)
        return found

    def only(self, about: str) -> Snapshot:
        """What stands about one subject, donor or lot, and about every donor and lot; who there is stays known."""
        kept = [
            entry
            for (kind, name), entries in self._by_about.items()
            if name == about or kind in ("donor", "lot")
            for entry in entries
        ]
        return Snapshot(tuple(sorted(kept, key=lambda e: e.seq)), self.head, self.as_of, self.order)

    def get(self, key: Key) -> Entry | None:
        """Return the current entry of a key; None when nothing was ever recorded there."""
        return self._by_key.get(key)

    def about(self, kind: str, about: str) -> tuple[Entry, ...]:
        """All current entries of one subject, donor, lot or the study, by number."""
        return self._by_about.get((kind, about), ())

    def subjects(self) -> tuple[str, ...]:
        """List the subjects, in order of their first entry."""
        return self._kind("subject")

    def donors(self) -> tuple[str, ...]:
        """List the donors, in order of their first entry."""
        return self._kind("donor")

    def lots(self) -> tuple[str, ...]:
        """List the product lots, in order of their first entry."""
        return self._kind("lot")

    @property
    def redacted(self) -> tuple[Entry, ...]:
        """The current entries whose value was redacted, by number."""
        return tuple(entry for entry in self.entries if entry.redacted)

    @cached_property
    def nature(self) -> str:
        """``"constructed"`` or ``"simulated"`` when the ledger says so; ``""`` for real data."""
        for entry in reversed(self.entries):
            key = entry.key
            if key.kind == "study" and key.form == "DATA" and key.item == "NATURE":
                return entry.value or ""
        return ""

    def _kind(self, kind: str) -> tuple[str, ...]:
        return tuple(about for found, about in self.order or self._by_about if found == kind)

    @cached_property
    def _by_key(self) -> dict[Key, Entry]:
        return {entry.key: entry for entry in self.entries}

    @cached_property
    def _by_about(self) -> dict[tuple[str, str], tuple[Entry, ...]]:
        groups: dict[tuple[str, str], list[Entry]] = {}
        for entry in self.entries:
            groups.setdefault((entry.key.kind, entry.key.about), []).append(entry)
        return {pair: tuple(entries) for pair, entries in groups.items()}
