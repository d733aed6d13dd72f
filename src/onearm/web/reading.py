"""What people type, as the ledger keeps it: Latin digits, a decimal point, trimmed text."""

from __future__ import annotations

import re
import unicodedata

DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
MARKS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
MINUS = str.maketrans({"\u2212": "-", "\u2010": "-", "\u2011": "-", "\u2013": "-"})


def latin_digits(text: str) -> str:
    """Persian and Arabic-Indic digits as Latin ones, without the unseen marks of direction of a copied text."""
    return text.translate(MARKS).translate(DIGITS)


def read_number(text: str) -> str:
    """A typed number: Latin digits, the Arabic decimal separator as a point, a plain minus.

    A comma stays: 1,800 is one and four fifths to one reader and eighteen hundred to another, so the
    checks refuse it and ask.
    """
    plain = latin_digits(text).strip().translate(MINUS)
    return plain.replace("\N{ARABIC DECIMAL SEPARATOR}", ".")


_NUMBER = re.compile(r"[^\W_][\w.-]{0,39}")


def is_number(text: str) -> bool:
    """Whether a text can number a new subject, donor or lot: 1 to 40 letters, digits, ``-``, ``.`` and ``_``.

    It stands in addresses, file names and tables; what a file brought in under another one stays.
    """
    return _NUMBER.fullmatch(text) is not None


def read_text(text: str) -> str:
    """Typed text, composed (NFC), without blanks at its ends, line breaks as one blank."""
    return " ".join(unicodedata.normalize("NFC", text).split())
