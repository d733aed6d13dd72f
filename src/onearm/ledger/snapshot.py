"""The data at one moment: the current entry of every key, as a frozen value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from onearm.ledger.entries import EMPTY, Entry, Head, Key

Pair = tuple[str, str]
"""Kind (subject, donor, lot, study) and name of what entries are about."""


@dataclass(frozen=True, init=False)
class Snapshot:
    """What the ledger said after a given entry: a data cut.

    Kept by what entries are about, so that the next cut shares with this one all that nobody changed:
    a save costs no more in a large trial than in a small one.

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

    head: Head
    as_of: str
    order: tuple[Pair, ...]
    _groups: Mapping[Pair, Mapping[Key, Entry]]

    def __init__(
        self,
        entries: Iterable[Entry],
        head: Head = EMPTY,
        as_of: str = "",
        order: tuple[Pair, ...] = (),
    ):
        groups: dict[Pair, dict[Key, Entry]] = {}
        for entry in entries:
            groups.setdefault((entry.key.kind, entry.key.about), {})[entry.key] = entry
        self._keep(groups, head, as_of, order or tuple(groups))

    def _keep(
        self,
        groups: Mapping[Pair, Mapping[Key, Entry]],
        head: Head,
        as_of: str,
        order: tuple[Pair, ...],
    ) -> None:
        self.__dict__.update(_groups=groups, head=head, as_of=as_of, order=order)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The current entry of each key, by number."""
        every = (entry for group in self._groups.values() for entry in group.values())
        return tuple(sorted(every, key=_number))

    def advanced(self, entries: Iterable[Entry], head: Head, as_of: str) -> Snapshot:
        """The data after these entries too, which follow the head; none of them a redaction.

        As :meth:`onearm.ledger.Ledger.snapshot` would give it, without reading what stood before.
        """
        groups: dict[Pair, Mapping[Key, Entry]] = dict(self._groups)
        changed: dict[Pair, dict[Key, Entry]] = {}
        for entry in entries:
            pair = (entry.key.kind, entry.key.about)
            if pair not in changed:
                groups[pair] = changed[pair] = dict(groups.get(pair, {}))
            changed[pair].pop(entry.key, None)  # the new one stands last: entries are by number
            changed[pair][entry.key] = entry
        fresh = tuple(pair for pair in changed if pair not in self._groups)
        return _of(groups, head, as_of, self.order + fresh)

    def only(self, about: str) -> Snapshot:
        """What stands about one subject, donor or lot, and about every donor and lot; who there is stays known."""
        kept = {
            (kind, name): group
            for (kind, name), group in self._groups.items()
            if name == about or kind in ("donor", "lot")
        }
        found = _of(kept, self.head, self.as_of, self.order)
        found.__dict__["_names"] = self._names
        return found

    def get(self, key: Key) -> Entry | None:
        """Return the current entry of a key; None when nothing was ever recorded there."""
        return self._groups.get((key.kind, key.about), {}).get(key)

    def about(self, kind: str, about: str) -> tuple[Entry, ...]:
        """All current entries of one subject, donor, lot or the study, by number."""
        if (kind, about) not in self._listed:
            self._listed[kind, about] = tuple(self._groups.get((kind, about), {}).values())
        return self._listed[kind, about]

    @cached_property
    def _listed(self) -> dict[Pair, tuple[Entry, ...]]:
        return {}

    def subjects(self) -> tuple[str, ...]:
        """List the subjects, in order of their first entry."""
        return self._names.get("subject", ())

    def donors(self) -> tuple[str, ...]:
        """List the donors, in order of their first entry."""
        return self._names.get("donor", ())

    def lots(self) -> tuple[str, ...]:
        """List the product lots, in order of their first entry."""
        return self._names.get("lot", ())

    @property
    def redacted(self) -> tuple[Entry, ...]:
        """The current entries whose value was redacted, by number."""
        return tuple(entry for entry in self.entries if entry.redacted)

    @cached_property
    def nature(self) -> str:
        """``"constructed"`` or ``"simulated"`` when the ledger says so; ``""`` for real data."""
        said = [
            entry
            for (kind, _about), group in self._groups.items()
            if kind == "study"
            for key, entry in group.items()
            if key.form == "DATA" and key.item == "NATURE"
        ]
        return max(said, key=_number).value or "" if said else ""

    @cached_property
    def _names(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for kind, about in self.order:
            found.setdefault(kind, []).append(about)
        return {kind: tuple(names) for kind, names in found.items()}


def _number(entry: Entry) -> int:
    return entry.seq


def _of(
    groups: Mapping[Pair, Mapping[Key, Entry]], head: Head, as_of: str, order: tuple[Pair, ...]
) -> Snapshot:
    found = Snapshot(())
    found._keep(groups, head, as_of, order)
    return found
