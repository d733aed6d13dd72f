"""Recompute the chain from what is stored, and say what was done to it.

First every row is read in order and given its *place*: the number under which its content gives its
stored hash. That is the number it carries, for a sound row; another one, for a row that was
renumbered, swapped or copied; none, for a row that was edited (a *stray*). Sound neighbours are
joined into stretches, so that memory grows with the damage and not with the ledger.

Then the chain is walked back from the witness, each entry vouching for the one before it by hash.
What the walk needs and does not find is a deletion (or an edit, where a stray stands there); what
it finds under another number is a reorder; what it does not need is an insertion.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from onearm.ledger import chain, database
from onearm.ledger.chain import COLUMNS, GENESIS
from onearm.ledger.entries import EMPTY, Damage, DamageKind, Head, Key, printable
from onearm.ledger.guards import NULLABLE, WHOLE_NUMBERS

if TYPE_CHECKING:
    from sqlalchemy import Connection

SHOWN = 100  # damages listed; one more says how many there are beyond
PIECES = 10_000  # damaged places after which reading stops
TRIES = (
    2_000_000  # numbers tried in all to find the place of rows that do not fit theirs (about 3 s)
)

_DIGEST, _PREV, _HASH = (COLUMNS.index(name) for name in ("value_digest", "prev_hash", "hash"))
_VALUE, _SALT, _MISSING, _REDACTS = (
    COLUMNS.index(name) for name in ("value", "salt", "missing", "redacts")
)
_TYPES = [
    (int if name in WHOLE_NUMBERS else str, *((type(None),) if name in NULLABLE else ()))
    for name in COLUMNS
]
_SOUND_TYPES = frozenset(product(*_TYPES))
_GROUPS: tuple[tuple[DamageKind, ...], ...] = (
    ("edit", "deletion", "insertion", "reorder"),
    ("anchor",),
    ("guard",),
    ("file",),
)

Row = Sequence[Any]


def verify(place: database.Database, anchor: Head | None) -> list[Damage]:
    """Everything that does not fit, damages of entries first, by number; see ``Ledger.verify``."""
    found = _Findings()
    with place.reading(exact=True) as connection:

        def stage(work: Callable[[], None], what: str) -> None:
            # a savepoint: in PostgreSQL an error would otherwise end the whole transaction
            try:
                with connection.begin_nested():
                    work()
            except database.FAULTS as error:
                found.add(0, "file", f"{what} cannot be read: {database.explain(error)}")

        def file() -> None:
            for words in database.check_file(connection):
                found.add(0, "file", f"the database's own integrity check says: {words}")

        def guard() -> None:
            for words in database.check_guards(connection):
                found.add(0, "guard", words)

        stage(file, "the file")
        stage(guard, "the guards")
        stage(lambda: _check_chain(connection, anchor, found), "the entries")
    return found.sorted()


class _Findings:
    """Damages as they are found: one of each kind per entry."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, DamageKind, str], str] = {}

    def add(self, seq: int, kind: DamageKind, message: str) -> None:
        words = printable(message)
        self._found.setdefault((seq, kind, words if kind in ("guard", "file") else ""), words)

    def deletion_after(self, seq: int) -> tuple[int, DamageKind, str] | None:
        """Find the first deletion of entries above a number."""
        return min(
            (key for key in self._found if key[1] == "deletion" and key[0] > seq), default=None
        )

    def extend(self, key: tuple[int, DamageKind, str], words: str) -> None:
        self._found[key] += words

    def sorted(self) -> list[Damage]:
        def rank(damage: Damage) -> tuple[int, int, int]:
            group = next(n for n, kinds in enumerate(_GROUPS) if damage.kind in kinds)
            return group, damage.seq, _GROUPS[group].index(damage.kind)

        damages = sorted(
            (Damage(seq, kind, words) for (seq, kind, _), words in self._found.items()), key=rank
        )
        more = damages[SHOWN:]
        if len(more) > 1:
            words = f"... and {len(more)} more damages, from entry {more[0].seq} on, are not listed"
            return [*damages[:SHOWN], Damage(more[0].seq, more[0].kind, words)]
        return damages


@dataclass(slots=True)
class _Stretch:
    """Rows that follow each other in number, place and hash; ``place = number + shift``."""

    first: int
    last: int
    shift: int
    start: str  # the hash that the first row names as the one before it
    end: str  # the hash of the last row
    used: int | None = None  # the highest place that the walk took from here

    @property
    def low(self) -> int:
        return self.first + self.shift

    @property
    def high(self) -> int:
        return self.last + self.shift


@dataclass(slots=True)
class _Stray:
    """A row whose content gives its hash under no number."""

    seq: int
    row: Row
    computed: str  # the hash its content gives under its number; "" when it gives none
    why: str
    guess: int  # its place, if its neighbours are right
    claimed: bool = False

    def explains(self, place: int, key: Row) -> bool:
        """Return whether this row was, before its damage, the redaction of an entry."""
        row = self.row
        shaped: bool = row[_VALUE] is None and row[_DIGEST] == "" and row[_MISSING] == ""
        same_key: bool = tuple(row[1:7]) == tuple(key)
        names: bool = row[_REDACTS] == place
        return names or (shaped and same_key)


@dataclass(frozen=True, slots=True)
class _Voucher:
    """What the entry above says that the entry at a place has for a hash."""

    hash: str
    by: _Stray | None = None

    def fits(self, own: str | None) -> bool:
        if own is None or own == self.hash:
            return own is not None
        if self.by is None:
            return False
        # the entry above is itself damaged: perhaps it is what it says about this one that was
        # edited
        row = list(self.by.row)
        row[_PREV] = own
        try:
            return bool(chain.hash_at(self.by.guess, chain.tail(row)) == row[_HASH])
        except (TypeError, ValueError):
            return True


@dataclass
class _Reading:
    """All rows, sorted into stretches and strays."""

    connection: Connection
    found: _Findings
    limit: int  # the highest number tried as a place
    gap: int  # by how much all numbers would be shifted if the witness is right about the last one
    stretches: list[_Stretch] = field(default_factory=list)
    strays: list[_Stray] = field(default_factory=list)
    blanks: dict[int, tuple[int, Row]] = field(default_factory=dict)  # place: number, key
    redactions: dict[int, int] = field(
        default_factory=dict
    )  # redacted place: place of the redaction
    complete: bool = True
    tries: int = TRIES
    shift: int = 0

    def read(self, rows: Iterable[Row]) -> None:
        """Take every row; stop at an unreadable place, or when nearly everything is damaged."""
        last = 0
        try:
            for row in rows:
                if type(row[0]) is not int:
                    self.found.add(0, "edit", f"a row carries {row[0]!r} instead of a number")
                    continue
                last = row[0]
                self._take(last, row)
                if len(self.strays) + len(self.stretches) > PIECES:
                    self.found.add(
                        last, "edit", f"more than {PIECES} places are damaged; reading stopped here"
                    )
                    self.complete = False
                    return
        except database.FAULTS as error:
            self.complete = False
            self.found.add(
                last + 1,
                "file",
                f"nothing after entry {last} can be read: {database.explain(error)}",
            )

    def _take(self, seq: int, row: Row) -> None:
        why = ""
        row_tail = b""
        if tuple(map(type, row)) not in _SOUND_TYPES:
            why = _wrong_types(row)
        else:
            try:
                row_tail = chain.tail(row)
            except ValueError:
                why = "a text holds bytes that are no UTF-8"
        place = None if why else self._place(seq, row_tail, row[_HASH])
        if place is None:
            computed = "" if why else chain.hash_at(seq, row_tail)
            self.strays.append(_Stray(seq, tuple(row), computed, why, seq + self.shift))
            return
        self._join(seq, place, row)
        self._check_value(seq, place, row)

    def _place(self, seq: int, row_tail: bytes, digest: str) -> int | None:
        if chain.hash_at(seq, row_tail) == digest:
            return seq
        for shift in (self.shift, self.gap, -1, 1):
            if chain.hash_at(seq + shift, row_tail) == digest:
                return seq + shift
        for place in range(1, min(self.limit, self.tries) + 1):
            if chain.hash_at(place, row_tail) == digest:
                self.tries -= place
                return place
        self.tries -= min(self.limit, self.tries)
        return None

    def _join(self, seq: int, place: int, row: Row) -> None:
        self.shift = place - seq
        if self.stretches:
            stretch = self.stretches[-1]
            follows = seq == stretch.last + 1 and place == stretch.high + 1
            if follows and row[_PREV] == stretch.end:
                stretch.last, stretch.end = seq, row[_HASH]
                return
        self.stretches.append(_Stretch(seq, seq, self.shift, row[_PREV], row[_HASH]))

    def _check_value(self, seq: int, place: int, row: Row) -> None:
        value, salt, digest = row[_VALUE], row[_SALT], row[_DIGEST]
        if row[_REDACTS] is not None:
            self.redactions[row[_REDACTS]] = place
        if value is None and salt is None:
            if digest:
                self.blanks[place] = (seq, row[1:7])
        elif value is None or salt is None or not _commits(salt, value, digest):
            self.found.add(
                seq,
                "edit",
                (
                    f"{_entry(seq, row)}: its value or salt was changed; they no longer give its "
                    "digest"
                ),
            )

    def place_of(self, seq: int) -> int | None:
        """Return the place of the row stored under a number; None for a stray."""
        return next((seq + s.shift for s in self.stretches if s.first <= seq <= s.last), None)

    def highest(self) -> int:
        """Return the highest place that any row stands at."""
        return max([0, *(s.high for s in self.stretches), *(stray.guess for stray in self.strays)])


def _check_chain(connection: Connection, anchor: Head | None, found: _Findings) -> None:
    witness = _witness(connection, found)
    count, last = database.extent(connection)
    seq = last if witness is None else witness.seq
    # no brute search up to a number that a damaged witness or row made up
    reading = _Reading(
        connection, found, limit=min(max(count, seq), count + PIECES), gap=seq - last
    )
    reading.read(database.rows(connection))
    _Walk(reading).run(*_top(reading, witness))
    _check_redactions(reading)
    if anchor is not None:
        _check_anchor(reading, anchor)


def _witness(connection: Connection, found: _Findings) -> Head | None:
    try:
        with connection.begin_nested():
            rows = database.witness(connection)
    except database.FAULTS as error:
        found.add(0, "guard", f"the witness cannot be read: {database.explain(error)}")
        return None
    if len(rows) != 1:
        found.add(
            0, "guard", "the witness is gone" if not rows else "the witness has more than one row"
        )
        return None
    seq, digest = rows[0]
    if type(seq) is not int or type(digest) is not str:
        found.add(0, "guard", "the witness holds something else than a number and a hash")
        return None
    return Head(seq, digest)


def _top(reading: _Reading, witness: Head | None) -> tuple[int, _Voucher | None]:
    """Return the place at which the chain ends, and what vouches for the entry there."""
    found, highest = reading.found, reading.highest()
    if witness is None or not reading.complete:
        return highest, None
    if highest == 0 and witness == EMPTY:
        return 0, None
    voucher = _Voucher(witness.hash)
    if any((s.high, s.end) == (witness.seq, witness.hash) for s in reading.stretches):
        return witness.seq, voucher
    places = {
        reading.place_of(seq) for seq in database.places_of(reading.connection, witness.hash)
    } - {None}
    if any(witness.hash in (stray.computed, stray.row[_HASH]) for stray in reading.strays):
        places.add(witness.seq)
    if witness.seq in places or (not places and witness.seq > highest):
        return witness.seq, voucher
    top = max((place for place in places if place is not None), default=highest)
    if places:
        words = (
            f"the witness says {witness.seq}, but its hash is that of entry {top}: the witness "
            "was changed"
        )
        found.add(top, "edit", words)
        return top, voucher
    words = (
        f"no entry has the hash that the witness (number {witness.seq}) says: the witness was "
        "changed, or the last entries were rewritten with their hashes; a head noted outside the "
        "ledger tells from which entry on"
    )
    found.add(top, "edit", words)
    return top, None


class _Walk:
    """The way back from the witness to the first entry."""

    def __init__(self, reading: _Reading):
        self.reading = reading
        self.found = reading.found
        self.by_seq = {stray.seq: stray for stray in reading.strays}
        self.stray_seqs = sorted(self.by_seq)
        self.top = 0

    def run(self, top: int, voucher: _Voucher | None) -> None:
        self.top = top
        waiting = sorted(self.reading.stretches, key=lambda stretch: stretch.high)
        here: list[_Stretch] = []
        place, above = top, 0
        while place > 0:
            while waiting and waiting[-1].high >= place:
                here.append(waiting.pop())
            here = [stretch for stretch in here if stretch.low <= place and stretch.used is None]
            if here:
                stretch = self._choose(here, place, voucher)
                self._check_link(stretch, place, voucher)
                stretch.used = place
                voucher, above, place = _Voucher(stretch.start), stretch.shift, stretch.low - 1
            else:
                floor, below = (waiting[-1].high, waiting[-1].shift) if waiting else (0, 0)
                voucher = self._hole(floor, place, (above, below, 0), voucher)
                place = floor
        if top > 0 and voucher is not None and not voucher.fits(GENESIS):
            self.found.add(
                1,
                "edit",
                (
                    "entry 1 names an entry before it, but nothing comes before entry 1: it was "
                    "rewritten"
                ),
            )
        self._leftovers()

    def _own(self, stretch: _Stretch, place: int) -> str | None:
        if place == stretch.high:
            return stretch.end
        return database.hash_of(self.reading.connection, place - stretch.shift)

    def _choose(self, here: list[_Stretch], place: int, voucher: _Voucher | None) -> _Stretch:
        if len(here) > 1 and voucher is not None:
            here = [stretch for stretch in here if voucher.fits(self._own(stretch, place))] or here
        return max(here, key=lambda stretch: (stretch.shift == 0, stretch.last - stretch.first))

    def _check_link(self, stretch: _Stretch, place: int, voucher: _Voucher | None) -> None:
        if voucher is None or voucher.fits(self._own(stretch, place)):
            return
        seq = place - stretch.shift
        above = "the witness" if place == self.top else f"entry {place + 1}"
        above += " (itself damaged)" if voucher.by else ""
        self.found.add(
            seq,
            "edit",
            f"entry {seq} is not the one that {above} was chained to: it, and perhaps entries "
            "before it, were rewritten with their hashes",
        )

    def _hole(
        self, floor: int, top: int, shifts: tuple[int, ...], voucher: _Voucher | None
    ) -> _Voucher | None:
        """Explain places above ``floor`` up to ``top`` with no sound row: edited rows, or none."""
        strays = max((self._strays(floor - shift, top - shift) for shift in shifts), key=len)
        shift = next(s for s in shifts if self._strays(floor - s, top - s) == strays)
        place = top
        for stray in reversed(strays):
            stray.claimed, stray.guess = True, stray.seq + shift
            if stray.guess < place:
                self._gone(stray.guess + 1, place)
                voucher = None
            self.found.add(
                stray.seq, "edit", f"{_entry(stray.seq, stray.row)}: {_edited(stray, voucher)}"
            )
            voucher = _vouched(stray, voucher)
            place = stray.guess - 1
        if place > floor:
            self._gone(floor + 1, place)
            return None
        return voucher

    def _strays(self, floor: int, top: int) -> list[_Stray]:
        seqs = self.stray_seqs[
            bisect_right(self.stray_seqs, floor) : bisect_right(self.stray_seqs, top)
        ]
        return [self.by_seq[seq] for seq in seqs if not self.by_seq[seq].claimed]

    def _gone(self, first: int, last: int) -> None:
        words = f"{_span('entry', 'entries', first, last)} removed"
        if last == self.top and last > self.reading.highest():
            words += ", or the witness, which names them, was changed"
        self.found.add(first, "deletion", words)

    def _leftovers(self) -> None:
        for stretch in self.reading.stretches:
            kept = stretch.first - 1 if stretch.used is None else stretch.used - stretch.shift
            if kept < stretch.last:
                self._inserted(stretch, kept + 1)
            if kept >= stretch.first and stretch.shift:
                self.found.add(
                    stretch.first,
                    "reorder",
                    f"{_span('the row', 'the rows', stretch.first, kept)} renumbered: by hash "
                    f"{_places(stretch.low, kept + stretch.shift)}",
                )
        for stray in self.reading.strays:
            if not stray.claimed:
                words = (
                    f"{_entry(stray.seq, stray.row)}: the row was added; it fits nowhere in the "
                    "chain"
                )
                self.found.add(stray.seq, "insertion", words)

    def _inserted(self, stretch: _Stretch, first: int) -> None:
        if first + stretch.shift > self.top:
            why = f"beyond entry {self.top}, where the chain ends by its witness"
        else:
            why = (
                f"it claims the place of {_places(first + stretch.shift, stretch.high)}, where "
                "another row belongs"
            )
        self.found.add(
            first, "insertion", f"{_span('the row', 'the rows', first, stretch.last)} added: {why}"
        )


def _edited(stray: _Stray, voucher: _Voucher | None) -> str:
    if stray.why:
        return f"it was changed: {stray.why}"
    if voucher is not None and stray.computed == voucher.hash:
        return "its stored hash was changed; its content is still what the chain says"
    return "it was changed; its content no longer gives its hash"


def _vouched(stray: _Stray, voucher: _Voucher | None) -> _Voucher | None:
    before = stray.row[_PREV]
    if not isinstance(before, str):
        return None
    sound = voucher is not None and stray.computed == voucher.hash
    return _Voucher(before, None if sound else stray)


def _check_redactions(reading: _Reading) -> None:
    found = reading.found
    for place, (seq, key) in sorted(reading.blanks.items()):
        if place in reading.redactions or any(
            stray.explains(place, key) for stray in reading.strays
        ):
            continue
        words = f"the value of entry {seq} is blank, and no entry says that it was redacted"
        if cause := found.deletion_after(place):
            found.extend(cause, f"; {words}: one of those removed may have said so")
        elif reading.complete:
            found.add(seq, "edit", words)
    for place, redaction in sorted(reading.redactions.items()):
        if place in reading.blanks:
            continue
        stretch = next((s for s in reading.stretches if s.low <= place <= s.high), None)
        if stretch is not None:
            seq = place - stretch.shift
            found.add(
                seq,
                "edit",
                f"the value of entry {seq} stands, although entry {redaction} redacted it",
            )


def _check_anchor(reading: _Reading, anchor: Head) -> None:
    if anchor == EMPTY:
        return
    stored = database.hash_of(reading.connection, anchor.seq)
    places = [reading.place_of(seq) for seq in database.places_of(reading.connection, anchor.hash)]
    if stored == anchor.hash or anchor.seq in places:
        return
    if places:
        words = (
            f"the anchor gives number {anchor.seq}, but its hash is that of entry "
            f"{places[0] or 'unknown'}"
        )
    elif stored is None:
        words = (
            f"the ledger has no entry {anchor.seq}: what was recorded up to the anchor is not all "
            "there"
        )
    else:
        words = (
            f"entry {anchor.seq} has another hash than the anchor: it, or entries before it, were "
            "rewritten"
        )
    reading.found.add(anchor.seq, "anchor", words)


def _commits(salt: str, value: str, digest: str) -> bool:
    try:
        return chain.value_digest(salt, value) == digest
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return False


def _wrong_types(row: Row) -> str:
    for name, kinds, cell in zip(COLUMNS, _TYPES, row, strict=True):
        if type(cell) not in kinds:
            return f"{name} is stored as {type(cell).__name__}, not {kinds[0].__name__}"
    return ""


def _entry(seq: int, row: Row) -> str:
    kind, about, visit, form, item, repeat = row[1:7]
    return f"entry {seq} ({Key(kind, about, form, item, visit, repeat)})"


def _span(one: str, many: str, first: int, last: int) -> str:
    return f"{one} {first} was" if first == last else f"{many} {first} to {last} were"


def _places(first: int, last: int) -> str:
    return f"entry {first}" if first == last else f"entries {first} to {last}"
