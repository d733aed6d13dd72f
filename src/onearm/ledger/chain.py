"""The hash of an entry and the commitment to its value, in a form any other program can recompute.

``docs/ledger.md`` publishes the form with test vectors. Nothing here may change without a new
format tag: every ledger ever written must verify for as long as it is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from json.encoder import encode_basestring

FORMAT = "onearm-ledger-1"
"""The first string under every entry's hash."""

VALUE_FORMAT = "onearm-value-1"
"""The first string under every value's digest."""

GENESIS = "0" * 64
"""What the first entry names as the hash before it."""

COLUMNS = (
    "seq",
    "kind",
    "about",
    "visit",
    "form",
    "item",
    "repeat",
    "value",
    "salt",
    "value_digest",
    "unit",
    "missing",
    "by",
    "role",
    "site",
    "at",
    "reason",
    "study_hash",
    "software",
    "redacts",
    "prev_hash",
    "hash",
)
"""The columns of the table ``ledger``, in order; ``value``, ``salt``, ``hash`` are not hashed."""

Cell = str | int | None

_VALUE = COLUMNS.index("value")
_DIGEST = COLUMNS.index("value_digest")
_HASH = COLUMNS.index("hash")
_OPENING = f'["{FORMAT}",'.encode()


def canonical(cells: Sequence[Cell]) -> bytes:
    r"""Write texts, whole numbers and nulls as an RFC 8785 (JCS) JSON array in UTF-8.

    For these three types JCS is: no white space, the shortest escapes (``\n``, ``\"``,
    ``\u001f`` in lower case), every other character as itself. Python's
    encoder of strings writes exactly that.

    Raises
    ------
    ValueError
        A text holds a lone surrogate (half of a character), which UTF-8 cannot carry.
    TypeError
        A cell is neither text, whole number nor null.
    """
    for cell in cells:
        if cell is not None and type(cell) is not str and type(cell) is not int:
            raise TypeError(f"{cell!r} is neither text, a whole number nor null")
    return f"[{_joined(cells)}]".encode()


def _joined(cells: Iterable[Cell]) -> str:
    return ",".join(
        [
            encode_basestring(cell) if type(cell) is str else "null" if cell is None else str(cell)
            for cell in cells
        ]
    )


def value_digest(salt: str | None, value: str | None) -> str:
    """Commit to a value: SHA-256 over its salt and itself; ``""`` where there is no value.

    The salt (128 random bits) hides the value from anyone who tries all likely ones, so that
    blanking value and salt really removes it, while the digest, and with it the chain, stays.
    """
    if value is None:
        return ""
    return sha256(canonical((VALUE_FORMAT, salt, value))).hexdigest()


def tail(row: Sequence[Cell]) -> bytes:
    """Return what is hashed of a row after its number; the types of its cells are sound."""
    return f"{_joined((*row[1:_VALUE], *row[_DIGEST:_HASH]))}]".encode()


def hash_at(seq: int, row_tail: bytes) -> str:
    """Return the hash of an entry that stands at number ``seq``."""
    return sha256(b"%b%d,%b" % (_OPENING, seq, row_tail)).hexdigest()


def entry_hash(row: Sequence[Cell]) -> str:
    """Return the hash of a row, from all its cells but ``value``, ``salt`` and ``hash``."""
    seq = row[0]
    assert isinstance(seq, int)
    return hash_at(seq, tail(row))
